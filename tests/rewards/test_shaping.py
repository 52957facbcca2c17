import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward import Signal
from spatial_reward.rewards import Shaping

GAMMA = 0.97


def signal(potential, std=0.01, progress=0.5, success=0.2, valid=True):
    return Signal(potential, progress, success, std, valid)


def random_signal(rng):
    """Make a noisy signal; a part are invalid, missing, too uncertain, or of unknown std."""
    kind = rng.choice(
        ["fine", "invalid", "missing", "uncertain", "unknown_std", "nan"], p=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1]
    )
    if kind == "invalid":
        return Signal.unknown()
    if kind == "missing":
        return None
    stds = {"uncertain": 0.2, "unknown_std": np.nan}
    potential = np.nan if kind == "nan" else -rng.uniform(0, 2)
    return signal(potential, stds.get(kind, rng.uniform(0, 0.05)), rng.uniform(), rng.uniform())


EPISODES = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())


@given(EPISODES, st.sampled_from(["hold", "env", "lcb", "none"]), st.floats(0.5, 1.0))
def test_shaping_telescopes_exactly_with_noise_holds_and_both_ends(episode, uncertainty, gamma):
    seed, steps, terminated = episode
    rng = np.random.default_rng(seed)
    shaping = Shaping(gamma=gamma, weight=3.0, uncertainty=uncertainty)
    shaping.reset(random_signal(rng))
    potentials, total = [shaping.value], 0.0
    for t in range(steps):
        reward = shaping.step(random_signal(rng), 0.0, terminated=terminated and t == steps - 1)
        total += gamma**t * reward.extra
        potentials.append(shaping.value)
    known = [t for t, potential in enumerate(potentials) if potential is not None]
    expected = 0.0
    if known:
        expected = 3.0 * (gamma**steps * potentials[-1] - gamma ** known[0] * potentials[known[0]])
        if terminated and known[0] < steps:
            assert potentials[-1] == 0.0
    assert np.isfinite(total) and total == pytest.approx(expected, abs=1e-9)


@given(EPISODES, st.sampled_from(["hold", "env", "none"]))
def test_progress_differences_add_up(episode, uncertainty):
    seed, steps, terminated = episode
    rng = np.random.default_rng(seed)
    shaping = Shaping("delta", uncertainty=uncertainty)
    shaping.reset(signal(-1.0, progress=0.25))
    total = sum(
        shaping.step(random_signal(rng), 0.0, terminated=terminated and t == steps - 1).extra
        for t in range(steps)
    )
    assert total == pytest.approx(shaping.value - 0.25, abs=1e-9)


@given(EPISODES, st.sampled_from(["shaping", "delta", "progress", "success", "metric"]))
def test_a_learner_never_sees_nan(episode, mode):
    seed, steps, terminated = episode
    rng = np.random.default_rng(seed)
    shaping = Shaping(mode, uncertainty=str(rng.choice(["hold", "env", "none"])))
    shaping.reset(random_signal(rng))
    for t in range(steps):
        assert np.isfinite(
            shaping.step(random_signal(rng), 1.0, terminated=terminated and t == steps - 1).total
        )


def test_a_shaped_step_in_numbers():
    shaping = Shaping(gamma=0.5, weight=2.0, env_weight=3.0)
    shaping.reset(signal(-1.0))
    assert shaping.step(signal(-0.4), 10.0) == pytest.approx((3 * 10 + 2 * (0.5 * -0.4 + 1.0), 1.6, False))


def test_termination_pays_the_potential_back_and_truncation_keeps_it():
    for terminated, extra in [(True, 0.4), (False, 0.4 - GAMMA * 0.3)]:
        shaping = Shaping(gamma=GAMMA)
        shaping.reset(signal(-0.4))
        assert shaping.step(signal(-0.3), 0.0, terminated=terminated).extra == pytest.approx(extra)


@pytest.mark.parametrize("bad", [None, Signal.unknown(), signal(-5.0, std=0.2), signal(np.nan)])
def test_hold_uses_the_last_value_again(bad):
    shaping = Shaping(gamma=GAMMA)
    shaping.reset(signal(-0.4))
    reward = shaping.step(bad, 0.0)
    assert reward.held and reward.extra == pytest.approx((1 - GAMMA) * 0.4)
    assert shaping.step(signal(-0.1), 0.0) == pytest.approx((0.4 - GAMMA * 0.1, 0.4 - GAMMA * 0.1, False))


@pytest.mark.parametrize("mode", ["shaping", "delta", "progress", "success", "metric"])
def test_env_gives_exactly_the_environments_reward_where_nothing_usable_was_seen(mode):
    shaping = Shaping(mode, gamma=GAMMA, uncertainty="env")
    shaping.reset(signal(-0.4))
    shaping.step(signal(-0.3), 0.0)
    for _ in range(5):
        assert shaping.step(Signal.unknown(), 1.25) == (1.25, 0.0, True)


def test_env_settles_the_carried_potential_at_the_next_usable_frame():
    shaping = Shaping(gamma=GAMMA, uncertainty="env")
    shaping.reset(signal(-0.4))
    shaping.step(None, 0.0)
    assert shaping.step(signal(-0.4), 0.0).extra == pytest.approx(-GAMMA * 0.4 + 0.4 / GAMMA)


def test_lcb_lowers_the_potential_by_its_std():
    shaping = Shaping("metric", uncertainty="lcb", beta=2.0)
    shaping.reset(signal(-0.4))
    assert shaping.step(signal(-0.4, std=0.3), 0.0).extra == pytest.approx(-1.0)
    assert shaping.step(signal(-0.1, std=np.nan), 0.0) == pytest.approx((-1.0, -1.0, True))


def test_none_takes_every_valid_measurement():
    shaping = Shaping("metric", uncertainty="none")
    shaping.reset()
    assert shaping.step(signal(-0.4, std=10.0), 0.0) == (-0.4, -0.4, False)


def test_before_the_first_usable_frame_there_is_no_extra_and_no_jump_at_it():
    shaping = Shaping(gamma=GAMMA)
    assert not shaping.reset(Signal.unknown())
    rewards = [shaping.step(s, 1.0).extra for s in (None, Signal.unknown(), signal(-2.0), signal(-1.9))]
    assert rewards == pytest.approx([0, 0, 0, 2.0 - GAMMA * 1.9])


def test_reset_forgets_the_last_episode():
    shaping = Shaping()
    shaping.reset(signal(-3.0))
    shaping.reset(Signal.unknown())
    assert shaping.step(signal(-1.0), 0.0).extra == 0.0


@pytest.mark.parametrize("mode, value", [("progress", 0.5), ("success", 0.2), ("metric", -0.7)])
def test_plain_modes_pay_what_they_are_called(mode, value):
    shaping = Shaping(mode, weight=2.0)
    shaping.reset(signal(-0.7))
    assert shaping.step(signal(-0.7), 0.0).extra == pytest.approx(2 * value)


@pytest.mark.parametrize(
    "options, message",
    [
        (
            dict(mode="shapping"),
            r"`reward` must be one of shaping, .*got 'shapping'. Did you mean 'shaping'\?",
        ),
        (dict(uncertainty="gate"), "`uncertainty` must be one of hold, lcb, env, none, got 'gate'"),
        (dict(gamma=0.0), r"`gamma` must lie in \(0, 1\]"),
        (dict(gamma=1.01), r"`gamma` must lie in \(0, 1\]"),
        (dict(gamma=float("nan")), "`gamma`"),
        (dict(weight=-1.0), "`weight` must be a finite number that is not negative, got -1.0"),
        (dict(env_weight=float("inf")), "`env_weight`"),
        (dict(max_std=-0.1), "`max_std`"),
        (dict(beta=-0.1), "`beta`"),
        (dict(mode="delta", uncertainty="lcb"), "lowers a potential in metres"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Shaping(**options)


def solve(rewards, following, terminal, gamma):
    """Return the optimal values (S,) and the action values (S, A) of a deterministic table."""
    values = np.zeros(len(terminal))
    for _ in range(3000):
        actions = rewards + gamma * np.where(terminal, 0.0, values)[following]
        values = np.where(terminal, 0.0, actions.max(axis=1))
    return values, actions


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weight", [0.0, 1.0, 50.0])
def test_the_optimal_policy_of_a_table_is_that_without_shaping(seed, weight):
    """However wrong the potentials are; the shaped rewards come from the very code of the wrapper."""
    rng = np.random.default_rng(seed)
    states, actions = 12, 3
    following = rng.integers(0, states, size=(states, actions))
    terminal = rng.uniform(size=states) < 0.2
    rewards = rng.normal(size=(states, actions))
    potentials = -rng.uniform(0, 3, size=states)
    shaped = np.zeros_like(rewards)
    for state, action in np.ndindex(states, actions):
        after = following[state, action]
        shaping = Shaping(gamma=0.9, weight=weight)
        shaping.reset(signal(potentials[state]))
        shaped[state, action] = shaping.step(
            signal(potentials[after]), rewards[state, action], terminated=bool(terminal[after])
        ).total
    values, plain = solve(rewards, following, terminal, 0.9)
    shaped_values, with_shaping = solve(shaped, following, terminal, 0.9)
    running = ~terminal
    np.testing.assert_array_equal(plain[running].argmax(axis=1), with_shaping[running].argmax(axis=1))
    np.testing.assert_allclose(shaped_values[running], (values - weight * potentials)[running], atol=1e-9)

import gc
import threading
import time

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from late_envs import GOAL, Batching, Following, Line
from numpy.testing import assert_array_equal

from spatial_reward import Answer
from spatial_reward.envs.late import LateScorer
from spatial_reward.envs.late_worker import Worker
from spatial_reward.envs.observed import KEY, Observed
from spatial_reward.envs.schedules import Schedule, combined, parse_schedule
from spatial_reward.envs.vector import VectorSpatialReward, make_vector
from spatial_reward.envs.wrappers import SpatialReward
from spatial_reward.models.oracle import Oracle

SCHEDULES = ["lagged(1)", "lagged(3)", "lagged(50)", "episode"]
MODES = list(AutoresetMode)
PUSH, PUSH_GOAL = "spatial_reward.envs:SpatialReward/Push-v0", "near(cube, pad, within=4cm)"


@pytest.mark.parametrize("text", ["sync", "hold(1)", "hold(12)", "lagged(4)", "episode"])
def test_a_schedule_is_read_as_it_is_written(text):
    assert str(parse_schedule(text)) == text and parse_schedule(parse_schedule(text)) == Schedule(
        parse_schedule(text).name, parse_schedule(text).steps
    )


@pytest.mark.parametrize(
    "text", ["", "late", "hold", "hold(0)", "lagged", "lagged(-1)", "sync(2)", "episode(3)"]
)
def test_what_is_no_schedule_is_told(text):
    with pytest.raises(ValueError, match=r"must be sync, hold\(k\), lagged\(k\) or episode"):
        parse_schedule(text)


def test_hold_and_every_are_the_same_thing():
    assert combined("hold(3)", 1) == (Schedule("hold", 3), 3)
    assert combined("lagged(3)", 4) == (Schedule("lagged", 3), 4)
    with pytest.raises(ValueError, match="say the same"):
        combined("hold(3)", 2)


def actions(step, number=3):
    return np.random.default_rng([7, step]).uniform(-1, 1, (number, 1)).astype(np.float32)


def run(mode, schedule, model, steps=40, hide=(), **options):
    """Return provisional rewards (T, N), final rewards (T, N), infos by (step, slot), and the environment."""
    late = []
    env = SyncVectorEnv([lambda limit=n: Line(limit, hide) for n in (5, 7, 50)], autoreset_mode=mode)
    is_late = parse_schedule(schedule).late
    env = VectorSpatialReward(
        env, GOAL, model, schedule=schedule, on_late=late.append if is_late else None, gamma=0.9, **options
    )
    env.reset(seed=3)
    given, infos, over = [], {}, np.zeros(3, bool)
    for step in range(steps):
        if mode == AutoresetMode.DISABLED and over.any():
            env.reset(options={"reset_mask": over})
        _, rewards, terminations, truncations, info = env.step(actions(step))
        over = terminations | truncations
        given.append(rewards)
        for slot in range(3):
            own = info["final_info"] if mode == AutoresetMode.SAME_STEP and over[slot] else info
            infos[step, slot] = {k: v[slot] for k, v in own.items() if k.startswith("spatial_reward/")}
    env.settle()
    final = np.array(given)
    for one in late:
        final[one.step, one.slot] = one.reward
        infos[one.step, one.slot] = one.info
    env.close()
    return np.array(given), final, infos, late


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("model", [Oracle, Following, Batching])
def test_late_rewards_are_those_of_sync_to_the_bit(mode, schedule, model):
    _, expected, expected_infos, none = run(mode, "sync", model())
    given, final, infos, late = run(mode, schedule, model())
    assert not none and len({(one.step, one.slot) for one in late}) == len(late) > 90
    assert_array_equal(final, expected)
    assert (given != expected).any()
    for place in {(one.step, one.slot) for one in late}:
        np.testing.assert_equal(infos[place], expected_infos[place])


@pytest.mark.parametrize("reward", ["delta", "progress", "success", "metric"])
@pytest.mark.parametrize("schedule", ["lagged(3)", "episode"])
def test_other_rewards_come_late_as_well(schedule, reward):
    _, expected, _, _ = run(AutoresetMode.SAME_STEP, "sync", Following(), reward=reward)
    assert_array_equal(run(AutoresetMode.SAME_STEP, schedule, Following(), reward=reward)[1], expected)


class Seldom(Line):
    """A ball that is looked at every n-th step, and at the end of an episode."""

    every = 3

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        if self.count % self.every and not (terminated or truncated):
            del info[KEY]
        return observation, reward, terminated, truncated, info


def between(schedule, mode=AutoresetMode.NEXT_STEP, reset_at=(), **options):
    """Return final rewards and infos by step and slot, and the true potentials (T, N), of seldom looks."""
    late, true = [], []
    limits = (5, 7, 50)
    env = SyncVectorEnv([lambda limit=n: Seldom(limit) for n in limits], autoreset_mode=mode)
    env = VectorSpatialReward(
        env, GOAL, Oracle(), schedule=schedule, on_late=late.append, gamma=0.9, **options
    )
    env._every = Seldom.every
    env.reset(seed=3)
    for step in range(30):
        if step in reset_at:
            env.reset(seed=step)
        env.step(0.3 * actions(step))
        true.append([-abs(one.place()[0]) for one in env.unwrapped.envs])
    env.settle()
    env.close()
    return {(one.step, one.slot): one for one in late}, np.array(true)


@pytest.mark.parametrize("mode", MODES[:2])
@pytest.mark.parametrize("schedule", ["lagged(2)", "lagged(9)", "episode"])
def test_values_between_measurements_lie_on_a_line(schedule, mode):
    late, true = between(schedule, mode, reward="metric", env_weight=0.0)
    assert len(late) > 75
    # The third environment runs for 50 steps: it is looked at after its steps 3, 6, ..., numbered from 0.
    for step in range(3, 27):
        low = (step + 1) // 3 * 3 - 1
        share = (step - low) / 3
        expected = (1 - share) * true[low, 2] + share * true[low + 3, 2]
        assert late[step, 2].reward == pytest.approx(expected, abs=1e-12)
        assert late[step, 2].info["spatial_reward/held"] == bool((step + 1) % 3)
        assert late[step, 2].info["spatial_reward/valid"] == (not (step + 1) % 3)


def test_shaping_on_a_line_telescopes():
    late, true = between("lagged(4)", env_weight=0.0)
    rewards = [late[step, 2].reward for step in range(30)]
    line = Seldom()
    line.reset(seed=5)  # the seed of the third of three environments
    start = -abs(line.place()[0])
    assert 0.9 ** np.arange(30) @ rewards == pytest.approx(0.9**30 * true[29, 2] - start, abs=1e-9)
    assert np.abs(rewards).max() < 0.5 * np.abs(np.diff(true[2::3, 2])).max()  # not in lumps


@pytest.mark.timeout(60)
@pytest.mark.parametrize("schedule", ["lagged(1)", "lagged(2)"])
def test_what_is_looked_at_more_seldom_than_the_schedule_knows_is_held(schedule):
    late, true = between(schedule, reward="metric", env_weight=0.0)
    for step in range(3, 27):  # with lagged(2) the measurement comes in time
        low = (step + 1) // 3 * 3 - 1
        share = (step - low) / 3 if schedule == "lagged(2)" else 0.0
        expected = (1 - share) * true[low, 2] + share * true[low + 3, 2]
        if schedule == "lagged(2)" or step % 3 != 1:
            assert late[step, 2].reward == pytest.approx(expected, abs=1e-12), step


@pytest.mark.timeout(60)
def test_resets_of_some_do_not_block_the_others():
    late = []
    env = SyncVectorEnv(
        [lambda limit=n: Seldom(limit) for n in (2, 50)], autoreset_mode=AutoresetMode.DISABLED
    )
    env = VectorSpatialReward(env, GOAL, Oracle(), schedule="lagged(2)", on_late=late.append)
    env._every = Seldom.every
    env.reset(seed=3)
    for step in range(20):
        over = np.logical_or(*env.step(0.1 * actions(step, 2))[2:4])
        if over.any():
            env.reset(options={"reset_mask": over})
    env.close()
    env.settle()  # after the end: nothing waits any more
    assert {one.step for one in late if one.slot == 1} == set(range(20))


def test_an_episode_that_is_left_does_not_block_the_loop():
    late, _ = between("lagged(2)", reset_at=(10, 20))
    assert all((step, 2) in late for step in range(30))


def test_an_episode_that_is_left_by_a_reset_is_judged_then():
    def rewards(schedule):
        late = []
        env = single(schedule, Oracle(), limit=50, on_late=late.append if schedule != "sync" else None)
        now = []
        for step in range(30):
            if step % 5 == 0:
                env.reset(seed=step)
                assert len(late) == (step if schedule == "episode" else 0)
            now.append(env.step(0.1 * actions(step)[0])[1])
        env.settle()
        env.close()
        return {one.step: one.reward for one in late} or dict(enumerate(now))

    assert rewards("episode") == rewards("sync")


@pytest.mark.parametrize("schedule", ["lagged(2)", "episode"])
def test_provisional_rewards_do_not_depend_on_how_fast_the_model_is(schedule):
    class Uneven(Batching):
        def answer(self, questions):
            time.sleep(0.003 * (len(self.calls) % 3))
            return super().answer(questions)

    one, other = (run(AutoresetMode.NEXT_STEP, schedule, model)[0] for model in (Batching(), Uneven()))
    assert_array_equal(one, other)


def single(schedule, model, line=None, limit=8, **options):
    """Wrap an environment that observes itself."""
    env = SpatialReward(line or Line(limit), GOAL, model, schedule=schedule, **options)
    env.env = env.env.env
    return env


@pytest.mark.parametrize("ends", ["truncation", "termination"])
@pytest.mark.parametrize("schedule", ["lagged(2)", "lagged(30)", "episode"])
def test_provisional_shaping_telescopes_over_an_episode(schedule, ends):
    env = single(schedule, Batching(), limit=8 if ends == "truncation" else 99, gamma=0.9, env_weight=0.0)
    env.reset(seed=1)
    start, rewards, infos, over = -abs(env.env.place()[0]), [], [], False
    while not over:
        push = 0.3 * (-1) ** len(rewards) if ends == "truncation" else 1.0
        _, reward, terminated, truncated, info = env.step(np.array([push], np.float32))
        rewards.append(reward)
        infos.append(info)
        over = terminated or truncated
    assert terminated == (ends == "termination")
    last = 0.0 if terminated else -abs(env.env.place()[0])
    first = next(i for i, one in enumerate(infos) if one["spatial_reward/lag"] >= 0)  # with a measurement
    expected = 0.9 ** len(rewards) * last - 0.9**first * start
    assert 0.9 ** np.arange(len(rewards)) @ rewards == pytest.approx(expected, abs=1e-9)
    env.close()


def test_the_age_of_the_measurement_is_told():
    env = single("lagged(3)", Oracle(), limit=9)
    _, info = env.reset(seed=0)
    ages = [info["spatial_reward/lag"]]
    for step in range(9):
        info = env.step(actions(step)[0] * 0.2)[-1]
        ages.append(info["spatial_reward/lag"])
    assert np.isnan(ages[:3]).all() and ages[3:9] == [3.0] * 6 and ages[9] == 0.0  # the last step waits
    env.close()


def test_the_loop_goes_on_while_the_model_thinks():
    class Thinking(Batching):
        free = threading.Event()

        def answer(self, questions):
            assert self.free.wait(20)
            return super().answer(questions)

    env = single("lagged(6)", Thinking(), limit=99)
    env.reset(seed=0)
    for step in range(5):
        env.step(actions(step)[0] * 0.1)  # would never return if it waited
    Thinking.free.set()
    env.settle()
    assert env.tally.steps == 5 and env.tally.held == 0
    env.close()


def test_an_episode_is_one_batch_for_a_model_that_does_not_follow():
    model = Batching()
    env = single("episode", model, limit=6)
    env.reset(seed=0)
    for step in range(6):
        env.step(actions(step)[0] * 0.1)
    assert model.calls == [6]
    env.close()


def test_what_waits_is_answered_together():
    class Waiting(Batching):
        started = threading.Event()

        def answer(self, questions):
            assert self.started.wait(20)
            return super().answer(questions)

    model = Waiting()
    env = single("lagged(50)", model, limit=30)
    env.reset(seed=0)
    for step in range(20):
        env.step(actions(step)[0] * 0.01)
    model.started.set()
    env.settle()
    assert sum(model.calls) == 20 and len(model.calls) <= 3
    env.close()


def test_a_model_that_fails_is_heard_in_the_loop():
    class Broken:
        name, needs = "broken", frozenset({"truth"})

        def answer(self, questions):
            raise FloatingPointError("out of order")

    env = single("lagged(2)", Broken(), limit=30)
    env.reset(seed=0)
    with pytest.raises(FloatingPointError, match="out of order"):
        for step in range(5):
            env.step(actions(step)[0] * 0.01)
    env.close()


def test_a_closed_worker_leaves_no_thread():
    before = threading.active_count()
    env = single("lagged(2)", Oracle(), limit=30)
    env.reset(seed=0)
    env.step(actions(0)[0])
    assert threading.active_count() == before + 1
    env.close()
    assert threading.active_count() == before
    Worker(Oracle()).close()  # one that never worked


def test_an_environment_that_nobody_closes_leaves_no_thread():
    before = threading.active_count()
    env = single("lagged(2)", Oracle(), limit=30)
    env.reset(seed=0)
    env.step(actions(0)[0])
    del env
    gc.collect()
    end = time.monotonic() + 30
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(schedule="lagging(2)"), "`schedule` must be sync"),
        (dict(schedule="hold(2)", every=3), "say the same"),
        (dict(schedule="lagged(2)", terminate_on_success=True), "terminate_on_success=True does not go with"),
        (dict(schedule="sync", on_late=print), "`on_late` needs schedule='lagged"),
    ],
)
def test_what_does_not_go_together_is_told(options, message):
    with pytest.raises(ValueError, match=message):
        SpatialReward(gym.make("CartPole-v1"), GOAL, "oracle", **options)


def test_hold_measures_every_nth_step_in_real_environments():
    calls = []

    class Counting(Oracle):
        def answer(self, questions):
            calls.append(len(questions))
            return super().answer(questions)

    make = lambda: gym.make(PUSH, max_episode_steps=7)  # noqa: E731
    env = make_vector([make, make], PUSH_GOAL, Counting(), schedule="hold(3)", size=48)
    env.reset(seed=0)
    held = []
    for _ in range(7):
        infos = env.step(env.action_space.sample() * 0)[-1]
        held.append(infos["spatial_reward/held"].tolist())
    assert calls == [2, 2, 2] and [all(h) for h in held] == [True, True, False, True, True, False, False]
    env.close()


@pytest.mark.parametrize("schedule", ["sync", "lagged(2)", "episode"])
def test_an_episode_whose_things_are_hidden_is_not_judged_and_training_goes_on(schedule):
    with pytest.warns(RuntimeWarning, match="An episode is not judged: the ball is hidden"):
        _, final, infos, _ = run(AutoresetMode.NEXT_STEP, schedule, Oracle(), hide=(1,))
    assert np.isfinite(final).all()
    judged = np.array([infos[step, 0].get("spatial_reward/valid", True) for step in range(40)])
    assert judged[:5].all() and not judged[6:11].any() and judged[12:17].all()
    for step in range(6, 11):
        info = infos[step, 0]
        assert info["spatial_reward/held"] and info["spatial_reward/shaping"] == 0.0
        assert final[step, 0] == info["spatial_reward/env_reward"]


class Sinking(gym.Wrapper):
    """From the second reset on, the cube is below the table."""

    resets = 0

    def reset(self, **kwargs):
        observation, info = self.env.reset(**kwargs)
        self.resets += 1
        if self.resets > 1:
            robot = self.env.unwrapped
            import mujoco

            robot.put("cube", np.array([0.0, 0.0, -5.0 if self.resets == 2 else 0.025]))

            mujoco.mj_forward(robot.model, robot.data)
        return observation, info


def test_a_thing_that_cannot_be_seen_at_a_later_reset_is_told_in_the_observation():
    env = Observed(Sinking(gym.make(PUSH)), ("cube", "pad"), size=48, truth=True)
    assert env.reset(seed=0)[1][KEY].missing == ""
    seen = env.reset(seed=1)[1][KEY]
    assert "'cube' is not visible" in seen.missing and set(seen.references) == {"pad"} == set(seen.truth)
    assert env.step(env.action_space.sample())[4][KEY].missing == ""
    assert env.reset(seed=2)[1][KEY].missing == ""
    env.close()


def test_a_wrapper_survives_a_hidden_thing_and_counts_it():
    env = SpatialReward(Sinking(gym.make(PUSH)), PUSH_GOAL, "oracle", size=48, truth=True)
    env.reset(seed=0)
    with pytest.warns(RuntimeWarning, match="'cube' is not visible"):
        _, info = env.reset(seed=1)
    assert not info["spatial_reward/valid"] and np.isnan(info["spatial_reward/truth_distance"])
    _, reward, _, _, info = env.step(env.action_space.sample())
    assert reward == info["spatial_reward/env_reward"] and info["spatial_reward/held"]
    _, info = env.reset(seed=2)
    assert info["spatial_reward/valid"] and env.tally.missing == 1 and env.tally.episodes == 3
    env.close()


def test_a_thing_that_cannot_be_seen_at_the_first_reset_is_an_error():
    hidden = Sinking(gym.make(PUSH))
    hidden.resets = 1
    env = SpatialReward(hidden, PUSH_GOAL, "oracle", size=48)
    with pytest.raises(ValueError, match="'cube' is not visible"):
        env.reset(seed=0)
    env.close()


def test_nothing_is_held_before_the_first_step():
    scorer = LateScorer(Schedule("episode"), Oracle(), None, None)
    scorer.settle()
    scorer.close()
    assert np.isnan(scorer.tally.held_share)


def test_answers_are_matched_to_what_is_still_asked():
    """In one batch, the start of a thing without a known position is asked with every frame."""

    class Depths(Batching):
        def _answer(self, question):
            if question.kind == "depth_est_coord":
                return Answer(1.0, "m", 0.001)
            return super()._answer(question)

    class Unplaced(Line):
        def reset(self, **kwargs):
            observation, info = super().reset(**kwargs)
            references = dict(info[KEY].references)
            references["ball"] = type(references["ball"])("ball", (2.0, 2.0))
            info[KEY] = type(info[KEY])(info[KEY].frame, references, info[KEY].truth)
            return observation, info

    def rewards(schedule):
        late = []
        options = dict(on_late=late.append) if schedule != "sync" else {}
        env = single(schedule, Depths(), Unplaced(6), **options)
        env.reset(seed=0)
        given = [env.step(actions(step)[0] * 0.1)[1] for step in range(6)]
        env.settle()
        env.close()
        return [one.reward for one in late] or given

    assert rewards("episode") == rewards("sync") == rewards("lagged(2)")

import os
import zlib

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.testing import assert_array_equal

from spatial_reward import Answer, Camera, Reference
from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.envs.experts import expert
from spatial_reward.envs.observed import KEY
from spatial_reward.envs.simulator import Simulator
from spatial_reward.envs.wrappers import Observed, SpatialReward
from spatial_reward.models.oracle import Oracle

os.environ.setdefault("MUJOCO_GL", "egl")

PUSH, GOAL, SIZE = "spatial_reward.envs:SpatialReward/Push-v0", "near(cube, pad, within=4cm)", 48

KEYS = ("potential", "progress", "success", "std", "valid", "held", "env_reward", "shaping")


class Noisy:
    """The truth with noise that depends on the picture alone; a part of the answers is unusable."""

    name, needs = "noisy", frozenset({"truth"})

    def __init__(self):
        self.calls = []

    def answer(self, questions):
        self.calls.append(len(questions))
        return [self._answer(question) for question in questions]

    def _answer(self, question):
        rng = np.random.default_rng(zlib.crc32(question.frames[-1].rgb.tobytes()))
        if rng.uniform() < 0.25:
            return Answer.unknown("not seen", "m")
        value = question.answer.value + rng.normal(0, 0.01, np.shape(question.answer.value))
        return Answer(value, "m", float(rng.uniform(0.001, 0.07)), match=(1.0, 2.0))


class Fixed:
    """Says the same of every question."""

    name, needs = "fixed", frozenset()

    def __init__(self, answer):
        self._answer = answer

    def answer(self, questions):
        return [self._answer for _ in questions]


class Ending(gym.Wrapper):
    """Terminates after some steps."""

    def __init__(self, env, steps):
        super().__init__(env)
        self.steps, self.count = steps, 0

    def reset(self, **kwargs):
        self.count = 0
        return self.env.reset(**kwargs)

    def step(self, action):
        self.count += 1
        obs, reward, terminated, truncated, info = self.env.step(action)
        return obs, reward, terminated or self.count >= self.steps, truncated, info


class Counting(gym.Wrapper):
    """Counts the pictures that are drawn."""

    drawn = 0

    def render(self):
        self.drawn += 1
        return self.env.render()


def push(**kwargs):
    return gym.make(PUSH, **kwargs)


def rewarded(env=None, model="oracle", goal=GOAL, **options):
    return SpatialReward(env or push(), goal, model, size=SIZE, **options)


def roll(env, steps, seed=0):
    """Return the infos and rewards of a random episode; the first entry is of the reset."""
    env.action_space.seed(seed)
    _, info = env.reset(seed=seed)
    infos, rewards, ends = [info], [0.0], [False]
    for _ in range(steps):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        infos.append(info)
        rewards.append(reward)
        ends.append(terminated)
        if terminated or truncated:
            break
    env.close()
    return infos, np.array(rewards), ends


def of(infos, key):
    return np.array([info["spatial_reward/" + key] for info in infos])


def test_the_oracle_measures_the_truth_and_shapes_the_environments_reward():
    infos, rewards, _ = roll(rewarded(truth=True, gamma=0.9, weight=2.0, env_weight=0.5), 12)
    potential, truth = of(infos, "potential"), of(infos, "truth_distance")
    np.testing.assert_allclose(-potential, truth, atol=1e-12)
    np.testing.assert_allclose(truth, [info["distance"] for info in infos], atol=1e-6)
    expected = 0.5 * of(infos, "env_reward")[1:] + 2 * (0.9 * potential[1:] - potential[:-1])
    np.testing.assert_allclose(rewards[1:], expected, atol=1e-12)
    assert of(infos, "valid").all() and not of(infos, "held").any()


def test_info_is_flat_and_plain():
    infos, _, _ = roll(rewarded(truth=True, timing=True), 1)
    for info in infos:
        ours = {key: value for key, value in info.items() if key.startswith("spatial_reward/")}
        assert set(ours) == {"spatial_reward/" + key for key in (*KEYS, "truth_distance", "latency_s")}
        assert all(type(value) in (float, bool) for value in ours.values())


def test_the_truth_is_not_told_unless_asked_for():
    model = Fixed(Answer(np.zeros(3), "m", 0.01))
    infos, _, _ = roll(rewarded(model=model), 1)
    assert "spatial_reward/truth_distance" not in infos[1]


@pytest.mark.parametrize("uncertainty", ["hold", "env", "lcb", "none"])
@pytest.mark.parametrize("ends", [True, False])
def test_an_episode_telescopes_and_never_gives_nan(uncertainty, ends):
    env = rewarded(
        Ending(push(max_episode_steps=15), 12 if ends else 99), Noisy(), gamma=0.9, uncertainty=uncertainty
    )
    infos, rewards, terminated = roll(env, 20)
    assert np.isfinite(rewards).all() and terminated[-1] == ends
    assert 0 < of(infos, "held").sum() < len(infos) - 1
    extra = of(infos, "shaping")[1:]
    np.testing.assert_allclose(rewards[1:] - of(infos, "env_reward")[1:], extra, atol=1e-12)
    last = env._episode.shaping.value
    assert last == 0.0 if ends else last < 0
    first = of(infos, "potential")[0]
    steps = len(extra)
    assert abs(0.9 ** np.arange(steps) @ extra - (0.9**steps * last - first)) < 1e-9


def test_the_same_seed_gives_the_same_episode():
    one, other = (roll(rewarded(model=Noisy()), 6, seed=3) for _ in range(2))
    assert_array_equal(one[1], other[1])
    for key in ("potential", "std", "success", "held"):
        assert_array_equal(of(one[0], key), of(other[0], key))


def test_only_every_nth_step_and_the_last_one_is_judged():
    model = Noisy()
    infos, rewards, _ = roll(rewarded(push(max_episode_steps=8), model, every=3, truth=True), 20)
    judged = ~np.isnan(of(infos, "truth_distance"))
    assert_array_equal(np.flatnonzero(judged), [0, 3, 6, 8])
    assert len(model.calls) == 3 and of(infos, "held")[~judged].all() and np.isfinite(rewards).all()


def test_predicted_success_ends_an_episode_only_when_asked():
    arrived = Fixed(Answer(np.zeros(3), "m", 0.001))
    goal = "keep(cube, within=2cm)"  # which the model always sees fulfilled
    infos, _, ends = roll(rewarded(model=arrived, goal=goal), 5)
    assert not any(ends) and of(infos, "success")[1:].min() > 0.99
    infos, _, ends = roll(
        rewarded(model=arrived, goal=goal, terminate_on_success=True, success_votes=(3, 4)), 9
    )
    assert ends == [False, False, False, True]


def test_termination_by_success_pays_the_potential_out():
    near = Fixed(Answer(np.zeros(3), "m", 0.005))
    env = rewarded(model=near, goal="move(cube, by=1cm, within=3cm)", terminate_on_success=True, gamma=0.9)
    infos, _, ends = roll(env, 9)
    assert ends == [False, False, True]
    assert of(infos, "shaping") == pytest.approx([0.0, 0.001, 0.01])


def test_given_references_are_used_and_depth_is_drawn_only_if_needed():
    class Depths(Fixed):
        needs = frozenset({"depth", "camera"})
        seen = ()

        def answer(self, questions):
            self.seen = [*self.seen, *questions]
            return [
                Answer(1.0, "m", 0.01) if q.kind == "depth_est_coord" else self._answer for q in questions
            ]

    references = {"cube": Reference("cube", (20.0, 20.0)), "pad": Reference("pad", position=np.zeros(3))}
    model = Depths(Answer(np.zeros(3), "m", 0.01))
    infos, _, _ = roll(rewarded(model=model, references=references), 1)
    assert [question.kind for question in model.seen] == ["depth_est_coord", "obj_vec_coord"]
    assert model.seen[1].frames[1].depth is not None and of(infos, "valid").all()
    env = Observed(push(), ("cube", "pad"), size=SIZE)
    assert env.reset(seed=0)[1][KEY].frame.depth is None
    env.close()


def test_a_start_without_depth_leaves_the_environments_reward_alone():
    """A reference on a pixel where nothing was measured, such as a hole in the depth."""
    references = {"cube": Reference("cube", (20.0, 20.0)), "pad": Reference("pad", position=np.zeros(3))}
    model = Fixed(Answer(float("nan"), "m", float("nan")))
    infos, rewards, _ = roll(rewarded(model=model, references=references), 3)
    assert not of(infos, "valid").any() and of(infos, "held").all()
    assert_array_equal(rewards, of(infos, "env_reward"))


class Log(list):
    def log(self, step):
        self.append(step)


def test_a_recorder_gets_every_judged_frame():
    log = Log()
    infos, rewards, _ = roll(rewarded(push(max_episode_steps=5), recorder=log, every=2, truth=True), 9)
    assert [step.index for step in log] == [0, 2, 4, 5]
    for step in log:
        assert step.reward == rewards[step.index] and step.truth == of(infos, "truth_distance")[step.index]
        assert step.reference_frame is log[0].frame and set(step.references) == {"cube", "pad"}
        assert step.signal.potential == of(infos, "potential")[step.index]
        motion = infos[step.index]["cube"] - infos[0]["cube"]
        np.testing.assert_allclose(step.motion["cube"], motion, atol=1e-6)


def pictures(**kwargs):
    return push(width=SIZE, height=SIZE, **{"render_mode": "rgb_array", **kwargs})


@pytest.fixture(scope="module")
def rendering():
    """The arguments for pictures of `env.render()`: where things are in the first one, and its camera."""
    env = pictures()
    env.reset(seed=0)
    with Simulator(env, "default", SIZE, SIZE) as simulator:
        references = {name: simulator.ground(name).reference for name in ("cube", "pad")}
        options = dict(camera="render", references=references, calibration=simulator.camera)
    env.close()
    return options


def test_pictures_of_the_environment_are_drawn_once_per_step(rendering):
    counting = Counting(pictures())
    env = rewarded(counting, Fixed(Answer(np.zeros(3), "m", 0.01)), **rendering)
    env.reset(seed=0)
    assert counting.drawn == 1
    first = env.render()
    assert counting.drawn == 1 and first is env.render()
    _, _, _, _, info = env.step(env.action_space.sample())
    assert counting.drawn == 2 and not np.array_equal(env.render(), first) and counting.drawn == 2
    assert info["spatial_reward/valid"]
    env.close()


def test_a_picture_that_the_user_has_drawn_is_judged_without_drawing_it_again(rendering):
    class Viewer(gym.Wrapper):
        """Draws inside of every step, as a video recorder may."""

        def step(self, action):
            result = self.env.step(action)
            self.render()
            return result

    counting = Counting(pictures())
    inner = Observed(counting, ("cube", "pad"), every=2, **rendering)
    env = Viewer(inner)
    env.reset(seed=0)
    for number in range(4):
        env.step(env.action_space.sample())
        assert counting.drawn == 2 + number
    env.close()


def test_a_simulated_camera_does_not_draw_the_environments_pictures():
    counting = Counting(pictures())
    roll(rewarded(counting), 2)
    assert counting.drawn == 0


@pytest.mark.parametrize(
    "mode, model, change, message",
    [
        (None, Fixed(None), {}, "make the environment with render_mode='rgb_array', not None"),
        ("rgb_array", Oracle(), {}, "gives pictures only, but the truth is needed"),
        ("rgb_array", Fixed(None), {"truth": True}, "gives pictures only, but the truth is needed"),
        ("rgb_array", Fixed(None), {"references": None}, "needs `references`"),
        ("rgb_array", Fixed(None), {"calibration": None}, "needs `calibration`"),
    ],
)
def test_pictures_of_the_environment_need_what_they_cannot_tell(rendering, mode, model, change, message):
    with pytest.raises(ValueError, match=message):
        rewarded(pictures(render_mode=mode), model, **{**rendering, **change})


def test_a_calibration_of_another_size_is_told(rendering):
    wrong: Camera = rendering["calibration"].resized(10, 10)
    env = rewarded(pictures(), Fixed(None), **{**rendering, "calibration": wrong})
    with pytest.raises(ValueError, match="resized"):
        env.reset(seed=0)
    env.close()


def test_rebuilding_from_the_spec_gives_the_same_rewards():
    env = rewarded(gamma=0.9, weight=3.0)
    again = gym.make(env.spec)
    assert isinstance(again, SpatialReward) and isinstance(again.env, Observed)
    assert not isinstance(again.env.env, Observed) and again.scoring == env.scoring
    assert_array_equal(roll(env, 4)[1], roll(again, 4)[1])


OURS = [env_id for env_id in RECIPES if env_id.startswith("SpatialReward/")]


@pytest.mark.parametrize("env_id", OURS)
def test_gymnasium_accepts_the_wrapped_environment(env_id):
    env = SpatialReward(make(env_id), RECIPES[env_id].goal, "oracle", size=64)
    with pytest.warns(UserWarning, match="different from the unwrapped version"):
        check_env(env, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("env_id", OURS)
def test_stable_baselines_accepts_the_wrapped_environment(env_id):
    sb3 = pytest.importorskip("stable_baselines3.common.env_checker")
    env = SpatialReward(make(env_id), RECIPES[env_id].goal, "oracle", size=64)
    sb3.check_env(env, warn=False, skip_render_check=True)
    env.close()


def test_spaces_stay_as_they_are():
    env = push()
    wrapped = rewarded(env)
    assert wrapped.observation_space == env.observation_space and wrapped.action_space == env.action_space


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(goal="neer(cube, pad)"), "Cannot read goal 'neer"),
        (dict(model="oracel"), "Unknown model 'oracel'"),
        (dict(reward="shapping"), "`reward` must be one of shaping"),
        (dict(uncertainty="gate"), "`uncertainty` must be one of hold"),
        (dict(gamma=1.5), r"`gamma` must lie in \(0, 1\]"),
        (dict(weight=-1.0), "`weight` must be a finite number"),
        (dict(every=0), "`every` must be at least 1"),
        (dict(success_threshold=0.0), r"`success_threshold` must lie in \(0, 1\]"),
        (dict(success_votes=(3, 2)), r"`success_votes` must be \(k, n\)"),
        (dict(calibration=object()), "`calibration` is for camera='render'"),
    ],
)
def test_bad_arguments_are_refused_when_the_wrapper_is_made(options, message):
    with pytest.raises(ValueError, match=message):
        rewarded(**options)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(goal="near(cub, pad, within=3cm)"), "called 'cub'.*cube"),
        (dict(camera="frnt"), "Unknown camera 'frnt'"),
        (dict(references={"cube": Reference("cube", (1.0, 1.0))}, model=Fixed(None)), "speaks of 'pad'"),
    ],
)
def test_what_is_not_there_is_told_at_the_reset(options, message):
    env = rewarded(**options)
    with pytest.raises(ValueError, match=message):
        env.reset(seed=0)
    env.close()


def test_stepping_before_reset_is_an_error():
    with pytest.raises((RuntimeError, gym.error.ResetNeeded), match=r"reset\(\)"):
        rewarded().step(None)


@pytest.mark.slow
def test_the_expert_of_a_known_environment_comes_closer_and_succeeds():
    pytest.importorskip("gymnasium_robotics")
    env_id = "FetchPush-v4"
    env = rewarded(make(env_id), goal=RECIPES[env_id].goal, truth=True)
    policy = expert(env_id, seed=0)
    observation, info = env.reset(seed=0)
    infos, done = [info], False
    while not done:
        observation, reward, terminated, truncated, info = env.step(policy(env, observation))
        infos.append(info)
        done = terminated or truncated
        assert np.isfinite(reward)
    env.close()
    assert of(infos, "success")[-1] == 1.0 and infos[-1]["is_success"] == 1.0
    assert of(infos, "potential")[0] < -0.1 and of(infos, "progress")[-1] > 0.8
    np.testing.assert_allclose(-of(infos, "potential"), of(infos, "truth_distance"), atol=1e-9)

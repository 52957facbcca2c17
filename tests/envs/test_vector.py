import os
import zlib

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.testing import assert_array_equal

from spatial_reward import Answer
from spatial_reward.envs.vector import VectorSpatialReward, make_vector
from spatial_reward.envs.wrappers import SpatialReward
from spatial_reward.models import load_model

os.environ.setdefault("MUJOCO_GL", "egl")

PUSH, GOAL, SIZE = "spatial_reward.envs:SpatialReward/Push-v0", "near(cube, pad, within=4cm)", 48
KEYS = ("potential", "progress", "success", "std", "valid", "held", "env_reward", "shaping", "truth_distance")
MODES = list(AutoresetMode)


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


class Ending(gym.Wrapper):
    """Terminates its first episode after three steps, the next after five; the time limit is four."""

    steps, episodes = 0, 0

    def reset(self, **kwargs):
        self.steps, self.episodes = 0, self.episodes + 1
        return self.env.reset(**kwargs)

    def step(self, action):
        self.steps += 1
        obs, reward, terminated, truncated, info = self.env.step(action)
        return obs, reward, terminated or self.steps == 1 + 2 * self.episodes, truncated, info


def ending():
    return Ending(gym.make(PUSH, max_episode_steps=4))


def lasting():
    return gym.make(PUSH, max_episode_steps=4)


def make(vectorization_mode, autoreset_mode, model, makers=(ending, lasting), **options):
    return make_vector(
        makers,
        GOAL,
        model,
        size=SIZE,
        vectorization_mode=vectorization_mode,
        autoreset_mode=autoreset_mode,
        **options,
    )


def actions_of(step):
    """Return the actions of two environments in a step."""
    return np.random.default_rng([1, step]).uniform(-1, 1, (2, 3)).astype(np.float32)


def alone(index, mode, steps, model=None):
    """Run one environment as the autoreset mode says; return rows (reward, end, info, final info)."""
    env = SpatialReward((ending, lasting)[index](), GOAL, model or Noisy(), size=SIZE, truth=True)
    _, info = env.reset(seed=10 + index)
    rows, over = [(0.0, False, info, None)], False
    for step in range(steps):
        if over and mode == AutoresetMode.NEXT_STEP:
            _, info = env.reset()
            rows.append((0.0, False, info, None))
            over = False
            continue
        if over and mode == AutoresetMode.DISABLED:
            _, info = env.reset()
        _, reward, terminated, truncated, info = env.step(actions_of(step)[index])
        over, final = terminated or truncated, None
        if over and mode == AutoresetMode.SAME_STEP:
            final, (_, info) = info, env.reset()
        rows.append((reward, terminated, info, final))
    env.close()
    return rows


def together(vectorization_mode, mode, steps, model):
    """Run both environments in a vector; return rows of the same form."""
    env = make(vectorization_mode, mode, model, truth=True)
    _, infos = env.reset(seed=10)
    rows, over = [(np.zeros(2), np.zeros(2, bool), infos)], np.zeros(2, bool)
    for step in range(steps):
        if over.any() and mode == AutoresetMode.DISABLED:
            env.reset(options={"reset_mask": over})
        _, rewards, terminations, truncations, infos = env.step(actions_of(step))
        over = terminations | truncations
        rows.append((rewards, terminations, infos))
    env.close()
    return rows


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("vectorization_mode", ["sync", "async"])
def test_a_vector_gives_to_the_bit_what_its_environments_give_alone(vectorization_mode, mode):
    steps = 14
    rows = together(vectorization_mode, mode, steps, Noisy())
    finals = 0
    for index in (0, 1):
        for (rewards, terminations, infos), expected in zip(rows, alone(index, mode, steps), strict=True):
            reward, terminated, info, final = expected
            assert rewards[index] == reward and terminations[index] == terminated
            assert_same(infos, info, index)
            if final is not None:
                assert_same(infos["final_info"], final, index)
                finals += 1
    assert finals == (6 if mode == AutoresetMode.SAME_STEP else 0)


def test_measurements_of_pictures_agree_to_the_bit_as_well(monkeypatch):
    monkeypatch.setitem(globals(), "SIZE", 160)  # the cube covers enough pixels to be followed
    rows = together("sync", AutoresetMode.NEXT_STEP, 6, load_model("rgbd"))
    valid = 0
    for index in (0, 1):
        expected = alone(index, AutoresetMode.NEXT_STEP, 6, load_model("rgbd"))
        for (rewards, _, infos), (reward, _, info, _) in zip(rows, expected, strict=True):
            assert rewards[index] == reward
            assert_same(infos, info, index)
            valid += info["spatial_reward/valid"]
    assert valid > 6


def assert_same(infos, info, index):
    for key in KEYS:
        value = infos["spatial_reward/" + key][index]
        np.testing.assert_equal(value, info["spatial_reward/" + key])
        assert infos["_spatial_reward/" + key][index]


@pytest.mark.parametrize("mode", MODES)
def test_there_is_one_batch_per_step(mode):
    model = Noisy()
    rows = together("sync", mode, 10, model)
    assert len(model.calls) <= len(rows) and max(model.calls) == 2


def test_rewards_are_finite_and_observations_do_not_leak_into_infos():
    rows = together("sync", AutoresetMode.SAME_STEP, 10, Noisy())
    for rewards, _, infos in rows:
        assert rewards.dtype == np.float64 and np.isfinite(rewards).all()
        assert not [key for key in infos if "observation" in key]
        assert not [key for key in infos.get("final_info", {}) if "observation" in key]


def test_a_mask_resets_only_its_environments():
    model = Noisy()
    env = make("sync", AutoresetMode.DISABLED, model, makers=(lasting, lasting))
    env.reset(seed=0)
    env.step(actions_of(0))
    _, infos = env.reset(options={"reset_mask": np.array([False, True])})
    assert_array_equal(infos["_spatial_reward/potential"], [False, True])
    assert infos["spatial_reward/progress"][1] == 0.0
    _, _, _, _, infos = env.step(actions_of(1))
    assert infos["_spatial_reward/potential"].all()
    env.close()


def test_predicted_success_ends_episodes_only_where_resets_are_by_hand():
    with pytest.raises(ValueError, match=r"needs autoreset_mode=AutoresetMode\.DISABLED"):
        make("sync", AutoresetMode.NEXT_STEP, Noisy(), terminate_on_success=True)
    still = type("Still", (Noisy,), {"_answer": lambda self, question: Answer(np.zeros(3), "m", 0.001)})()
    env = make_vector(
        [lasting, lasting],
        "keep(cube, within=2cm)",
        still,
        size=SIZE,
        autoreset_mode="Disabled",
        terminate_on_success=True,
        success_votes=(2, 2),
    )
    env.reset(seed=0)
    ends = [env.step(actions_of(step))[2].tolist() for step in range(2)]
    assert ends == [[False, False], [True, True]]
    env.close()


def test_a_recorder_gets_the_first_environment():
    class Log(list):
        def log(self, step):
            self.append(step)

    log = Log()
    env = make("sync", AutoresetMode.NEXT_STEP, Noisy(), makers=(lasting, lasting), recorder=log, every=2)
    env.reset(seed=0)
    for step in range(5):
        env.step(actions_of(step))
    env.close()
    assert [step.index for step in log] == [0, 2, 4, 0]


def test_an_id_makes_as_many_environments_as_asked_for():
    kwargs = dict(max_episode_steps=3)
    env = make_vector(
        "SpatialReward/Push-v0", GOAL, "oracle", num_envs=3, env_kwargs=kwargs, size=SIZE, every=3
    )
    _, infos = env.reset(seed=0)
    assert env.num_envs == 3 and infos["spatial_reward/valid"].all()
    for _ in range(3):
        _, _, _, truncations, infos = env.step(env.action_space.sample())
    assert truncations.all() and infos["spatial_reward/valid"].all()
    env.close()


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(vectorization_mode="threads"), "must be 'sync' or 'async', got 'threads'"),
        (dict(num_envs=0), "`num_envs` must be at least 1"),
        (dict(goal="neer(cube, pad)"), "Cannot read goal"),
        (dict(model="oracel"), "Unknown model"),
        (dict(reward="shapping"), "Did you mean 'shaping'"),
        (dict(gamma=2.0), "`gamma`"),
        (dict(autoreset_mode="Never"), "Never"),
    ],
)
def test_bad_arguments_are_refused_when_it_is_made(options, message):
    with pytest.raises(ValueError, match=message):
        make_vector(**{"envs": "SpatialReward/Push-v0", "goal": GOAL, "model": "oracle", **options})


def test_environments_that_do_not_look_are_told():
    env = VectorSpatialReward(SyncVectorEnv([lasting]), GOAL, "oracle")
    with pytest.raises(ValueError, match="use make_vector"):
        env.reset(seed=0)
    env.close()


def test_an_unknown_name_is_told_from_the_worker():
    env = make_vector([lasting], "near(cub, pad, within=3cm)", "oracle", size=SIZE)
    with pytest.raises(ValueError, match="called 'cub'"):
        env.reset(seed=0)
    env.close()

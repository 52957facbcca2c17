import multiprocessing

import gymnasium as gym
import numpy as np
import pytest
from late_envs import GOAL, Batching, Following, Line
from numpy.testing import assert_array_equal

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import A2C, PPO, SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnvWrapper, VecNormalize

from spatial_reward.envs.sb3 import SpatialRewardVecEnv, make_vec_env
from spatial_reward.envs.sb3_relabel import RelabelCallback
from spatial_reward.envs.wrappers import SpatialReward
from spatial_reward.models.oracle import Oracle

LATE = ["lagged(1)", "lagged(4)", "lagged(100)", "episode"]
PUSH, PUSH_GOAL = "spatial_reward.envs:SpatialReward/Push-v0", "near(cube, pad, within=4cm)"


def lines():
    """Environments of 5, 7 and 50 steps: truncated often, terminated where the ball leaves."""
    return DummyVecEnv([lambda limit=limit: Line(limit) for limit in (5, 7, 50)])


def rewarded(schedule, model=None, **options):
    env = SpatialRewardVecEnv(
        lines(), GOAL, model or Oracle(), schedule=schedule, gamma=0.95, weight=3.0, **options
    )
    env.seed(11)
    return env


class Kept(BaseCallback):
    """Keeps copies of what an on-policy algorithm learns from."""

    def __init__(self):
        super().__init__()
        self.rollouts = []

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        buffer = self.model.rollout_buffer
        names = ("rewards", "values", "returns", "advantages", "episode_starts")
        self.rollouts.append({name: getattr(buffer, name).copy() for name in names})


def learn_on_policy(algorithm, schedule, model=None, callbacks=True):
    kept, env = Kept(), rewarded(schedule, model)
    torch.manual_seed(0)
    agent = algorithm("MlpPolicy", env, n_steps=17, gamma=0.95, seed=0, device="cpu", **OPTIONS[algorithm])
    agent.learn(17 * 3 * 4, callback=[RelabelCallback(), kept] if callbacks else [kept])
    weights = torch.cat([p.detach().flatten() for p in agent.policy.parameters()]).numpy()
    env.close()
    return kept.rollouts, weights


OPTIONS = {PPO: dict(batch_size=51, n_epochs=2), A2C: {}}


@pytest.mark.parametrize("model", [Oracle, Following, Batching])
@pytest.mark.parametrize("schedule", LATE)
@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_on_policy_returns_and_advantages_are_those_of_sync_to_the_bit(algorithm, schedule, model):
    expected, weights = learn_on_policy(algorithm, "sync", model())
    rollouts, learnt = learn_on_policy(algorithm, schedule, model())
    assert len(expected) == 4 and sum(r["episode_starts"].sum() for r in expected) > 20
    for one, other in zip(expected, rollouts, strict=True):
        for name in one:
            assert_array_equal(one[name], other[name], err_msg=name)
    assert_array_equal(weights, learnt)


def test_without_the_callback_an_algorithm_learns_from_provisional_rewards():
    expected, _ = learn_on_policy(PPO, "sync")
    rollouts, _ = learn_on_policy(PPO, "lagged(4)", callbacks=False)
    assert (expected[0]["rewards"] != rollouts[0]["rewards"]).any()


def learn_off_policy(schedule, *, model=None, steps=100, size=200, settle=False, normalize=False, **options):
    """Return the replay contents after training, and the weights."""
    env = rewarded(schedule, model)
    if normalize:
        env = VecNormalize(env, norm_reward=False)
    torch.manual_seed(0)
    options = {"learning_starts": 10**6, "gradient_steps": 1, **options}
    agent = SAC("MlpPolicy", env, buffer_size=size * 3, gamma=0.95, seed=0, device="cpu", **options)
    agent.learn(steps * 3, callback=RelabelCallback(settle))
    buffer: ReplayBuffer = agent.replay_buffer
    names = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
    weights = torch.cat([p.detach().flatten() for p in agent.policy.parameters()]).numpy()
    env.close()
    return {name: getattr(buffer, name).copy() for name in names}, weights


def assert_same_replay(one, other):
    for name in one:
        assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("size", [200, 37])  # the second one is overwritten more than twice
@pytest.mark.parametrize("model", [Oracle, Following])
@pytest.mark.parametrize("schedule", LATE)
def test_replay_contents_are_those_of_sync_to_the_bit(schedule, model, size):
    expected, _ = learn_off_policy("sync", model=model(), size=size)
    replay, _ = learn_off_policy(schedule, model=model(), size=size)
    assert expected["timeouts"].sum() > 5 and expected["dones"].sum() > expected["timeouts"].sum()
    assert_same_replay(expected, replay)


@pytest.mark.parametrize("schedule", ["lagged(3)", "episode"])
def test_normalised_observations_do_not_lose_late_rewards(schedule):
    expected, _ = learn_off_policy("sync", normalize=True)
    assert_same_replay(expected, learn_off_policy(schedule, normalize=True)[0])


@pytest.mark.parametrize("schedule", ["lagged(3)", "episode"])
def test_settled_rollouts_train_to_the_same_weights_as_sync(schedule):
    options = dict(train_freq=8, gradient_steps=2, learning_starts=30, batch_size=16, steps=60)
    expected, weights = learn_off_policy("sync", **options)
    replay, learnt = learn_off_policy(schedule, settle=True, **options)
    assert_same_replay(expected, replay)
    assert_array_equal(weights, learnt)


def test_a_second_training_goes_on_with_the_right_slots():
    def twice(schedule):
        env = rewarded(schedule)
        torch.manual_seed(0)
        agent = SAC(
            "MlpPolicy", env, buffer_size=300, learning_starts=10**6, gamma=0.95, seed=0, device="cpu"
        )
        for again in (False, True):
            agent.learn(3 * 25, callback=RelabelCallback(), reset_num_timesteps=not again)
        env.close()
        return agent.replay_buffer.rewards[:50]

    assert_array_equal(twice("sync"), twice("lagged(4)"))


class Stop(BaseCallback):
    def _on_step(self):
        return self.n_calls < 23


def test_a_training_that_is_stopped_leaves_its_replay_right():
    def stopped(schedule):
        env = rewarded(schedule)
        torch.manual_seed(0)
        agent = SAC("MlpPolicy", env, buffer_size=30, learning_starts=10**6, gamma=0.95, seed=0, device="cpu")
        agent.learn(300, callback=[RelabelCallback(), Stop()])
        env.close()
        return agent.replay_buffer.rewards

    assert_array_equal(stopped("sync"), stopped("lagged(4)"))


class Fail(BaseCallback):
    def _on_step(self):
        if self.n_calls == 23:
            raise KeyboardInterrupt
        return True


@pytest.mark.parametrize("same", [True, False])
def test_a_training_goes_on_after_one_that_was_interrupted(same):
    def rollouts(schedule, **options):
        env, heard, kept = rewarded(schedule, **options), RelabelCallback(), Kept()
        torch.manual_seed(0)
        agent = PPO("MlpPolicy", env, n_steps=17, batch_size=51, n_epochs=1, seed=0, device="cpu")
        with pytest.raises(KeyboardInterrupt):
            agent.learn(300, callback=[heard, Fail()])
        agent.learn(17 * 3 * 2, callback=[heard if same else RelabelCallback(), kept])
        steps = env.steps
        env.close()
        return kept.rollouts, steps

    late = []
    (expected, _), (given, steps) = rollouts("sync"), rollouts("lagged(4)", on_late=late.append)
    for one, other in zip(expected, given, strict=True):
        for key in one:
            assert_array_equal(one[key], other[key], err_msg=key)
    assert len(late) == len({(one.step, one.slot) for one in late}) == 3 * steps  # each of them once


@pytest.mark.parametrize("name", ["RecurrentPPO", "MaskablePPO", "TRPO"])
@pytest.mark.parametrize("schedule", ["lagged(4)", "episode"])
def test_algorithms_that_tell_callbacks_less_learn_as_with_sync(name, schedule):
    contrib = pytest.importorskip("sb3_contrib")

    def rollouts(schedule):
        env, kept = rewarded(schedule), Kept()
        if name == "MaskablePPO":
            env = Choosing(env)
        policy = "MlpLstmPolicy" if name == "RecurrentPPO" else "MlpPolicy"
        torch.manual_seed(0)
        agent = getattr(contrib, name)(policy, env, n_steps=17, batch_size=51, seed=0, device="cpu")
        agent.learn(17 * 3 * 2, callback=[RelabelCallback(), kept])
        env.close()
        return kept.rollouts

    for one, other in zip(rollouts("sync"), rollouts(schedule), strict=True):
        for key in one:
            assert_array_equal(one[key], other[key], err_msg=key)


class Choosing(VecEnvWrapper):
    """Three actions to choose from."""

    def __init__(self, venv):
        super().__init__(venv, action_space=gym.spaces.Discrete(3))

    def reset(self):
        return self.venv.reset()

    def step_async(self, actions):
        self.venv.step_async(np.asarray(actions, np.float32)[:, None] - 1)

    def step_wait(self):
        return self.venv.step_wait()

    def has_attr(self, name):
        return name == "action_masks" or super().has_attr(name)

    def env_method(self, name, *args, **options):
        return [np.ones(3, bool)] * self.num_envs


def test_hindsight_with_other_rewards_is_refused():
    env = rewarded("sync")
    with pytest.raises(ValueError, match="usual replay buffer"):
        env.env_method("compute_reward", None, None, {})
    env.close()


def test_the_share_of_held_steps_is_logged():
    env = rewarded("lagged(2)", Following())
    agent = PPO("MlpPolicy", env, n_steps=40, batch_size=60, n_epochs=1, gamma=0.95, seed=0, device="cpu")
    told = {}
    agent.learn(120, callback=[RelabelCallback(), Told(told)])
    assert 0.1 < told["spatial_reward/held_share"] < 0.4 and told["spatial_reward/episodes_not_judged"] == 0
    env.close()


class Told(BaseCallback):
    def __init__(self, told):
        super().__init__()
        self.told = told

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        self.told.update(self.logger.name_to_value)


def test_rewards_of_another_wrapper_would_be_scaled_apart():
    env = VecNormalize(rewarded("lagged(2)"))
    agent = PPO("MlpPolicy", env, n_steps=4, batch_size=12, device="cpu")
    with pytest.raises(ValueError, match="norm_reward=False"):
        agent.learn(12, callback=RelabelCallback())
    env.close()
    env = SpatialRewardVecEnv(VecNormalize(lines()), GOAL, Oracle(), schedule="lagged(2)")
    PPO("MlpPolicy", env, n_steps=4, batch_size=12, device="cpu").learn(12, callback=RelabelCallback())
    env.close()


def test_the_callback_needs_a_rewarded_environment():
    agent = PPO("MlpPolicy", lines(), n_steps=4, batch_size=12, device="cpu")
    with pytest.raises(ValueError, match="needs an algorithm on a SpatialRewardVecEnv"):
        agent.learn(12, callback=RelabelCallback())


def test_a_vecenv_gives_what_its_environments_give_alone():
    env = rewarded("sync", Following())
    env.reset()
    alone = [SpatialReward(Line(n), GOAL, Following(), gamma=0.95, weight=3.0) for n in (5, 7, 50)]
    for slot, one in enumerate(alone):
        one.env = one.env.env
        one.reset(seed=11 + slot)
    for step in range(30):
        actions = np.random.default_rng(step).uniform(-1, 1, (3, 1)).astype(np.float32)
        _, rewards, dones, infos = env.step(actions)
        for slot, one in enumerate(alone):
            _, reward, terminated, truncated, info = one.step(actions[slot])
            assert rewards[slot] == pytest.approx(reward, rel=1e-6)  # the VecEnv inside rounds to float32
            assert dones[slot] == (terminated or truncated)
            for key in ("potential", "shaping", "held", "valid"):
                np.testing.assert_equal(infos[slot]["spatial_reward/" + key], info["spatial_reward/" + key])
            if dones[slot]:
                _, first = one.reset()
                reset_info = env.reset_infos[slot]
                assert reset_info["spatial_reward/potential"] == first["spatial_reward/potential"]
    env.close()


@pytest.mark.parametrize(
    "subprocesses", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["dummy", "subproc"]
)
@pytest.mark.parametrize("schedule", ["sync", "lagged(2)", "episode"])
def test_real_environments_are_rewarded_where_they_run(subprocesses, schedule):
    late = []
    env = make_vec_env(
        "SpatialReward/Push-v0",
        PUSH_GOAL,
        "oracle",
        n_envs=2,
        subprocesses=subprocesses,
        seed=0,
        env_kwargs=dict(max_episode_steps=3),
        size=48,
        truth=True,
        schedule=schedule,
        on_late=None if schedule == "sync" else late.append,
    )
    assert isinstance(env.unwrapped, SubprocVecEnv if subprocesses else DummyVecEnv)
    env.reset()
    given = []
    for _ in range(7):
        _, rewards, _, infos = env.step(np.full((2, 3), 0.5, np.float32))
        given.append((rewards, infos))
        assert not [
            key for info in infos for key in info if "observation" in key and key != "terminal_observation"
        ]
    env.settle()
    env.close()
    by_place = {(one.step, one.slot): one for one in late}
    for step, (rewards, infos) in enumerate(given):
        for slot in range(2):
            info = by_place[step, slot].info if late else infos[slot]
            reward = by_place[step, slot].reward if late else rewards[slot]
            np.testing.assert_allclose(-info["spatial_reward/potential"], infos[slot]["distance"], atol=1e-6)
            added = info["spatial_reward/env_reward"] + info["spatial_reward/shaping"]
            assert reward == pytest.approx(added, abs=1e-6)
    assert infos[0].keys() >= {"spatial_reward/held", "is_success"} and env.tally.missing == 0
    assert len(late) == (0 if schedule == "sync" else 14)


def test_the_logged_return_is_that_of_the_environment():
    kwargs = dict(max_episode_steps=3)
    env = make_vec_env("SpatialReward/Push-v0", PUSH_GOAL, "oracle", env_kwargs=kwargs, size=48)
    env.reset()
    infos = [env.step(np.full((1, 3), 0.5, np.float32))[3][0] for _ in range(3)]
    own = sum(info["spatial_reward/env_reward"] for info in infos)
    assert infos[-1]["episode"]["r"] == pytest.approx(own, abs=1e-5) and infos[-1]["episode"]["l"] == 3
    env.close()


def test_hold_measures_every_second_step_and_the_last():
    env = rewarded("hold(2)")
    env.reset()
    held = []
    for _ in range(5):
        infos = env.step(np.zeros((3, 1), np.float32))[3]
        held.append(infos[0]["spatial_reward/held"])
    assert held == [True, False, True, False, False]  # its episode is of five steps
    env.close()


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(goal="neer(cube, pad)"), "Cannot read goal"),
        (dict(model="oracel"), "Unknown model"),
        (dict(schedule="late"), "`schedule` must be"),
        (dict(n_envs=0), "at least 1"),
        (dict(terminate_on_success=True), "does not go with a VecEnv"),
        (dict(terminate_on_success=True, schedule="episode"), "does not go with schedule='episode'"),
    ],
)
def test_bad_arguments_of_a_vecenv_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make_vec_env(**{"envs": "SpatialReward/Push-v0", "goal": PUSH_GOAL, "model": "oracle", **change})


@pytest.mark.slow
def test_processes_of_what_is_refused_end():
    before = set(multiprocessing.active_children())
    with pytest.raises(ValueError, match="`on_late` needs"):
        make_vec_env("SpatialReward/Push-v0", PUSH_GOAL, "oracle", subprocesses=True, on_late=print)
    assert set(multiprocessing.active_children()) <= before


def test_a_vecenv_that_does_not_look_is_told():
    env = SpatialRewardVecEnv(DummyVecEnv([lambda: gym.make(PUSH)]), PUSH_GOAL, "oracle")
    with pytest.raises(ValueError, match="use make_vec_env"):
        env.reset()
    env.close()

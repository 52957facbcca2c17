"""Experts do the four tasks, failures fail them, and both through real contact."""

import gymnasium as gym
import numpy as np
import pytest

import spatial_reward.envs  # noqa: F401 (registers)
from spatial_reward.envs.tabletop_experts import EXPERTS, expert, failure, failures

FAILURES = [(env_id, name) for env_id in EXPERTS for name in failures(env_id)]


def episode(env, policy, seed):
    """Play one episode; return its infos and the bodies that the fingers and objects touched."""
    observation, info = env.reset(seed=seed)
    infos, touched = [info], set()
    model, data = env.unwrapped.model, env.unwrapped.data
    done = False
    while not done:
        observation, _, terminated, truncated, info = env.step(policy(env, observation))
        infos.append(info)
        for geoms in data.contact.geom[: data.ncon]:
            touched.add(frozenset(model.body(model.geom_bodyid[geom]).name for geom in geoms))
        done = terminated or truncated
    return infos, touched


def outcomes(env_id, policy, seeds):
    env = gym.make(env_id)
    return [episode(env, policy, seed)[0][-1]["is_success"] for seed in seeds]


@pytest.mark.parametrize("env_id", EXPERTS)
def test_experts_succeed(env_id):
    assert np.mean(outcomes(env_id, expert(env_id), range(20))) >= 0.95


@pytest.mark.parametrize("env_id", EXPERTS)
def test_experts_succeed_in_spite_of_noise(env_id):
    assert np.mean(outcomes(env_id, expert(env_id, seed=1, noise=0.1), range(10))) >= 0.9


@pytest.mark.parametrize(("env_id", "name"), FAILURES)
def test_failures_fail(env_id, name):
    assert np.mean(outcomes(env_id, failure(env_id, name), range(6))) <= 0.05


@pytest.mark.parametrize("env_id", EXPERTS)
def test_what_is_undone_was_done_before(env_id):
    env = gym.make(env_id)
    infos, _ = episode(env, failure(env_id, "undo"), seed=0)
    assert any(info["is_success"] for info in infos) and not infos[-1]["is_success"]


@pytest.mark.parametrize("env_id", EXPERTS)
def test_the_idle_touch_nothing(env_id):
    env = gym.make(env_id)
    infos, touched = episode(env, failure(env_id, "idle"), seed=0)
    assert np.allclose(infos[0]["gripper"], infos[-1]["gripper"], atol=1e-3)
    assert not any(name.startswith("finger") for pair in touched for name in pair)


@pytest.mark.parametrize(
    ("env_id", "pairs"),
    [
        ("SpatialReward/Push-v0", [{"cube", "table"}]),
        ("SpatialReward/Lift-v0", [{"cube", "finger_left"}, {"cube", "finger_right"}]),
        ("SpatialReward/Stack-v0", [{"cube_a", "finger_left"}, {"cube_a", "cube_b"}]),
    ],
)
def test_objects_move_because_they_are_touched(env_id, pairs):
    _, touched = episode(gym.make(env_id), expert(env_id), seed=2)
    assert all(frozenset(pair) in touched for pair in pairs)
    assert any("finger_left" in pair or "finger_right" in pair for pair in touched)


def test_a_stacked_cube_stands_by_itself():
    env = gym.make("SpatialReward/Stack-v0")
    infos, _ = episode(env, expert("SpatialReward/Stack-v0"), seed=4)
    last = infos[-1]
    assert last["distance"] < 0.01
    assert np.linalg.norm(last["gripper"] - last["cube_a"]) > 0.05  # the hand has let go


def test_pushing_is_not_lifting():
    env = gym.make("SpatialReward/Lift-v0")
    infos, _ = episode(env, failure("SpatialReward/Lift-v0", "push_not_lift"), seed=1)
    heights = [info["cube"][2] for info in infos]
    assert max(heights) < 0.04  # [m]
    assert np.linalg.norm(infos[-1]["cube"][:2] - infos[0]["cube"][:2]) > 0.03


def test_a_seed_decides_the_noise():
    def actions(seed):
        env = gym.make("SpatialReward/Reach-v0")
        policy = failure("SpatialReward/Reach-v0", "near_miss", seed=seed, noise=0.1)
        observation, _ = env.reset(seed=0)
        return np.array([policy(env, observation) for _ in range(5)])

    assert np.array_equal(actions(3), actions(3))
    assert not np.array_equal(actions(3), actions(4))


def test_actions_keep_to_the_action_space():
    for env_id in EXPERTS:
        env = gym.make(env_id)
        observation, _ = env.reset(seed=0)
        policy = expert(env_id, noise=2.0)
        for _ in range(20):
            action = policy(env, observation)
            assert env.action_space.contains(action)
            observation, *_ = env.step(action)


def test_unknown_names_are_refused_with_the_alternatives():
    with pytest.raises(ValueError, match=r"No scripts for 'Reacher-v5'. There are some for \["):
        expert("Reacher-v5")
    with pytest.raises(ValueError, match=r"has no failure 'sleep'. Choose one of \["):
        failure("SpatialReward/Push-v0", "sleep")

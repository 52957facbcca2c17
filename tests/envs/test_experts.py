"""Experts of every environment reach success, keep still there, and leave the state to the physics."""

import numpy as np
import pytest

from spatial_reward.envs import experts
from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.envs.physics import physics
from spatial_reward.envs.rollout import rollout

FOREIGN = [env_id for env_id in RECIPES if not env_id.startswith("SpatialReward/")]
RELIABLE = [env_id for env_id in FOREIGN if env_id != "FetchSlide-v4"]
FAST = ["FetchReach-v4", "FetchPush-v4", "dm_control/reacher-hard-v0"]


def play(env, env_id, policy, seed):
    """Return, for each step, whether the environment says success, and the joint positions."""
    key = RECIPES[env_id].success_key
    done, joints = [], []
    for _, _, reward, _, _, info in rollout(env, policy, RECIPES[env_id].steps, seed):
        done.append(bool(info[key]) if key else reward > 0.999)
        joints.append(physics(env)[1].qpos.copy())
    return np.array(done), np.array(joints)


def success_rate(env_id, seeds, noise=0.0):
    env = make(env_id)
    ends = [play(env, env_id, experts.expert(env_id, seed=s, noise=noise), s)[0][-1] for s in seeds]
    env.close()
    return np.mean(ends)


@pytest.mark.parametrize("env_id", FAST)
def test_experts_succeed(env_id):
    assert success_rate(env_id, range(200, 206)) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("env_id", RELIABLE)
def test_experts_succeed_nearly_always(env_id):
    assert success_rate(env_id, range(10)) >= 0.9


@pytest.mark.slow
def test_the_slide_expert_succeeds_often():
    assert success_rate("FetchSlide-v4", range(20)) >= 0.5


@pytest.mark.parametrize("env_id", FAST)
def test_experts_succeed_in_spite_of_noise(env_id):
    assert success_rate(env_id, range(4), noise=0.1) >= 0.75


@pytest.mark.parametrize(
    ("env_id", "site"),
    [
        ("FetchPickAndPlace-v4", "object0"),
        ("metaworld/reach-v3", "endEffector"),
        ("dm_control/reach_site_features-v0", "jaco_arm/jaco_hand/pinchsite"),
    ],
)
def test_experts_keep_still_after_success(env_id, site):
    env, places = make(env_id), []
    for _ in rollout(env, experts.expert(env_id), RECIPES[env_id].steps, seed=2):
        places.append(physics(env)[1].site(site).xpos.copy())
    env.close()
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert steps.max() > 0.004 and steps[-8:].max() < 0.001  # [m]


@pytest.mark.parametrize("env_id", ["FetchPush-v4", "FetchPickAndPlace-v4"])
def test_objects_move_smoothly(env_id):
    env = make(env_id)
    places = [
        obs["achieved_goal"]
        for obs, *_ in rollout(env, experts.expert(env_id), RECIPES[env_id].steps, seed=2)
    ]
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert steps.max() < 0.02 and steps.sum() > 0.03  # [m]
    env.close()


@pytest.mark.parametrize("env_id", ["FetchPush-v4", "metaworld/push-v3", "dm_control/reach_site_features-v0"])
def test_experts_act_without_touching_the_state(env_id):
    env = make(env_id)
    obs, _ = env.reset(seed=0)
    policy = experts.expert(env_id)
    _, data = physics(env)
    before = data.qpos.copy(), data.qvel.copy(), data.mocap_pos.copy(), data.time
    action = policy(env, obs)
    assert all(
        np.array_equal(x, y)
        for x, y in zip(before, (data.qpos, data.qvel, data.mocap_pos, data.time), strict=True)
    )
    assert env.action_space.contains(action)
    assert np.array_equal(action, policy(env, None)), "wrapped observations must not matter"
    env.close()


def test_noise_comes_from_the_seed():
    env = make("FetchReach-v4")
    env.reset(seed=0)
    actions = [experts.expert("FetchReach-v4", seed=seed, noise=0.1)(env, None) for seed in (1, 1, 2)]
    assert np.array_equal(actions[0], actions[1]) and not np.array_equal(actions[0], actions[2])


def test_any_task_of_meta_world_has_an_expert():
    env = make("metaworld/window-open-v3")
    assert play_any(env, experts.expert("metaworld/window-open-v3"), 150)["success"]


def play_any(env, policy, steps):
    *_, (_, _, _, _, _, info) = rollout(env, policy, steps, seed=0)
    return info


@pytest.mark.parametrize("env_id", ["FetchPush-v4", "dm_control/reacher-hard-v0"])
def test_idle_and_random_fail(env_id):
    env = make(env_id)
    for policy in (experts.idle, experts.random(0)):
        assert np.mean([play(env, env_id, policy, seed)[0][-1] for seed in range(10, 13)]) < 0.5
    env.close()


def test_random_actions_fill_their_bounds_and_come_from_the_seed():
    env = make("metaworld/reach-v3")
    first, again, other = experts.random(0), experts.random(0), experts.random(1)
    actions = np.array([first(env, None) for _ in range(200)])
    assert np.abs(actions).max() <= 1 and (np.abs(actions).max(axis=0) > 0.9).all()
    assert np.array_equal(actions[0], again(env, None)) and not np.array_equal(actions[0], other(env, None))


def test_unknown_experts_name_the_known():
    with pytest.raises(ValueError, match=r"no expert for 'Ant-v5'.*FetchPush-v4"):
        experts.expert("Ant-v5")
    with pytest.raises(ValueError, match=r"no task 'nothing-v3'.*push-v3"):
        experts.expert("metaworld/nothing-v3")


def test_policies_need_actions_in_a_box():
    with pytest.raises(TypeError, match="need actions in a Box, got Discrete"):
        experts.idle(make("CartPole-v1"), None)


def test_rollouts_end_with_the_episode_or_the_steps():
    env = make("FetchReach-v4", max_episode_steps=5)
    assert len(list(rollout(env, experts.idle, 3, seed=0))) == 3
    *_, (obs, action, reward, terminated, truncated, info) = rollout(env, experts.idle, 50, seed=0)
    assert truncated and not terminated and isinstance(reward, float)
    assert set(info) == {"is_success", "TimeLimit.truncated"} or "is_success" in info
    assert obs["achieved_goal"].shape == (3,) and action.dtype == np.float32

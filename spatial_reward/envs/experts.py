"""Scripted experts by the name of their environment, and two policies that fail: idle and random.

Experts of environments that are not ours read the simulator's state, so that observations may be wrapped
freely; they are functions of the present state alone, and go on from wherever they find the robot.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from spatial_reward.envs import fetch_experts, tabletop_experts
from spatial_reward.envs.catalogue import RECIPES
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.physics import physics
from spatial_reward.envs.rollout import Policy

Array = NDArray[np.float64]
Script = Callable[[gym.Env[Any, Any]], Array]


def expert(env_id: str, seed: int = 0, noise: float = 0.0) -> Policy:
    """Find the scripted expert of an environment; it stays where it is once the goal is reached.

    Args:
        env_id: A key of `catalogue.RECIPES`, or any task of Meta-World ("metaworld/hammer-v3").
        seed: Of the noise, and of what an expert draws.
        noise: Standard deviation of Gaussian noise, in units of the action.

    Raises:
        ValueError: If there is no expert for it.
    """
    if env_id in tabletop_experts.EXPERTS:
        return tabletop_experts.expert(env_id, seed=seed, noise=noise)
    script, rng = _script(env_id), np.random.default_rng(seed)

    def act(env: gym.Env[Any, Any], obs: Any) -> NDArray[np.float32]:
        action = script(env)
        return _within_bounds(env, action + noise * rng.standard_normal(action.shape))

    return act


def idle(env: gym.Env[Any, Any], obs: Any) -> NDArray[np.float32]:
    """Do nothing: take the action nearest to zero."""
    return _within_bounds(env, np.zeros(_bounds(env).shape))


def random(seed: int = 0) -> Policy:
    """Make a policy that draws every action uniformly within its bounds."""
    rng = np.random.default_rng(seed)

    def act(env: gym.Env[Any, Any], obs: Any) -> NDArray[np.float32]:
        bounds = _bounds(env)
        return _within_bounds(env, rng.uniform(bounds.low, bounds.high))

    return act


def _bounds(env: gym.Env[Any, Any]) -> gym.spaces.Box:
    space = env.action_space
    if not isinstance(space, gym.spaces.Box):
        raise TypeError(f"Scripted policies need actions in a Box, got {space}.")
    return space


def _within_bounds(env: gym.Env[Any, Any], action: Array) -> NDArray[np.float32]:
    bounds = _bounds(env)
    return np.clip(action, bounds.low, bounds.high).astype(bounds.dtype)


def _script(env_id: str) -> Script:
    family, _, task = env_id.partition("/")
    if family == "metaworld":
        return _meta_world(task)
    if env_id not in SCRIPTS:
        known = sorted({*SCRIPTS, *RECIPES})
        raise ValueError(f"There is no expert for {env_id!r}. There are some for {known}.")
    return SCRIPTS[env_id]


def _meta_world(task: str) -> Script:
    """Wrap the script that Meta-World has for each of its tasks."""
    from metaworld.policies import ENV_POLICY_MAP

    if task not in ENV_POLICY_MAP:
        raise ValueError(f"Meta-World has no task {task!r}. It has {sorted(ENV_POLICY_MAP)}.")
    policy = ENV_POLICY_MAP[task]()

    def script(env: gym.Env[Any, Any]) -> Array:
        robot: Any = env.unwrapped
        now = robot._get_curr_obs_combined_no_goal()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Constant.* may be too high")
            return np.asarray(policy.get_action(np.hstack((now, now, robot._get_pos_goal()))), dtype=np.float64)

    return script


def _jaco_reach(env: gym.Env[Any, Any]) -> Array:
    """Move the Jaco arm's pinch site to the target, by damped least squares on its joint velocities."""
    mujoco, (model, data) = load_mujoco(), physics(env)
    tip = data.site("jaco_arm/jaco_hand/pinchsite")
    jacobian = np.zeros((3, model.nv))
    mujoco.mj_jacSite(model, data, jacobian, None, tip.id)
    arm = jacobian[:, :6]  # the six joints of the arm come first
    wanted = 2.0 * (data.site(_jaco_target(model)).xpos - tip.xpos)  # [m/s]
    wanted *= min(1.0, 0.15 / max(float(np.linalg.norm(wanted)), 1e-9))
    rates = arm.T @ np.linalg.solve(arm @ arm.T + 0.05**2 * np.eye(3), wanted)
    limit = float(np.max(np.abs(rates) / model.actuator_ctrlrange[:6, 1]))
    return np.concatenate([rates / max(limit, 1.0), np.zeros(model.nu - 6)])


def _jaco_target(model: Any) -> str:
    names = [model.site(i).name for i in range(model.nsite)]
    return next(name for name in names if name.endswith("target_site"))


def _planar_reach(env: gym.Env[Any, Any]) -> Array:
    """Move dm_control's planar reacher to its target, by torques that pull the finger and damp the joints."""
    mujoco, (model, data) = load_mujoco(), physics(env)
    jacobian = np.zeros((3, model.nv))
    finger = data.geom("finger")
    mujoco.mj_jacGeom(model, data, jacobian, None, finger.id)
    pull = data.geom("target").xpos - finger.xpos
    return 10.0 * jacobian.T @ pull - 0.5 * data.qvel


SCRIPTS: Mapping[str, Script] = {
    "FetchReach-v4": fetch_experts.reach,
    "FetchPush-v4": fetch_experts.push,
    "FetchPickAndPlace-v4": fetch_experts.pick_and_place,
    "FetchSlide-v4": fetch_experts.slide,
    "dm_control/reach_site_features-v0": _jaco_reach,
    "dm_control/reach_duplo_features-v0": _jaco_reach,
    "dm_control/reacher-hard-v0": _planar_reach,
}

"""Scripted experts by the name of their environment, and policies that fail: idle, random and wandering.

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
from spatial_reward.envs.catalogue import META_WORLD, RECIPES, require_package
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


def wander(seed: int = 0) -> Policy:
    """Make a policy that keeps to each random action for 3 to 14 steps, so that things get moved."""
    rng = np.random.default_rng(seed)
    left, action = 0, None

    def act(env: gym.Env[Any, Any], obs: Any) -> Any:
        nonlocal left, action
        if left == 0:
            env.action_space.seed(int(rng.integers(2**31)))
            left, action = int(rng.integers(3, 15)), env.action_space.sample()
        left -= 1
        return action

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
    policies = require_package("metaworld.policies", f"metaworld/{task}", META_WORLD).ENV_POLICY_MAP
    if task not in policies:
        raise ValueError(f"Meta-World has no task {task!r}. It has {sorted(policies)}.")
    policy = policies[task]()

    def script(env: gym.Env[Any, Any]) -> Array:
        robot: Any = env.unwrapped
        now, goal = robot._get_curr_obs_combined_no_goal(), robot._get_pos_goal()
        if task == "reach-v3":  # the script brings the wrist to the goal, success asks for the fingers
            goal = goal + now[:3] - robot.tcp_center
        obs = np.hstack((now, now, goal))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Constant.* may be too high")
            action = np.asarray(policy.get_action(obs), dtype=np.float64)
        # Some scripts wander off after success: stay there once the hand has come to rest.
        done = _hand_speed(robot) < 0.15 and robot.evaluate_state(obs, action)[1]["success"]
        return np.array([0.0, 0.0, 0.0, action[3]]) if done else action

    return script


def _hand_speed(robot: Any) -> float:
    """Read how fast Meta-World's hand moves [m/s]."""
    mujoco, velocity = load_mujoco(), np.zeros(6)  # rotation, translation
    body = int(mujoco.mjtObj.mjOBJ_BODY)
    mujoco.mj_objectVelocity(robot.model, robot.data, body, robot.model.body("hand").id, velocity, 0)
    return float(np.linalg.norm(velocity[3:]))


def _jaco_reach(env: gym.Env[Any, Any]) -> Array:
    """Move the Jaco arm's pinch site to the target, by its joint velocities."""
    mujoco, (model, data) = load_mujoco(), physics(env)
    tip, jacobian = data.site("jaco_arm/jaco_hand/pinchsite"), np.zeros((3, model.nv))
    mujoco.mj_jacSite(model, data, jacobian, None, tip.id)
    names = [model.site(index).name for index in range(model.nsite)]
    target = next(name for name in names if name.endswith("target_site"))
    rates = _joint_rates(jacobian[:, :6], 2.0 * (data.site(target).xpos - tip.xpos), 0.15, 0.05)
    slower = float(np.max(np.abs(rates) / model.actuator_ctrlrange[:6, 1]))
    return np.concatenate([rates / max(slower, 1.0), np.zeros(model.nu - 6)])


def _planar_reach(env: gym.Env[Any, Any]) -> Array:
    """Move the finger of dm_control's planar reacher to its target, by the torques of its two joints."""
    mujoco, (model, data) = load_mujoco(), physics(env)
    finger, jacobian = data.geom("finger"), np.zeros((3, model.nv))
    mujoco.mj_jacGeom(model, data, jacobian, None, finger.id)
    rates = _joint_rates(jacobian[:2], 3.0 * (data.geom("target").xpos - finger.xpos)[:2], 0.3, 0.02)
    # Half of the missing speed in one step; more would overshoot.
    torque = 0.5 * model.dof_M0 * (rates - data.qvel) / model.opt.timestep + model.dof_damping * rates
    return np.asarray(torque / model.actuator_gear[:, 0])


def _joint_rates(jacobian: Array, velocity: Array, fastest: float, damping: float) -> Array:
    """Find joint rates [rad/s] for a tip velocity [m/s], at most `fastest`, by damped least squares."""
    velocity = velocity * min(1.0, fastest / max(float(np.linalg.norm(velocity)), 1e-9))
    square = jacobian @ jacobian.T
    return np.asarray(jacobian.T @ np.linalg.solve(square + damping**2 * np.eye(len(square)), velocity))


SCRIPTS: Mapping[str, Script] = {
    "FetchReach-v4": fetch_experts.reach,
    "FetchPush-v4": fetch_experts.push,
    "FetchPickAndPlace-v4": fetch_experts.pick_and_place,
    "FetchSlide-v4": fetch_experts.slide,
    "dm_control/reach_site_features-v0": _jaco_reach,
    "dm_control/reacher-hard-v0": _planar_reach,
}

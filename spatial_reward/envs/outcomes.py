"""What can become of an attempt, by name, in every environment with a scripted expert: it succeeds or fails.

Table-top tasks have scripts of their own; in Fetch and Meta-World the expert is sent to other places, or
its hand goes alone. What really happened is for the simulator to say: label by the truth, not by the name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.envs import experts, fetch_experts, tabletop_experts
from spatial_reward.envs.catalogue import RECIPES
from spatial_reward.envs.grounding import anchor, find
from spatial_reward.envs.physics import physics
from spatial_reward.envs.rollout import Policy
from spatial_reward.rewards import parse_goal

Env = gym.Env[Any, Any]

SHORT = 0.09  # [m] from the goal, where a near miss stops
DROPPED = 0.05  # [m] of height at which the fingers open
FAILURES = {  # of the environments that are not ours
    "FetchReach-v4": ("near_miss", "undo", "idle"),
    "FetchPush-v4": ("near_miss", "wrong_object", "undo", "idle"),
    "FetchPickAndPlace-v4": ("near_miss", "wrong_object", "push_not_lift", "drop", "undo", "idle"),
    "metaworld/reach-v3": ("near_miss", "undo", "idle"),
    "metaworld/push-v3": ("near_miss", "wrong_object", "undo", "idle"),
    "metaworld/pick-place-v3": ("near_miss", "wrong_object", "drop", "undo", "idle"),
}


def outcomes(env_id: str) -> tuple[str, ...]:
    """Return the outcomes that `outcome` can play in an environment, "success" first; none without an expert.

    >>> outcomes("FetchPush-v4")
    ('success', 'near_miss', 'wrong_object', 'undo', 'idle')
    """
    if env_id in tabletop_experts.FAILURES:
        return ("success", *tabletop_experts.failures(env_id))
    if env_id in FAILURES:
        return ("success", *FAILURES[env_id])
    return ("success", "idle") if env_id in RECIPES and RECIPES[env_id].expert else ()


def outcome(env_id: str, name: str, seed: int = 0, noise: float = 0.0) -> Policy:
    """Return a policy for one episode that ends as `name` says: one of `outcomes(env_id)`.

    Args:
        env_id: A key of `catalogue.RECIPES`.
        name: "success", "near_miss" (stops short), "wrong_object" (something else goes to the goal; where
            there is nothing else, the empty hand), "push_not_lift", "drop", "undo" (back to the start) or
            "idle".
        seed: Of what the policy draws.
        noise: Standard deviation of noise on the actions.

    Raises:
        ValueError: If there is no such outcome.
    """
    if name not in outcomes(env_id):
        raise ValueError(f"{env_id!r} has no outcome {name!r}. Choose one of {list(outcomes(env_id))}.")
    if name == "success":
        return experts.expert(env_id, seed=seed, noise=noise)
    if env_id in tabletop_experts.FAILURES:
        return tabletop_experts.failure(env_id, name, seed=seed, noise=noise)
    if name == "idle":
        return experts.idle
    play = _Attempt(env_id, experts.expert(env_id, seed=seed, noise=noise))
    plays: dict[str, Policy] = {
        "near_miss": play.near_miss,
        "wrong_object": play.hand_alone,
        "push_not_lift": play.push,
        "drop": play.drop,
        "undo": play.undo,
    }
    return plays[name]


class _Attempt:
    """An expert at work towards places of our choice, for one episode."""

    def __init__(self, env_id: str, expert: Policy) -> None:
        goal = parse_goal(RECIPES[env_id].goal)
        self._thing, self._within = goal.names[0], float(getattr(goal, "within", 0.05))
        self._fetch = env_id.startswith("Fetch")
        self._place = "goal" if self._fetch else "_target_pos"  # where the robot keeps its goal
        self._expert = expert
        self._start: Array | None = None
        self._turned = False

    def near_miss(self, env: Env, obs: Any) -> NDArray[np.float32]:
        """Stop short of the goal, on the straight line to it."""
        start, goal = self._from(env), self._goal(env)
        way = goal - start
        short = min(SHORT / max(float(np.linalg.norm(way)), 1e-9), 0.6)
        return self._towards(env, obs, goal - short * way)

    def undo(self, env: Env, obs: Any) -> NDArray[np.float32]:
        """Reach the goal, and bring the thing back to where it was."""
        start, goal = self._from(env), self._goal(env)
        self._turned |= bool(np.linalg.norm(self._where(env) - goal) < 0.7 * self._within)
        return self._towards(env, obs, start if self._turned else goal)

    def hand_alone(self, env: Env, obs: Any) -> NDArray[np.float32]:
        """Bring the empty hand to the goal."""
        if self._fetch:
            return _bounded(env, fetch_experts.reach(env))
        robot: Any = env.unwrapped
        return _bounded(env, np.append(10.0 * (self._goal(env) - robot.tcp_center), -1.0))

    def push(self, env: Env, obs: Any) -> NDArray[np.float32]:
        """Push the thing over the table to below the goal."""
        below = np.append(self._goal(env)[:2], self._from(env)[2])
        return self._with_goal(env, below, lambda: _bounded(env, fetch_experts.push(env)))

    def drop(self, env: Env, obs: Any) -> NDArray[np.float32]:
        """Lift the thing towards a place above the goal, and let it fall on the way."""
        start, goal = self._from(env), self._goal(env)
        self._turned |= bool(self._where(env)[2] - start[2] > DROPPED)
        if self._turned:
            opened = 1.0 if self._fetch else -1.0
            return _bounded(env, np.array([0.0, 0.0, 0.0, opened]))
        return self._towards(env, obs, goal + np.array([0.0, 0.0, 2 * DROPPED]))

    def _from(self, env: Env) -> Array:
        """Return where the thing was at the first step (3,) [m]."""
        if self._start is None:
            self._start = self._where(env)
        return self._start

    def _where(self, env: Env) -> Array:
        model, data = physics(env)
        return anchor(data, find(model, self._thing))

    def _goal(self, env: Env) -> Array:
        return np.array(getattr(env.unwrapped, self._place), float)

    def _towards(self, env: Env, obs: Any, place: Array) -> NDArray[np.float32]:
        return self._with_goal(env, place, lambda: self._expert(env, obs))

    def _with_goal(
        self, env: Env, place: Array, act: Callable[[], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Act as if the goal were elsewhere; the environment's own goal stays as it was."""
        robot: Any = env.unwrapped
        kept = getattr(robot, self._place)
        setattr(robot, self._place, np.asarray(place, float).copy())
        try:
            return act()
        finally:
            setattr(robot, self._place, kept)


def _bounded(env: Env, action: Array) -> NDArray[np.float32]:
    space: Any = env.action_space
    clipped: NDArray[np.float32] = np.clip(action, space.low, space.high).astype(space.dtype)
    return clipped

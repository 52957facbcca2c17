"""Run a policy in an environment, one step at a time."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

Policy = Callable[[gym.Env[Any, Any], Any], NDArray[np.float32]]
Transition = tuple[Any, NDArray[np.float32], float, bool, bool, dict[str, Any]]


def rollout(env: gym.Env[Any, Any], policy: Policy, steps: int, seed: int | None) -> Iterator[Transition]:
    """Yield (obs, action, reward, terminated, truncated, info) of one episode, obs and info after the action.

    The environment is reset when the first transition is asked for. The episode ends after `steps` or
    where the environment ends it.
    """
    obs, _ = env.reset(seed=seed)
    for _ in range(steps):
        action = policy(env, obs)
        obs, reward, terminated, truncated, info = env.step(action)
        yield obs, action, float(reward), terminated, truncated, info
        if terminated or truncated:
            return

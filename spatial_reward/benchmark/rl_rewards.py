"""The rewards that agents are trained with, as environments of Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym

from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.envs.sb3 import make_vec_env

ALGORITHMS = ("sac", "tqc", "td3", "ppo", "a2c")
REWARDS = ("dense", "shaping", "model", "sparse", "clock")
MEASURED = ("shaping", "model")  # those that ask the model
# How families of environments are told which of their rewards to give.
OWN_REWARD = {"SpatialReward/": "reward", "Fetch": "reward_type"}


class Plan(NamedTuple):
    """How agents are trained in an environment.

    Attributes:
        algorithm: "sac", "tqc", "td3", "ppo" or "a2c".
        steps: Of a training.
        gamma: Discount, of the algorithm and of the shaping.
        n_envs: Environments at a time.
        demonstrations: Episodes of the expert in the replay buffer, before the first step; not counted as
            steps.
        dense: What the environment's dense reward is multiplied by.
    """

    algorithm: str
    steps: int
    gamma: float
    n_envs: int
    demonstrations: int = 0
    dense: float = 1.0


class ClockReward(gym.Wrapper[Any, Any, Any, Any]):
    """Rewards the time that has passed, whatever was done: what any reward of progress must beat.

    Args:
        env: An environment with a time limit.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        """Read the time limit."""
        super().__init__(env)
        spec = env.spec
        self._limit, self._steps = (spec and spec.max_episode_steps) or 100, 0

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin to count."""
        self._steps = 0
        return self.env.reset(**options)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Reward with the share of the time."""
        self._steps += 1
        observation, _, terminated, truncated, info = self.env.step(action)
        return observation, self._steps / self._limit, terminated, truncated, info


def goals_known(env_ids: Sequence[str]) -> None:
    """Refuse environments that no model could be asked about.

    Raises:
        ValueError: If one has no goal in the catalogue.
    """
    for env_id in env_ids:
        if env_id not in RECIPES:
            raise ValueError(f"{env_id!r} has no goal in the catalogue: {', '.join(RECIPES)} have.")


def own_env(env_id: str, reward: str, limit: int | None = None) -> gym.Env[Any, Any]:
    """Make an environment with one of its own rewards, "dense" or "sparse", without pictures of its own."""
    words = [word for start, word in OWN_REWARD.items() if env_id.startswith(start)]
    options = {words[0]: reward} if words else {}
    if limit is not None:
        options["max_episode_steps"] = limit  # type: ignore[assignment]  # an option of gymnasium.make
    return make(env_id, render_mode=None, **options)


def rewarded_envs(env_id: str, reward: str, plan: Plan, config: Mapping[str, Any], seed: int) -> Any:
    """Make the environments of a training, as a VecEnv whose observations have zero mean and unit variance.

    Raises:
        ValueError: If there is no such reward, or no goal for the environment.
    """
    if reward not in REWARDS:
        raise ValueError(f"`rewards` must be some of {', '.join(REWARDS)}, got {reward!r}.")
    from stable_baselines3.common.vec_env import VecNormalize

    measured = reward in MEASURED
    made = (_measured if measured else _unmeasured)(env_id, reward, plan, config, seed)
    return VecNormalize(made, norm_reward=False)


def _unmeasured(env_id: str, reward: str, plan: Plan, config: Mapping[str, Any], seed: int) -> Any:
    from stable_baselines3.common.vec_env import DummyVecEnv

    made = partial(own_env, env_id, "dense" if reward == "dense" else "sparse", config.get("limit"))
    if reward == "dense":
        made = partial(_scaled, made, plan.dense)
    elif reward == "clock":
        made = partial(_clocked, made)
    env = DummyVecEnv([made] * plan.n_envs)
    env.seed(seed)
    return env


def _scaled(made: Any, scale: float) -> gym.Env[Any, Any]:
    return gym.wrappers.TransformReward(made(), lambda reward: scale * float(reward))


def _clocked(made: Any) -> gym.Env[Any, Any]:
    return ClockReward(made())


def _measured(env_id: str, reward: str, plan: Plan, config: Mapping[str, Any], seed: int) -> Any:
    from spatial_reward.benchmark.loading import load

    goals_known([env_id])
    recipe, alone = RECIPES[env_id], reward == "model"
    return make_vec_env(
        [partial(own_env, env_id, "sparse", config.get("limit"))] * plan.n_envs,
        recipe.goal,
        load(config["model"]),
        subprocesses=config["subprocesses"],
        seed=seed,
        camera=recipe.camera,
        size=config["size"] or recipe.size,
        every=config.get("every", 1),
        schedule=config["schedule"],
        truth=True,
        reward="metric" if alone else "shaping",
        weight=config["weight"],
        env_weight=0.0 if alone else 1.0,
        gamma=plan.gamma,
    )

"""Reward many environments at once, with one batch of questions per step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Unpack

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from spatial_reward.camera import Camera
from spatial_reward.envs.camera_path import CameraPath
from spatial_reward.envs.observed import KEY, Observation, Observed
from spatial_reward.envs.scoring import (
    LATENCY,
    Recorder,
    Score,
    ScoredEpisode,
    Scoring,
    ScoringOptions,
    answer_all,
    record,
)
from spatial_reward.envs.wrappers import loaded
from spatial_reward.rewards import Goal, parse_goal
from spatial_reward.types import Model, Reference

MakeEnv = Callable[[], gym.Env[Any, Any]]
Observations = list[Observation | None]


class VectorSpatialReward(VectorWrapper[Any, Any, Any, Any, NDArray[Any]]):
    """Reward every step of every environment by the goal: as `SpatialReward`, to the bit.

    The environments look for themselves (`Observed`, in their workers); one call of the model answers all
    of them. With NEXT_STEP the step after an end is a reset: its reward is 0 and its entries of `infos` are
    those of a reset. With SAME_STEP the ended episode is scored by its last frame, its entries are in
    `infos["final_info"]`. With DISABLED episodes begin at `reset(options={"reset_mask": ...})`.
    `make_vector` makes it.

    Args:
        env: A vector environment whose environments are wrapped in `Observed`.
        goal: A goal, or its text.
        model: A model, or a name for `load_model`.
        recorder: Gets a `Step` for every judged frame of the first environment.
        scoring: The arguments of `SpatialReward` from `reward` to `success_votes`.

    Raises:
        ValueError: If an argument is unknown, out of range, or does not fit the others.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        goal: Goal | str,
        model: Model | str = "rgbd",
        *,
        recorder: Recorder | None = None,
        **scoring: Unpack[ScoringOptions],
    ) -> None:
        """Check the arguments and load the model."""
        super().__init__(env)
        self.scoring = Scoring(parse_goal(goal), **scoring)
        self.model = loaded(model)
        self._mode = AutoresetMode(env.metadata["autoreset_mode"])
        if self.scoring.terminate_on_success and self._mode != AutoresetMode.DISABLED:
            raise ValueError(
                "terminate_on_success=True needs autoreset_mode=AutoresetMode.DISABLED and a `reset_mask`: "
                f"with {self._mode.value!r} the environments would not know that an episode has ended."
            )
        self._recorder = recorder
        self._episodes: list[ScoredEpisode | None] = [None] * self.num_envs

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environments, or those of `options["reset_mask"]`, and judge their first frames.

        Raises:
            ValueError: If the environments are not wrapped in `Observed`.
        """
        observations, infos = self.env.reset(seed=seed, options=options)
        seen = _take(infos, self.num_envs)
        if not any(one is not None for one in seen):
            raise ValueError("The environments must be wrapped in Observed: use make_vector(...).")
        begun, _ = self._score([None] * self.num_envs, seen, np.zeros(self.num_envs), np.zeros(self.num_envs))
        return observations, self._noted(infos, begun)

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step the environments and judge where that led."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        seen, ended = _take(infos, self.num_envs), _take(infos.get("final_info", {}), self.num_envs)
        firsts = [one if one is not None and one.references is not None else None for one in seen]
        lasts = [end if end is not None else one for end, one in zip(ended, seen, strict=True)]
        begun, stepped = self._score(lasts, firsts, rewards, terminations)
        rewards, terminations = np.asarray(rewards, float).copy(), terminations.copy()
        for index, score in stepped.items():
            rewards[index], terminations[index] = score.reward, score.terminated
        same = {index: score for index, score in stepped.items() if ended[index] is not None}
        if same:
            infos["final_info"] = self._noted(infos["final_info"], same)
        infos = self._noted(infos, {**stepped, **begun})
        return observations, rewards, terminations, truncations, infos

    def _score(
        self, lasts: Observations, firsts: Observations, rewards: Any, terminations: Any
    ) -> tuple[dict[int, Score], dict[int, Score]]:
        """Score steps by their frames, and begin episodes by theirs, with one batch of questions."""
        begun = {i: ScoredEpisode(self.scoring, first) for i, first in enumerate(firsts) if first is not None}
        stepped = {i: e for i, e in enumerate(self._episodes) if e is not None and lasts[i] is not firsts[i]}
        asked = [(i, episode, lasts[i]) for i, episode in stepped.items()]
        asked += [(i, episode, firsts[i]) for i, episode in begun.items()]
        return {}, {}

    def _noted(self, infos: dict[str, Any], scores: Mapping[int, Score]) -> dict[str, Any]:
        for index, score in scores.items():
            infos = self._add_info(infos, score.info, index)
        return infos

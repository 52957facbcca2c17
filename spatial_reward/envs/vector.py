"""Reward many environments at once, with one batch of questions per step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Unpack

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from spatial_reward.camera import Camera
from spatial_reward.envs.camera_path import CameraPath
from spatial_reward.envs.observed import KEY, Observation, Observed
from spatial_reward.envs.scoring import (
    Recorder,
    Score,
    ScoredEpisode,
    Scoring,
    ScoringOptions,
    answer_all,
    note,
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
        scoring: The fields of `Scoring`, as for `SpatialReward`.

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

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environments, or those of `options["reset_mask"]`, and judge their first frames.

        Raises:
            ValueError: If the environments are not wrapped in `Observed`.
        """
        observations, infos = self.env.reset(seed=seed, options=options)
        firsts = _take(infos, self.num_envs)
        turns = [self._beginning(index, first) for index, first in enumerate(firsts) if first is not None]
        if not turns:
            raise ValueError("The environments must be wrapped in Observed: use make_vector(...).")
        nothing = np.zeros(self.num_envs)
        for turn, score in self._scored(turns, nothing, nothing):
            infos = self._add_info(infos, score.info, turn.slot)
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step the environments and judge where that led."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        rewards, terminations = np.array(rewards, float), np.array(terminations)
        final = infos.get("final_info", {})
        turns = self._turns(_take(infos, self.num_envs), _take(final, self.num_envs))
        for turn, score in self._scored(turns, rewards.copy(), terminations.copy()):
            if not turn.begins:
                rewards[turn.slot], terminations[turn.slot] = score.reward, score.terminated
            if turn.ended:
                infos["final_info"] = self._add_info(infos["final_info"], score.info, turn.slot)
            else:
                infos = self._add_info(infos, score.info, turn.slot)
        return observations, rewards, terminations, truncations, infos

    def _turns(self, seen: Observations, ended: Observations) -> list[_Turn]:
        """Sort out, for every environment, whether its episode goes on, ends, begins, or the last two."""
        turns = []
        for index, (now, end) in enumerate(zip(seen, ended, strict=True)):
            begins = now is not None and now.references is not None
            if end is not None or not begins:
                turns.append(_Turn(index, self._running(index), end or now, ended=end is not None))
            if now is not None and begins:
                turns.append(self._beginning(index, now))
        return turns

    def _scored(self, turns: Sequence[_Turn], rewards: Any, terminations: Any) -> list[tuple[_Turn, Score]]:
        """Answer all questions in one batch, and score every turn."""
        asked = [turn.episode.questions(turn.seen) for turn in turns]
        answers, latency = answer_all(self.model, asked)
        scores = []
        for turn, own in zip(turns, answers, strict=True):
            if turn.begins:
                score = turn.episode.begin(own)
                self._episodes[turn.slot] = turn.episode
            else:
                reward, terminated = float(rewards[turn.slot]), bool(terminations[turn.slot])
                score = turn.episode.step(turn.seen, own, reward, terminated)
            note(self._recorder if turn.slot == 0 else None, turn.episode, turn.seen, score, latency)
            scores.append((turn, score))
        return scores

    def _beginning(self, index: int, first: Observation) -> _Turn:
        return _Turn(index, ScoredEpisode(self.scoring, first), first, begins=True)

    def _running(self, index: int) -> ScoredEpisode:
        episode = self._episodes[index]
        if episode is None:
            raise RuntimeError("Call reset() before step().")
        return episode


class _Turn(NamedTuple):
    """What happens to an environment: its episode goes on, has `ended`, or `begins`."""

    slot: int
    episode: ScoredEpisode
    seen: Observation | None
    begins: bool = False
    ended: bool = False


def make_vector(
    envs: str | Sequence[MakeEnv],
    goal: Goal | str,
    model: Model | str = "rgbd",
    *,
    num_envs: int = 1,
    vectorization_mode: str = "sync",
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    env_kwargs: Mapping[str, Any] | None = None,
    camera: str | CameraPath = "default",
    size: int | tuple[int, int] = (224, 224),
    references: Mapping[str, Reference] | None = None,
    calibration: Camera | None = None,
    every: int = 1,
    truth: bool = False,
    recorder: Recorder | None = None,
    **scoring: Unpack[ScoringOptions],
) -> VectorSpatialReward:
    """Make a rewarded vector environment.

    Args:
        envs: An id that `catalogue.make` knows, or functions that make one environment each.
        goal: A goal, or its text.
        model: A model, or a name for `load_model`; it is loaded once, in this process.
        num_envs: How many of an id.
        vectorization_mode: "sync", or "async" for a process each, started by spawn.
        autoreset_mode: Of Gymnasium: when an ended episode is reset.
        env_kwargs: Given to the environments of an id.
        camera, size, references, calibration, every, truth, recorder, scoring: As for `SpatialReward`.

    Raises:
        ValueError: If an argument is unknown, out of range, or does not fit the others.
    """
    if vectorization_mode not in ("sync", "async"):
        raise ValueError(f"`vectorization_mode` must be 'sync' or 'async', got {vectorization_mode!r}.")
    Scoring(parse_goal(goal), **scoring)  # refuse bad arguments before processes start
    model = loaded(model)
    capture: dict[str, Any] = dict(
        camera=camera, size=size, references=references, calibration=calibration, every=every
    )
    capture |= dict(depth="depth" in model.needs, truth=truth or "truth" in model.needs)
    look = partial(_observed, names=parse_goal(goal).names, **capture)
    observed = [partial(look, make) for make in _makers(envs, num_envs, env_kwargs or {})]
    env = _vector(observed, vectorization_mode, autoreset_mode)
    return VectorSpatialReward(env, goal, model, recorder=recorder, **scoring)


def _vector(
    makers: Sequence[MakeEnv], mode: str, autoreset_mode: AutoresetMode | str
) -> VectorEnv[Any, Any, Any]:
    if mode == "async":
        # Started by spawn, as OpenGL does not survive a fork.
        return AsyncVectorEnv(makers, context="spawn", autoreset_mode=AutoresetMode(autoreset_mode))
    return SyncVectorEnv(makers, autoreset_mode=AutoresetMode(autoreset_mode))


def _makers(envs: str | Sequence[MakeEnv], number: int, kwargs: Mapping[str, Any]) -> list[MakeEnv]:
    if not isinstance(envs, str):
        return list(envs)
    if number < 1:
        raise ValueError(f"`num_envs` must be at least 1, got {number}.")
    from spatial_reward.envs.catalogue import make

    return [partial(make, envs, **kwargs)] * number


def _observed(make: MakeEnv, names: Sequence[str], **options: Any) -> gym.Env[Any, Any]:
    return Observed(make(), names, **options)


def _take(infos: dict[str, Any], number: int) -> Observations:
    """Take the observations out of `infos`; None for each environment that has none."""
    infos.pop("_" + KEY, None)
    return list(infos.pop(KEY, [None] * number))

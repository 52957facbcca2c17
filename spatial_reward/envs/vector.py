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
from spatial_reward.envs.late import OnLate, make_scorer
from spatial_reward.envs.observed import KEY, Observation, Observed, seen_by
from spatial_reward.envs.schedules import Schedule, combined
from spatial_reward.envs.scoring import Recorder, ScoredEpisode, Scoring, ScoringOptions
from spatial_reward.envs.turns import Tally, Turn
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
        schedule: When the model is asked, as for `SpatialReward`; with "hold(k)" the environments should
            draw no more than is looked at, `Observed(every=k)`.
        on_late: Gets the final reward of every step where the schedule is late.
        recorder: Gets a `Step` for every judged frame of the first environment.
        scoring: The fields of `Scoring`, as for `SpatialReward`.

    Raises:
        ValueError: If an argument is unknown, out of range, or does not fit the others.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        goal: Goal | str,
        model: Model | str = "spatialnet",
        *,
        schedule: Schedule | str = "sync",
        on_late: OnLate | None = None,
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
        schedule, self._every = combined(schedule, 1)
        self.scoring.check(schedule)
        self._scorer = make_scorer(schedule, self.model, recorder, on_late)
        self._episodes: list[ScoredEpisode | None] = [None] * self.num_envs

    @property
    def tally(self) -> Tally:
        """Counts: steps, those held, episodes, and those whose things were not found."""
        return self._scorer.tally

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
        for turn, score in zip(turns, self._scorer.take(turns, stepped=False), strict=True):
            infos = self._add_info(infos, score.info, turn.slot)
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Step the environments and judge where that led."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        rewards, terminations = np.array(rewards, float), np.array(terminations)
        outcome = Outcome(rewards, terminations, terminations | truncations)
        ended = _take(infos.get("final_info", {}), self.num_envs)
        turns = self._turns(_take(infos, self.num_envs), ended, outcome)
        for turn, score in zip(turns, self._scorer.take(turns, stepped=True), strict=True):
            if not turn.begins:
                rewards[turn.slot], terminations[turn.slot] = score.reward, score.terminated
            if ended[turn.slot] is not None and not turn.begins:
                infos["final_info"] = self._add_info(infos["final_info"], score.info, turn.slot)
            else:
                infos = self._add_info(infos, score.info, turn.slot)
        return observations, rewards, terminations, truncations, infos

    def settle(self) -> None:
        """Wait for all late rewards; episodes under way are judged as far as they went."""
        self._scorer.settle()

    def close(self, **kwargs: Any) -> None:
        """End the model's thread, where there is one, and close the environments."""
        self._scorer.close()
        super().close(**kwargs)

    def _turns(self, seen: Observations, ended: Observations, outcome: Outcome) -> list[Turn]:
        """Sort out, for every environment, whether its episode goes on, ends, begins, or the last two."""
        turns = []
        for index, (now, end) in enumerate(zip(seen, ended, strict=True)):
            begins = now is not None and now.references is not None
            if end is not None or not begins:
                turns.append(going_on(index, self._running(index), end or now, outcome, self._every))
            if now is not None and begins:
                turns.append(self._beginning(index, now))
        return turns

    def _beginning(self, index: int, first: Observation) -> Turn:
        episode = self._episodes[index] = ScoredEpisode(self.scoring, first)
        return Turn(index, episode, first, begins=True)

    def _running(self, index: int) -> ScoredEpisode:
        episode = self._episodes[index]
        if episode is None:
            raise RuntimeError("Call reset() before step().")
        return episode


class Outcome(NamedTuple):
    """What environments say of a step: rewards (N,), terminations (N,), and which episodes are over (N,)."""

    rewards: NDArray[Any]
    terminations: NDArray[Any]
    over: NDArray[Any]


def going_on(
    slot: int, episode: ScoredEpisode, seen: Observation | None, outcome: Outcome, every: int = 1
) -> Turn:
    """Return the turn of an episode that goes on or ends; it is judged every n-th step and at its end."""
    over = bool(outcome.over[slot])
    episode.seen += 1
    return Turn(
        slot,
        episode,
        seen if over or episode.seen % every == 0 else None,
        over=over,
        reward=float(outcome.rewards[slot]),
        terminated=bool(outcome.terminations[slot]),
    )


def make_vector(
    envs: str | Sequence[MakeEnv],
    goal: Goal | str,
    model: Model | str = "spatialnet",
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
    schedule: Schedule | str = "sync",
    on_late: OnLate | None = None,
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
        camera, size, references, calibration, every, schedule, on_late: As for `SpatialReward`.
        truth, recorder, scoring: As for `SpatialReward`.

    Raises:
        ValueError: If an argument is unknown, out of range, or does not fit the others.
    """
    if vectorization_mode not in ("sync", "async"):
        raise ValueError(f"`vectorization_mode` must be 'sync' or 'async', got {vectorization_mode!r}.")
    Scoring(parse_goal(goal), **scoring)  # refuse bad arguments before processes start
    schedule, judged = combined(schedule, every)
    model = loaded(model)
    capture: dict[str, Any] = dict(
        camera=camera, size=size, references=references, calibration=calibration, every=judged
    )
    capture |= seen_by(model, camera, truth)
    observed = observing(makers(envs, num_envs, env_kwargs or {}), parse_goal(goal).names, **capture)
    env = _vector(observed, vectorization_mode, autoreset_mode)
    return VectorSpatialReward(
        env, goal, model, schedule=schedule, on_late=on_late, recorder=recorder, **scoring
    )


def observing(makers: Sequence[MakeEnv], names: Sequence[str], **capture: Any) -> list[MakeEnv]:
    """Wrap what the functions make in `Observed`; the arguments are its."""
    return [partial(_observed, make, names=names, **capture) for make in makers]


def _vector(
    makers: Sequence[MakeEnv], mode: str, autoreset_mode: AutoresetMode | str
) -> VectorEnv[Any, Any, Any]:
    if mode == "async":
        # Started by spawn, as OpenGL does not survive a fork.
        return AsyncVectorEnv(makers, context="spawn", autoreset_mode=AutoresetMode(autoreset_mode))
    return SyncVectorEnv(makers, autoreset_mode=AutoresetMode(autoreset_mode))


def makers(envs: str | Sequence[MakeEnv], number: int, kwargs: Mapping[str, Any]) -> list[MakeEnv]:
    """Return functions that make one environment each, for an id or for such functions.

    Raises:
        ValueError: If there would be none.
    """
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

"""Stable-Baselines3: a rewarded VecEnv, and the callback that brings late rewards where they belong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from spatial_reward._require import require
from spatial_reward.camera import Camera
from spatial_reward.envs.camera_path import CameraPath
from spatial_reward.envs.late import OnLate, make_scorer
from spatial_reward.envs.observed import KEY, seen_by
from spatial_reward.envs.schedules import Schedule, combined
from spatial_reward.envs.scoring import Recorder, ScoredEpisode, Scoring, ScoringOptions
from spatial_reward.envs.turns import Tally, Turn
from spatial_reward.envs.vector import MakeEnv, Outcome, going_on, makers, observing
from spatial_reward.envs.wrappers import loaded
from spatial_reward.rewards import Goal, parse_goal
from spatial_reward.types import Model, Reference

require("stable_baselines3", "sb3", "SpatialRewardVecEnv")

from stable_baselines3.common.monitor import Monitor  # noqa: E402
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnvWrapper  # noqa: E402


class SpatialRewardVecEnv(VecEnvWrapper):  # type: ignore[misc]  # untyped base
    """Reward every step of every environment by the goal, with one call of the model per step.

    What an episode ends with is scored by its last frame, before the automatic reset. `infos` get the
    entries of `SpatialReward`. `make_vec_env` makes it. A late schedule gives provisional rewards; with
    `RelabelCallback` the algorithm learns from the final ones.

    Args:
        venv: A VecEnv whose environments are wrapped in `Observed`.
        goal: A goal, or its text.
        model: A model, or a name for `load_model`.
        schedule: When the model is asked, as for `SpatialReward`.
        on_late: Gets the final reward of every step where the schedule is late.
        recorder: Gets a `Step` for every judged frame of the first environment.
        scoring: The fields of `Scoring`, as for `SpatialReward`; `gamma` should be the algorithm's.

    Raises:
        ValueError: If an argument is unknown, out of range, or does not fit the others.
    """

    def __init__(
        self,
        venv: Any,
        goal: Goal | str,
        model: Model | str = "spatialnet",
        *,
        schedule: Schedule | str = "sync",
        on_late: OnLate | None = None,
        recorder: Recorder | None = None,
        **scoring: Unpack[ScoringOptions],
    ) -> None:
        """Check the arguments and load the model."""
        super().__init__(venv)
        self.scoring = Scoring(parse_goal(goal), **scoring)
        self.schedule, self._every = combined(schedule, 1)
        self.scoring.check(self.schedule)
        if self.scoring.terminate_on_success:
            raise ValueError(
                "terminate_on_success=True does not go with a VecEnv, whose environments would not know that "
                "an episode has ended: wrap each environment in SpatialReward instead."
            )
        self.perceiver = loaded(model)
        self.steps = 0  # calls of `step` so far
        self.scorer = make_scorer(self.schedule, self.perceiver, recorder, on_late)
        self._episodes: list[ScoredEpisode | None] = [None] * self.num_envs

    @property
    def tally(self) -> Tally:
        """Counts: steps, those held, episodes, and those whose things were not found."""
        return self.scorer.tally

    def reset(self) -> Any:
        """Reset all environments and judge their first frames."""
        observations = self.venv.reset()
        turns = [self._beginning(slot) for slot in range(self.num_envs)]
        scores = self.scorer.take(turns, stepped=False)
        infos = self.unwrapped.reset_infos
        self.reset_infos = [{**info, **score.info} for info, score in zip(infos, scores, strict=True)]
        return observations

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Finish the step of the environments, and judge where it led."""
        observations, rewards, dones, infos = self.venv.step_wait()
        self.steps += 1
        truncated = np.array([info.get("TimeLimit.truncated", False) for info in infos], bool)
        turns = self._turns(Outcome(np.array(rewards, float), dones & ~truncated, dones), infos)
        rewards = np.zeros(self.num_envs, np.float32)
        for turn, score in zip(turns, self.scorer.take(turns, stepped=True), strict=True):
            if turn.begins:
                self.reset_infos[turn.slot] = {**self.unwrapped.reset_infos[turn.slot], **score.info}
            else:
                rewards[turn.slot] = score.reward
                infos[turn.slot].update(score.info)
        return observations, rewards, dones, infos

    def env_method(self, method_name: str, *args: Any, **options: Any) -> Any:
        """Call a method of the environments.

        Raises:
            ValueError: If it is `compute_reward`, which knows nothing of the model.
        """
        if method_name == "compute_reward":
            raise ValueError(
                "HerReplayBuffer would learn from the environment's own rewards, without the model's: take "
                "the algorithm's usual replay buffer."
            )
        return super().env_method(method_name, *args, **options)

    def settle(self) -> None:
        """Wait for all late rewards; episodes under way are judged as far as they went."""
        self.scorer.settle()

    def close(self) -> None:
        """End the model's thread, where there is one, and close the environments."""
        self.scorer.close()
        self.venv.close()

    def _turns(self, outcome: Outcome, infos: Sequence[dict[str, Any]]) -> list[Turn]:
        turns = []
        for slot, info in enumerate(infos):
            episode = self._episodes[slot]
            if episode is None:
                raise RuntimeError("Call reset() before step().")
            turns.append(going_on(slot, episode, info.pop(KEY, None), outcome, self._every))
            if outcome.over[slot]:
                turns.append(self._beginning(slot))
        return turns

    def _beginning(self, slot: int) -> Turn:
        first = self.unwrapped.reset_infos[slot].pop(KEY, None)
        if first is None:
            raise ValueError("The environments must be wrapped in Observed: use make_vec_env(...).")
        episode = self._episodes[slot] = ScoredEpisode(self.scoring, first)
        return Turn(slot, episode, first, begins=True)


def make_vec_env(
    envs: str | Sequence[MakeEnv],
    goal: Goal | str,
    model: Model | str = "spatialnet",
    *,
    n_envs: int = 1,
    subprocesses: bool = False,
    seed: int | None = None,
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
) -> SpatialRewardVecEnv:
    """Make a rewarded VecEnv; the returns that Stable-Baselines3 logs stay those of the environments.

    Args:
        envs: An id that `catalogue.make` knows, or functions that make one environment each.
        goal: A goal, or its text.
        model: A model, or a name for `load_model`; it is loaded once, in this process.
        n_envs: How many of an id.
        subprocesses: A process for each environment, started by spawn; else all in this one.
        seed: Of the first reset.
        env_kwargs: Given to the environments of an id.
        camera, size, references, calibration, every, schedule, on_late: As for `SpatialReward`.
        truth, recorder, scoring: As for `SpatialReward`.

    Raises:
        ValueError: If an argument is unknown, out of range, or does not fit the others.
    """
    goal, (schedule, judged) = parse_goal(goal), combined(schedule, every)
    Scoring(goal, **scoring).check(schedule)  # refuse bad arguments before processes start
    model = loaded(model)
    capture: dict[str, Any] = dict(
        camera=camera, size=size, references=references, calibration=calibration, every=judged
    )
    capture |= seen_by(model, camera, truth)
    observed = observing(
        [_Monitored(make) for make in makers(envs, n_envs, env_kwargs or {})], goal.names, **capture
    )
    # Started by spawn, as OpenGL does not survive a fork.
    venv = SubprocVecEnv(observed, start_method="spawn") if subprocesses else DummyVecEnv(observed)
    try:
        venv.seed(seed)
        return SpatialRewardVecEnv(
            venv, goal, model, schedule=schedule, on_late=on_late, recorder=recorder, **scoring
        )
    except ValueError:
        venv.close()  # else its processes would stay
        raise


class _Monitored:
    """Makes an environment that notes its own returns for the logger; can be sent to a process."""

    def __init__(self, make: MakeEnv) -> None:
        self._make = make

    def __call__(self) -> Any:
        return Monitor(self._make())

"""Reward an environment by how far its things are from a goal, measured in pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from spatial_reward.camera import Camera
from spatial_reward.envs.camera_path import CameraPath
from spatial_reward.envs.late import OnLate, make_scorer
from spatial_reward.envs.observed import KEY, Observation, Observed, seen_by
from spatial_reward.envs.schedules import Schedule, combined
from spatial_reward.envs.scoring import Recorder, ScoredEpisode, Scoring, ScoringOptions
from spatial_reward.envs.turns import Tally, Turn
from spatial_reward.rewards import Goal, parse_goal
from spatial_reward.types import Model, Reference

__all__ = ["Observation", "Observed", "SpatialReward"]


class SpatialReward(RecordConstructorArgs, gym.Wrapper[Any, Any, Any, Any]):
    """Reward every step by the goal; observations and spaces stay as they are.

    `info` gets plain floats and bools under `spatial_reward/`: potential [m], progress, success, std [m],
    valid (all as measured; NaN and False where this step was not judged), held (no new measurement was
    used), env_reward, shaping (what was added, weight included); where asked for, latency_s of the model,
    and truth_distance [m], which a model that needs the truth brings along. Under a late schedule, what was
    measured is that of the newest frame there is, and lag says how old it is [steps]; NaN before the first.
    `VectorSpatialReward` is its vector twin.

    Where things of the goal cannot be found at a later reset, that episode is not judged (valid is False,
    the reward is the environment's own), with a counted warning.

    Args:
        env: An environment; with a MuJoCo model unless camera="render".
        goal: A goal, or its text such as "near(cube, pad, within=3cm)"; names are of bodies, geoms, sites.
        model: A model, or a name for `load_model`.
        camera: Name of a camera of the simulator, "default", a `CameraPath`, or "render" for the pictures
            of `env.render()`, which needs `references` and `calibration`.
        size: Of the simulator's pictures, (width, height) or one number for both [px].
        references: Use these instead of finding the goal's names in the simulator.
        calibration: Camera of the pictures of `env.render()`.
        every: Judge every n-th step, and the last one of an episode. With a late schedule, the values between
            lie on a line; else the last one is held.
        schedule: When the model is asked: "sync", "hold(k)", which is every=k, "lagged(k)" or "episode"; see
            `Schedule`.
        on_late: Gets the final reward of every step (a `LateReward`) where the schedule is late.
        truth: Note the goal's true distance in `info`, by the simulator's positions.
        recorder: Gets a `Step` for every judged frame.
        scoring: The fields of `Scoring`: how to reward (`reward="shaping"`, `gamma=0.99`, `weight=1.0` per
            metre, `env_weight=1.0`), what to do where the measurement is poor (`uncertainty="hold"`,
            `max_std=0.05` [m], `beta=1.0`), and whether predicted success ends an episode
            (`terminate_on_success=False`, `success_threshold=0.9`, `success_votes=(2, 3)`); `timing=True`
            notes the latency, which makes `info` irreproducible.

    Raises:
        ValueError: If an argument is unknown, out of range, or does not fit the others; at the first reset,
            if a name is unknown or not visible.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        goal: Goal | str,
        model: Model | str = "spatialnet",
        *,
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
    ) -> None:
        """Check the arguments and load the model."""
        schedule, judged = combined(schedule, every)
        capture: dict[str, Any] = dict(
            camera=camera, size=size, references=references, calibration=calibration
        )
        RecordConstructorArgs.__init__(
            self,
            _disable_deepcopy=True,  # a model or recorder is shared, not copied
            goal=str(goal),
            model=model,
            truth=truth,
            recorder=recorder,
            every=every,
            schedule=str(schedule),
            on_late=on_late,
            **capture,
            **scoring,
        )
        self.scoring = Scoring(parse_goal(goal), **scoring)
        self.scoring.check(schedule)
        self.model = loaded(model)
        capture |= seen_by(self.model, camera, truth)
        gym.Wrapper.__init__(self, Observed(env, self.scoring.goal.names, every=judged, **capture))
        self._scorer = make_scorer(schedule, self.model, recorder, on_late)
        self._episode: ScoredEpisode | None = None

    @property
    def tally(self) -> Tally:
        """Counts: steps, those held, episodes, and those whose things were not found."""
        return self._scorer.tally

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and judge its first frame."""
        observation, info = self.env.reset(seed=seed, options=options)
        first: Observation = info.pop(KEY)
        episode = self._episode = ScoredEpisode(self.scoring, first)
        [score] = self._scorer.take([Turn(0, episode, first, begins=True)], stepped=False)
        return observation, {**info, **score.info}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step the environment and judge where that led.

        Raises:
            RuntimeError: Before the first reset.
        """
        if self._episode is None:
            raise RuntimeError("Call reset() before step().")
        observation, reward, terminated, truncated, info = self.env.step(action)
        over, seen = bool(terminated or truncated), info.pop(KEY, None)
        turn = Turn(0, self._episode, seen, over=over, reward=float(reward), terminated=bool(terminated))
        [score] = self._scorer.take([turn], stepped=True)
        return observation, score.reward, score.terminated, truncated, {**info, **score.info}

    def settle(self) -> None:
        """Wait for all late rewards; an episode under way is judged as far as it went."""
        self._scorer.settle()

    def close(self) -> None:
        """End the model's thread, where there is one, and close the environment."""
        self._scorer.close()
        super().close()


def loaded(model: Model | str) -> Model:
    """Return the model, loaded if it is a name."""
    if not isinstance(model, str):
        return model
    from spatial_reward.models import load_model

    return load_model(model)

"""Pipelines around the reward model, and a step that rewards the transitions of LeRobot's RL loop."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from lerobot.lerobot_types import TransitionKey
from lerobot.processor import (
    AddBatchDimensionProcessorStep,
    DeviceProcessorStep,
    PolicyProcessorPipeline,
    ProcessorStep,
    ProcessorStepRegistry,
    policy_action_to_transition,
)

from spatial_reward.lerobot.configuration_spatial import SpatialConfig
from spatial_reward.lerobot.judging import Lens, Watching, to_frame, to_references
from spatial_reward.models import load_model
from spatial_reward.rewards import Shaping
from spatial_reward.types import Signal

PREFIX = "spatial_reward/"  # of the keys of `info`
VOTES = 2  # successive frames that must say that the goal is reached


def make_spatial_pre_post_processors(
    config: SpatialConfig, dataset_stats: dict[str, dict[str, Any]] | None = None
) -> tuple[Any, Any]:
    """Return the pipelines before and after the model: it takes pictures as they are, so they do little."""
    steps = [AddBatchDimensionProcessorStep(), DeviceProcessorStep(device=config.device or "cpu")]
    before = PolicyProcessorPipeline(steps=steps, name="policy_preprocessor")
    after = PolicyProcessorPipeline(
        steps=[], name="policy_postprocessor", to_transition=policy_action_to_transition
    )
    return before, after


@ProcessorStepRegistry.register(name="spatial_reward")
@dataclass
class SpatialRewardProcessorStep(ProcessorStep):  # type: ignore[misc]  # LeRobot is not always installed
    """Reward every transition by how far the things of a goal are from it, as `envs.SpatialReward` does.

    The first picture after a `reset` is the reference frame, in which the references are marked. `info`
    gets potential [m], progress, success, std [m] and valid under `spatial_reward/`.

    Attributes:
        goal: What counts.
        references: As in `SpatialConfig`.
        image_key: Of the pictures in observations.
        depth_key: Of measured depth [m], where there is some.
        model: Name for `spatial_reward.models.load_model`.
        model_options: Its options.
        reward: "shaping", "delta", "progress", "success" or "metric"; see `rewards.Shaping`.
        gamma: Discount of the learner.
        weight: Reward per metre, or per unit of progress or success.
        env_weight: Of the reward that the transition has already.
        terminate_on_success: End the episode where success is predicted in two frames in a row.
        success_threshold: Probability from which a frame counts as success.
        fovy, intrinsics, image_size, world_from_camera: As in `SpatialConfig`.
    """

    goal: str
    references: dict[str, list[float]]
    image_key: str = "observation.images.front"
    depth_key: str | None = None
    model: str = "spatialnet"
    model_options: dict[str, Any] = field(default_factory=dict)
    reward: str = "shaping"
    gamma: float = 0.99
    weight: float = 1.0
    env_weight: float = 1.0
    terminate_on_success: bool = False
    success_threshold: float = 0.9
    fovy: float = 45.0  # [deg]
    intrinsics: list[list[float]] | None = None
    image_size: list[int] | None = None
    world_from_camera: list[list[float]] | None = None

    def __post_init__(self) -> None:
        """Load the model; the next picture begins an episode."""
        self._measuring = load_model(self.model, **self.model_options)
        self._lens = Lens(self.fovy, self.intrinsics, self.image_size, self.world_from_camera)
        self.reset()

    def reset(self) -> None:
        """Begin an episode."""
        self._watching = Watching(self.goal, to_references(self.references), self._measuring)
        self._shaping: Shaping | None = None
        self._votes: deque[bool] = deque(maxlen=VOTES)

    def __call__(self, transition: Any) -> Any:
        """Return the transition with its reward; one without a picture is returned as it is."""
        observation = transition.get(TransitionKey.OBSERVATION) or {}
        if self.image_key not in observation:
            return transition
        rewarded = transition.copy()
        signal = self._watching.see(self._frame(observation))
        self._votes.append(signal.valid and signal.success >= self.success_threshold)
        done = bool(transition.get(TransitionKey.DONE) or False)
        if self._shaping is None:  # the reference frame: nothing has been done yet
            self._shaping = Shaping(
                self.reward,  # type: ignore[arg-type]  # which checks it
                gamma=self.gamma,
                weight=self.weight,
                env_weight=self.env_weight,
            )
            self._shaping.reset(signal)
        else:
            done = done or (self.terminate_on_success and sum(self._votes) == VOTES)
            given = float(transition.get(TransitionKey.REWARD) or 0.0)
            rewarded[TransitionKey.REWARD] = self._shaping.step(signal, given, terminated=done).total
            rewarded[TransitionKey.DONE] = done
        rewarded[TransitionKey.INFO] = {**(transition.get(TransitionKey.INFO) or {}), **_noted(signal)}
        return rewarded

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def transform_features(self, features: Any) -> Any:
        """Return the features: they stay as they are."""
        return features

    def _frame(self, observation: dict[str, Any]) -> Any:
        image, depth = observation[self.image_key], observation.get(self.depth_key or "")
        if image.ndim == 4:  # a batch of one
            image, depth = image[0], None if depth is None else depth[0]
        return to_frame(image, self._lens, depth)


def _noted(signal: Signal) -> dict[str, float | bool]:
    numbers = {name: getattr(signal, name) for name in ("potential", "progress", "success", "std")}
    return {PREFIX + name: float(value) for name, value in numbers.items()} | {PREFIX + "valid": signal.valid}

"""What LeRobot's reward factory is told of this model; found as `--reward_model.type=spatial`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lerobot.configs.rewards import RewardModelConfig
from lerobot.configs.types import FeatureType, PolicyFeature

from spatial_reward.rewards import parse_goal

FIRST = -1_000_000  # frames back; LeRobot stops at the first frame of the episode
REWARDS = ("progress", "success", "potential")


@RewardModelConfig.register_subclass("spatial")
@dataclass
class SpatialConfig(RewardModelConfig):  # type: ignore[misc]  # LeRobot is not always installed
    """Judge how far the things of a goal are from it, in metres, since the first frame of an episode.

    Attributes:
        goal: What counts, such as "near(cube, pad, within=3cm)".
        goals: Goals by the dataset's own task strings, for datasets of several tasks.
        references: The things of the goals, by name: [x, y] is a pixel of the episode's first frame,
            [x, y, z] a fixed place of the world [m], and five numbers a pixel and where it starts.
        model: Name for `spatial_reward.models.load_model`.
        model_options: Its options.
        reward: What `compute_reward` returns: "progress" or "success" in [0, 1], or "potential" [m].
        history: Frames of each sample up to the current one, in which the things are followed.
        image_key: Of the pictures.
        depth_key: Of measured depth [m], where there is some.
        task_key: Of the task strings.
        fovy: Vertical field of view [deg], where the intrinsics are unknown.
        intrinsics: (3, 3) [px], for pixel centres at +0.5 and pictures of any size `image_size`.
        image_size: Width and height [px] that the intrinsics are for.
        world_from_camera: (4, 4) pose of the camera [m]; None takes it as level, at the origin.

    Raises:
        ValueError: If a goal cannot be read, or a setting is out of range.
    """

    goal: str = ""
    goals: dict[str, str] = field(default_factory=dict)
    references: dict[str, list[float]] = field(default_factory=dict)
    model: str = "spatialnet"
    model_options: dict[str, Any] = field(default_factory=dict)
    reward: str = "progress"
    history: int = 1
    image_key: str = "observation.images.front"
    depth_key: str | None = None
    task_key: str = "task"
    fovy: float = 45.0  # [deg]
    intrinsics: list[list[float]] | None = None
    image_size: list[int] | None = None
    world_from_camera: list[list[float]] | None = None
    license: str | None = "apache-2.0"
    tags: list[str] | None = field(default_factory=lambda: ["reward-model", "metric", "spatial-reward"])

    def __post_init__(self) -> None:
        """Check what can be checked before there is data."""
        super().__post_init__()
        for text in [*filter(None, [self.goal]), *self.goals.values()]:
            parse_goal(text)
        if self.reward not in REWARDS:
            raise ValueError(f"`reward` must be one of {', '.join(REWARDS)}, got {self.reward!r}.")
        if self.history < 1:
            raise ValueError(f"`history` must be at least 1, got {self.history}.")
        if (self.intrinsics is None) != (self.image_size is None):
            raise ValueError("`intrinsics` and `image_size` belong together: give both or neither.")
        bad = {name: spot for name, spot in self.references.items() if len(spot) not in (2, 3, 5)}
        if bad:
            raise ValueError(f"`references` are [x, y], [x, y, z] or both in a row, got {bad}.")
        visual = PolicyFeature(type=FeatureType.VISUAL, shape=(3, 224, 224))
        self.input_features.setdefault(self.image_key, visual)
        self.output_features.setdefault("reward", PolicyFeature(type=FeatureType.REWARD, shape=(1,)))

    @property
    def observation_delta_indices(self) -> list[int]:
        """Ask for the episode's first frame, then the last ones: LeRobot stops at the first one by itself."""
        return [FIRST, *range(1 - self.history, 1)]

    def validate_features(self) -> None:
        """Check that there are pictures.

        Raises:
            ValueError: If there are none under `image_key`.
        """
        if self.image_key not in self.input_features:
            raise ValueError(f"There are no pictures under {self.image_key!r}: set `image_key`.")

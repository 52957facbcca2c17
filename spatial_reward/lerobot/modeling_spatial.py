"""The reward model that LeRobot's factory makes of a `SpatialConfig`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lerobot.configs.rewards import RewardModelConfig
from lerobot.rewards.pretrained import PreTrainedRewardModel
from torch import Tensor

from spatial_reward.lerobot.configuration_spatial import SpatialConfig
from spatial_reward.lerobot.judging import Lens, Watching, goal_of, to_frame, to_references
from spatial_reward.models import load_model
from spatial_reward.types import Signal


class Progress(NamedTuple):
    """What `predict_progress` says of every frame, where LeRobot has no class of its own for it."""

    progress: Tensor  # (B, T) in [0, 1]; NaN where unknown
    success: Tensor  # (B, T) probability
    potential: Tensor  # (B, T) [m]
    std: Tensor  # (B, T) of the potential [m]
    valid: Tensor  # (B, T) bool


class SpatialRewardModel(PreTrainedRewardModel):  # type: ignore[misc]  # LeRobot is not always installed
    """Judge clips whose first frame begins an episode, or streams of frames since the last `reset`.

    Pictures (B, T, C, H, W) are clips and leave nothing behind. Pictures (B, C, H, W) continue one episode
    for each row; where the batch says `frame_index` 0, that row begins anew.
    """

    name = "spatial"
    config_class = SpatialConfig

    def __init__(self, config: SpatialConfig, **_: Any) -> None:
        """Load the measuring model; statistics of datasets are not needed."""
        super().__init__(config)
        self.config = config
        self.measuring = load_model(config.model, **config.model_options)
        self.lens = Lens(config.fovy, config.intrinsics, config.image_size, config.world_from_camera)
        self.references = to_references(config.references)
        self._streams: dict[int, Watching] = {}

    def reset(self) -> None:
        """Begin new episodes: the next frames of all streams are reference frames."""
        self._streams.clear()

    def compute_reward(self, batch: dict[str, Any]) -> Tensor:
        """Return what the configuration asks for of the last frames (B,); NaN where it is unknown."""
        last = getattr(self.predict(batch), self.config.reward)[:, -1]
        assert isinstance(last, Tensor)
        return last.to(self.config.device or "cpu")

    def predict_progress(self, batch: dict[str, Any]) -> Any:
        """Return the progress of every frame, as LeRobot's own class where it has one."""
        import lerobot.rewards

        predicted = self.predict(batch)
        theirs: Any = getattr(lerobot.rewards, "ProgressPrediction", None)
        if theirs is None:
            return predicted
        names = {"success_probability": "success", "success_prob": "success", "mask": "valid"}
        known = predicted._asdict() | {other: getattr(predicted, own) for other, own in names.items()}
        return theirs(**{one.name: known[one.name] for one in fields(theirs) if one.name in known})

    def predict(self, batch: dict[str, Any]) -> Progress:
        """Judge every frame of a batch.

        Raises:
            KeyError: If the batch has no pictures under `image_key`.
            ValueError: If they are neither clips nor single frames, or a row has no goal.
        """
        key = self.config.image_key
        if key not in batch:
            raise KeyError(f"The batch has no {key!r}: set `image_key` to one of {sorted(batch)}.")
        images, depths = batch[key], batch.get(self.config.depth_key or "")
        if images.ndim not in (4, 5):
            raise ValueError(f"{key!r} must be (B, C, H, W) or (B, T, C, H, W), got {tuple(images.shape)}.")
        goals = self._goals(batch, len(images))
        judge = self._clip if images.ndim == 5 else self._next
        starts = batch.get("frame_index")
        rows = []
        for row, goal in enumerate(goals):
            if images.ndim == 4 and starts is not None and int(starts[row]) == 0:
                self._streams.pop(row, None)
            rows.append(judge(row, goal, images[row], None if depths is None else depths[row]))
        return _stacked(rows)

    def _clip(self, row: int, goal: str, images: Any, depths: Any) -> list[Signal]:
        watching = Watching(goal, self.references, self.measuring)
        none = [None] * len(images)
        pairs = zip(images, none if depths is None else depths, strict=True)
        return [watching.see(to_frame(image, self.lens, depth)) for image, depth in pairs]

    def _next(self, row: int, goal: str, image: Any, depth: Any) -> list[Signal]:
        watching = self._streams.setdefault(row, Watching(goal, self.references, self.measuring))
        return [watching.see(to_frame(image, self.lens, depth))]

    def _goals(self, batch: dict[str, Any], count: int) -> list[str]:
        tasks = batch.get(self.config.task_key)
        tasks = [tasks] * count if tasks is None or isinstance(tasks, str) else list(tasks)
        return [goal_of(task, self.config.goal, self.config.goals) for task in tasks]

    def _save_pretrained(self, save_directory: Path) -> None:
        """Save the configuration; weights come with the package, or by the path in `model_options`."""
        self.config._save_pretrained(save_directory)

    @classmethod
    def from_pretrained(
        cls, pretrained_name_or_path: str | Path, *, config: RewardModelConfig | None = None, **options: Any
    ) -> SpatialRewardModel:
        """Load a configuration and make its model.

        Raises:
            TypeError: If it is the configuration of another model.
        """
        taken = ("force_download", "proxies", "token", "cache_dir", "local_files_only", "revision")
        options = {name: value for name, value in options.items() if name in taken}
        config = config or RewardModelConfig.from_pretrained(pretrained_name_or_path, **options)
        if not isinstance(config, SpatialConfig):
            raise TypeError(f"{pretrained_name_or_path} is for {type(config).__name__}, not SpatialConfig.")
        model = cls(config)
        model.eval()
        return model


def _stacked(rows: Sequence[Sequence[Signal]]) -> Progress:
    def of(name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.tensor([[getattr(signal, name) for signal in row] for row in rows], dtype=dtype)

    return Progress(of("progress"), of("success"), of("potential"), of("std"), of("valid", torch.bool))

"""An episode to be written: pictures of several cameras, columns of numbers, and what is known beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.data.episodes.base import Calibration, Column
from spatial_reward.data.episodes.described import FILES, camera_entry, write_json
from spatial_reward.types import Frame, Reference


@dataclass(frozen=True, eq=False)
class Rollout:
    """An episode of T frames.

    Attributes:
        frames: T frames of each camera, by its name; with depth and calibration, where known.
        task: What was to be done, in words.
        columns: Numbers (T, ...) by name, such as "action", "observation.state", "truth.distance_m".
        references: For each camera, where the things of the goal are in its first frame.
        goal: The goal in the package's own words; "" where there is none.
    """

    frames: Mapping[str, Sequence[Frame]]
    task: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, Reference]] = field(default_factory=dict)
    goal: str = ""

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(next(iter(self.frames.values())))

    def depth(self, camera: str) -> bool:
        """Tell whether all frames of a camera have depth."""
        return all(frame.depth is not None for frame in self.frames[camera])

    def calibration(self, camera: str) -> Calibration | None:
        """Return the calibration of a camera, with one pose where it stands still."""
        cameras = [frame.camera for frame in self.frames[camera]]
        first = cameras[0]
        if first is None or any(one is None for one in cameras):
            return None
        poses = np.stack([one.world_from_camera for one in cameras if one is not None])
        still = bool(np.abs(poses - poses[0]).max() == 0)
        return Calibration(first.intrinsics, first.width, first.height, poses[0] if still else poses)

    def all_columns(self) -> dict[str, Column]:
        """Return the columns, with the poses (T, 16) of moving cameras."""
        columns = dict(self.columns)
        for camera in self.frames:
            calibration = self.calibration(camera)
            if calibration is not None and calibration.moving:
                columns[f"{camera}.world_from_camera"] = np.asarray(calibration.world_from_camera).reshape(
                    -1, 16
                )
        return columns


class Notes:
    """What lies beside a dataset, gathered from its rollouts: cameras, references, goals."""

    def __init__(self) -> None:
        """Start without any."""
        self.cameras: dict[str, Any] = {}
        self.points: dict[str, Any] = {"episodes": {}}
        self.goals: dict[str, str] = {}

    def add(self, index: int, rollout: Rollout) -> None:
        """Take the notes of an episode; where a camera is not that of the first, for this episode alone."""
        for camera in rollout.frames:
            calibration = rollout.calibration(camera)
            if calibration is None:
                continue
            entry = camera_entry(calibration)
            if self.cameras.setdefault(camera, entry) != entry:
                others = self.cameras.setdefault("episodes", {})
                others.setdefault(str(index), {})[camera] = entry
        per_camera = {
            camera: {name: _entry(reference) for name, reference in named.items()}
            for camera, named in rollout.references.items()
        }
        if per_camera:
            self.points["episodes"][str(index)] = {"cameras": per_camera}
        if rollout.goal:
            self.goals[rollout.task] = rollout.goal

    def as_files(self) -> dict[str, Any]:
        """Return the contents of those of the files that have any, by key of `described.FILES`."""
        points = self.points if self.points["episodes"] else {}
        found = {"cameras": self.cameras, "points": points, "goals": self.goals}
        return {key: content for key, content in found.items() if content}


def _entry(reference: Reference) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if reference.pixel is not None:
        entry["pixel"] = [float(value) for value in reference.pixel]
    if reference.position is not None:
        entry["position"] = [float(value) for value in reference.position]
    return entry


def write_notes(notes: Notes, folder: Path) -> None:
    """Write `cameras.json`, `points.json` and `goals.json`, where there is something to say."""
    for key, content in notes.as_files().items():
        write_json(folder / FILES[key], content)


Rollouts = Iterable[Rollout]

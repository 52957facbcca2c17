"""From LeRobot's tensors to frames, and from frames to signals: no LeRobot is needed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spatial_reward.camera import Camera, look_at
from spatial_reward.data.episodes.depth_units import measured
from spatial_reward.rewards import Judge
from spatial_reward.types import Frame, Model, Reference, Signal

LEVEL = look_at((0, 0, 0), (1, 0, 0))  # of a camera whose pose nobody knows


@dataclass(frozen=True, eq=False)
class Lens:
    """The camera of pictures of any size.

    Attributes:
        fovy: Vertical field of view [deg], where the intrinsics are unknown.
        intrinsics: (3, 3) [px].
        image_size: Width and height [px] that they are for.
        world_from_camera: (4, 4) [m]; None where unknown.
    """

    fovy: float = 45.0  # [deg]
    intrinsics: Sequence[Sequence[float]] | None = None
    image_size: Sequence[int] | None = None
    world_from_camera: Sequence[Sequence[float]] | None = None

    def camera(self, width: int, height: int) -> Camera:
        """Return the camera of pictures of a size [px]."""
        pose = LEVEL if self.world_from_camera is None else np.array(self.world_from_camera, float)
        if self.intrinsics is None or self.image_size is None:
            return Camera.from_fov(self.fovy, width, height, pose)
        given = Camera(np.array(self.intrinsics, float), pose, self.image_size[0], self.image_size[1])
        return given.resized(width, height)


def to_frame(image: Any, lens: Lens, depth: Any = None, time: float = 0.0) -> Frame:
    """Make a frame of a picture (3, H, W) or (H, W, 3), floats in [0, 1] or uint8, and its depth.

    Depth is of floats [m], or of integers [mm].

    Raises:
        ValueError: If the picture has another shape, or the depth is none.
    """
    picture = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if picture.ndim != 3 or 3 not in (picture.shape[0], picture.shape[2]):
        raise ValueError(f"A picture must be (3, H, W) or (H, W, 3), got {picture.shape}.")
    if picture.shape[0] == 3:
        picture = picture.transpose(1, 2, 0)
    if picture.dtype.kind == "f":
        picture = (255 * picture.clip(0, 1)).round()
    rgb = np.ascontiguousarray(picture.astype(np.uint8))
    camera = lens.camera(rgb.shape[1], rgb.shape[0])
    stored = depth.detach().cpu() if hasattr(depth, "detach") else depth
    return Frame(rgb, time, camera=camera, depth=None if depth is None else measured(stored))


def to_references(given: Mapping[str, Sequence[float]]) -> dict[str, Reference]:
    """Make references of [x, y] pixels, [x, y, z] places [m], or both in a row."""
    references = {}
    for name, spot in given.items():
        pixel = (float(spot[0]), float(spot[1])) if len(spot) != 3 else None
        position = np.array(spot[-3:], float) if len(spot) >= 3 else None
        references[name] = Reference(name, pixel, position)
    return references


@dataclass
class Watching:
    """An episode that is being judged, frame by frame.

    Attributes:
        goal: In words.
        references: The things of the goal.
        model: What measures.
    """

    goal: str
    references: Mapping[str, Reference]
    model: Model
    _judge: Judge | None = field(default=None, init=False)

    def see(self, frame: Frame) -> Signal:
        """Judge the next frame; the first one is the reference frame."""
        if self._judge is None:
            self._judge = Judge(self.goal)
            self._judge.reset(frame, self.references)
        return self._judge.observe(frame, self.model)


def goal_of(task: str | None, goal: str, goals: Mapping[str, str]) -> str:
    """Return the goal of a task.

    Raises:
        ValueError: If there is none.
    """
    if task is not None and task in goals:
        return goals[task]
    if not goal:
        raise ValueError(
            f"There is no goal for the task {task!r}: set `goal`, or give it in `goals`, "
            f"which knows {sorted(goals)}."
        )
    return goal

"""Trials with known truth, from shards of random scenes: what SpatialNet is calibrated and judged on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera
from spatial_reward.data.pairs import SKY, follow, open_shard, shard_paths
from spatial_reward.types import Frame, PixelPoint, Question

_MOVING_SHARE = 0.6  # of the trials, where a pair has things that moved
_STILL = 1e-6  # [m]
_PLAIN: WeakKeyDictionary[Frame, Frame] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Trial:
    """Two frames of a scene, a pixel on a thing in the first, and the truth.

    Attributes:
        frames: With cameras and depth.
        support: Height of the plane that things stand on [m]; NaN where unknown.
        pixel: In the first frame.
        depth: Of the surface there [m].
        target: Where the surface point is in the second frame [px]; NaN behind the camera.
        target_depth: Of the point there [m].
        visible: Whether it is seen there.
        displacement: (3,) of the surface point in the first camera's axes [m].
        camera_moved: Whether the camera did.
    """

    frames: tuple[Frame, Frame]
    support: float
    pixel: PixelPoint
    depth: float
    target: Array
    target_depth: float
    visible: bool
    displacement: Array
    camera_moved: bool

    @property
    def told(self) -> float | None:
        """What a model may be told of the plane that things stand on."""
        return self.support if np.isfinite(self.support) else None

    def question(self, kind: str, *, depth: bool) -> Question:
        """Ask about the pixel, or about the camera, with or without measured depth."""
        frames = self.frames if depth else tuple(_without_depth(frame) for frame in self.frames)
        if kind.startswith("depth"):
            return Question(kind, frames[:1], (self.pixel,))
        return Question(kind, frames, () if kind.startswith("cam") else (self.pixel,))


def draw_trials(folder: Path, count: int, seed: int = 0, *, followed: bool = False) -> list[Trial]:
    """Draw trials, evenly over the scenes of a folder of shards.

    Args:
        folder: Of shards.
        count: How many.
        seed: Of the draw.
        followed: Only about what is followed, in the shards that tell what that is.

    Raises:
        FileNotFoundError: If there are no shards.
        ValueError: If they show nothing to ask about.
    """
    shards = [open_shard(path) for path in shard_paths(folder)]
    if followed:
        shards = [shard for shard in shards if "followed" in shard]
    scenes = [(shard, scene) for shard in shards for scene in range(len(shard["rgb"]))]
    trials: list[Trial] = []
    for number in range(20 * count):
        if len(trials) == count:
            break
        shard, scene = scenes[number % len(scenes)]
        most = int(shard["followed"][scene]) if followed else SKY - 1
        trial = _draw(shard, scene, np.random.default_rng([seed, number]), most)
        if trial is not None:
            trials.append(trial)
    if not trials:
        what = "of what the goal names, nothing that can move is" if followed else "nothing that can move is"
        raise ValueError(
            f"In the scenes of {folder} {what} seen: choose another goal, camera or environment."
        )
    return trials


def _draw(shard: Mapping[str, NDArray[Any]], scene: int, rng: np.random.Generator, most: int) -> Trial | None:
    """Draw a trial about a body of a number from 1 to `most`; None where there is none."""
    chosen = rng.permutation(shard["rgb"].shape[1])[:2]
    keys = ("rgb", "depth", "body", "intrinsics", "world_from_camera", "world_from_body")
    clip = {key: np.asarray(shard[key][scene, chosen]) for key in keys}
    clip["depth"] = clip["depth"].astype(np.float32)
    body, depth = clip["body"][0], clip["depth"][0]
    things = np.isfinite(depth) & (body > 0) & (body <= most)
    poses = clip["world_from_body"].astype(float)
    moved = np.abs(poses[1] - poses[0]).max((1, 2)) > _STILL
    wanted = things & (moved[np.where(body == SKY, 0, body)] == (rng.random() < _MOVING_SHARE))
    numbers = np.unique(body[wanted])
    if not len(numbers):
        return None
    places = np.argwhere(wanted & (body == rng.choice(numbers)))
    row, column = places[rng.integers(len(places))]
    pixel = np.array([[column + 0.5, row + 0.5]], np.float32)
    truth = follow(clip, 0, 1, pixel)
    frames = _frames(clip)
    return Trial(
        frames,
        float(shard["support"][scene]),
        PixelPoint(float(pixel[0, 0]), float(pixel[0, 1])),
        float(depth[row, column]),
        truth["target"][0].astype(float),
        float(truth["target_depth"][0]),
        bool(truth["visible"][0]),
        _displacement(frames[0], poses[:, body[row, column]], pixel, float(depth[row, column])),
        bool(np.abs(clip["world_from_camera"][1] - clip["world_from_camera"][0]).max() > _STILL),
    )


def _frames(clip: Mapping[str, NDArray[Any]]) -> tuple[Frame, Frame]:
    height, width = clip["depth"].shape[1:]
    first, second = (
        Frame(
            np.ascontiguousarray(clip["rgb"][index]),
            time=float(index),
            camera=Camera(clip["intrinsics"][index], clip["world_from_camera"][index], width, height),
            depth=clip["depth"][index],
        )
        for index in (0, 1)
    )
    return first, second


def _displacement(frame: Frame, poses: Array, pixel: NDArray[Any], depth: float) -> Array:
    """Return how far the body with poses (2, 4, 4) carries the surface point under a pixel."""
    assert frame.camera is not None
    before = np.append(frame.camera.unproject(pixel[0], depth), 1.0)
    after = poses[1] @ np.linalg.solve(poses[0], before)
    moved: Array = frame.camera.camera_from_world[:3, :3] @ (after - before)[:3]
    return moved


def _without_depth(frame: Frame) -> Frame:
    """Return the frame as a plain camera gives it; the same one each time, so that it is encoded once."""
    if frame not in _PLAIN:
        _PLAIN[frame] = Frame(frame.rgb, frame.time, frame.view, frame.camera)
    return _PLAIN[frame]

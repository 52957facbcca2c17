"""What the frames of a scene see, and which pairs of frames are asked about."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera
from spatial_reward.questions.base import Mode
from spatial_reward.types import PixelPoint, Scene

PAPER_OVERLAP = (0.06, 0.35)  # share of points seen by both among those seen by either
PAPER_BINS = 29  # of 1 % each
STRICT_OVERLAP = 0.10  # the published band belongs to a visibility test that drops half of the points
STRICT_PAIRS = 200  # tried per question
STATIC_BELOW = 0.010  # [m] the published threshold: less is no motion


class View(NamedTuple):
    """What one frame sees: points (M,) by number, their pixels (M, 2) [px] and planar depths (M,) [m]."""

    points: NDArray[np.int64]
    pixels: Array
    depth: Array

    def pixel(self, point: int, frame: int = 0) -> PixelPoint:
        """Return the pixel of a point of the scene as a reference in frame number `frame`."""
        x, y = self.pixels[np.flatnonzero(self.points == point)[0]]
        return PixelPoint(float(x), float(y), frame)


def camera_of(scene: Scene, time: int) -> Camera:
    """Return the camera of a frame.

    Raises:
        ValueError: If the frame has none.
    """
    camera = scene.frames[time].camera
    if camera is None:
        raise ValueError(f"Frame {time} of the scene has no `camera`: questions need calibrated frames.")
    return camera


def view(scene: Scene, time: int) -> View:
    """Project the visible points of a frame, and keep those in front of the camera and inside the image."""
    pixels, depth = camera_of(scene, time).project(scene.points[time])
    seen = scene.visible[time] & (depth > 0) & camera_of(scene, time).contains(pixels)
    index = np.flatnonzero(seen)
    return View(index, pixels[index], depth[index])


def pixel_of(scene: Scene, time: int, point: int, frame: int = 0) -> PixelPoint:
    """Project one point of a scene into a frame, as a reference in frame number `frame` of a question."""
    (x, y), _ = camera_of(scene, time).project(scene.points[time, point])
    return PixelPoint(float(x), float(y), frame)


@lru_cache(maxsize=2)
def seen_by(scene: Scene) -> NDArray[np.bool_]:
    """Return (T, N): which points each frame sees inside its image."""
    seen = np.zeros(scene.visible.shape, bool)
    for time in range(len(scene.frames)):
        seen[time, view(scene, time).points] = True
    return seen


@lru_cache(maxsize=2)
def overlaps(scene: Scene) -> Array:
    """Return (T, T): the points that two frames share, as a share of those that either sees."""
    seen = seen_by(scene).astype(np.float32)
    both = (seen @ seen.T).astype(float)
    either = both.diagonal()[:, None] + both.diagonal()[None, :] - both
    return np.where(either > 0, both / np.maximum(either, 1), 0.0)


def frame_pairs(scene: Scene, rng: np.random.Generator, mode: Mode) -> Iterator[tuple[int, int]]:
    """Yield pairs of frames to ask about, in random order and direction.

    Paper: one pair from each overlap bin of 1 % between 6 % and 35 %, so that overlaps are balanced.
    Strict: any pair with at least 10 % overlap.
    """
    first, second = np.triu_indices(len(scene.frames), k=1)
    overlap = overlaps(scene)[first, second]
    for chosen in _paper_choice(overlap, rng) if mode == "paper" else _strict_choice(overlap, rng):
        pair = int(first[chosen]), int(second[chosen])
        yield pair if rng.random() < 0.5 else pair[::-1]


def _paper_choice(overlap: Array, rng: np.random.Generator) -> list[int]:
    low, high = PAPER_OVERLAP
    inside = np.flatnonzero((overlap >= low) & (overlap <= high))
    edges = np.linspace(low, high, PAPER_BINS + 1).round(6)
    bins = np.maximum(np.searchsorted(edges, overlap[inside].round(6), side="left"), 1)  # right-closed
    return [int(rng.choice(inside[bins == number])) for number in rng.permutation(np.unique(bins))]


def _strict_choice(overlap: Array, rng: np.random.Generator) -> list[int]:
    return [int(i) for i in rng.permutation(np.flatnonzero(overlap >= STRICT_OVERLAP))[:STRICT_PAIRS]]


def common_points(scene: Scene, first: int, second: int) -> NDArray[np.int64]:
    """Return the indices of the points that both frames see."""
    seen = seen_by(scene)
    return np.flatnonzero(seen[first] & seen[second])


def is_static(scene: Scene, first: int, second: int) -> bool:
    """Tell whether no common point moved between two frames; without common points, it cannot be said."""
    common = common_points(scene, first, second)
    moved = np.linalg.norm(scene.points[second, common] - scene.points[first, common], axis=-1)
    return len(common) > 0 and bool((moved < STATIC_BELOW).all())

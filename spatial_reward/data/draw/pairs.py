"""All pairs of frames of a scene, in one table: overlap, camera motion, stillness."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, invert
from spatial_reward.questions.camera_motion import Motion, motions
from spatial_reward.questions.views import STATIC_BELOW, camera_of, overlaps, seen_by
from spatial_reward.types import Scene

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

SAME_SHIFT = 1e-6  # [m] under which a camera stands still,
SAME_TURN = 1e-3  # [deg] and does not turn


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of frames.

    Attributes:
        first: (P,) frame.
        second: (P,) frame.
        overlap: (P,) points seen by both, as a share of those seen by either.
    """

    first: Indices
    second: Indices
    overlap: Array

    def where(self, chosen: Indices | Mask) -> Pairs:
        """Keep some of the pairs."""
        return Pairs(self.first[chosen], self.second[chosen], self.overlap[chosen])

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.first)


@lru_cache(maxsize=2)
def all_pairs(scene: Scene) -> Pairs:
    """List the pairs of frames, first before second, that have a point in common."""
    first, second = np.triu_indices(len(scene.frames), k=1)
    overlap = overlaps(scene)[first, second]
    shared = overlap > 0
    return Pairs(first[shared], second[shared], overlap[shared])


@lru_cache(maxsize=2)
def still_pairs(scene: Scene) -> Pairs:
    """List the pairs between which no point moved that both frames see."""
    pairs = all_pairs(scene)
    return pairs.where(_still(scene, pairs.first, pairs.second)) if moves(scene) else pairs


@lru_cache(maxsize=2)
def moves(scene: Scene) -> bool:
    """Tell whether any point of a scene ever moves."""
    if scene.points.strides[0] == 0:  # one set of points for all frames
        return False
    return not (np.ptp(scene.points, axis=0) == 0).all()


def _still(scene: Scene, first: Indices, second: Indices) -> Mask:
    seen, still = seen_by(scene), np.zeros(len(first), bool)
    for index, (a, b) in enumerate(zip(first, second, strict=True)):
        common = seen[a] & seen[b]
        moved = scene.points[b, common] - scene.points[a, common]
        still[index] = not (np.einsum("ij,ij->i", moved, moved) >= STATIC_BELOW**2).any()
    return still


@lru_cache(maxsize=2)
def poses(scene: Scene) -> Array:
    """Stack the poses (T, 4, 4) of all frames."""
    return np.stack([camera_of(scene, time).world_from_camera for time in range(len(scene.frames))])


def camera_motions(scene: Scene, first: Indices, second: Indices) -> Motion:
    """Compute the motions (P) of the camera between pairs of frames."""
    return motions(poses(scene)[first], poses(scene)[second])


def camera_moves(scene: Scene, first: Indices, second: Indices) -> Mask:
    """Tell between which frames the camera's centre moved by the published threshold."""
    shift = camera_motions(scene, first, second).shift
    return np.asarray(np.linalg.norm(shift, axis=-1) >= STATIC_BELOW)


def camera_rests(scene: Scene, first: Indices, second: Indices) -> Mask:
    """Tell between which frames the camera neither moved nor turned."""
    motion = camera_motions(scene, first, second)
    return np.asarray((np.linalg.norm(motion.shift, axis=-1) <= SAME_SHIFT) & (motion.turn <= SAME_TURN))


def pixels(scene: Scene, times: Indices, points: Indices) -> tuple[Array, Array]:
    """Project points (M,) into the frames (M,) given for each: pixels (M, 2) and depths (M,) [m]."""
    camera_from_world = invert(poses(scene))[times]
    seen = np.einsum("mij,mj->mi", camera_from_world[:, :3, :3], scene.points[times, points])
    seen += camera_from_world[:, :3, 3]
    projected = np.einsum("mij,mj->mi", _intrinsics(scene)[times], seen)
    return projected[:, :2] / seen[:, 2:], seen[:, 2]


@lru_cache(maxsize=2)
def _intrinsics(scene: Scene) -> Array:
    return np.stack([camera_of(scene, time).intrinsics for time in range(len(scene.frames))])

"""Cameras and poses from files: checked, cleaned of rounding, in a world whose z axis points up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, rigid
from spatial_reward.data.sources.base import BadScene

ROUNDING = 1e-3  # a pose this far from a rotation is taken for one that was rounded
FARTHEST = 1e6  # [m] from the origin
_Z_UP_FROM = {  # rotations that turn an axis of a world upwards
    "z": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "-z": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "y": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "-y": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "x": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "-x": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
}


def upright(up: str) -> Array:
    """Return the rotation (4, 4) from a world in which axis `up`, such as "y", points up to one with z up.

    Raises:
        ValueError: If `up` is no axis.
    """
    if up not in _Z_UP_FROM:
        raise ValueError(f"`up` must be one of {', '.join(_Z_UP_FROM)}, got {up!r}.")
    return rigid(_Z_UP_FROM[up], (0, 0, 0))


def rigid_poses(matrices: NDArray[Any], name: str) -> Array:
    """Return poses (..., 4, 4) with exact rotations.

    Raises:
        BadScene: "poses not finite" or "poses not rigid".
    """
    poses = np.array(matrices, float)
    if not (np.abs(poses) < FARTHEST).all():  # nor is NaN
        raise BadScene("poses not finite", name)
    if not _nearly_rigid(poses):
        raise BadScene("poses not rigid", name)
    left, _, right = np.linalg.svd(poses[..., :3, :3])
    poses[..., :3, :3] = left @ right
    poses[..., 3, :] = (0, 0, 0, 1)
    return poses


def _nearly_rigid(poses: Array) -> bool:
    rotation, last = poses[..., :3, :3], poses[..., 3, :] - (0, 0, 0, 1)
    if np.abs(last).max(initial=0) > ROUNDING or np.abs(rotation).max(initial=0) > 2:
        return False
    square = rotation @ np.swapaxes(rotation, -1, -2)
    return bool(np.abs(square - np.eye(3)).max(initial=0) < ROUNDING and (np.linalg.det(rotation) > 0).all())


def cameras(intrinsics: NDArray[Any], poses: Array, size: tuple[int, int]) -> list[Camera]:
    """Return the camera of each pose (T, 4, 4) `world_from_camera`.

    Args:
        intrinsics: (3, 3) or (T, 3, 3) [px].
        poses: Rigid.
        size: Width and height [px].

    Raises:
        BadScene: "bad calibration".
    """
    matrices = np.broadcast_to(np.asarray(intrinsics, float), (len(poses), 3, 3))
    if not np.isfinite(matrices).all() or not (matrices[:, 2] == (0, 0, 1)).all():
        raise BadScene("bad calibration", f"intrinsics {intrinsics}")
    try:
        return [Camera(matrix, pose, *size) for matrix, pose in zip(matrices, poses, strict=True)]
    except ValueError as error:
        raise BadScene("bad calibration", str(error)) from error

"""Pinhole cameras and rigid transforms: OpenCV axes (x right, y down, z forward), metres, pixels.

Pixel coordinates are continuous: the centre of the top-left pixel is (0.5, 0.5), so pixel (column i,
row j) covers [i, i+1) x [j, j+1) and `floor` finds it. Transforms read `b_from_a`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Angle = TypeVar("Angle", float, Array)


def rigid(rotation: ArrayLike, translation: ArrayLike) -> Array:
    """Build a (4, 4) rigid transform from a (3, 3) rotation and a (3,) translation [m]."""
    b_from_a = np.eye(4)
    b_from_a[:3, :3] = rotation
    b_from_a[:3, 3] = translation
    return b_from_a


def invert(b_from_a: Array) -> Array:
    """Invert a rigid transform (..., 4, 4) exactly, by its transpose."""
    a_from_b = np.zeros_like(b_from_a)
    rotation = np.swapaxes(b_from_a[..., :3, :3], -1, -2)
    a_from_b[..., :3, :3] = rotation
    a_from_b[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation, b_from_a[..., :3, 3])
    a_from_b[..., 3, 3] = 1.0
    return a_from_b


def transform(b_from_a: Array, points: ArrayLike) -> Array:
    """Map points (..., 3) from frame a to frame b."""
    moved: Array = np.asarray(points, float) @ b_from_a[:3, :3].T + b_from_a[:3, 3]
    return moved


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> Array:
    """Return the `world_from_camera` (4, 4) of a camera at `eye` [m] that looks at `target` [m].

    Raises:
        ValueError: If `eye` equals `target` or the view is parallel to `up`.
    """
    eye, up = np.asarray(eye, float), np.asarray(up, float)
    forward = np.asarray(target, float) - eye
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-9:
        raise ValueError(
            f"No view from `eye`={eye!r} to `target`={target!r} with `up`={up!r}: choose another up."
        )
    forward = forward / np.linalg.norm(forward)
    right = right / np.linalg.norm(right)
    return rigid(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


def yaw_pitch(world_from_camera: Array) -> tuple[Array, Array]:
    """Return yaw and pitch (...) [deg] of the viewing direction of poses (..., 4, 4) in a world with z up.

    Yaw grows counter-clockwise seen from above, pitch grows upwards (MultiSPA, camera movement).
    """
    forward = world_from_camera[..., :3, 2]
    yaw = np.degrees(np.arctan2(forward[..., 1], forward[..., 0]))
    rise = forward[..., 2] / np.linalg.norm(forward, axis=-1)
    return yaw, np.degrees(np.arcsin(np.clip(rise, -1.0, 1.0)))


def wrap_degrees(angle: Angle) -> Angle:
    """Wrap angles [deg] to (-180, 180].

    >>> wrap_degrees(-358.0), wrap_degrees(-180.0)
    (2.0, 180.0)
    """
    return 180.0 - (180.0 - angle) % 360.0


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated pinhole camera.

    Attributes:
        intrinsics: (3, 3) matrix [px], for pixel centres at +0.5.
        world_from_camera: (4, 4) pose [m], OpenCV axes.
        width: Image width [px].
        height: Image height [px].

    Raises:
        ValueError: If a shape is wrong, a number is not finite, or the pose is not rigid.
    """

    intrinsics: Array
    world_from_camera: Array
    width: int
    height: int
    camera_from_world: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the matrices once, so that nothing downstream has to."""
        intrinsics = _finite("intrinsics", self.intrinsics, (3, 3))
        pose = _finite("world_from_camera", self.world_from_camera, (4, 4))
        rotation = pose[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5) or np.linalg.det(rotation) < 0:
            raise ValueError(f"`world_from_camera` must be rigid (a rotation and a translation), got {pose}.")
        if intrinsics[0, 0] <= 0 or intrinsics[1, 1] <= 0:
            raise ValueError(f"`intrinsics` must have positive focal lengths [px], got {intrinsics}.")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"Image size must be positive, got {self.width} x {self.height}.")
        object.__setattr__(self, "intrinsics", intrinsics)
        object.__setattr__(self, "world_from_camera", pose)
        object.__setattr__(self, "camera_from_world", invert(pose))

    @classmethod
    def from_fov(cls, fovy: float, width: int, height: int, world_from_camera: Array) -> Camera:
        """Build a camera with square pixels from its vertical field of view [deg]."""
        if not 0 < fovy < 180:
            raise ValueError(f"`fovy` must lie between 0 and 180 degrees, got {fovy}.")
        focal = 0.5 * height / np.tan(np.radians(fovy) / 2)
        intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        return cls(intrinsics, world_from_camera, width, height)

    def project(self, points: ArrayLike) -> tuple[Array, Array]:
        """Project world points (..., 3) to pixels (..., 2) and depths (...) [m].

        Points at or behind the camera centre get NaN pixels; their depth is still returned.
        """
        camera_points = transform(self.camera_from_world, points)
        return self.pixels(camera_points), camera_points[..., 2]

    def pixels(self, camera_points: ArrayLike) -> Array:
        """Project points in camera axes (..., 3) to pixels (..., 2); NaN at or behind the centre."""
        camera_points = np.asarray(camera_points, float)
        depth = np.where(camera_points[..., 2] > 0, camera_points[..., 2], np.nan)
        homogeneous = camera_points @ self.intrinsics.T
        projected: Array = homogeneous[..., :2] / depth[..., None]
        return projected

    def rays(self, pixels: ArrayLike) -> Array:
        """Return the rays (..., 3) through pixels (..., 2) in camera axes, scaled to depth 1."""
        pixels = np.asarray(pixels, float)
        homogeneous = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1)
        rays: Array = homogeneous @ np.linalg.inv(self.intrinsics).T
        return rays

    def unproject(self, pixels: ArrayLike, depth: ArrayLike) -> Array:
        """Lift pixels (..., 2) at planar depths (...) [m] to world points (..., 3)."""
        camera_points = self.rays(pixels) * np.asarray(depth, float)[..., None]
        return transform(self.world_from_camera, camera_points)

    def contains(self, pixels: ArrayLike) -> NDArray[np.bool_]:
        """Tell which pixels (..., 2) lie inside the image; NaN does not."""
        x, y = np.moveaxis(np.asarray(pixels, float), -1, 0)
        inside: NDArray[np.bool_] = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        return inside

    def resized(self, width: int, height: int) -> Camera:
        """Return the camera of the same picture scaled to another size."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return replace(self, intrinsics=scale @ self.intrinsics, width=width, height=height)


def _finite(name: str, matrix: ArrayLike, shape: tuple[int, ...]) -> Array:
    array = np.asarray(matrix, float)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"`{name}` must be a finite {shape} matrix, got shape {array.shape}: {array}.")
    return array

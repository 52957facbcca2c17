"""Cameras of a MuJoCo scene as exact pinhole cameras, and cameras that move along a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.spatial.transform import Rotation

from spatial_reward.camera import Array, Camera, rigid
from spatial_reward.envs.gl import load_mujoco


@runtime_checkable
class CameraPath(Protocol):
    """A camera that moves with time, starting from another one.

    Attributes:
        base: Name of the camera it starts from: one of the model, "default" or "free".
    """

    base: str

    def pose(self, world_from_base: Array, distance: float, time: float) -> Array:
        """Return `world_from_camera` (4, 4) [m].

        Args:
            world_from_base: (4, 4) pose of the base camera [m], OpenCV axes.
            distance: From the base camera to what it looks at [m].
            time: Of the simulation [s].
        """
        ...


@dataclass(frozen=True)
class Orbit:
    """Swing around the vertical through the point that the base camera looks at: a sine of time.

    Attributes:
        base: Name of the camera that is the middle of the swing.
        degrees: Largest turn to either side [deg].
        period: Time of a full swing [s].
    """

    base: str = "default"
    degrees: float = 10.0  # [deg]
    period: float = 4.0  # [s]

    def __post_init__(self) -> None:
        """Refuse a swing that is not one."""
        if not (self.period > 0 and np.isfinite([self.degrees, self.period]).all()):
            raise ValueError(
                f"An orbit needs finite `degrees` and a positive `period` [s], "
                f"got {self.degrees} and {self.period}."
            )

    def pose(self, world_from_base: Array, distance: float, time: float) -> Array:
        """Return `world_from_camera` (4, 4) at `time` [s]."""
        return turned(world_from_base, distance, self.degrees * np.sin(2 * np.pi * time / self.period))


def orbit(camera: str = "default", degrees: float = 10.0, period: float = 4.0) -> Orbit:
    """Return the path that swings by ±`degrees` around what `camera` looks at, in `period` [s]."""
    return Orbit(camera, degrees, period)


def turned(world_from_camera: Array, distance: float, degrees: float) -> Array:
    """Turn a camera [deg] around the vertical (z) through the point at `distance` [m] on its axis."""
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    eye, forward = world_from_camera[:3, 3], world_from_camera[:3, 2]
    target = eye + distance * forward
    return rigid(turn @ world_from_camera[:3, :3], target + turn @ (eye - target))


def scene_camera(scene: Any, width: int, height: int) -> Camera:
    """Return the camera that an MjvScene is drawn with, from its frustum: exact to float32.

    Raises:
        ValueError: If it is orthographic.
    """
    view = load_mujoco().mjv_averageCamera(scene.camera[0], scene.camera[1])  # the two eyes of a stereo pair
    if view.orthographic:
        raise ValueError("An orthographic camera has no focal length: choose a perspective one.")
    forward = _unit(view.forward)
    right = _unit(np.cross(forward, view.up))
    pose = rigid(np.stack([right, np.cross(forward, right), forward], axis=1), view.pos)
    return Camera(_intrinsics(view, width, height), pose, width, height)


def place_camera(scene: Any, world_from_camera: Array) -> None:
    """Move the camera of an MjvScene; its field of view stays."""
    for eye in scene.camera:
        eye.pos, eye.forward, eye.up = (
            world_from_camera[:3, 3],
            world_from_camera[:3, 2],
            -world_from_camera[:3, 1],
        )


def looked_at(model: Any, data: Any, view: Any, world_from_camera: Array) -> float:
    """Return the distance [m] to what an MjvCamera looks at: its own `lookat`, or the surface on its axis."""
    mujoco = load_mujoco()
    if int(view.type) != int(mujoco.mjtCamera.mjCAMERA_FIXED):
        return float(view.distance)
    drawn = np.array([1, 1, 1, 0, 0, 0], np.uint8)  # geom groups that MuJoCo draws by default
    hit = np.zeros(1, np.int32)
    own = int(model.cam_bodyid[view.fixedcamid]) or -1  # a camera on a wrist does not look at the wrist
    eye, forward = world_from_camera[:3, 3].copy(), world_from_camera[:3, 2].copy()
    distance = mujoco.mj_ray(model, data, eye, forward, drawn, 1, own, hit)
    return float(distance) if distance > 0 else float(model.stat.extent)


def _intrinsics(view: Any, width: int, height: int) -> Array:
    """Return (3, 3) intrinsics [px] for pixel centres at +0.5, from a frustum given at the near plane [m]."""
    low, high, near = float(view.frustum_bottom), float(view.frustum_top), float(view.frustum_near)
    focal_y = near * height / (high - low)
    if view.frustum_width > 0:  # half the width; else pixels are square
        focal_x = near * width / (2 * float(view.frustum_width))
        left = float(view.frustum_center) - float(view.frustum_width)
        centre_x = -left * focal_x / near
    else:
        focal_x = focal_y
        centre_x = width / 2 - float(view.frustum_center) * focal_x / near
    return np.array([[focal_x, 0, centre_x], [0, focal_y, high * focal_y / near], [0, 0, 1.0]])


def _unit(vector: Any) -> Array:
    array = np.asarray(vector, float)
    unit: Array = array / np.linalg.norm(array)
    return unit

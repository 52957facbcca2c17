"""How the camera moved: translation in its first axes, yaw and pitch against gravity (MultiSPA, section on
camera movement), known from poses or estimated from what stands still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatial_reward.camera import Array, invert, wrap_degrees, yaw_pitch
from spatial_reward.geometry.matches import motion_jacobian
from spatial_reward.geometry.procrustes import RigidFit
from spatial_reward.geometry.rotations import skew


@dataclass(frozen=True, eq=False)
class CameraMotion:
    """Motion of the second camera relative to the first.

    Attributes:
        translation: (3,) in the first camera's axes [m].
        yaw: Turn seen from above, counter-clockwise positive [deg], in (-180, 180].
        pitch: Upward tilt [deg].
        covariance: (5, 5) of translation [m], yaw and pitch [deg].
    """

    translation: Array
    yaw: float
    pitch: float
    covariance: Array

    @property
    def distance(self) -> float:
        """Length of the translation [m]."""
        return float(np.linalg.norm(self.translation))

    @property
    def directions(self) -> dict[str, str]:
        """Words for x, y, z, yaw and pitch; no motion counts as the second word of each pair (MultiSPA)."""
        x, y, z = self.translation
        return {
            "x": "right" if x > 0 else "left",
            "y": "down" if y > 0 else "up",
            "z": "forward" if z > 0 else "backward",
            "yaw": "left" if self.yaw > 0 else "right",
            "pitch": "up" if self.pitch > 0 else "down",
        }


def camera_motion(world_from_camera_1: Array, world_from_camera_2: Array) -> CameraMotion:
    """Return the exact motion between two known poses (4, 4) of a world whose z axis points up."""
    translation = (invert(world_from_camera_1) @ world_from_camera_2)[:3, 3]
    (yaw_1, pitch_1), (yaw_2, pitch_2) = yaw_pitch(world_from_camera_1), yaw_pitch(world_from_camera_2)
    yaw, pitch = float(wrap_degrees(yaw_2 - yaw_1)), float(pitch_2 - pitch_1)
    return CameraMotion(translation, yaw, pitch, np.zeros((5, 5)))


def estimated_camera_motion(fit: RigidFit, world_from_camera_1: Array) -> CameraMotion:
    """Return the motion that a fit of static points says, with its first-order covariance.

    Args:
        fit: Of points in the first camera's axes onto the same points in the second's.
        world_from_camera_1: (4, 4); only the direction of gravity in it matters.

    Raises:
        ValueError: If the fit tells no motion. Of one that is not valid but tells some, that is the guess.
    """
    if not np.isfinite(fit.b_from_a).all():
        raise ValueError("`fit` tells no camera motion: check its validity first.")
    inverse = fit.inverse()
    exact = camera_motion(world_from_camera_1, world_from_camera_1 @ inverse.b_from_a)
    jacobian = np.zeros((5, 6))
    jacobian[:3] = motion_jacobian(exact.translation - inverse.centre)
    jacobian[3:, :3] = np.degrees(_turning(world_from_camera_1[:3, :3], inverse.b_from_a[:3, 2]))
    covariance = jacobian @ inverse.covariance @ jacobian.T
    return CameraMotion(exact.translation, exact.yaw, exact.pitch, covariance)


def _turning(world_from_camera: Array, forward: Array) -> Array:
    """Return how yaw and pitch follow a small rotation (in camera axes) of `forward` (3,): (2, 3)."""
    x, y, _ = world_from_camera @ forward
    level = max(float(np.hypot(x, y)), 1e-9)  # yaw is unknown where the view is vertical
    angles = np.array([[-y / level**2, x / level**2, 0], [0, 0, 1 / level]])
    turning: Array = angles @ world_from_camera @ -skew(forward)
    return turning

"""How the camera moved: translation in its first axes, yaw and pitch against gravity (MultiSPA, section on
camera movement), known from poses or estimated from what stands still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatial_reward.camera import Array, invert, wrap_degrees, yaw_pitch
from spatial_reward.geometry.procrustes import RigidFit, moved_point
from spatial_reward.geometry.rotations import rotation_matrix


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


def camera_motion(world_from_camera_1: Array, world_from_camera_2: Array) -> CameraMotion:
    """Return the exact motion between two known poses (4, 4) of a world whose z axis points up."""
    translation = (invert(world_from_camera_1) @ world_from_camera_2)[:3, 3]
    (yaw_1, pitch_1), (yaw_2, pitch_2) = yaw_pitch(world_from_camera_1), yaw_pitch(world_from_camera_2)
    return CameraMotion(translation, wrap_degrees(yaw_2 - yaw_1), pitch_2 - pitch_1, np.zeros((5, 5)))


def estimated_camera_motion(fit: RigidFit, world_from_camera_1: Array) -> CameraMotion:
    """Return the motion that `fit`, of static points from camera 1 to camera 2, says, with its covariance.

    Of the first pose (4, 4) only the direction of gravity matters. Angles get their covariance by
    differences, as yaw is ill-conditioned near the vertical.
    """
    inverse = fit.inverse()
    translation, spread = moved_point(inverse, np.zeros(3))

    def angles(turn: Array) -> Array:
        relative = inverse.b_from_a.copy()
        relative[:3, :3] = rotation_matrix(turn) @ relative[:3, :3]
        motion = camera_motion(world_from_camera_1, world_from_camera_1 @ relative)
        return np.array([motion.yaw, motion.pitch])

    step = 1e-5  # [rad]
    jacobian = np.stack(
        [(angles(step * axis) - angles(-step * axis)) / (2 * step) for axis in np.eye(3)], axis=1
    )
    covariance = np.zeros((5, 5))
    covariance[:3, :3] = spread
    covariance[3:, 3:] = jacobian @ inverse.covariance[:3, :3] @ jacobian.T
    yaw, pitch = angles(np.zeros(3))
    return CameraMotion(translation, float(yaw), float(pitch), covariance)

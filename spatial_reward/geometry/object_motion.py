"""How far a thing moved, apart from the camera: displacement in the first camera's axes, and its length."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from spatial_reward.camera import Array, Camera, transform

STATIC = 0.01  # [m]; what moved less counts as static (MultiSPA, object movement)


def object_motion(
    camera_1: Camera,
    camera_2: Camera,
    point_1: ArrayLike,
    point_2: ArrayLike,
    covariance_1: ArrayLike | None = None,
    covariance_2: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Return the displacement (3,) [m] in camera-1 axes and its covariance (3, 3) [m^2].

    Args:
        camera_1: First camera.
        camera_2: Second camera; the difference of the poses is taken out.
        point_1: (3,) before, in the first camera's axes [m].
        point_2: (3,) after, in the second camera's axes [m].
        covariance_1: (3, 3) [m^2] of the first point.
        covariance_2: (3, 3) [m^2] of the second point.
    """
    first_from_second = camera_1.camera_from_world @ camera_2.world_from_camera
    rotation = first_from_second[:3, :3]
    displacement = transform(first_from_second, point_2) - np.asarray(point_1, float)
    first = np.zeros((3, 3)) if covariance_1 is None else np.asarray(covariance_1, float)
    second = np.zeros((3, 3)) if covariance_2 is None else np.asarray(covariance_2, float)
    return displacement, first + rotation @ second @ rotation.T


def distance(displacement: ArrayLike, covariance: ArrayLike) -> tuple[float, float]:
    """Return the length [m] of a displacement (3,) and its standard deviation.

    First order far from zero, where only the error along the displacement counts; near zero the length is
    that of the error itself, whose spread does not vanish.
    """
    displacement, covariance = np.asarray(displacement, float), np.asarray(covariance, float)
    length = float(np.linalg.norm(displacement))
    total = float(np.trace(covariance))
    if length == 0:
        return 0.0, float(np.sqrt(total))
    along = float(displacement @ covariance @ displacement) / length**2
    across = max(total - along, 0.0)
    return length, float(np.sqrt(along + across**2 / (2 * (length**2 + across))))

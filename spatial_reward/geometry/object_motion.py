"""How far a thing moved, apart from the camera: displacement in the first camera's axes, and its length."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from spatial_reward.camera import Array, Camera, transform

STATIC = 0.01  # [m]; what moved less counts as static, just this much as moving (MultiSPA, object movement)


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
        covariance_1: (3, 3) [m^2] of the first point; exact without it.
        covariance_2: (3, 3) [m^2] of the second point; exact without it.
    """
    first_from_second = camera_1.camera_from_world @ camera_2.world_from_camera
    rotation = first_from_second[:3, :3]
    displacement = transform(first_from_second, point_2) - np.asarray(point_1, float)
    first = np.zeros((3, 3)) if covariance_1 is None else np.asarray(covariance_1, float)
    second = np.zeros((3, 3)) if covariance_2 is None else np.asarray(covariance_2, float)
    return displacement, first + rotation @ second @ rotation.T


def distance(vector: ArrayLike, covariance: ArrayLike) -> tuple[float, float]:
    """Return the length [m] of a displacement (3,) with covariance (3, 3) [m^2], and its standard deviation.

    The length follows a Rice-like law. Far from zero only the error along the vector counts; errors across
    it lengthen it to second order; near zero the length is that of the error, all of it. The standard
    deviation stands for the root mean square error about the true length, bias included; near zero, where
    the true length is open, it errs on the side of caution.
    """
    vector, covariance = np.asarray(vector, float), np.asarray(covariance, float)
    squared, total = float(vector @ vector), float(np.trace(covariance))
    if squared == 0:
        return 0.0, float(np.sqrt(total))
    along = float(vector @ covariance @ vector) / squared
    across = max(total - along, 0.0)
    true_squared = max(squared - total, 0.0)  # the error adds its own trace to the square, on average
    sideways = across**2 / (2 * true_squared + across) if across else 0.0
    return float(np.sqrt(squared)), float(np.sqrt(along + sideways))

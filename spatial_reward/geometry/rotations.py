"""Rotation vectors [rad]: cross-product matrices, exponential, logarithm, angle."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from spatial_reward.camera import Array


def skew(vectors: ArrayLike) -> Array:
    """Return the matrices (..., 3, 3) with `skew(a) @ b == cross(a, b)`."""
    vectors = np.asarray(vectors, float)
    matrices = np.zeros((*vectors.shape, 3))
    x, y, z = np.moveaxis(vectors, -1, 0)
    matrices[..., 0, 1], matrices[..., 1, 0] = -z, z
    matrices[..., 0, 2], matrices[..., 2, 0] = y, -y
    matrices[..., 1, 2], matrices[..., 2, 1] = -x, x
    return matrices


def rotation_matrix(vector: ArrayLike) -> Array:
    """Return the rotation (3, 3) about `vector` (3,) by its length [rad]."""
    cross = skew(vector)
    angle = float(np.linalg.norm(np.asarray(vector, float)))
    if angle < 1e-8:  # both factors have reached their limits to machine precision
        return np.eye(3) + cross + 0.5 * cross @ cross
    matrix: Array = np.eye(3) + np.sin(angle) / angle * cross + (1 - np.cos(angle)) / angle**2 * cross @ cross
    return matrix


def rotation_vector(rotation: Array) -> Array:
    """Return the rotation vector (..., 3) [rad] of rotations (..., 3, 3); its length is at most pi."""
    vector: Array = Rotation.from_matrix(rotation).as_rotvec()
    return vector


def rotation_angle(rotations: Array) -> Array:
    """Return the angle [rad] of rotations (..., 3, 3)."""
    cosine = (np.trace(rotations, axis1=-2, axis2=-1) - 1) / 2
    angle: Array = np.arccos(np.clip(cosine, -1.0, 1.0))
    return angle

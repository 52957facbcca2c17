"""How far points are from the surfaces of a MuJoCo scene: the truth for point clouds."""

from __future__ import annotations

from typing import Any

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.envs.gl import load_mujoco

BEFORE = 0.02  # [m] before the point that a ray starts
DRAWN = np.array([1, 1, 1, 0, 0, 0], np.uint8)  # geom groups that MuJoCo draws by default


def surface_distance(model: Any, data: Any, points: Array, eye: Array) -> Array:
    """Return an upper bound (N,) [m] on the distance of points (N, 3) [m, world] to the nearest surface.

    The smallest along rays: that from the eye, and those along the axes of the world, both ways.

    Args:
        model: MjModel.
        data: MjData, with positions up to date.
        points: In the state of `data`.
        eye: (3,) from where the points were seen [m], or (N, 3).
    """
    sight = points - eye
    sight = sight / np.linalg.norm(sight, axis=-1, keepdims=True)
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    return np.array(
        [min(_along(model, data, p, way) for way in (s, *axes)) for p, s in zip(points, sight, strict=True)]
    )


def _along(model: Any, data: Any, point: Array, way: Array) -> float:
    """Return how far [m] from a point the surface is that a ray meets which starts shortly before it."""
    hit = np.zeros(1, np.int32)
    distance = load_mujoco().mj_ray(model, data, point - BEFORE * way, way, DRAWN, 1, -1, hit)
    return abs(float(distance) - BEFORE) if distance >= 0 else float("inf")

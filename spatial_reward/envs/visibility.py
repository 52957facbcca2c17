"""Tell which surface points a depth picture shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera

TOLERANCE = 0.002  # [m] behind the surface that still counts as on it
AROUND = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]


def seen(
    camera: Camera,
    depth: NDArray[np.float32],
    bodies: NDArray[np.int32],
    points: Array,
    body: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Tell which points (N, 3) [m] are seen: on a pixel of their body, and not behind its surface.

    The surface under a point is known to a pixel, so the farthest depth of its body among the 3 x 3 pixels
    around it is what a point must not lie behind: a steep surface spans that much.

    Args:
        camera: Of the picture.
        depth: (H, W) planar depth [m].
        bodies: (H, W) body of each pixel; -1 for none.
        points: (N, 3) world positions [m].
        body: (N,) body that each point rides on.
    """
    pixels, z = camera.project(points)
    inside = camera.contains(pixels)
    columns, rows = np.where(inside[:, None], pixels, 0).astype(int).T
    own = inside & (bodies[rows, columns] == body)
    visible: NDArray[np.bool_] = own
    farthest = _farthest(depth, bodies, rows[own], columns[own], body[own])
    visible[own] = z[own] <= farthest + TOLERANCE
    return visible


def _farthest(
    depth: NDArray[np.float32],
    bodies: NDArray[np.int32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    body: NDArray[np.int64],
) -> Array:
    height, width = depth.shape
    farthest = np.full(len(rows), -np.inf)
    for x, y in AROUND:
        row, column = np.clip(rows + y, 0, height - 1), np.clip(columns + x, 0, width - 1)
        same = bodies[row, column] == body
        farthest = np.fmax(farthest, np.where(same, depth[row, column], -np.inf))
    return farthest

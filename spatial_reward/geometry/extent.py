"""The size of a thing from points on it: height, length and width of its aligned box (MultiSPA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def extents(points: ArrayLike) -> tuple[float, float, float]:
    """Return height, length and width [m] of world points (N, 3), z up: dz, the longer and the shorter of dx, dy.

    Raises:
        ValueError: If there is no finite point.
    """
    points = np.asarray(points, float)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise ValueError("A size needs at least one finite point.")
    x, y, z = np.ptp(points, axis=0)
    return float(z), float(max(x, y)), float(min(x, y))

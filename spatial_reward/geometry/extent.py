"""The size of a thing from points on it: height, length and width of its aligned box (MultiSPA)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spatial_reward.camera import Array


class Extents(NamedTuple):
    """A box aligned with the axes of a world whose z axis points up.

    Attributes:
        height: Along z [m].
        length: The longer of x and y [m].
        width: The shorter of x and y [m].
        std: (3,) standard deviations of height, length, width [m]; NaN = unknown.
    """

    height: float
    length: float
    width: float
    std: Array


def extents(points: ArrayLike, covariances: ArrayLike | None = None) -> Extents:
    """Measure the box around world points.

    A side is the difference of two points, the outermost, so it has the errors of both; what lies
    beyond the points given is not known to it.

    Args:
        points: (N, 3) [m]; rows that are not finite are left out.
        covariances: (N, 3, 3) of the points [m^2], where known.

    Raises:
        ValueError: If there is no finite point.
    """
    given = np.asarray(points, float)
    finite = np.isfinite(given).all(axis=1)
    if not finite.any():
        raise ValueError(f"A size needs at least one finite point, got {len(given)} without any.")
    known, axes = given[finite], np.arange(3)
    sides = np.ptp(known, axis=0)
    std = np.full(3, np.nan)
    if covariances is not None:
        variances = np.diagonal(np.asarray(covariances, float)[finite], axis1=1, axis2=2)
        std = np.sqrt(variances[known.argmax(axis=0), axes] + variances[known.argmin(axis=0), axes])
    order = [2, 0, 1] if sides[0] >= sides[1] else [2, 1, 0]
    height, length, width = sides[order]
    return Extents(float(height), float(length), float(width), std[order])

"""The level of what things stand on, in a picture with depth."""

from __future__ import annotations

import numpy as np

from spatial_reward.camera import Array

FLAT = 0.004  # [m] around a level that counts as on it


def ground_level(height: Array) -> float:
    """Return the height [m] of the horizontal plane that most of what is seen lies on; NaN: nothing is seen.

    Args:
        height: Of surface points [m], any shape; NaN where unknown.
    """
    known = height[np.isfinite(height)]
    if not len(known):
        return float("nan")
    counts, edges = np.histogram(known, np.arange(known.min(), known.max() + 2 * FLAT, FLAT))
    middle = edges[int(np.argmax(counts))] + FLAT / 2
    return float(np.median(known[np.abs(known - middle) < FLAT]))

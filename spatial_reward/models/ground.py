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
    levels, counts = np.unique(np.floor(known / FLAT), return_counts=True)
    middle = (levels[int(np.argmax(counts))] + 0.5) * FLAT
    return float(np.median(known[np.abs(known - middle) < FLAT]))

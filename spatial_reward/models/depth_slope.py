"""How depth slopes at a pixel, beside edges too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GENTLE = 0.01  # [m/px] of what is measured with noise, told by the pixels on both sides,
STEEP = 0.03  # and of what was drawn, by the flatter side


def one_sided(depth: NDArray[np.float32], beside: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the smaller of the two slopes (N, 2) of depth beside each pixel, along x and y [m/px].

    The other one may be that of an edge. NaN where either is not known.

    Args:
        depth: (N,) of the pixels [m].
        beside: (4, N) to the right, to the left, below and above them [m].
    """
    right, left, below, above = beside - depth
    after, before = np.stack([right, below], axis=-1), -np.stack([left, above], axis=-1)
    slope = np.where(np.abs(before) < np.abs(after), before, after)
    return np.asarray(np.where(np.isnan(before), np.nan, slope), np.float32)

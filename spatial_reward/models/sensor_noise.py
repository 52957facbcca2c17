"""How noisy a depth picture is, told from the picture itself: nothing where it was drawn."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

STRIDES = 4, 8  # [px] between the pixels that are compared: the noise of nearer ones goes together
SAMPLED = 3000  # pixels, about, from which the noise is told
CALM = 0.25  # share of the picture, at least, that is plane enough to tell its noise,
NORMAL = 0.3186  # and the standard deviations within which a normal number lies that often
WINDOW = 5  # [px] that are averaged where it is noisy,
ALIKE = 3.0  # and the standard deviations by which they may differ, about
NEGLIGIBLE = 2e-4  # [1/m] that rounding and bent surfaces may look like: 0.2 mm at 1 m


def measured_noise(depth: NDArray[np.floating]) -> float:
    """Return the noise [1/m] of a depth picture: times the depth squared, its standard deviation [m].

    The inverse of the depth changes evenly across a plane, so that its second differences show the noise
    alone; that of triangulated depth is the same everywhere in it.

    Args:
        depth: (H, W) [m]; NaN where nothing was measured.
    """
    near, far = STRIDES
    noise = _bending(depth, near)
    return max(noise, _bending(depth, far)) if noise > NEGLIGIBLE else 0.0


def _bending(depth: NDArray[np.floating], stride: int) -> float:
    """Return the deviation [1/m] that would bend the calmest part of a picture as much as it is bent."""
    apart = max(1, round(np.sqrt(2 * depth.size / SAMPLED)))  # [px] between the lines that are looked at
    lines = 1 / depth[::apart], 1 / depth[:, ::apart].T
    bends = [
        np.abs(one[:, : -2 * stride] - 2 * one[:, stride:-stride] + one[:, 2 * stride :]) for one in lines
    ]
    known = np.concatenate([bend[np.isfinite(bend)] for bend in bends])
    if not len(known):
        return 0.0
    calm = int(CALM * len(known))
    return float(np.partition(known, calm)[calm] / (NORMAL * np.sqrt(6)))  # of 1 + 4 + 1 variances


def smoothed(depth: NDArray[np.float32], noise: float) -> NDArray[np.float32]:
    """Average a noisy depth picture (H, W) [m] over the neighbours of one surface; holes stay holes."""
    inverse = np.nan_to_num(1 / depth)  # a plane's is even, and nothing is as far as a hole
    average = cv2.bilateralFilter(inverse, WINDOW, ALIKE * noise, WINDOW / 2)
    with np.errstate(divide="ignore"):
        return np.where(np.isfinite(depth), 1 / average, depth)

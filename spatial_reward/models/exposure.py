"""How much brighter one picture is than another where both show the same surface."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from spatial_reward.camera import Array, transform
from spatial_reward.types import Frame

SAMPLED = 1000  # pixels that are compared, about
FEWEST = 60  # of them that show the same surface in both pictures, unless nothing is told
SAME_DEPTH = 0.01  # share of the depth within which they do
DARK, BRIGHT = 15, 240  # grey levels outside which a colour tells nothing
GLANCE = 0.05  # change of a picture's mean under which it is taken for as bright
UNCHANGED = 0.1  # and of its surfaces: so little does not matter,
CLEARLY = 4.0  # nor what is not so many times as much as half of them differ from the rest
BLUR = 5  # [px] that hide noise, and that surfaces are not met to a pixel


def evened(reference: Frame, current: Frame, current_from_reference: Array) -> Frame:
    """Return the current frame made as bright as the reference; itself where it is, or nothing tells.

    Args:
        reference: A frame with depth and camera.
        current: Another one.
        current_from_reference: (4, 4) between their cameras.
    """
    if _glance(reference, current) < GLANCE:
        return current
    gain = _gain(*_same_surfaces(reference, current, current_from_reference))
    if gain is None:
        return current
    table = np.clip(np.round(np.arange(256)[:, None] / gain), 0, 255).astype(np.uint8)
    return replace(current, rgb=np.stack([table[current.rgb[..., i], i] for i in range(3)], axis=-1))


def _glance(reference: Frame, current: Frame) -> float:
    """Return by what share the mean of any channel differs."""
    before, after = (frame.rgb[::9, ::9].mean(axis=(0, 1)) for frame in (reference, current))
    return float(np.abs(after / np.maximum(before, 1) - 1).max())


def _gain(before: Array, after: Array) -> Array | None:
    """Return the gain (3,) between colours (N, 3) of the same surfaces; None where they tell of none.

    The light on a surface changes as well when things or lamps move, but not alike on all of them.
    """
    told = ((np.minimum(before, after) > DARK) & (np.maximum(before, after) < BRIGHT)).all(axis=1)
    if told.sum() < FEWEST:
        return None
    ratios = after[told] / before[told]
    gain = np.median(ratios, axis=0)
    uneven = np.median(np.abs(ratios / gain - 1), axis=0).max()
    return np.asarray(gain) if np.abs(gain - 1).max() > max(UNCHANGED, CLEARLY * uneven) else None


def _same_surfaces(reference: Frame, current: Frame, current_from_reference: Array) -> tuple[Array, Array]:
    """Return the colours (N, 3), in both pictures, of what both show."""
    assert reference.depth is not None and reference.camera is not None
    assert current.depth is not None and current.camera is not None
    stride = max(1, round(np.sqrt(reference.depth.size / SAMPLED)))
    height, width = reference.depth.shape
    row, column = np.mgrid[:height:stride, :width:stride].reshape(2, -1)
    known = np.isfinite(reference.depth[row, column]) & (reference.depth[row, column] > 0)
    row, column = row[known], column[known]
    points = reference.camera.rays(np.stack([column, row], -1) + 0.5) * reference.depth[row, column, None]
    seen = transform(current_from_reference, points)
    pixels = current.camera.pixels(seen)
    inside = current.camera.contains(pixels)
    x, y = np.where(inside[:, None], pixels, 0).astype(int).T
    with np.errstate(invalid="ignore"):  # NaN is not the same
        same = inside & (np.abs(current.depth[y, x] - seen[:, 2]) < SAME_DEPTH * seen[:, 2])
    before, after = (cv2.blur(frame.rgb, (BLUR, BLUR)) for frame in (reference, current))
    return before[row, column][same].astype(float), after[y, x][same].astype(float)

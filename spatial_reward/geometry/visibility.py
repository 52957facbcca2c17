"""Which points a depth picture shows, and how much two pictures show in common."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array, Camera

Mode = Literal["strict", "paper"]


def visible(
    camera: Camera,
    points: ArrayLike,
    depth: NDArray[np.floating],
    mode: Mode = "strict",
    tolerance: float = 0.02,  # [m]
) -> NDArray[np.bool_]:
    """Tell which world points (N, 3) [m] a picture shows.

    "strict" asks that the surface measured at the pixel is the point's, so what is in front hides it.
    "paper" is MultiSPA's rule, in front of the measured surface at the rounded pixel (holes show nothing):
    without a tolerance, it drops about half of the points on the surface to the noise of the depth.

    Args:
        camera: Of the picture; its size may differ from that of `depth`.
        points: (N, 3) world points.
        depth: (H, W) planar depth [m]; NaN or 0 where nothing was measured.
        mode: "strict" or "paper".
        tolerance: Half width [m] of the surface in strict mode.

    Raises:
        ValueError: If `mode` is unknown.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"`mode` must be one of {get_args(Mode)}, got {mode!r}.")
    pixels, z = camera.project(points)
    inside = camera.contains(pixels) & (z > 0)
    scaled = np.where(inside[:, None], pixels, 0) * np.divide(
        depth.shape[::-1], (camera.width, camera.height)
    )
    cells = np.floor(scaled) if mode == "strict" else np.round(scaled)
    column, row = np.clip(cells, 0, np.subtract(depth.shape[::-1], 1)).astype(int).T
    surface = np.nan_to_num(depth[row, column].astype(float), nan=0.0)
    agrees = np.abs(z - surface) <= tolerance if mode == "strict" else z < surface
    shown: NDArray[np.bool_] = inside & (surface > 0) & agrees
    return shown


def overlap(visible: NDArray[np.bool_]) -> Array:
    """Return the intersection over union (T, T) of the points that T pictures show (T, N); 0 if none."""
    seen = np.asarray(visible, np.float32)  # exact up to 2**24 points
    common = (seen @ seen.T).astype(float)
    counts = np.diagonal(common)
    either = counts[:, None] + counts - common
    shares: Array = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
    return shares

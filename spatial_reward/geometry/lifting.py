"""From pixels with measured depth to points in camera axes, with first-order covariances."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array, Camera

NOISE_FLOOR = 0.0005  # [m] of a depth camera at close range
NOISE_GROWTH = 0.0012  # [1/m]; the error of triangulated depth grows with its square
EDGE = 0.02  # share of the depth beyond which neighbouring pixels show different surfaces


def depth_noise(depth: ArrayLike) -> Array:
    """Return the standard deviation [m] expected of a measured depth [m]."""
    return np.asarray(NOISE_FLOOR + NOISE_GROWTH * np.square(np.asarray(depth, float)))


def sample_depth(depth: NDArray[np.floating], pixels: ArrayLike) -> tuple[Array, Array]:
    """Read a depth picture between pixels, never across an edge.

    Args:
        depth: (H, W) [m]; NaN or 0 where nothing was measured.
        pixels: (N, 2) continuous pixels.

    Returns:
        Depth (N,) [m] and its local standard deviation (N,); NaN in holes and outside the picture.
    """
    pixels = np.asarray(pixels, float).reshape(-1, 2)
    height, width = depth.shape
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= 0) & (pixels < [width, height])).all(axis=1)
    column, row = np.where(inside[:, None], pixels, 0).astype(int).T
    nearest = np.where(inside & (depth[row, column] > 0), depth[row, column], np.nan).astype(float)
    left, top = np.floor(np.where(inside[:, None], pixels, 0) - 0.5).T
    corners, shares = [], []
    for right in (0, 1):
        for down in (0, 1):
            x, y = (left + right).clip(0, width - 1).astype(int), (top + down).clip(0, height - 1).astype(int)
            across, along = np.abs(pixels[:, 0] - left - right - 0.5), np.abs(pixels[:, 1] - top - down - 0.5)
            corners.append(depth[y, x].astype(float))
            shares.append((1 - across) * (1 - along))
    values, weights = np.array(corners), np.array(shares)
    with np.errstate(invalid="ignore"):
        same = np.abs(values - nearest) < EDGE * nearest
    weights = np.where(same, weights, 0.0)
    total = weights.sum(axis=0)
    blended = (weights * np.where(same, values, 0.0)).sum(axis=0) / np.where(total > 0, total, np.nan)
    spread = np.sqrt(
        (weights * np.where(same, values - blended, 0.0) ** 2).sum(axis=0) / np.where(total > 0, total, 1)
    )
    return np.where(total > 0, blended, nearest), np.where(np.isfinite(nearest), spread, np.nan)


def lift(
    camera: Camera, pixels: ArrayLike, depth: ArrayLike, pixel_std: ArrayLike, depth_std: ArrayLike
) -> tuple[Array, Array]:
    """Lift pixels (N, 2) at depths (N,) [m] to points (N, 3) in camera axes with covariances (N, 3, 3) [m^2]."""
    rays, depth = camera.rays(pixels), np.asarray(depth, float)
    points = rays * depth[:, None]
    inverse = np.linalg.inv(camera.intrinsics)[:, :2]
    sideways = depth[:, None, None] * inverse  # (N, 3, 2): d point / d pixel
    variance = np.broadcast_to(np.square(np.asarray(pixel_std, float)), depth.shape)
    covariance = variance[:, None, None] * sideways @ np.swapaxes(sideways, 1, 2)
    along = np.square(np.broadcast_to(np.asarray(depth_std, float), depth.shape))
    return points, covariance + along[:, None, None] * rays[:, :, None] * rays[:, None, :]

"""What cameras do to pictures: exposure, colour, blur, noise, compression; and what depth cameras miss."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def degrade(pictures: Image, rng: np.random.Generator) -> Image:
    """Degrade the pictures (K, H, W, 3) of one clip: mostly alike, and each a little by itself."""
    gain, tint, gamma = np.exp(0.25 * rng.normal()), np.exp(0.1 * rng.normal(size=3)), 0.2 * rng.normal()
    noise = 0.04 * max(rng.uniform(-0.5, 1), 0)
    changed = [_one(picture, gain, tint, gamma, noise, rng) for picture in pictures]
    return np.stack(changed)


def _one(
    picture: Image,
    gain: float,
    tint: NDArray[np.float64],
    gamma: float,
    noise: float,
    rng: np.random.Generator,
) -> Image:
    levels = np.arange(256)[:, None] / 255
    own = gain * np.exp(0.08 * rng.normal()) * tint * np.exp(0.03 * rng.normal(size=3))
    curve = np.round(255 * np.clip(levels * own, 0, 1) ** np.exp(gamma)).astype(np.uint8)
    result = np.asarray(cv2.LUT(picture, curve[None]), np.uint8)
    if rng.random() < 0.25:
        result = np.asarray(cv2.GaussianBlur(result, (0, 0), rng.uniform(0.3, 1.2)), np.uint8)
    if noise:
        grain = (255 * noise) * rng.standard_normal(picture.shape, np.float32)
        result = np.clip(result + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        packed = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))])[1]
        result = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return result


def depth_camera(depth: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return depth (K, H, W) [m] as a sensor gives it: noise that grows with distance, and holes (NaN)."""
    noisy = depth * (1 + 0.004 * depth * rng.standard_normal(depth.shape, np.float32))
    return np.where(rng.random(depth.shape, np.float32) < 0.02, np.nan, noisy).astype(np.float32)

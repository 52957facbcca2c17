"""Grey patterns for the materials of the table-top scenes, painted once when a model is loaded."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from spatial_reward.camera import Array

PATTERN_SEED = 20250522  # the patterns are part of the scene, the same in every process


def paint_textures(model: Any) -> None:
    """Fill every texture called `surface_<pattern>` or `object_<pattern>`; do it before rendering."""
    rng = np.random.default_rng(PATTERN_SEED)
    for index in range(model.ntex):
        _, _, pattern = model.texture(index).name.partition("_")
        if pattern in PATTERNS:
            _paint(model, index, PATTERNS[pattern](int(model.tex_width[index]), rng))


def _paint(model: Any, index: int, grey: Array) -> None:
    width, height = int(model.tex_width[index]), int(model.tex_height[index])
    channels, start = int(model.tex_nchannel[index]), int(model.tex_adr[index])
    faces = np.tile(grey, (height // width, 1))  # a cube texture is six faces, one below the other
    pixels = np.repeat(np.round(255 * np.clip(faces, 0, 1)).astype(np.uint8)[..., None], channels, axis=2)
    model.tex_data[start : start + pixels.size] = pixels.ravel()


def _checker(size: int, rng: np.random.Generator) -> Array:
    row, column = np.indices((size, size)) // (size // 4)
    return np.where((row + column) % 2, 1.0, 0.68)


def _stripes(size: int, rng: np.random.Generator) -> Array:
    return np.tile(np.where(np.arange(size) // (size // 8) % 2, 1.0, 0.68), (size, 1))


def _gradient(size: int, rng: np.random.Generator) -> Array:
    return np.tile(np.linspace(0.55, 1.0, size)[:, None], (1, size))


def _frame(size: int, rng: np.random.Generator) -> Array:
    row, column = np.indices((size, size))
    border = np.minimum.reduce([row, column, size - 1 - row, size - 1 - column])
    return np.where(border < size // 10, 0.62, 1.0)


def _noise(size: int, rng: np.random.Generator) -> Array:
    return 0.5 + 0.5 * _clouds(size, rng)


def _speckle(size: int, rng: np.random.Generator) -> Array:
    grains = cv2.GaussianBlur(rng.random((size, size)), (0, 0), 1.2)
    return np.where(grains > np.quantile(grains, 0.85), 0.6, 1.0)


def _wood(size: int, rng: np.random.Generator) -> Array:
    across = np.arange(size)[:, None] / size + 0.06 * _clouds(size, rng)
    grain = cv2.GaussianBlur(rng.random((size, size)), (0, 0), sigmaX=12, sigmaY=0.6)
    grey: Array = 0.86 + 0.08 * np.sin(2 * np.pi * 9 * across) + 1.5 * (grain - 0.5)
    return grey


def _clouds(size: int, rng: np.random.Generator) -> Array:
    """Sum noise of four scales and stretch it to [0, 1]."""
    total = np.zeros((size, size))
    for cells in (4, 8, 16, 32):
        coarse = rng.random((cells, cells))
        total += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) / cells
    stretched: Array = (total - total.min()) / np.ptp(total)
    return stretched


PATTERNS = {
    "checker": _checker,
    "stripes": _stripes,
    "gradient": _gradient,
    "frame": _frame,
    "noise": _noise,
    "speckle": _speckle,
    "wood": _wood,
}

"""Procedural colour textures for random scenes: what surfaces look like, at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array

Image = NDArray[np.uint8]
_SIZE = 128  # [px]


def paint(families: tuple[str, ...], rng: np.random.Generator) -> Image:
    """Paint a (128, 128, 3) texture of one of the families.

    Most have weak contrast, as tables and robot parts do; some are loud.
    """
    family = families[rng.integers(len(families))]
    shares = np.clip(_FAMILIES[family](rng), 0, 1)
    first = colour(rng)
    contrast = rng.uniform(0.03, 0.3) if rng.random() < 0.6 else 1.0
    second = first + contrast * (colour(rng) - first)
    if shares.ndim == 2:
        shares = shares[..., None]
    mixed = first + shares * (second - first)
    return np.asarray(np.round(255 * np.clip(mixed, 0, 1)), np.uint8)


def colour(rng: np.random.Generator) -> Array:
    """Draw an RGB colour in [0, 1]: mostly dull, of any brightness, sometimes loud."""
    grey, loud = rng.random(), rng.random() ** 2
    drawn: Array = grey + loud * (rng.random(3) - grey)
    return drawn


def _grid() -> tuple[Array, Array]:
    row, column = np.indices((_SIZE, _SIZE)) / _SIZE
    return row, column


def _flat(rng: np.random.Generator) -> Any:
    return np.zeros((_SIZE, _SIZE))


def _checker(rng: np.random.Generator) -> Any:
    row, column = _grid()
    cells = rng.integers(2, 12)
    return ((row * cells).astype(int) + (column * cells).astype(int)) % 2.0


def _stripes(rng: np.random.Generator) -> Any:
    row, column = _grid()
    angle = rng.uniform(0, np.pi)
    wave = np.sin(2 * np.pi * rng.uniform(2, 14) * (row * np.cos(angle) + column * np.sin(angle)))
    return 0.5 + 0.5 * np.clip(wave * rng.uniform(1, 6), -1, 1)


def _gradient(rng: np.random.Generator) -> Any:
    row, column = _grid()
    angle = rng.uniform(0, 2 * np.pi)
    return 0.5 + 0.7 * ((row - 0.5) * np.cos(angle) + (column - 0.5) * np.sin(angle))


def _clouds(rng: np.random.Generator) -> Any:
    total = np.zeros((_SIZE, _SIZE))
    for cells in (3, 6, 12, 24, 48):
        coarse = rng.random((cells, cells))
        total += cv2.resize(coarse, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC) / cells ** rng.uniform(
            0.4, 1
        )
    return (total - total.min()) / np.ptp(total)


def _speckle(rng: np.random.Generator) -> Any:
    grains = cv2.GaussianBlur(rng.random((_SIZE, _SIZE)), (0, 0), rng.uniform(0.7, 3))
    return (grains > np.quantile(grains, rng.uniform(0.5, 0.95))).astype(float)


def _wood(rng: np.random.Generator) -> Any:
    row, _ = _grid()
    warped = row + rng.uniform(0.02, 0.15) * _clouds(rng)
    return 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(3, 15) * warped)


def _patches(rng: np.random.Generator) -> Any:
    """Overlay blurred shapes of many colours: photo-like, with edges at every scale."""
    picture = np.full((_SIZE, _SIZE, 3), rng.random(3))
    for _ in range(rng.integers(5, 40)):
        centre, radius = rng.integers(0, _SIZE, 2).tolist(), int(rng.integers(3, 40))
        shade = rng.random(3).tolist()
        if rng.random() < 0.5:
            cv2.circle(picture, centre, radius, shade, -1)
        else:
            corner = rng.integers(0, _SIZE, 2).tolist()
            cv2.rectangle(picture, centre, corner, shade, int(rng.choice([-1, 1, 3])))
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 2.5))


def _rings(rng: np.random.Generator) -> Any:
    row, column = _grid()
    centre = rng.random(2)
    return 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(3, 12) * np.hypot(row - centre[0], column - centre[1]))


def _bricks(rng: np.random.Generator) -> Any:
    row, column = _grid()
    rows = int(rng.integers(3, 9))
    shifted = column * rows / 2 + 0.5 * ((row * rows).astype(int) % 2)
    mortar = rng.uniform(0.05, 0.15)
    return ((row * rows % 1 < mortar) | (shifted % 1 < mortar / 2)).astype(float)


def _cells(rng: np.random.Generator) -> Any:
    """Colour the nearest of random seeds (Voronoi cells)."""
    row, column = _grid()
    seeds = rng.random((rng.integers(8, 40), 2))
    distance = np.hypot(row[..., None] - seeds[:, 0], column[..., None] - seeds[:, 1])
    return rng.random((len(seeds), 3))[distance.argmin(-1)]


def _camouflage(rng: np.random.Generator) -> Any:
    return np.floor(_clouds(rng) * 4) / 3


_FAMILIES: dict[str, Callable[[np.random.Generator], Any]] = {
    "flat": _flat,
    "checker": _checker,
    "stripes": _stripes,
    "gradient": _gradient,
    "clouds": _clouds,
    "speckle": _speckle,
    "wood": _wood,
    "patches": _patches,
    "rings": _rings,
    "bricks": _bricks,
    "cells": _cells,
    "camouflage": _camouflage,
}
HELD_OUT = ("rings", "bricks", "cells", "camouflage")  # never seen in training
TRAINED = tuple(family for family in _FAMILIES if family not in HELD_OUT)

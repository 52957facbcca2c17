"""Where a named thing is in a picture, as far as its name says its colour: "red mug", "the blue box".

No words are learnt: the basic colour terms are ranges of hue, saturation and brightness, and of all patches
of that colour, the one that fits best and stands out from what is large is taken. Shape words only tell
round from angular outlines apart; names without a colour are not understood.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from spatial_reward.camera import Array, transform
from spatial_reward.models.ground import FLAT, ground_level
from spatial_reward.types import Frame

FEWEST = 12  # pixels of a thing
LARGEST = 0.35  # share of the picture; more is what things stand on
CLOSE = 0.02  # [m] between neighbouring pixels of one thing
SMALL, LARGE = 0.01, 0.35  # [m] that a thing extends
MOST = 6  # patches that are thought of
LIKELY = 0.25  # how well a pixel must fit the colour

Mask = NDArray[np.bool_]


class Colour(NamedTuple):
    """A colour term: hue and half width [deg], saturation and brightness from and to, in [0, 1]."""

    hue: float
    width: float
    saturation: tuple[float, float]
    brightness: tuple[float, float] = (0.08, 1.0)


COLOURS = {
    "red": Colour(0, 14, (0.65, 1.0)),
    "orange": Colour(30, 12, (0.80, 1.0)),
    "brown": Colour(25, 15, (0.35, 0.80), (0.04, 0.65)),
    "yellow": Colour(54, 13, (0.55, 1.0)),
    "green": Colour(120, 45, (0.35, 1.0)),
    "blue": Colour(225, 28, (0.45, 1.0)),
    "purple": Colour(282, 20, (0.35, 1.0)),
    "pink": Colour(335, 25, (0.20, 0.65), (0.15, 1.0)),
    "black": Colour(0, 180, (0.0, 0.35), (0.0, 0.16)),
    "white": Colour(0, 180, (0.0, 0.18), (0.35, 1.0)),
    "grey": Colour(0, 180, (0.0, 0.18), (0.12, 0.7)),
    "gray": Colour(0, 180, (0.0, 0.18), (0.12, 0.7)),
}


def colour_of(name: str) -> Colour | None:
    """Return the colour that a name says; None if it says none."""
    return next((COLOURS[word] for word in name.lower().split() if word in COLOURS), None)


def named_patches(frame: Frame, name: str) -> list[tuple[float, Mask]]:
    """Return score and pixels (H, W) of the patches that may be the thing of that name, the best first.

    Measured depth, where there is any, tells things apart that touch in the picture, and from what they
    stand on.
    """
    colour = colour_of(name)
    if colour is None:
        return []
    fit, points = _fit(frame, colour), _points(frame)
    inside = fit > LIKELY if points is None else (fit > LIKELY) & ~_support(points)
    labels = _patches(inside, points)
    sizes = np.bincount(labels[inside], minlength=1)
    large = np.flatnonzero((sizes >= FEWEST) & (sizes <= LARGEST * labels.size))
    masks = [inside & (labels == label) for label in large]
    scored = [(_score(mask, fit, points), mask) for mask in masks]
    return sorted((one for one in scored if one[0] > 0), key=lambda one: -one[0])[:MOST]


def middle(mask: Mask) -> tuple[float, float]:
    """Return the pixel of a patch that is farthest from its outline [px]."""
    inside = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return float(column) + 0.5, float(row) + 0.5


def _fit(frame: Frame, colour: Colour) -> NDArray[np.float32]:
    """Return how well each pixel (H, W) fits a colour, from 0 to 1: less and less outside of its ranges."""
    hsv = cv2.cvtColor(frame.rgb.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hue = np.abs((hsv[..., 0] - colour.hue + 180) % 360 - 180)  # [deg] off
    misses = _outside(hue, 0, colour.width) ** 2 / 8**2
    misses += _outside(hsv[..., 1], *colour.saturation) ** 2 / 0.1**2
    misses += _outside(hsv[..., 2], *colour.brightness) ** 2 / 0.08**2
    misses += 0.2 * np.minimum(hue / colour.width, 1) ** 2  # the middle of a hue fits best
    return np.exp(-misses)


def _outside(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    return np.asarray(np.maximum(np.maximum(low - values, values - high), 0), np.float32)


def _points(frame: Frame) -> Array | None:
    """Return the surface points (H, W, 3) [m, world]; None without depth and camera."""
    if frame.depth is None or frame.camera is None:
        return None
    column, row = np.meshgrid(np.arange(frame.width) + 0.5, np.arange(frame.height) + 0.5)
    rays = frame.camera.rays(np.stack([column, row], -1))
    return transform(frame.camera.world_from_camera, rays * frame.depth[..., None])


def _support(points: Array) -> Mask:
    """Tell which pixels (H, W) lie on the horizontal plane that most of what is seen lies on."""
    height = points[..., 2]
    with np.errstate(invalid="ignore"):
        plane: Mask = np.abs(height - ground_level(height)) < FLAT
    return plane


def _patches(inside: Mask, points: Array | None) -> NDArray[np.int32]:
    """Number the patches (H, W) of neighbours that belong together."""
    if points is None:
        return np.asarray(cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)[1], np.int32)
    index = np.arange(inside.size).reshape(inside.shape)
    starts, ends = [], []
    for first, second in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        with np.errstate(invalid="ignore"):
            near = np.linalg.norm(points[first] - points[second], axis=-1) < CLOSE
        joined = inside[first] & inside[second] & near
        starts.append(index[first][joined])
        ends.append(index[second][joined])
    start, end = np.concatenate(starts), np.concatenate(ends)
    graph = coo_matrix((np.ones(len(start), bool), (start, end)), shape=(inside.size, inside.size))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1].reshape(inside.shape)
    return labels


def _score(mask: Mask, fit: NDArray[np.float32], points: Array | None) -> float:
    """Tell how much a patch looks like the thing that is meant: it fits, and is as large as things are."""
    if points is not None and not SMALL < float(np.ptp(points[mask], axis=0).max()) < LARGE:
        return 0.0
    return float(fit[mask].mean()) * (1 - float(np.exp(-mask.sum() / 40)))

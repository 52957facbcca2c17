"""Marks on pictures: dots with letters, arrows, ellipses and legible text.

Every function takes an (H, W, 3) uint8 RGB picture and returns a marked copy. Coordinates are continuous
pixels, as in `camera.py`: the centre of the top-left pixel is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Okabe and Ito's colours, told apart with any colour vision; red is kept for what is invalid.
COLOURS: tuple[Colour, ...] = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167), (240, 228, 66))
RED: Colour = (240, 60, 50)
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SHIFT = 4  # cv2 takes fixed-point coordinates with so many binary places


def colour(index: int) -> Colour:
    """Return the colour of reference number `index`."""
    return COLOURS[index % len(COLOURS)]


def letter(index: int) -> str:
    """Return the letter of reference number `index`: A to Z, then A again."""
    return chr(ord("A") + index % 26)


def enlarge(picture: Picture, scale: float) -> Picture:
    """Scale a picture; marks drawn after it are sharper. Coordinates scale by the same factor."""
    interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=interpolation), np.uint8)


def dot(
    picture: Picture,
    at: ArrayLike,
    colour: Colour,
    *,
    radius: float = 4.0,
    label: str = "",
    ring: bool = False,
) -> Picture:
    """Draw a dot (or an empty ring) with a dark rim, and a label to its right: above, or below a ring."""
    marked = picture.copy()
    for extra, shade in ((1.5, BLACK), (0.0, colour)):
        thickness = round(2 + 2 * extra) if ring else cv2.FILLED
        size = round((radius + (0 if ring else extra)) * 2**_SHIFT)
        cv2.circle(marked, _fixed(at), size, shade, thickness, cv2.LINE_AA, _SHIFT)
    beside = np.add(at, (radius + 4, radius + 16 if ring else -radius))
    return text(marked, label, beside, colour, size=0.7) if label else marked


def line(picture: Picture, start: ArrayLike, end: ArrayLike, colour: Colour, *, width: int = 2) -> Picture:
    """Draw a straight line."""
    marked = picture.copy()
    cv2.line(marked, _fixed(start), _fixed(end), colour, width, cv2.LINE_AA, _SHIFT)
    return marked


def panel(picture: Picture, corner: ArrayLike, size: tuple[int, int]) -> Picture:
    """Darken a rectangle of some width and height [px], from its upper left corner."""
    marked = picture.copy()
    left, top = np.asarray(corner, int)
    part = marked[top : top + size[1], left : left + size[0]]
    part[:] = part // 4
    return marked


def arrow(picture: Picture, start: ArrayLike, end: ArrayLike, colour: Colour, *, width: int = 2) -> Picture:
    """Draw an arrow with a dark rim; its head measures 14 px, or the whole length where that is shorter."""
    marked = picture.copy()
    length = float(np.linalg.norm(np.asarray(end, float) - np.asarray(start, float)))
    if length < 1:
        return marked
    head = min(1.0, (10.0 + 2 * width) / length)
    for extra, shade in ((2, BLACK), (0, colour)):
        cv2.arrowedLine(marked, _fixed(start), _fixed(end), shade, width + extra, cv2.LINE_AA, _SHIFT, head)
    return marked


def ellipse_outline(centre: ArrayLike, covariance: Array, *, sigmas: float = 2.0, count: int = 49) -> Array:
    """Return the closed outline (count, 2) [px] of a covariance (2, 2) [px^2]."""
    angles = np.linspace(0, 2 * np.pi, count)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    variances, axes = np.linalg.eigh(covariance)
    outline: Array = np.asarray(centre) + sigmas * circle * np.sqrt(np.maximum(variances, 0)) @ axes.T
    return outline


def ellipse(
    picture: Picture, centre: ArrayLike, covariance: Array, colour: Colour, *, sigmas: float = 2.0
) -> Picture:
    """Draw the outline of a covariance (2, 2) [px^2] at so many standard deviations."""
    marked = picture.copy()
    outline = np.array([_fixed(point) for point in ellipse_outline(centre, covariance, sigmas=sigmas)])
    for width, shade in ((4, BLACK), (2, colour)):
        cv2.polylines(marked, [outline], True, shade, width, cv2.LINE_AA, _SHIFT)
    return marked


def text(
    picture: Picture, words: str, at: ArrayLike, colour: Colour = WHITE, *, size: float = 0.7
) -> Picture:
    """Write words on a darkened strip; their baseline starts at `at`, moved inside the picture.

    Capitals are about 22 * size pixels high. OpenCV has ASCII only; other characters become "?".
    """
    marked = picture.copy()
    thickness = 1 if size < 0.6 else 2
    (width, height), below = cv2.getTextSize(words, _FONT, size, thickness)
    column, baseline = np.asarray(at, float)
    column = int(np.clip(column, 3, max(3, picture.shape[1] - width - 3)))
    baseline = int(np.clip(baseline, height + 3, max(height + 3, picture.shape[0] - below)))
    strip = marked[baseline - height - 3 : baseline + below, column - 3 : column + width + 3]
    strip[:] = strip // 4
    cv2.putText(marked, words, (column, baseline), _FONT, size, colour, thickness, cv2.LINE_AA)
    return marked


def lines(picture: Picture, words: Sequence[tuple[str, Colour]], *, size: float = 0.7) -> Picture:
    """Write lines of words in their colours, from the bottom left upwards so that the last is lowest."""
    height = round(46 * size)
    for number, (line, shade) in enumerate(reversed(words)):
        picture = text(picture, line, (6, picture.shape[0] - 9 - number * height), shade, size=size)
    return picture


def _fixed(point: ArrayLike) -> tuple[int, int]:
    """Return cv2's fixed-point coordinates, which count from the centre of the first pixel."""
    column, row = np.round((np.asarray(point, float) - 0.5) * 2**_SHIFT).astype(int)
    return int(column), int(row)

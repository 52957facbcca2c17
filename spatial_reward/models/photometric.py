"""Lay points of one picture onto another by their colours alone: Gauss-Newton with robust weights.

Each point brings how uncertain its depth is: where a motion makes that visible, a difference of colours says
less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, rigid, transform
from spatial_reward.geometry.rotations import rotation_matrix

NOISE = 5.0  # of a colour, lighting included
DEPTH_TRUST = 2.0  # by how much the variance that depth causes counts more: neighbouring depths err together
OUTSIDE = 0.9  # misfit of a point that the picture does not show; 1 is that of one that looks different
NEAREST = 0.02  # [m] in front of a camera that a point can be seen
SOFT = 0.8  # [px] of the blur of each layer
STEP = 0.5  # [rad] and [m] that a step goes at most, about
STOP = 1e-5  # [rad] and [m] of a step under which nothing is gained
FEWEST = 30  # points in the picture

Values = NDArray[np.float32]


class Points(NamedTuple):
    """Surface points of a picture.

    Attributes:
        places: (N, 3) in the axes of its camera [m].
        colour: (N, 3) Lab.
        doubt: (N,) standard deviation of the log of their depth.
    """

    places: Array
    colour: Values
    doubt: Array


@dataclass(frozen=True, eq=False)
class Layer:
    """A picture at one size.

    Attributes:
        camera: Of that size.
        colour: (H, W, 3) Lab, blurred a little.
        values: (H W, 9) colour, and its slopes along x and along y [1/px].
    """

    camera: Camera
    colour: Values
    values: Values

    @classmethod
    def of(cls, rgb: NDArray[np.uint8], camera: Camera, width: int) -> Layer:
        """Shrink a picture (H, W, 3)."""
        height = max(8, round(rgb.shape[0] * width / rgb.shape[1]))
        small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        colour = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), SOFT)
        down, across = np.gradient(colour, axis=(0, 1))
        values = np.concatenate([colour, across, down], -1).reshape(-1, 9)
        return cls(camera.resized(width, height), colour, values)

    @property
    def contrast(self) -> Values:
        """How fast colours change (H, W) [1/px]."""
        steep: Values = np.linalg.norm(self.values[:, 3:], axis=1).reshape(self.colour.shape[:2])
        return steep

    def read(self, pixels: Array) -> tuple[Values, NDArray[np.bool_]]:
        """Return colours and slopes (N, 9) between the middles of pixels, and whether all four are inside."""
        height, width = self.colour.shape[:2]
        x, y = (pixels - 0.5).T
        with np.errstate(invalid="ignore"):
            inside = (x >= 0) & (y >= 0) & (x < width - 1) & (y < height - 1)
        x, y = np.where(inside, x, 0), np.where(inside, y, 0)
        column, row = x.astype(int), y.astype(int)
        across, down = ((x - column)[:, None].astype(np.float32), (y - row)[:, None].astype(np.float32))
        index = row * width + column
        upper = (1 - across) * self.values[index] + across * self.values[index + 1]
        lower = (1 - across) * self.values[index + width] + across * self.values[index + width + 1]
        return (1 - down) * upper + down * lower, inside


class _Laid(NamedTuple):
    moved: Array  # (N, 3) in the axes of the picture's camera [m]
    slopes: Array  # (N, 3, 3) of each colour with a shift of the point [1/m]
    off: Array  # (N, 3) colour there less the point's
    inside: NDArray[np.bool_]


def align(layer: Layer, points: Points, motion: Array, *, steps: int) -> tuple[Array, Array]:
    """Improve a motion (4, 4); return it with its information (6, 6) [rotation rad, translation m].

    The information is about the mean of the moved points, and for independent errors of the colours.

    Args:
        layer: The picture that the points are laid onto.
        points: Of the other picture.
        motion: From the other camera's axes to those of this one, to start from.
        steps: At most.
    """
    information = np.zeros((6, 6))
    for _ in range(steps):
        laid = _lay(layer, points, motion)
        if laid.inside.sum() < FEWEST:
            break
        information, gradient = _normal_equations(laid, points.doubt, motion)
        change = np.linalg.solve(information + np.eye(6) / STEP**2, -gradient)
        centre = laid.moved.mean(axis=0)
        rotation = rotation_matrix(change[:3])
        motion = rigid(rotation, centre + change[3:] - rotation @ centre) @ motion
        if np.abs(change).max() < STOP:
            break
    return motion, information


def misfit(layer: Layer, points: Points, motion: Array) -> float:
    """Return the mean misfit of points moved by `motion` (4, 4), from 0 to 1."""
    laid = _lay(layer, points, motion)
    return float(np.where(laid.inside, _unlike(laid.off), OUTSIDE).mean())


def misfits(layer: Layer, points: Points, motions: Array) -> Array:
    """Return the misfits (K,) of motions (K, 4, 4), by the nearest pixels."""
    moved = np.einsum("kij,nj->kni", motions[:, :3, :3], points.places) + motions[:, None, :3, 3]
    pixels = _pixels(layer.camera, moved)
    height, width = layer.colour.shape[:2]
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=-1)
    column, row = (np.where(inside, pixels[..., i], 0).astype(int) for i in (0, 1))
    unlike = _unlike(layer.colour[row, column] - points.colour, 1.5 * NOISE)
    return np.asarray(np.where(inside, unlike, OUTSIDE).mean(axis=1))


def _lay(layer: Layer, points: Points, motion: Array) -> _Laid:
    moved = transform(motion, points.places)
    values, inside = layer.read(_pixels(layer.camera, moved))
    colour, across, down = values[:, :3], values[:, 3:6], values[:, 6:]
    off = np.asarray(colour - points.colour, float)
    if inside.any():
        off = off - np.median(off[inside], axis=0)  # the light may have changed
    x, y, depth = (one[:, None] for one in np.where(inside[:, None], moved, 1.0).T)
    focal = np.diag(layer.camera.intrinsics)
    by_x, by_y = across * focal[0] / depth, down * focal[1] / depth
    slopes = np.stack([by_x, by_y, -(by_x * x + by_y * y) / depth], axis=-1)
    return _Laid(moved, slopes, off, inside)


def _pixels(camera: Camera, points: Array) -> Array:
    """Return pixels (..., 2) of points (..., 3) in camera axes; NaN behind the camera."""
    seen = np.where(points[..., 2:] > NEAREST, points, np.nan)
    return camera.pixels(seen)


def _normal_equations(laid: _Laid, doubt: Array, motion: Array) -> tuple[Array, Array]:
    """Linearise differences of colours in a small motion about the centre, with robust weights."""
    by_depth = np.einsum("nci,ni->nc", laid.slopes, laid.moved - motion[:3, 3])  # with the log of depth
    variance = NOISE**2 + DEPTH_TRUST * (doubt**2) * np.square(by_depth).sum(axis=1)
    far = np.square(laid.off).sum(axis=1) / variance
    weight = np.where(laid.inside, 1 / (1 + far) ** 2 / variance, 0.0)
    arm = (laid.moved - laid.moved.mean(axis=0))[:, None]
    rows = np.concatenate([np.cross(arm, laid.slopes), laid.slopes], axis=-1)  # (N, 3, 6)
    weighted = (rows * weight[:, None, None]).reshape(-1, 6)
    return weighted.T @ rows.reshape(-1, 6), weighted.T @ laid.off.reshape(-1)


def _unlike(off: Array, noise: float = NOISE) -> Array:
    """Return how different colours (..., 3) are, from 0 to 1."""
    far = np.square(off).sum(axis=-1) / noise**2
    return np.asarray(far / (1 + far))

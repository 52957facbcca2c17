"""What the classical measurer computes of a picture once, and the patch of surface that it follows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from spatial_reward.camera import Array, Camera
from spatial_reward.types import Frame

COLOUR = np.array([0.7, 1.0, 1.0], np.float32)  # lightness counts less: it changes as a thing turns
SIMILAR = 10.0  # colour difference between neighbours of one surface
REACH = 0.15  # [m] from its pixel that a region may extend
NEAR = 0.05  # [m] within which surface most likely moves with the pixel
POINTS = 300  # of a region that are followed

Images = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class View:
    """A picture prepared for registration.

    Attributes:
        camera: Its camera.
        colour: (H, W, 3) slightly blurred Lab colour, lightness scaled down.
        slope: (H, W, 3, 2) its gradient along x and y [1/px].
        depth: (H, W) [m], NaN where unknown.
        depth_slope: (H, W, 2) [m/px].
    """

    camera: Camera
    colour: Images
    slope: Images
    depth: Images
    depth_slope: Images

    @classmethod
    def of(cls, frame: Frame) -> View:
        """Prepare a frame.

        Raises:
            ValueError: If it has no camera or no depth.
        """
        if frame.camera is None or frame.depth is None:
            missing = "camera" if frame.camera is None else "depth"
            raise ValueError(
                f"The frame of view {frame.view!r} has no {missing}, which this measurement needs."
            )
        lab = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2LAB).astype(np.float32) * COLOUR
        colour = cv2.GaussianBlur(lab, (0, 0), 0.7)
        slope = [cv2.Sobel(colour, cv2.CV_32F, *order, ksize=3) / 8 for order in ((1, 0), (0, 1))]
        depth = np.where(frame.depth > 0, frame.depth, np.nan).astype(np.float32)
        depth_slope = np.zeros((*depth.shape, 2), np.float32)
        depth_slope[:, 1:-1, 0] = (depth[:, 2:] - depth[:, :-2]) / 2
        depth_slope[1:-1, :, 1] = (depth[2:] - depth[:-2]) / 2
        return cls(frame.camera, colour, np.stack(slope, -1), depth, depth_slope)

    @cached_property
    def points(self) -> Array:
        """Surface points (H, W, 3) in camera axes [m]."""
        height, width = self.depth.shape
        column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        return self.camera.rays(np.stack([column, row], -1)) * self.depth[..., None]


@dataclass(frozen=True, eq=False)
class Region:
    """A patch of surface around a pixel, as points with colours and weights.

    Attributes:
        mask: (H, W) pixels of the patch.
        box: The smallest rows and columns that hold it.
        picture: (h, w, 3) colours of the box.
        points: (N, 3) in the reference camera's axes [m].
        colour: (N, 3) as in `View`.
        weight: (N,) how likely a point moves with the pixel; sums to 1.
        origin: (3,) surface point under the pixel [m].
        pixel: Where it was grown from [px].
    """

    mask: NDArray[np.bool_]
    box: tuple[slice, slice]
    picture: Images
    points: Array
    colour: Images
    weight: Array
    origin: Array
    pixel: tuple[float, float]


def grow(view: View, pixel: tuple[float, float]) -> Region | None:
    """Grow the patch of surface around a pixel; None where no surface was measured.

    Neighbouring pixels belong together where their colours are similar and their surface points close for
    their distance: a thing parts from what it stands on by either.
    """
    column, row = int(pixel[0]), int(pixel[1])
    if not (0 <= row < view.depth.shape[0] and 0 <= column < view.depth.shape[1]):
        return None
    beside = np.asarray(pixel) - (column + 0.5, row + 0.5)
    depth = view.depth[row, column] + np.clip(view.depth_slope[row, column] @ beside, -0.01, 0.01)
    origin = view.camera.rays(pixel) * depth
    if not np.isfinite(origin).all():
        return None
    with np.errstate(invalid="ignore"):
        reachable = np.linalg.norm(view.points - origin, axis=-1) < REACH
    mask = _connected(view, reachable, row, column)
    rows, columns = np.nonzero(mask)
    box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    if len(rows) > POINTS:
        kept = np.linspace(0, len(rows) - 1, POINTS).astype(int)
        rows, columns = rows[kept], columns[kept]
    points = view.points[rows, columns]
    distance = np.linalg.norm(points - origin, axis=1)
    weight = 0.05 + np.exp(-0.5 * (distance / NEAR) ** 2)
    return Region(
        mask=mask,
        box=box,
        picture=view.colour[box],
        points=points,
        colour=view.colour[rows, columns],
        weight=weight / weight.sum(),
        origin=origin,
        pixel=(float(pixel[0]), float(pixel[1])),
    )


def _connected(view: View, inside: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    """Return the pixels joined to (row, column) through neighbours of one surface."""
    height, width = inside.shape
    index = np.arange(height * width).reshape(height, width)
    starts, ends = [], []
    for down, right in ((0, 1), (1, 0)):
        first = np.s_[: height - down, : width - right]
        second = np.s_[down:, right:]
        joined = inside[first] & inside[second] & _one_surface(view, first, second)
        starts.append(index[first][joined])
        ends.append(index[second][joined])
    start, end = np.concatenate(starts), np.concatenate(ends)
    graph = coo_matrix((np.ones(len(start), bool), (start, end)), shape=(index.size, index.size))
    labels = connected_components(graph, directed=False)[1].reshape(height, width)
    mask: NDArray[np.bool_] = labels == labels[row, column]
    return mask


def _one_surface(view: View, first: tuple[slice, slice], second: tuple[slice, slice]) -> NDArray[np.bool_]:
    footprint = view.depth[first] / view.camera.intrinsics[0, 0]  # [m] that a pixel covers
    with np.errstate(invalid="ignore"):
        step = np.linalg.norm(view.points[second] - view.points[first], axis=-1)
        close = step < np.maximum(4 * footprint, 0.004)
    similar = np.linalg.norm(view.colour[second] - view.colour[first], axis=-1) < SIMILAR
    joined: NDArray[np.bool_] = close & similar
    return joined

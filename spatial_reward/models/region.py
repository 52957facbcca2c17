"""What the classical measurer computes of a picture once, and the patch of surface that it follows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from spatial_reward.camera import Array, Camera
from spatial_reward.models.depth_slope import GENTLE, STEEP, one_sided
from spatial_reward.models.ground import FLAT, ground_level
from spatial_reward.models.sensor_noise import measured_noise, smoothed
from spatial_reward.types import Frame

LIGHTNESS = 0.7  # counts less than hue: it changes as a thing turns
SIMILAR = 10.0  # colour difference between neighbours of one surface
REACH = 0.15  # [m] from its pixel that a region may extend
NEAR = 0.04  # [m] within which surface most likely moves with the pixel
SLIVER = 20  # pixels; fewer are where two sides or surfaces meet
HOLE = 3  # [px] from an unmeasured pixel within which its surface may have been measured
POINTS = 300  # of a patch that are followed,
OTHERS = 100  # and of what it is joined to without a gap,
BESIDE = 0.15  # which count less by this factor, and in all no more than this share of the patch
STANDING = 0.9  # share of a patch that lies off the ground if it belongs to a thing

Images = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class View:
    """A picture prepared for registration.

    Attributes:
        camera: Its camera.
        colour: (H, W, 3) slightly blurred Lab colour, lightness scaled down.
        depth: (H, W) [m], NaN where unknown; slightly averaged where it is noisy.
        noise: [1/m] of the depth: times its square, its standard deviation [m]; 0 where it was drawn.
        steepest: [m/px] that depth may slope, beyond which a slope is that of an edge, or of noise.
    """

    camera: Camera
    colour: Images
    depth: Images
    noise: float = 0.0
    steepest: float = GENTLE

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
        lab = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
        colour = cv2.GaussianBlur(lab, (0, 0), 0.7)
        colour[..., 0] *= LIGHTNESS
        known = (frame.depth > 0) & np.isfinite(frame.depth)
        depth = np.where(known, frame.depth, np.nan).astype(np.float32)
        noise = measured_noise(depth)
        if noise:
            depth = smoothed(depth, noise)
            noise = measured_noise(depth)
        return cls(frame.camera, colour, depth, noise, GENTLE if noise else STEEP)

    @staticmethod
    def slope(image: Images, column: Any, row: Any) -> Images:
        """Return central differences (..., 2) along x and y [1/px] at pixels, or just inside the border."""
        height, width = image.shape[:2]
        column, row = np.clip(column, 1, width - 2), np.clip(row, 1, height - 2)
        across = image[row, column + 1] - image[row, column - 1]
        along = image[row + 1, column] - image[row - 1, column]
        return np.asarray(np.stack([across, along], axis=-1) / 2)

    @cached_property
    def _layers(self) -> Images:
        """Depth and colour (H * W, 4), one picture."""
        return np.concatenate([self.depth[..., None], self.colour], axis=-1).reshape(-1, 4)

    def around(
        self, column: NDArray[np.int64], row: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return depths (N,) at pixels off the border, and slopes (N, 4, 2) of depth and colour [1/px]."""
        width = self.depth.shape[1]
        index = row * width + column
        beside: Images = self._layers.take(
            index + np.array([[1], [-1], [width], [-width]]), axis=0, mode="clip"
        )
        slope = np.stack([beside[0] - beside[1], beside[2] - beside[3]], axis=-1, dtype=np.float32)
        slope, here = slope / np.float32(2), self._layers[index, 0]
        if self.steepest > GENTLE:
            slope[:, 0] = one_sided(here, beside[..., 0])
        return here, slope

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
        points: (N, 3) in the reference camera's axes [m], also of what the patch is joined to.
        colour: (N, 3) as in `View`.
        weight: (N,) how likely a point moves with the pixel; sums to 1.
        origin: (3,) surface point under the pixel [m].
        pixel: Where it was grown from [px].
        noise: [1/m] of the depth that it was measured with, as that of `View`.
        aside: How far [m] from the pixel the depth was measured.
    """

    mask: NDArray[np.bool_]
    box: tuple[slice, slice]
    picture: Images
    points: Array
    colour: Images
    weight: Array
    origin: Array
    pixel: tuple[float, float]
    noise: float = 0.0
    aside: float = 0.0


def grow(view: View, pixel: tuple[float, float]) -> Region | None:
    """Grow the patch of surface around a pixel; None where no surface was measured.

    Neighbouring pixels belong together where their colours are similar and their surface points close for
    their distance: a thing parts from what it stands on by either. The rest of the thing, of other colours,
    is among the points with little weight: it tells how a plain patch lies.
    """
    place = _measured_place(view, pixel)
    if place is None:
        return None
    row, column = place
    origin = _surface_point(view, pixel, row, column)
    with np.errstate(invalid="ignore"):
        reachable = np.linalg.norm(view.points - origin, axis=-1) < REACH
    mask = _connected(view, reachable, row, column)
    rows, columns = np.nonzero(mask)
    box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    others = _thing(view, mask, reachable) & ~mask
    rows, columns = np.concatenate([spread_pixels(mask, POINTS), spread_pixels(others, OTHERS)], axis=1)
    points = view.points[rows, columns]
    weight = np.exp(-0.5 * (np.linalg.norm(points - origin, axis=1) / NEAR) ** 2)
    own = mask[rows, columns]
    weight[~own] *= BESIDE * min(1.0, weight[own].sum() / max(weight[~own].sum(), 1e-12))
    return Region(
        mask=mask,
        box=box,
        picture=view.colour[box],
        points=points,
        colour=view.colour[rows, columns],
        weight=weight / weight.sum(),
        origin=origin,
        pixel=(float(pixel[0]), float(pixel[1])),
        noise=view.noise,
        aside=footprint(view.camera, origin) * np.hypot(row - int(pixel[1]), column - int(pixel[0])),
    )


def _measured_place(view: View, pixel: tuple[float, float]) -> tuple[int, int] | None:
    """Return row and column of a pixel, or of the nearest one alike if it is a hole; None where all is."""
    column, row = int(pixel[0]), int(pixel[1])
    if not (0 <= row < view.depth.shape[0] and 0 <= column < view.depth.shape[1]):
        return None
    if np.isfinite(view.depth[row, column]):
        return row, column
    rows, columns = _around(view, row, column, HOLE)
    unlike = np.linalg.norm(view.colour[rows, columns] - view.colour[row, column], axis=1)
    good = np.isfinite(view.depth[rows, columns]) & (unlike < 3 * SIMILAR)
    if not good.any():
        return None
    nearest = np.argmin(np.where(good, np.hypot(rows - row, columns - column), np.inf))
    return int(rows[nearest]), int(columns[nearest])


def _around(view: View, row: int, column: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the pixels within a square; beyond the border the border repeats."""
    rows, columns = np.mgrid[row - reach : row + reach + 1, column - reach : column + reach + 1].reshape(
        2, -1
    )
    height, width = view.depth.shape
    return rows.clip(0, height - 1), columns.clip(0, width - 1)


def _surface_point(view: View, pixel: tuple[float, float], row: int, column: int) -> Array:
    """Return the surface point (3,) [m] at a pixel, as the surface at a measured one beside it goes on."""
    beside = np.asarray(pixel) - (column + 0.5, row + 0.5)
    slope = np.nan_to_num(view.slope(view.depth, column, row))  # [m/px]; unknown beside what was not measured
    depth = view.depth[row, column] + np.clip(slope @ beside, -0.01, 0.01)
    return np.asarray(view.camera.rays(pixel) * depth)


def footprint(camera: Camera, point: Array) -> float:
    """Return what a pixel covers [m] at a point (3,) in camera axes."""
    return float(abs(point[2]) / camera.intrinsics[0, 0])


def spread_pixels(mask: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Return rows and columns (2, n) of pixels of a mask, `count` of them at most, spread evenly."""
    found = np.stack(np.nonzero(mask))
    return found[:, np.linspace(0, found.shape[1] - 1, min(count, found.shape[1])).astype(int)]


def whole(view: View, count: int = 1000) -> Region | None:
    """Return everything that was measured as one patch of about `count` points; None where nothing was."""
    mask = np.isfinite(view.depth)
    if not mask.any():
        return None
    rows, columns = spread_pixels(mask, count)
    points = view.points[rows, columns]
    return Region(
        mask=mask,
        box=(slice(0, mask.shape[0]), slice(0, mask.shape[1])),
        picture=view.colour,
        points=points,
        colour=view.colour[rows, columns],
        weight=np.full(len(rows), 1 / len(rows)),
        origin=points.mean(axis=0),
        pixel=(mask.shape[1] / 2, mask.shape[0] / 2),
        noise=view.noise,
    )


def _thing(view: View, mask: NDArray[np.bool_], reachable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a patch and of what it is joined to without a gap, whatever its colour.

    What lies on the ground parts things; of a patch of the ground itself, the patch alone is returned.
    """
    up, eye = view.camera.world_from_camera[2, :3], view.camera.world_from_camera[2, 3]
    with np.errstate(invalid="ignore"):
        height = np.where(reachable, view.points @ up + eye, np.nan)
        above = height - ground_level(height) > np.hypot(FLAT, 2 * view.noise * view.depth**2)
    if (mask & above).sum() < STANDING * mask.sum():
        return mask
    labels = patches(view, above, similar=np.inf)
    main = int(np.argmax(np.bincount(labels[mask & above])))
    thing: NDArray[np.bool_] = mask | (above & (labels == main))
    return thing


def _connected(view: View, inside: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    """Return the pixels joined to (row, column) through neighbours of one surface."""
    labels = patches(view, inside, similar=SIMILAR)
    mask: NDArray[np.bool_] = labels == _main_label(view, labels, row, column)
    return mask


def patches(view: View, inside: NDArray[np.bool_], *, similar: float) -> NDArray[np.int32]:
    """Number the patches (H, W) of neighbours of one surface."""
    height, width = inside.shape
    index = np.arange(height * width).reshape(height, width)
    starts, ends = [], []
    for down, right in ((0, 1), (1, 0)):
        first = np.s_[: height - down, : width - right]
        second = np.s_[down:, right:]
        joined = inside[first] & inside[second] & _one_surface(view, first, second, similar)
        starts.append(index[first][joined])
        ends.append(index[second][joined])
    start, end = np.concatenate(starts), np.concatenate(ends)
    graph = coo_matrix((np.ones(len(start), bool), (start, end)), shape=(index.size, index.size))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1].reshape(height, width)
    return labels


def _main_label(view: View, labels: NDArray[np.int32], row: int, column: int) -> int:
    """Return the label of the surface at a pixel; where two sides meet in it, that of the nearer one."""
    own, sizes = int(labels[row, column]), np.bincount(labels.ravel())
    if sizes[own] >= SLIVER:
        return own
    rows, columns = _around(view, row, column, 2)
    away = np.hypot(rows - row, columns - column)
    near = np.linalg.norm(view.points[rows, columns] - view.points[row, column], axis=1) < 3 * _step(
        view, row, column
    )
    alike = np.linalg.norm(view.colour[rows, columns] - view.colour[row, column], axis=1) < 3 * SIMILAR
    beside = near & alike & (sizes[labels[rows, columns]] >= SLIVER)
    if not beside.any():
        return own
    nearest = np.argmin(np.where(beside, away, np.inf))
    return int(labels[rows[nearest], columns[nearest]])


def _step(view: View, row: Any, column: Any) -> Any:
    """Return how far [m] neighbouring points of one surface may be apart, at pixels or slices."""
    depth = view.depth[row, column]
    covered = depth / view.camera.intrinsics[0, 0]  # [m] by a pixel
    noise = np.sqrt(2) * view.noise * depth**2  # [m] of their difference in depth
    return np.hypot(np.maximum(4 * covered, 0.004), 2 * noise)


def _one_surface(
    view: View, first: tuple[slice, slice], second: tuple[slice, slice], most: float
) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        step = np.linalg.norm(view.points[second] - view.points[first], axis=-1)
        close = step < _step(view, *first)
    similar = np.linalg.norm(view.colour[second] - view.colour[first], axis=-1) < most
    joined: NDArray[np.bool_] = close & similar
    return joined

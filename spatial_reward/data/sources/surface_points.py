"""Points to follow: taken from depth pictures, riding on the objects that these show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, invert, transform
from spatial_reward.data.sources.base import static_points
from spatial_reward.geometry import visible
from spatial_reward.types import Frame

EDGE = 0.01  # [m] that a pixel may stand out from the plane through its neighbours
KEY_FRAMES = 8  # that points are taken from


class Riders(NamedTuple):
    """Points (N, 3) [m] in the axes of the objects (N,) that they ride on; of the world where that is -1."""

    local: Array
    body: NDArray[np.int64]


def find_riders(
    frames: Sequence[Frame],
    poses: Array | None,
    rng: np.random.Generator,
    most_on_body: int,
    most_elsewhere: int,
) -> Riders:
    """Draw points on the surfaces that the first, the last and some frames between show, sorted by object.

    Args:
        frames: With camera and depth, and with objects where known.
        poses: (T, B, 4, 4) `world_from_body` [m]; None where all stand still.
        rng: Draws the pixels.
        most_on_body: Points on each object.
        most_elsewhere: Points on what is no object.
    """
    keys = np.unique(np.linspace(0, len(frames) - 1, KEY_FRAMES).round().astype(int))
    found = []
    for key in keys:
        points, body = _sample(frames[key], rng, most_on_body, most_elsewhere)
        found.append(Riders(points if poses is None else _local(points, body, poses[key]), body))
    local = np.concatenate([riders.local for riders in found])
    body = np.concatenate([riders.body for riders in found])
    order = rng.permutation(len(body))
    kept = order[_first_of_each(body[order], most_on_body, most_elsewhere)]
    kept = kept[np.argsort(body[kept], kind="stable")]
    return Riders(local[kept], body[kept])


def ride(riders: Riders, poses: Array | None, count: int) -> Array:
    """Return where the points are in each of `count` frames (T, N, 3) [m], given the poses of the objects."""
    rest = static_points(riders.local, count)
    if poses is None:
        return rest
    points = rest.copy()
    for body in np.unique(riders.body[riders.body >= 0]):
        rides = riders.body == body
        turned = np.einsum("tij,nj->tni", poses[:, body, :3, :3], riders.local[rides])
        points[:, rides] = turned + poses[:, None, body, :3, 3]
    return points


def shown(frame: Frame, points: Array, body: NDArray[np.int64], tolerance: float) -> NDArray[np.bool_]:
    """Tell which points (N, 3) [m] on objects (N,) a frame shows, by its depth and its objects."""
    camera, depth = _view(frame)
    seen = visible(camera, points, depth, "strict", tolerance)
    if frame.bodies is None:
        return seen
    pixels, _ = camera.project(points)
    columns, rows = np.where(seen[:, None], pixels, 0).astype(int).T
    own: NDArray[np.bool_] = seen & (frame.bodies[rows, columns] == body)
    return own


def surface_pixels(depth: NDArray[np.float32], bodies: NDArray[np.int32] | None) -> NDArray[np.bool_]:
    """Tell which pixels (H, W) lie on a surface whose depth is to be trusted.

    In both directions, three pixels of the same object in a row must lie on one line to 1 cm: along a plane
    the inverse of depth is linear, however steep it is. Without a segmentation the pixel must be the middle
    one, because at the edges of depth it is open what the picture shows; with one it may be an end, so that
    things keep their size, and only what sticks out of them is left out.

    Args:
        depth: (H, W) [m]; NaN where nothing was measured.
        bodies: (H, W), where known.
    """
    with np.errstate(all="ignore"):  # of what was not measured
        inverse = 1 / depth.astype(float)
        rows = _in_line(inverse, bodies)
        columns = _in_line(inverse.T, None if bodies is None else bodies.T).T
    trusted: NDArray[np.bool_] = rows & columns
    return trusted


def _in_line(inverse: Array, bodies: NDArray[np.int32] | None) -> NDArray[np.bool_]:
    """Tell which pixels (H, W) are in line with their neighbours in the row, given inverse depth [1/m]."""
    left, middle, right = inverse[:, :-2], inverse[:, 1:-1], inverse[:, 2:]
    flat = np.abs((left + right) / 2 - middle) / middle**2 < EDGE
    if bodies is None:
        return np.pad(flat, ((0, 0), (1, 1)))[:, : inverse.shape[1]]
    flat &= (bodies[:, :-2] == bodies[:, 1:-1]) & (bodies[:, 1:-1] == bodies[:, 2:])
    inside = np.pad(flat, ((0, 0), (2, 2)))
    return (inside[:, :-2] | inside[:, 1:-1] | inside[:, 2:])[:, : inverse.shape[1]]


def _sample(frame: Frame, rng: np.random.Generator, on_body: int, elsewhere: int) -> Riders:
    """Draw pixels of each object and of what is none, lifted into the world."""
    camera, depth = _view(frame)
    bodies = np.full(depth.shape, -1) if frame.bodies is None else frame.bodies
    order = rng.permutation(np.flatnonzero(surface_pixels(depth, frame.bodies)))
    order = order[_first_of_each(bodies.ravel()[order], on_body, elsewhere)]
    rows, columns = np.divmod(order, bodies.shape[1])
    points = camera.unproject(np.stack([columns, rows], axis=1) + 0.5, depth[rows, columns])
    return Riders(points, bodies.ravel()[order].astype(np.int64))


def _view(frame: Frame) -> tuple[Camera, NDArray[np.float32]]:
    if frame.camera is None or frame.depth is None:
        raise ValueError("A frame needs its camera and depth to take points from.")
    return frame.camera, frame.depth


def _local(points: Array, body: NDArray[np.int64], world_from_body: Array) -> Array:
    local = points.copy()
    for index in np.unique(body[body >= 0]):
        local[body == index] = transform(invert(world_from_body[index]), points[body == index])
    return local


def _first_of_each(body: NDArray[Any], on_body: int, elsewhere: int) -> NDArray[np.int64]:
    """Return the indices of the first occurrences of each object, and of -1, up to the two numbers."""
    kept = [np.flatnonzero(body == index)[: elsewhere if index < 0 else on_body] for index in np.unique(body)]
    return np.concatenate([*kept, np.zeros(0, np.int64)])

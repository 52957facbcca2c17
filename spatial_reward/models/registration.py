"""Lay a patch of surface onto another picture, by colour and depth: Gauss-Newton with robust weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, invert, rigid, transform
from spatial_reward.geometry.rotations import rotation_matrix
from spatial_reward.models.region import Region, View

COLOUR_NOISE = 12.0  # of a colour, lighting included
SAME_COLOUR = 20.0  # difference up to which colours may be of one thing
STEP_PRIOR = 0.05  # [m] that one step goes at most, about
CERTAIN = (0.7, 0.05)  # shares that agree, at least, and are contradicted, at most
STOP = 2e-4  # [m] and [rad] of a step under which nothing is gained
TURN_PRIOR = np.radians(4.0)  # [rad] that one step turns at most, about


@dataclass(frozen=True, eq=False)
class Sight:
    """The picture to find a region in.

    Attributes:
        view: The picture.
        current_from_reference: (4, 4) between the cameras.
        up: (3,) against gravity, in the reference camera's axes: things that stand turn about it.
    """

    view: View
    current_from_reference: Array
    up: Array


class Support(NamedTuple):
    """How a region fits at some pose, as weighted shares of its points.

    Attributes:
        likeness: Agreement in depth and colour, softly.
        agreeing: Share that agrees in depth and colour.
        hidden: Share with another surface before it.
        contradicted: Share with something else in its place, or nothing.
        unseen: Share outside the picture, or of its colour where no depth was measured.
    """

    likeness: float
    agreeing: float
    hidden: float
    contradicted: float
    unseen: float

    @property
    def certain(self) -> bool:
        """Whether so much agrees and so little disagrees that nothing else need be tried."""
        return self.agreeing >= CERTAIN[0] and self.contradicted <= CERTAIN[1]


class _Laid(NamedTuple):
    """Points of a region laid onto a picture: what is there instead."""

    moved: Array  # (N, 3) in the reference camera's axes
    seen: Array  # (N, 3) in the current camera's axes
    inside: NDArray[np.bool_]
    slope: NDArray[np.float32]  # (N, 4, 2) of depth [m] and colour, along x and y [1/px]
    depth_error: Array  # (N,) measured minus predicted depth [m]
    colour_error: NDArray[np.float32]  # (N, 3)


def tolerance(region: Region, sight: Sight, depth: Array) -> Array:
    """Return by how much [m] a measured depth (N,) [m] may differ from that of a region's points."""
    allowed, noise = np.asarray(0.002 + 0.0015 * depth), math.hypot(region.noise, sight.view.noise)
    return np.asarray(np.hypot(allowed, 2 * noise * depth**2)) if noise else allowed


def support(region: Region, sight: Sight, motion: Array) -> Support:
    """Tell how well the picture agrees with the region moved by `motion` (4, 4)."""
    return Support(*(judged(region, sight, motion) @ region.weight).tolist())


def judged(region: Region, sight: Sight, motion: Array) -> Array:
    """Tell the same of every point of the region: (5, N), in the order of `Support`."""
    laid = _lay(region, sight, motion)
    allowed, error, colour = (
        1.5 * tolerance(region, sight, laid.seen[:, 2]),
        laid.depth_error,
        _length(laid.colour_error),
    )
    agreeing = laid.inside & (np.abs(error) < allowed) & (colour < SAME_COLOUR)
    hidden = laid.inside & (error < -allowed)
    unseen = ~laid.inside | (np.isnan(error) & (colour < SAME_COLOUR))
    likeness = np.exp(-0.5 * (error / allowed) ** 2 - 0.5 * (colour / 13) ** 2)
    likeness = np.where(laid.inside & np.isfinite(error), likeness, 0)
    return np.stack([likeness, agreeing, hidden, ~(agreeing | hidden | unseen), unseen])


def align(
    region: Region, sight: Sight, motion: Array, *, steps: int, turn: bool, wide: bool = False
) -> tuple[Array, Array]:
    """Improve a motion (4, 4); return it with its information matrix (6, 6) [rotation rad, translation m].

    The information is about the region's centre (the mean of its moved points).

    Args:
        region: What moves.
        sight: Where it is looked for.
        motion: To start from, in the reference camera's axes.
        steps: At most.
        turn: Whether it may rotate.
        wide: Whether to look farther in depth at first.
    """
    information = np.eye(6)
    for step in range(steps):
        laid = _lay(region, sight, motion)
        gate = tolerance(region, sight, laid.seen[:, 2]) * (6 if wide and step < 4 else 2.5)
        information, gradient = _normal_equations(region, sight, laid, gate)
        damped = information + _damping(turn)
        change = np.linalg.solve(damped, gradient)
        change *= min(1.0, 0.02 / max(float(np.linalg.norm(change[3:])), 1e-12))
        centre = laid.moved.mean(axis=0)
        rotation = rotation_matrix(change[:3]) if turn else np.eye(3)
        motion = rigid(rotation, centre + change[3:] - rotation @ centre) @ motion
        if np.abs(change).max() < STOP:
            break
    return motion, information


def nearby(region: Region, sight: Sight, motion: Array, *, reach: int = 10, stride: int = 2) -> list[Array]:
    """Try shifts along the picture of up to `reach` [px]; return the two most likely motions (4, 4).

    Each shift gets the depth at which most of the region agrees.
    """
    chosen = np.argsort(-region.weight)[:120]
    weight = region.weight[chosen] / region.weight[chosen].sum()
    seen = transform(sight.current_from_reference, transform(motion, region.points[chosen]))
    offsets = np.arange(-reach, reach + 1, stride)
    shift = np.stack(np.meshgrid(offsets, offsets), -1).reshape(-1, 2)
    column, row, inside = _cells(sight.view, sight.view.camera.pixels(seen)[None] + shift[:, None])
    error = np.where(inside, sight.view.depth[row, column] - seen[None, :, 2], np.nan)
    colour = np.linalg.norm(sight.view.colour[row, column] - region.colour[chosen][None], axis=-1)
    depth = _common_depth(np.where((np.abs(error) < 0.04) & (colour < SAME_COLOUR), error, np.nan))
    allowed = 1.5 * tolerance(region, sight, seen[:, 2])
    unlike = ((error - depth[:, None]) / allowed) ** 2 + (colour / 13) ** 2
    likeness = np.where(np.isfinite(unlike), np.exp(-0.5 * unlike), 0) @ weight
    return [_shifted(sight, motion, seen, shift[i], depth[i]) for i in _peaks(likeness, shift, stride)]


def _lay(region: Region, sight: Sight, motion: Array) -> _Laid:
    moved = transform(motion, region.points)
    seen = transform(sight.current_from_reference, moved)
    view = sight.view
    pixels = view.camera.pixels(seen)
    column, row, inside = _cells(view, pixels)
    nearest, slope = view.around(column, row)
    pixels = np.where(inside[:, None], pixels, 1.5)
    off = slope[:, 0, 0] * (pixels[:, 0] - column - 0.5) + slope[:, 0, 1] * (pixels[:, 1] - row - 0.5)
    measured = np.where(np.abs(off) < view.steepest, nearest + off, nearest)  # not across a depth edge
    colour = _bilinear(view.colour, pixels)
    return _Laid(moved, seen, inside, slope, measured - seen[:, 2], colour - region.colour)


def _cells(view: View, pixels: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return column, row and whether they are inside, one pixel off the border, of pixels (..., 2).

    Those of pixels outside, or NaN, are 1.
    """
    height, width = view.depth.shape
    x, y = pixels[..., 0], pixels[..., 1]
    inside = (x >= 1) & (y >= 1) & (x < width - 1) & (y < height - 1)
    column, row = (np.where(inside, one, 1).astype(np.int64) for one in (x, y))
    return column, row, inside


def _bilinear(image: NDArray[np.float32], pixels: Array) -> NDArray[np.float32]:
    x, y = (pixels - 0.5).astype(np.float32).T
    return np.asarray(cv2.remap(image, x[None], y[None], cv2.INTER_LINEAR)[0])


def _normal_equations(region: Region, sight: Sight, laid: _Laid, gate: Array) -> tuple[Array, Array]:
    """Linearise depth and colour errors in a small motion about the centre, with robust weights."""
    rows = _jacobian(sight, laid)
    usable = laid.inside & np.isfinite(laid.depth_error) & np.isfinite(rows[:, 0]).all(axis=0)
    rows[..., ~usable] = 0.0
    error = np.where(usable, laid.depth_error, 0.0)
    share = region.weight * len(region.weight) * usable
    trust = (
        share
        * np.maximum(1 - (error / gate) ** 2, 0) ** 2
        * (2 / tolerance(region, sight, laid.seen[:, 2])) ** 2
    )
    unlike = 1 + (_length(laid.colour_error) / 20) ** 2
    like = share * (np.abs(error) < 3 * gate) / unlike**2 / COLOUR_NOISE**2
    weighted = (rows * np.stack([trust, like, like, like])).reshape(6, -1)
    errors = np.concatenate([error[None], laid.colour_error.T])
    return weighted @ rows.reshape(6, -1).T, -weighted @ errors.ravel()


def _jacobian(sight: Sight, laid: _Laid) -> Array:
    """Return how depth and colours change (6, 4, N) with a turn [rad] about the centre and a shift [m]."""
    slope = laid.slope.transpose(2, 1, 0).copy()  # (2, 4, N)
    slope[:, 0] = np.clip(slope[:, 0], -sight.view.steepest, sight.view.steepest)
    x, y, deep = laid.seen.T
    focal = np.diag(sight.view.camera.intrinsics)
    across, along = slope[0] * (focal[0] / deep), slope[1] * (focal[1] / deep)  # (4, N) [1/m]
    ahead = -across * (x / deep) - along * (y / deep)
    ahead[0] -= 1
    seen = np.stack([across, along, ahead]).reshape(3, -1)
    rows = np.empty((6, 4, len(deep)))
    rows[3:] = (sight.current_from_reference[:3, :3].T @ seen).reshape(3, 4, -1)
    (a, b, c), (u, v, w) = (laid.moved - laid.moved.mean(axis=0)).T, rows[3:]
    rows[0], rows[1], rows[2] = b * w - c * v, c * u - a * w, a * v - b * u  # arm x shift
    return rows


def _length(vectors: Any) -> Any:
    """Return the lengths (N,) of vectors (N, 3)."""
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


def _damping(turn: bool) -> Array:
    rotation = 1 / TURN_PRIOR**2 if turn else 1e12
    return np.diag([rotation] * 3 + [1 / STEP_PRIOR**2] * 3)


def _common_depth(errors: Array) -> Array:
    """Return the median of the known errors (S, N) of each shift; 0 where there is none."""
    known = np.isfinite(errors).any(axis=1)
    depth = np.zeros(len(errors))
    if known.any():
        depth[known] = np.nanmedian(errors[known], axis=1)
    return depth


def _peaks(likeness: Array, shift: NDArray[np.int64], stride: int) -> list[int]:
    left, found = likeness.copy(), []
    for _ in range(2):
        best = int(np.argmax(left))
        if left[best] <= 0:
            break
        found.append(best)
        left[(np.abs(shift - shift[best]) <= stride).all(axis=1)] = 0
    return found


def _shifted(sight: Sight, motion: Array, seen: Array, shift: NDArray[np.int64], depth: float) -> Array:
    """Return the motion that shows `seen` farther by a shift [px] and a depth [m]."""
    focal = np.diag(sight.view.camera.intrinsics)[:2]
    middle = np.median(seen, axis=0)
    ray = np.append(middle[:2] / middle[2] + shift / focal, 1.0)
    step = np.append(shift * middle[2] / focal, 0.0) + depth * ray
    return rigid(np.eye(3), invert(sight.current_from_reference)[:3, :3] @ step) @ motion

"""Two pictures prepared for the motion of the camera between them, and what of them keeps still."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, transform
from spatial_reward.models.depth_slope import GENTLE
from spatial_reward.models.ground import ground_level
from spatial_reward.models.region import Region, View, patches, spread_pixels, whole
from spatial_reward.models.registration import Sight, align, judged

OFF_GROUND = 0.008  # [m] from which something stands on the ground,
SCATTERED = 0.07  # [m] from which it is more than one thing,
MOST = 5.0  # and how much more it then counts, at most
POINTS = 4000  # of a picture that are laid onto the other,
BLURS = 4.0, 2.0, 0.0  # [px] their colours blurred, from coarse to fine,
STEPS = 6, 6, 12  # in so many steps, at most,
ROUNDS = 2  # so often each, things weighed anew
SPECK = 15  # pixels; what is smaller is nothing
LARGEST = 1.0  # [m]; what is larger does not move


class Way(NamedTuple):
    """What one picture shows, to be found in the other one."""

    region: Region
    sight: Sight


class Level(NamedTuple):
    """The same with colours blurred, and the thing that each point is of: 0 the room, -1 nothing."""

    way: Way
    things: NDArray[np.int64]


class Pictures(NamedTuple):
    """From the first picture to the second, and back."""

    there: Way
    back: Way
    telling: Region  # the first picture, what stands on the ground weighted more
    standing: NDArray[np.bool_]  # which of its points do
    levels: tuple[Level, ...]  # the first picture, from coarse to fine


def prepare(reference: View, current: View) -> Pictures | None:
    """Prepare two pictures to be laid onto one another; None where nothing was measured in one.

    Floors may be as steep as they are. Where nothing or but one thing stands out they may not, which holds
    them where they are, and colours are not blurred: nothing else tells whether the camera moved or that
    thing, and what may have stayed, has stayed.
    """
    up, first, second = reference.camera.camera_from_world[:3, 2], whole(reference), whole(current)
    if first is None or second is None:
        return None
    standing = _standing(first, reference)
    many = bool(standing.any()) and bool(first.points[standing].std(axis=0).max() >= SCATTERED)
    telling = _telling(first, standing) if many else first
    steepest = math.inf if many else GENTLE
    reference, current = (replace(view, steepest=steepest) for view in (reference, current))
    there = Way(first, Sight(current, np.eye(4), up))
    back = Way(second, Sight(reference, np.eye(4), np.full(3, np.nan)))  # its pose is not known
    things = _things(reference)
    levels = tuple(_level(reference, current, up, things, blur) for blur in BLURS[0 if many else -1 :])
    return Pictures(there, back, telling, standing, levels)


def laid_onto(pictures: Pictures, start: Array) -> tuple[Array, Array]:
    """Improve a motion (4, 4); return it with its information (6, 6), as `registration.align` does.

    Colours are blurred at first, and each thing counts by the share of it that agrees: it may have moved.
    """
    motion, information = start, np.eye(6)
    for (way, things), steps in zip(pictures.levels, STEPS[-len(pictures.levels) :], strict=True):
        for _ in range(ROUNDS):
            still, wide = steadied(way, things, motion), steps < STEPS[-1]
            motion, information = align(still, way.sight, motion, steps=steps, turn=True, wide=wide)
    return motion, information


def steadied(way: Way, things: NDArray[np.int64], motion: Array) -> Region:
    """Weigh the points of each thing by the share of it that agrees with a motion (4, 4) of the camera.

    Args:
        way: A picture, to be found in another one.
        things: (N,) that the points are of: 0 the room, which keeps its weight, -1 nothing, which has none.
        motion: Of the camera.
    """
    region, sight = way
    _, agreeing, hidden, contradicted, _ = judged(region, sight, motion)
    agree, other = (np.bincount(things + 1, one, 2) for one in (agreeing, hidden + contradicted))
    share = agree / np.maximum(agree + other, 1)
    share[:2] = 0, 1
    weight = region.weight * share[things + 1]
    return replace(region, weight=weight / weight.sum()) if weight.any() else region


def _level(reference: View, current: View, up: Array, things: NDArray[np.int64], blur: float) -> Level:
    first, second = (_blurred(view, blur) for view in (reference, current))
    region = whole(first, POINTS)
    assert region is not None
    rows, columns = spread_pixels(region.mask, POINTS)
    return Level(Way(region, Sight(second, np.eye(4), up)), things[rows, columns])


def _blurred(view: View, blur: float) -> View:
    return replace(view, colour=cv2.GaussianBlur(view.colour, (0, 0), blur)) if blur else view


def _things(view: View) -> NDArray[np.int64]:
    """Number what stands on the ground (H, W), each thing by itself; 0 the room, -1 specks."""
    height = transform(view.camera.world_from_camera, view.points)[..., 2]
    with np.errstate(invalid="ignore"):
        above = height - ground_level(height) > _clearance(view.noise, view.depth)
    labels = patches(view, above, similar=np.inf)
    sizes = np.bincount(labels[above], minlength=int(labels.max()) + 1)
    numbers = np.where(sizes < SPECK, -1, 0)
    for label in np.flatnonzero(sizes >= SPECK):
        if np.ptp(view.points[above & (labels == label)], axis=0).max() <= LARGEST:
            numbers[label] = numbers.max() + 1
    return np.where(above, numbers[labels], 0)


def _clearance(noise: float, depth: NDArray[np.floating]) -> Array:
    """Return the height [m] from which something stands on the ground, at depths [m] with their noise."""
    return np.asarray(np.hypot(OFF_GROUND, 2 * noise * depth**2))


def _standing(everything: Region, view: View) -> NDArray[np.bool_]:
    """Tell which points (N,) stand on the ground."""
    height = transform(view.camera.world_from_camera, everything.points)[:, 2]
    off = np.abs(height - ground_level(height)) > _clearance(everything.noise, everything.points[:, 2])
    return np.asarray(off, bool)


def _telling(everything: Region, standing: NDArray[np.bool_]) -> Region:
    """Weigh what stands on the ground more: the bare ground would fit anywhere."""
    more = np.clip((~standing).sum() / max(standing.sum(), 1), 1.0, MOST)
    weight = np.where(standing, more, 1.0)
    return replace(everything, weight=weight / weight.sum())

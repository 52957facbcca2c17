"""Which patches of several pictures show one thing: those that lie on each other in the world."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial_reward.camera import Array

MEETS = 0.01  # [m] within which the surfaces of one thing are seen from two sides


class Patch(NamedTuple):
    """A patch that may show what is named."""

    score: float  # how well, > 0
    mask: NDArray[np.bool_]  # (H, W)
    points: Array  # (N, 3) of its surface [m, world]


def one_thing(pictures: Sequence[Sequence[Patch]]) -> list[Patch | None]:
    """Choose a patch of each picture, so that as many as can be meet, and these fit best.

    Args:
        pictures: The patches of each.

    Returns:
        One for each picture; None where it has none that meets that of the first picture with any.
    """
    first = next((number for number, patches in enumerate(pictures) if patches), None)
    if first is None:
        return [None] * len(pictures)
    choices = [[_met(patch, patches) for patches in pictures] for patch in pictures[first]]
    return max(choices, key=_fit)


def _met(patch: Patch, patches: Sequence[Patch]) -> Patch | None:
    """Return the best patch of a picture that meets one."""
    if any(other is patch for other in patches):
        return patch
    near = [other for other in patches if _meet(patch.points, other.points)]
    return max(near, key=lambda other: other.score, default=None)


def _fit(chosen: Sequence[Patch | None]) -> tuple[int, float]:
    scores = [patch.score for patch in chosen if patch is not None]
    return len(scores), prod(scores)


def _meet(first: Array, second: Array) -> bool:
    return bool(len(first) and len(second) and cKDTree(first).query(second)[0].min() < MEETS)

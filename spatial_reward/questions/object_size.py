"""Object-size questions: two frames that together cover one dimension of an object (MultiSPA 2.6)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.questions.base import Kind, Mode
from spatial_reward.questions.readers import magnitude_reader
from spatial_reward.questions.scoring import score_length
from spatial_reward.questions.views import STATIC_BELOW, seen_by
from spatial_reward.questions.wording_object import SIZE_WORDING
from spatial_reward.types import Answer, Question, Scene

DIMENSIONS = ("height", "length", "width")
NOT_ASKED = ("world", "wall", "object", "floor", "ceiling", "window")
LEAST_SEEN = 0.05  # share of an object's points that a frame must see
COVERED = 0.10  # tolerance of the covered extent, as a share of the size
MOST_FRAMES = 25  # considered per object
STRICT_SMALLEST = 0.02  # [m]
STRICT_LEAST_POINTS = 8  # fewer do not span a box
_ROUND_OFF = 1e-9  # share: the tolerance is inclusive


def extents(points: Array) -> Array:
    """Return (3,): height, length and width [m] of the upright box around points (N, 3) of the world."""
    x, y, z = np.ptp(points, axis=0)
    return np.array([z, max(x, y), min(x, y)])


def axis_of(points: Array, dimension: str) -> int:
    """Return the world axis along which a dimension of the box around points (N, 3) is measured."""
    if dimension == "height":
        return 2
    x, y, _ = np.ptp(points, axis=0)
    return int((y > x) == (dimension == "length"))


def is_unambiguous(name: str, names: tuple[str, ...]) -> bool:
    """Tell whether a name fits one object only: "chair" does not where there is an "office chair"."""
    words = set(name.lower().split())
    return bool(words) and sum(words <= set(other.lower().split()) for other in names) == 1


def covering_pair(
    points: Array, seen: NDArray[np.bool_], dimension: str, rng: np.random.Generator, mode: Mode
) -> tuple[int, int] | None:
    """Find two frames that cover a dimension of an object to within 10 %.

    Paper: neither frame alone may cover it. Pairs between which the object moved are left out.

    Args:
        points: (T, N, 3) of the object [m].
        seen: (T, N).
        dimension: "height", "length" or "width".
        rng: Shuffles frames and pairs.
        mode: "strict" or "paper".
    """
    enough = np.flatnonzero(seen.sum(axis=1) >= max(1, int(LEAST_SEEN * points.shape[1])))
    frames = rng.permutation(enough)[:MOST_FRAMES]
    pairs = np.argwhere(np.triu(coverage(points[frames], seen[frames], dimension, mode), 1))
    if not len(pairs):
        return None
    first, second = frames[pairs[int(rng.integers(len(pairs)))]]
    return int(first), int(second)


def coverage(points: Array, seen: NDArray[np.bool_], dimension: str, mode: Mode) -> NDArray[np.bool_]:
    """Tell which frames cover a dimension of an object together with which others (F, F).

    Row a looks at the object as it stands in frame a. Paper: neither frame alone may cover it. False
    between frames between which the object moved.

    Args:
        points: (F, N, 3) of the object [m].
        seen: (F, N).
        dimension: "height", "length" or "width".
        mode: "strict" or "paper".
    """
    rows = [_covered_with(points, seen, first, dimension, mode) for first in range(len(points))]
    return np.array(rows, bool).reshape(len(points), len(points))


def _covered_with(
    points: Array, seen: NDArray[np.bool_], first: int, dimension: str, mode: Mode
) -> NDArray[np.bool_]:
    along = points[first, :, axis_of(points[first], dimension)]
    size = np.ptp(along)
    low = np.where(seen, along, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen, along, -np.inf).max(axis=1, initial=-np.inf)
    together = np.maximum(high, high[first]) - np.minimum(low, low[first])
    covered, alone = (
        np.abs(span - size) <= COVERED * size * (1 + _ROUND_OFF) for span in (together, high - low)
    )
    rests = (np.linalg.norm(points - points[first], axis=-1) < STATIC_BELOW).all(axis=1)
    fits: NDArray[np.bool_] = covered & rests & bool(size > 0)
    return fits if mode == "strict" else fits & ~alone & ~alone[first]


def _ask(dimension: str) -> Callable[[Scene, np.random.Generator, Mode], Question | None]:
    def ask(scene: Scene, rng: np.random.Generator, mode: Mode) -> Question | None:
        for body in map(int, rng.permutation(len(scene.names))):
            rides = scene.body == body
            if not askable(scene, body, int(rides.sum()), mode):
                continue
            points = scene.points[:, rides]
            pair = covering_pair(points, seen_by(scene)[:, rides], dimension, rng, mode)
            if pair is not None:
                size = float(extents(points[pair[0]])[DIMENSIONS.index(dimension)])
                if mode == "paper" or size >= STRICT_SMALLEST:
                    return size_of(scene, body, dimension, pair)
        return None

    return ask


def askable(scene: Scene, body: int, count: int, mode: Mode) -> bool:
    """Tell whether an object with so many points has a name that fits it alone."""
    name = scene.names[body]
    if count == 0 or name in NOT_ASKED:
        return False
    return mode == "paper" or (count >= STRICT_LEAST_POINTS and is_unambiguous(name, scene.names))


def size_of(scene: Scene, body: int, dimension: str, pair: tuple[int, int]) -> Question:
    """Ask for a dimension of an object in two frames that together show it."""
    size = float(extents(scene.points[pair[0], scene.body == body])[DIMENSIONS.index(dimension)])
    frames = tuple(scene.frames[time] for time in pair)
    truth = Answer(size, "m", 0.0, source="truth")
    return Question(f"size_{dimension}", frames, labels=(scene.names[body],), answer=truth)


def _kind(dimension: str) -> Kind:
    name = f"size_{dimension}"
    words = SIZE_WORDING[name]
    return Kind(
        name,
        "object_size",
        "m",
        _ask(dimension),
        words.phrase,
        words.reply,
        magnitude_reader("m"),
        score_length,
    )


SIZE_HEIGHT = _kind("height")
SIZE_LENGTH = _kind("length")
SIZE_WIDTH = _kind("width")

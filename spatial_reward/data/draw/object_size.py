"""Drawing object-size questions: two frames that together show an object, every object as often."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from spatial_reward.data.draw.balance import evenly
from spatial_reward.data.draw.candidates import Candidate
from spatial_reward.data.draw.rules import Drawn, Rules
from spatial_reward.questions import Mode
from spatial_reward.questions.object_size import (
    DIMENSIONS,
    LEAST_SEEN,
    MOST_FRAMES,
    STRICT_SMALLEST,
    askable,
    coverage,
    extents,
    size_of,
)
from spatial_reward.questions.views import seen_by
from spatial_reward.types import Scene


def draw_object_size(
    scene: Scene, kind: str, count: int, rng: np.random.Generator, rules: Rules
) -> list[Drawn]:
    """Draw up to `count` questions of a kind, evenly over the objects."""
    dimension = kind.removeprefix("size_")
    candidates = list(_candidates(scene, dimension, rules.mode))
    drawn = []
    for index in evenly([one.thing for one in candidates], count, rng):
        first, second, body = candidates[int(index)]
        pair = (first, second) if rng.random() < 0.5 else (second, first)
        drawn.append(Drawn(size_of(scene, body, dimension, pair), pair))
    return drawn


def why_no_object_size(scene: Scene, kind: str, rules: Rules) -> str:
    """Say what a scene lacks for a kind."""
    counts = np.bincount(scene.body[scene.body >= 0], minlength=len(scene.names))
    if not any(askable(scene, body, int(count), rules.mode) for body, count in enumerate(counts)):
        return "no object with points and a name of its own"
    found = next(_candidates(scene, kind.removeprefix("size_"), rules.mode), None)
    return "" if found else "no two frames cover this side of an object that rests"


def _candidates(scene: Scene, dimension: str, mode: Mode) -> Iterator[Candidate]:
    """Yield the pairs of frames that cover a side of an object, of up to 25 frames of each (as published)."""
    counts = np.bincount(scene.body[scene.body >= 0], minlength=len(scene.names))
    for body, count in enumerate(counts):
        if askable(scene, body, int(count), mode):
            yield from _of_body(scene, body, dimension, mode)


@lru_cache(maxsize=256)
def _of_body(scene: Scene, body: int, dimension: str, mode: Mode) -> tuple[Candidate, ...]:
    rides = scene.body == body
    points, seen = scene.points[:, rides], seen_by(scene)[:, rides]
    enough = np.flatnonzero(seen.sum(axis=1) >= max(1, int(LEAST_SEEN * len(seen[0]))))
    frames = np.sort(np.random.default_rng(body).permutation(enough)[:MOST_FRAMES])
    covered = coverage(points[frames], seen[frames], dimension, mode)
    if mode == "strict":
        sizes = [extents(points[frame])[DIMENSIONS.index(dimension)] for frame in frames]
        covered[np.array(sizes) < STRICT_SMALLEST] = False
    pairs = frames[np.argwhere(np.triu(covered, 1))].tolist()
    return tuple(Candidate(first, second, body) for first, second in pairs)

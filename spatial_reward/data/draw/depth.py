"""Drawing depth questions: evenly over depths; the lower point of two is the closer one half of the time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.data.draw.balance import evenly, log_bins
from spatial_reward.data.draw.pairs import Indices, Mask, pixels
from spatial_reward.data.draw.rules import Drawn, Rules
from spatial_reward.questions.depth import (
    RELATIONS,
    STRICT_DEPTH_GAP,
    STRICT_DEPTH_RATIO,
    STRICT_PIXEL_GAP,
    comparison,
    estimate,
)
from spatial_reward.questions.views import seen_by
from spatial_reward.questions.wording import to_millimetres
from spatial_reward.types import Scene

_TRIES = 6  # candidates per question wanted
_FINE = 4.0  # bins of depth per doubling
_BANDS = 4  # of the picture, from top to bottom


def draw_depth(scene: Scene, kind: str, count: int, rng: np.random.Generator, rules: Rules) -> list[Drawn]:
    """Draw up to `count` questions of a kind about points of frames, none of them twice."""
    if kind.startswith("depth_cmp"):
        return _comparisons(scene, kind, count, rng, rules)
    times, points = _seen(scene, _TRIES * count, 1, rng)
    chosen = np.arange(len(times))[:count]
    if rules.mode == "strict":
        chosen = evenly(_cells(scene, times, points[:, 0]), count, rng)
    rows = zip(times[chosen].tolist(), points[chosen, 0].tolist(), strict=True)
    return [Drawn(estimate(kind, scene, time, point), (time,)) for time, point in rows]


def why_no_depth(scene: Scene, kind: str, rules: Rules) -> str:
    """Say what a scene lacks for a kind."""
    if seen_by(scene).sum(axis=1).max(initial=0) < (2 if kind.startswith("depth_cmp") else 1):
        return "no frame sees enough points"
    return (
        ""
        if draw_depth(scene, kind, 8, np.random.default_rng(0), rules)
        else "no two points at clearly different depths"
    )


def _comparisons(scene: Scene, kind: str, count: int, rng: np.random.Generator, rules: Rules) -> list[Drawn]:
    times, points = _seen(scene, _TRIES * count, 2, rng)
    (first, near), (second, far) = (pixels(scene, times, points[:, place]) for place in (0, 1))
    widths = np.array([scene.frames[time].width for time in times])
    if rules.mode == "paper":
        differ = [
            to_millimetres(float(a)) != to_millimetres(float(b)) for a, b in zip(near, far, strict=True)
        ]
        chosen = np.flatnonzero(differ)[:count]
    else:
        apart = np.linalg.norm(first - second, axis=-1) >= STRICT_PIXEL_GAP * widths
        clear = np.flatnonzero(apart & _differ(near, far))
        lower_is_closer = (first[:, 1] > second[:, 1]) == (near < far)
        chosen = clear[evenly(lower_is_closer[clear], count, rng)]
    drawn = []
    for index in chosen:
        pair, time = (int(points[index, 0]), int(points[index, 1])), int(times[index])
        relation = RELATIONS[int(rng.integers(2))]
        drawn.append(Drawn(comparison(kind, scene, time, pair, relation), (time,)))
    return drawn


def _cells(scene: Scene, times: Indices, points: Indices) -> Indices:
    """Number the bin of depth and the band of the picture, so that the height in it tells no depth."""
    seen, depth = pixels(scene, times, points)
    heights = np.array([scene.frames[time].height for time in times])
    band = np.minimum(seen[:, 1] / heights * _BANDS, _BANDS - 1).astype(np.int64)
    cells: Indices = log_bins(depth, _FINE) * _BANDS + band
    return cells


def _differ(first: Array, second: Array) -> Mask:
    gap = np.maximum(STRICT_DEPTH_GAP, STRICT_DEPTH_RATIO * np.minimum(first, second))
    return np.asarray(np.abs(first - second) >= gap)


def _seen(scene: Scene, count: int, each: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Draw about `count` frames (M,) in random order, each with different points (M, each) that it sees."""
    rows = list(_rows(scene, count, each, rng))
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, each), np.int64)
    times = np.concatenate([np.full(len(points), time) for time, points in rows])
    points = np.concatenate([points for _, points in rows])
    order = rng.permutation(len(times))
    return times[order], points[order]


def _rows(scene: Scene, count: int, each: int, rng: np.random.Generator) -> Iterator[tuple[int, Indices]]:
    turn = np.resize(rng.permutation(len(scene.frames)), count)
    for time, wanted in zip(*np.unique(turn, return_counts=True), strict=True):
        points = np.flatnonzero(seen_by(scene)[time])
        if each == 1:
            yield int(time), rng.permutation(points)[:wanted, None]
        elif len(points) > 1:
            yield int(time), _different_pairs(points, int(wanted), rng)


def _different_pairs(points: Indices, count: int, rng: np.random.Generator) -> Indices:
    pairs = rng.choice(points, (count, 2))
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)

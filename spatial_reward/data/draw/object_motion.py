"""Drawing questions about the motion of points: evenly over how far, with a set share that stays."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.data.draw.balance import evenly, log_bins
from spatial_reward.data.draw.candidates import Candidate, clips, with_twins
from spatial_reward.data.draw.pairs import Indices, Mask, all_pairs, camera_moves, camera_rests, moves
from spatial_reward.data.draw.rules import Drawn, Rules
from spatial_reward.data.sampling import displacement_bins
from spatial_reward.questions.object_motion import (
    PAPER_LEAST_POINTS,
    STRICT_MOVING,
    STRICT_STILL,
    motion_of_point,
)
from spatial_reward.questions.views import STATIC_BELOW, seen_by
from spatial_reward.types import Question, Scene

MOST_POINTS = 512  # of a scene, considered at once
MOST_TRACKS = 1_000_000  # pairs of frames of a point, considered at once
PAPER_PER_BODY = 15  # points
PAPER_CAP = 30  # pairs of a displacement bin


class Tracks(NamedTuple):
    """Points between two frames that see them.

    Attributes:
        first: (M,) frame.
        second: (M,) later frame.
        point: (M,).
        moved: (M,) how far [m].
    """

    first: Indices
    second: Indices
    point: Indices
    moved: Array


def draw_object_motion(
    scene: Scene, kind: str, camera: str, count: int, rng: np.random.Generator, rules: Rules
) -> list[Drawn]:
    """Draw up to `count` questions of a kind under a "moving" or a "static" camera.

    Forward in time; the twins ask the way back.
    """
    if not moves(scene):
        return []
    tracks = _tracks(scene, camera, rng, rules)
    chosen = (
        _paper(tracks, count, rng) if rules.mode == "paper" else _strict(scene, tracks, count, rng, rules)
    )
    columns = (tracks.first[chosen], tracks.second[chosen], tracks.point[chosen])
    candidates = [Candidate(*map(int, row)) for row in zip(*columns, strict=True)]

    def ask(candidate: Candidate) -> Question | None:
        return motion_of_point(kind, scene, candidate.thing, (candidate.first, candidate.second))

    return clips(scene, with_twins(candidates, ask, count, rules, "reversed"), rng, rules)


@lru_cache(maxsize=4)
def why_no_object_motion(scene: Scene, camera: str, rules: Rules) -> str:
    """Say what a scene lacks for questions under a "moving" or a "static" camera."""
    if not moves(scene):
        return "nothing moves"
    tracks = _tracks(scene, camera, np.random.default_rng(0), rules)
    return "" if _moving(tracks, rules).any() else f"no moving point seen twice by a {camera} camera"


def _tracks(scene: Scene, camera: str, rng: np.random.Generator, rules: Rules) -> Tracks:
    points = _points(scene, rng, rules)
    pairs = all_pairs(scene)
    fits = camera_moves if camera == "moving" else camera_rests
    pairs = pairs.where(fits(scene, pairs.first, pairs.second))
    most = MOST_TRACKS // max(1, len(points))
    if len(pairs) > most:
        pairs = pairs.where(np.sort(rng.choice(len(pairs), most, replace=False)))
    seen = seen_by(scene)[:, points]
    pair, place = np.nonzero(seen[pairs.first] & seen[pairs.second])
    first, second, point = pairs.first[pair], pairs.second[pair], points[place]
    moved = np.linalg.norm(scene.points[second, point] - scene.points[first, point], axis=-1)
    return Tracks(first, second, point, moved)


def _points(scene: Scene, rng: np.random.Generator, rules: Rules) -> Indices:
    """Choose points: as many of each body, small bodies left out as published."""
    bodies, counts = np.unique(scene.body, return_counts=True)
    least = PAPER_LEAST_POINTS if rules.mode == "paper" else 1
    most = PAPER_PER_BODY if rules.mode == "paper" else max(1, MOST_POINTS // max(1, len(bodies)))
    kept = [np.flatnonzero(scene.body == body) for body, n in zip(bodies, counts, strict=True) if n >= least]
    drawn = [rng.permutation(points)[:most] for points in kept]
    return np.sort(np.concatenate([*drawn, np.zeros(0, np.int64)]))


def _moving(tracks: Tracks, rules: Rules) -> Mask:
    return np.asarray(tracks.moved >= (STATIC_BELOW if rules.mode == "paper" else STRICT_MOVING))


def _strict(scene: Scene, tracks: Tracks, count: int, rng: np.random.Generator, rules: Rules) -> Indices:
    """Choose evenly over the doublings of the distance; what stays, evenly over the bodies."""
    moving, still = np.flatnonzero(_moving(tracks, rules)), np.flatnonzero(tracks.moved < STRICT_STILL)
    share = rules.still_share / max(1 - rules.still_share, 1e-9)
    stays = min(len(still), round(rules.still_share * count), round(share * len(moving)))
    far = moving[evenly(log_bins(tracks.moved[moving]), count - stays, rng)]
    near = still[evenly(scene.body[tracks.point[still]], stays, rng)]
    return rng.permutation(np.concatenate([far, near]))


def _paper(tracks: Tracks, count: int, rng: np.random.Generator) -> Indices:
    """Choose for every point a still pair, and pairs evenly over ten bins of its displacement."""
    chosen = [np.zeros(0, np.int64)]
    for point in np.unique(tracks.point):
        own = np.flatnonzero(tracks.point == point)
        still, moving = own[tracks.moved[own] < STATIC_BELOW], own[tracks.moved[own] >= STATIC_BELOW]
        chosen += [
            rng.permutation(still)[:1],
            moving[displacement_bins(tracks.moved[moving], PAPER_CAP, rng)],
        ]
    return rng.permutation(np.concatenate(chosen))[:count]

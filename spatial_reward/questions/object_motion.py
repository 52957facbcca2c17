"""Object-motion questions: how far a tracked point moved in the world (MultiSPA 2.7)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.questions.base import Kind, Mode
from spatial_reward.questions.keywords import POINT_STILL
from spatial_reward.questions.readers import magnitude_reader, vector_reader
from spatial_reward.questions.scoring import score_length
from spatial_reward.questions.views import STATIC_BELOW, camera_of, pixel_of, seen_by
from spatial_reward.questions.wording_object import OBJECT_MOTION_WORDING
from spatial_reward.types import Answer, Question, Scene

PAPER_LEAST_POINTS = 6  # rigid groups of up to five points are not asked about
STRICT_STILL = 0.005  # [m] strict: still below this,
STRICT_MOVING = 0.020  # [m] moving from this on; between the two nothing is asked
BINS = 10  # of displacement, so that small motions do not crowd out large ones
MOST_FRAMES = 200  # considered per point
TRIES = 30  # points tried

Pair = tuple[int, int]


def displacement(scene: Scene, point: int, first: int, second: int) -> Array:
    """Return the motion of a point (3,) [m] in the axes of the first camera; below 10 mm it is zero.

    Only the rotation into the camera's axes is applied, so the camera's own motion does not count.
    """
    moved = scene.points[second, point] - scene.points[first, point]
    if np.linalg.norm(moved) < STATIC_BELOW:
        return np.zeros(3)
    turned: Array = camera_of(scene, first).camera_from_world[:3, :3] @ moved
    return turned


def choose_pair(scene: Scene, point: int, rng: np.random.Generator, mode: Mode) -> Pair | None:
    """Choose two frames, forward in time, that see a point.

    The candidates are one still pair and one pair of every displacement bin, so that each counts once.
    """
    times = np.flatnonzero(seen_by(scene)[:, point])
    if len(times) > MOST_FRAMES:
        times = np.sort(rng.choice(times, MOST_FRAMES, replace=False))
    first, second = np.triu_indices(len(times), k=1)
    moved = np.linalg.norm(scene.points[times[second], point] - scene.points[times[first], point], axis=-1)
    still_below, moving_from = (
        (STATIC_BELOW, STATIC_BELOW) if mode == "paper" else (STRICT_STILL, STRICT_MOVING)
    )
    groups = [np.flatnonzero(moved < still_below), *_bins(moved, moving_from)]
    groups = [group for group in groups if len(group)]
    if not groups:
        return None
    chosen = int(rng.choice(groups[int(rng.integers(len(groups)))]))
    return int(times[first[chosen]]), int(times[second[chosen]])


def _bins(moved: Array, moving_from: float) -> list[NDArray[np.int64]]:
    moving = np.flatnonzero(moved >= moving_from)
    if not len(moving):
        return []
    edges = np.histogram_bin_edges(moved[moving], BINS)
    number = np.clip(np.digitize(moved[moving], edges) - 1, 0, BINS - 1)
    return [moving[number == index] for index in range(BINS)]


def _points(scene: Scene, rng: np.random.Generator, mode: Mode) -> list[int]:
    """Draw points: first a body (the background is one), then a point of it that two frames see."""
    seen_twice = seen_by(scene).sum(axis=0) >= 2
    least = PAPER_LEAST_POINTS if mode == "paper" else 1
    groups = [np.flatnonzero((scene.body == body) & seen_twice) for body in _bodies(scene, least)]
    groups = [group for group in groups if len(group)]
    if not groups:
        return []
    return [int(rng.choice(groups[int(rng.integers(len(groups)))])) for _ in range(TRIES)]


def _bodies(scene: Scene, least: int) -> list[int]:
    bodies, counts = np.unique(scene.body, return_counts=True)
    return [int(body) for body, count in zip(bodies, counts, strict=True) if count >= least]


def _ask(kind: str) -> Callable[[Scene, np.random.Generator, Mode], Question | None]:
    def ask(scene: Scene, rng: np.random.Generator, mode: Mode) -> Question | None:
        for point in _points(scene, rng, mode):
            pair = choose_pair(scene, point, rng, mode)
            if pair is not None:
                return motion_of_point(kind, scene, point, pair)
        return None

    return ask


def motion_of_point(kind: str, scene: Scene, point: int, pair: Pair) -> Question:
    """Ask how far, or whereto, a point went between two frames that see it."""
    first, second = pair
    moved = displacement(scene, point, first, second)
    value = moved if kind.startswith("obj_vec") else float(np.linalg.norm(moved))
    there = pixel_of(scene, second, point)
    truth = Answer(value, "m", 0.0, source="truth", match=(there.x, there.y))
    frames = (scene.frames[first], scene.frames[second])
    return Question(kind, frames, (pixel_of(scene, first, point),), answer=truth)


def _kind(name: str, vector: bool) -> Kind:
    words = OBJECT_MOTION_WORDING[name]
    read = vector_reader(POINT_STILL) if vector else magnitude_reader("m", POINT_STILL)
    return Kind(name, "object_motion", "m", _ask(name), words.phrase, words.reply, read, score_length)


OBJ_DIST_COORD = _kind("obj_dist_coord", vector=False)
OBJ_DIST_DOT = _kind("obj_dist_dot", vector=False)
OBJ_VEC_COORD = _kind("obj_vec_coord", vector=True)
OBJ_VEC_DOT = _kind("obj_vec_dot", vector=True)

"""Depth questions: one frame, one or two points, planar depth along the optical axis (MultiSPA 2.3)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.questions.base import Kind, Mode
from spatial_reward.questions.readers import letter_reader, magnitude_reader, pixel_reader
from spatial_reward.questions.scoring import score_candidate, score_length, score_word
from spatial_reward.questions.views import View, camera_of, view
from spatial_reward.questions.wording import to_millimetres
from spatial_reward.questions.wording_depth import DEPTH_WORDING
from spatial_reward.types import Answer, PixelPoint, Question, Scene

STRICT_DEPTH_GAP = 0.01  # [m] between the two depths compared
STRICT_DEPTH_RATIO = 0.02  # share of the nearer depth; the larger of the two gaps counts
STRICT_PIXEL_GAP = 0.04  # share of the image's width between the two points
STRICT_TRIES = 20  # first points tried in a frame
PAPER_TRIES = {"depth_cmp_dot": 11, "depth_cmp_coord": 1}  # draws until the rounded depths differ
LETTERS = ("A", "B")
RELATIONS = ("closer", "farther")


def asks_closer(question: Question) -> bool:
    """Tell whether a depth comparison asks for the closer point; its last label then is not "farther"."""
    return not (question.labels and question.labels[-1] == "farther")


def estimate(kind: str, scene: Scene, time: int, point: int) -> Question:
    """Ask for the depth of a visible point of a frame."""
    pixel, depth = _measured(scene, time, point)
    return Question(kind, (scene.frames[time],), (pixel,), answer=Answer(depth, "m", 0.0, source="truth"))


def comparison(kind: str, scene: Scene, time: int, pair: tuple[int, int], relation: str) -> Question:
    """Ask which of two visible points of a frame is "closer" or "farther"; they keep their order."""
    (first, near), (second, far) = (_measured(scene, time, point) for point in pair)
    points, frames = (first, second), (scene.frames[time],)
    right = int((far < near) if relation == "closer" else (far > near))
    if kind == "depth_cmp_dot":
        truth = Answer(LETTERS[right], "1", 0.0, source="truth")
        return Question(kind, frames, points, (*LETTERS, relation), answer=truth)
    truth = Answer(np.array(points[right][:2]), "px", 0.0, source="truth")
    return Question(kind, frames, points, (relation,), answer=truth)


def _measured(scene: Scene, time: int, point: int) -> tuple[PixelPoint, float]:
    (x, y), depth = camera_of(scene, time).project(scene.points[time, point])
    return PixelPoint(float(x), float(y)), float(depth)


def _random_view(scene: Scene, rng: np.random.Generator, least: int) -> tuple[int, View] | None:
    for time in map(int, rng.permutation(len(scene.frames))):
        seen = view(scene, time)
        if len(seen.points) >= least:
            return time, seen
    return None


def _ask_estimate(kind: str) -> Callable[[Scene, np.random.Generator, Mode], Question | None]:
    def ask(scene: Scene, rng: np.random.Generator, mode: Mode) -> Question | None:
        found = _random_view(scene, rng, 1)
        if found is None:
            return None
        time, seen = found
        return estimate(kind, scene, time, int(rng.choice(seen.points)))

    return ask


def _ask_comparison(kind: str) -> Callable[[Scene, np.random.Generator, Mode], Question | None]:
    def ask(scene: Scene, rng: np.random.Generator, mode: Mode) -> Question | None:
        found = _random_view(scene, rng, 2)
        if found is None:
            return None
        time, seen = found
        width = scene.frames[time].width
        pair = (
            _paper_pair(seen.depth, rng, PAPER_TRIES[kind])
            if mode == "paper"
            else _clear_pair(seen, width, rng)
        )
        if pair is None:
            return None
        first, second = map(int, seen.points[list(pair)])
        return comparison(kind, scene, time, (first, second), RELATIONS[int(rng.integers(2))])

    return ask


def _paper_pair(depth: Array, rng: np.random.Generator, tries: int) -> tuple[int, int] | None:
    for _ in range(tries):
        first, second = map(int, rng.choice(len(depth), 2, replace=False))
        if to_millimetres(float(depth[first])) != to_millimetres(float(depth[second])):
            return first, second
    return None


def _clear_pair(seen: View, width: int, rng: np.random.Generator) -> tuple[int, int] | None:
    """Draw two points whose depths and pixels both differ visibly."""
    for first in map(int, rng.permutation(len(seen.depth))[:STRICT_TRIES]):
        nearer = np.minimum(seen.depth, seen.depth[first])
        gap = np.maximum(STRICT_DEPTH_GAP, STRICT_DEPTH_RATIO * nearer)
        apart = np.linalg.norm(seen.pixels - seen.pixels[first], axis=-1) >= STRICT_PIXEL_GAP * width
        partners = np.flatnonzero((np.abs(seen.depth - seen.depth[first]) >= gap) & apart)
        if len(partners):
            return first, int(rng.choice(partners))
    return None


def _estimate(name: str) -> Kind:
    words = DEPTH_WORDING[name]
    read = magnitude_reader("m")
    return Kind(name, "depth", "m", _ask_estimate(name), words.phrase, words.reply, read, score_length)


_DOT, _COORD = DEPTH_WORDING["depth_cmp_dot"], DEPTH_WORDING["depth_cmp_coord"]
DEPTH_CMP_DOT = Kind(
    name="depth_cmp_dot",
    family="depth",
    unit="1",
    ask=_ask_comparison("depth_cmp_dot"),
    phrase=_DOT.phrase,
    reply=_DOT.reply,
    read=letter_reader("AB"),
    score=score_word,
)
DEPTH_CMP_COORD = Kind(
    name="depth_cmp_coord",
    family="depth",
    unit="px",
    ask=_ask_comparison("depth_cmp_coord"),
    phrase=_COORD.phrase,
    reply=_COORD.reply,
    read=pixel_reader(frame=0),
    score=score_candidate,
)
DEPTH_EST_DOT = _estimate("depth_est_dot")
DEPTH_EST_COORD = _estimate("depth_est_coord")

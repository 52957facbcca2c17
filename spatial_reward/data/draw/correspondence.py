"""Drawing correspondence questions: pairs of frames with enough in common, points that change their pixel."""

from __future__ import annotations

import numpy as np

from spatial_reward.data.draw.balance import evenly
from spatial_reward.data.draw.candidates import Candidate, with_twins
from spatial_reward.data.draw.pairs import Indices, Pairs, all_pairs, pixels
from spatial_reward.data.draw.rules import Drawn, Rules
from spatial_reward.data.sampling import overlap_bins
from spatial_reward.questions.correspondence import choice, coordinates
from spatial_reward.questions.views import STRICT_OVERLAP, common_points
from spatial_reward.types import Question, Scene

NEAR = {
    "vc_coord": 0.05,  # share of the width: published tolerance: the first pixel is the answer
    "vc_mcq": 0.12,  # within which no other dot finds room nearer to it
}
_TRIES = 6  # candidates per question wanted,
_LEAST_TRIES = 2000  # and in all: in some scenes hardly a point changes its pixel


def draw_correspondence(
    scene: Scene, kind: str, count: int, rng: np.random.Generator, rules: Rules
) -> list[Drawn]:
    """Draw up to `count` questions of a kind; few of them are answered by the pixel that is asked about."""
    candidates = _candidates(scene, _pairs(scene, count, rng, rules), count, rng)
    if rules.mode == "strict":
        candidates = [candidates[index] for index in _apart(scene, kind, candidates, count, rng, rules)]

    def ask(one: Candidate) -> Question | None:
        pair = (one.first, one.second)
        if kind == "vc_coord":
            return coordinates(scene, pair, one.thing)
        return choice(scene, pair, one.thing, rng, rules.mode, hard=rules.hard)

    asked = with_twins(candidates, ask, count, rules, "swapped")
    return [Drawn(question, (one.first, one.second), twin) for question, one, twin in asked]


def why_no_correspondence(scene: Scene, kind: str, rules: Rules) -> str:
    """Say what a scene lacks."""
    rng = np.random.default_rng(0)
    pairs = _pairs(scene, 64, rng, rules)
    if not len(pairs):
        return "no pair of frames with enough overlap"
    candidates = _candidates(scene, pairs, 512, rng)
    if rules.mode == "strict" and not len(_apart(scene, kind, candidates, 1, rng, rules)):
        return "no point that both frames see changes its pixel"
    return ""


def _pairs(scene: Scene, count: int, rng: np.random.Generator, rules: Rules) -> Pairs:
    pairs = all_pairs(scene)
    if rules.mode == "paper":
        return pairs.where(overlap_bins(100 * pairs.overlap, count, rng))
    return pairs.where(pairs.overlap >= STRICT_OVERLAP)


def _candidates(scene: Scene, pairs: Pairs, count: int, rng: np.random.Generator) -> list[Candidate]:
    """Draw points that both frames see, the pairs in turn, no point of a pair twice."""
    if not len(pairs):
        return []
    turn = np.resize(rng.permutation(len(pairs)), max(_TRIES * count, _LEAST_TRIES))
    drawn = []
    for index, wanted in zip(*np.unique(turn, return_counts=True), strict=True):
        pair = int(pairs.first[index]), int(pairs.second[index])
        points = rng.permutation(common_points(scene, *pair))[:wanted]
        swap = rng.random(len(points)) < 0.5
        drawn += [Candidate(*(pair[::-1] if s else pair), int(p)) for p, s in zip(points, swap, strict=True)]
    return [drawn[index] for index in rng.permutation(len(drawn))]


def _apart(
    scene: Scene, kind: str, candidates: list[Candidate], count: int, rng: np.random.Generator, rules: Rules
) -> Indices:
    """Choose candidates, evenly over the first frames, of which few stay near their pixel."""
    if not candidates:
        return np.zeros(0, np.int64)
    first, second, point = np.array(candidates, np.int64).T
    shift = pixels(scene, second, point)[0] - pixels(scene, first, point)[0]
    widths = np.array([scene.frames[time].width for time in second])
    near = np.linalg.norm(shift, axis=-1) <= NEAR[kind] * widths
    far, close = np.flatnonzero(~near), np.flatnonzero(near)
    share = rules.near_share / max(1 - rules.near_share, 1e-9)
    stays = min(len(close), round(rules.near_share * count), round(share * len(far)))
    moving = far[evenly(first[far], count - stays, rng)]
    return rng.permutation(np.concatenate([moving, rng.permutation(close)[:stays]]))

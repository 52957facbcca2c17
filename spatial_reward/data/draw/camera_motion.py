"""Drawing questions about the camera's motion: still pairs of frames, every answer as often as the others."""

from __future__ import annotations

import numpy as np

from spatial_reward.data.draw.balance import evenly, log_bins
from spatial_reward.data.draw.candidates import Candidate, clips, with_twins
from spatial_reward.data.draw.pairs import Indices, Pairs, camera_motions, still_pairs
from spatial_reward.data.draw.rules import Drawn, Rules
from spatial_reward.data.sampling import OVERLAP_EDGES, overlap_bins
from spatial_reward.questions.camera_motion import CLEAR, Motion, motion_of_camera
from spatial_reward.questions.views import STRICT_OVERLAP
from spatial_reward.types import Question, Scene

MOST_OF_A_WORD = 0.52  # share of the questions that one of two directions may answer


def draw_camera_motion(
    scene: Scene, kind: str, count: int, rng: np.random.Generator, rules: Rules
) -> list[Drawn]:
    """Draw up to `count` questions of a kind; a pair of frames is asked about once, and once as a twin."""
    if rules.mode == "strict":
        asked = [
            (motion_of_camera(kind, scene, (one.first, one.second)), one, twin)
            for one, twin in _strict(scene, kind, count, rng, rules)
        ]
        return clips(scene, asked, rng, rules)

    def ask(candidate: Candidate) -> Question:
        return motion_of_camera(kind, scene, (candidate.first, candidate.second))

    candidates = _paper(still_pairs(scene), count, rng)
    return clips(scene, with_twins(candidates, ask, count, rules, "swapped"), rng, rules)


def why_no_camera_motion(scene: Scene, kind: str, rules: Rules) -> str:
    """Say what a scene lacks for a kind."""
    pairs = still_pairs(scene)
    low, high = OVERLAP_EDGES[[0, -1]]
    if rules.mode == "paper":
        fit = (100 * pairs.overlap >= low) & (100 * pairs.overlap <= high)
        return "" if fit.any() else f"no still pair of frames with {low} to {high} % overlap"
    pairs = pairs.where(pairs.overlap >= STRICT_OVERLAP)
    if not len(pairs):
        return f"no still pair of frames with {100 * STRICT_OVERLAP:.0f} % overlap"
    drawn = draw_camera_motion(scene, kind, 2, np.random.default_rng(0), rules)
    return "" if drawn else "no clear motion of this sort between still frames, or in one direction only"


def _paper(pairs: Pairs, count: int, rng: np.random.Generator) -> list[Candidate]:
    """Choose pairs evenly over their overlap, in either order."""
    chosen = pairs.where(rng.permutation(overlap_bins(100 * pairs.overlap, count, rng)))
    rows = zip(chosen.first.tolist(), chosen.second.tolist(), rng.random(len(chosen)) < 0.5, strict=True)
    return [Candidate(second, first) if swap else Candidate(first, second) for first, second, swap in rows]


def _strict(
    scene: Scene, kind: str, count: int, rng: np.random.Generator, rules: Rules
) -> list[tuple[Candidate, str]]:
    """Choose clear motions in either order of the frames, evenly over the answers."""
    pairs = still_pairs(scene)
    pairs = pairs.where(pairs.overlap >= STRICT_OVERLAP)
    first, second = np.append(pairs.first, pairs.second), np.append(pairs.second, pairs.first)
    motion = camera_motions(scene, first, second)
    clear = np.flatnonzero(CLEAR[kind](motion))
    answers = _answer(kind, motion)[clear]
    if kind.startswith("cam_dir"):
        count = min(count, int(min((answers == word).sum() for word in (0, 1)) / (1 - MOST_OF_A_WORD)))
    chosen = clear[evenly(answers, count, rng)]
    pool, order = (
        [Candidate(*row) for row in zip(first[index].tolist(), second[index].tolist(), strict=True)]
        for index in (clear, chosen)
    )
    return _with_partners(order, set(pool), count, rules)


def _with_partners(
    order: list[Candidate], pool: set[Candidate], count: int, rules: Rules
) -> list[tuple[Candidate, str]]:
    """Put each choice beside its exchange: where both were chosen, and for a share of the others."""
    chosen, found, extra = set(order), dict[Candidate, str](), round(rules.twins * count)
    for one in order:
        partner = one.exchanged()
        if one in found:
            continue
        found[one] = ""
        if partner in chosen or (extra > 0 and partner in pool):
            found[partner] = "swapped"
            extra -= 1
    return list(found.items())[:count]


def _answer(kind: str, motion: Motion) -> Indices:
    """Number the answer of each motion (P), or the bin of its size."""
    if kind in ("cam_dist", "cam_vec"):
        return log_bins(np.linalg.norm(motion.shift, axis=-1))
    if kind in ("cam_deg_yaw", "cam_deg_pitch"):
        return log_bins(np.abs(motion.yaw if kind == "cam_deg_yaw" else motion.pitch))
    turned = {"cam_dir_yaw": motion.yaw, "cam_dir_pitch": motion.pitch}
    along = turned[kind] if kind in turned else motion.shift[..., "xyz".index(kind[-1])]
    return (along > 0).astype(np.int64)

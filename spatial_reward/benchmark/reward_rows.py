"""What is noted of every clip and model of the reward suite: curves, truth, controls; as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spatial_reward.benchmark.reward_clips import Clip, frozen, reverse, shuffle
from spatial_reward.benchmark.reward_metrics import last_valid, spearman_with_time, trend
from spatial_reward.benchmark.reward_scorers import Curve, Scorer
from spatial_reward.rewards.goals import Move

Row = dict[str, Any]
LEAST_MOTION = 0.05  # [m] a thing must have gone for an instruction to be about its motion


def clip_row(clip: Clip, scorer: Scorer) -> Row:
    """Score a clip, and its controls where it truly succeeds."""
    truth, curve = clip.truth(), scorer.curve(clip)
    row = {
        "row": "clip",
        "env": clip.env,
        "behaviour": clip.behaviour,
        "seed": clip.seed,
        "model": scorer.name,
        "time_s": [frame.time for frame in clip.frames],
        "true_distance_m": truth.distance,
        "true_progress": truth.progress,
        "true_success": truth.success,
        "true_motion_m": clip.motion(),
        "potential_m": curve.potential,
        "progress": curve.progress,
        "success": curve.success,
        "std_m": curve.std,
        "valid": curve.valid,
        "motion_m": curve.motion,
        "latency_s": curve.latency,
    }
    if truth.success[-1] > 0.5 and clip.behaviour == "success":
        row |= order_row(clip, curve, scorer)
    return {key: _plain(value) for key, value in row.items()}


def order_row(clip: Clip, curve: Curve, scorer: Scorer) -> dict[str, float]:
    """Return how a reward orders a success, and the controls made of its pictures; NaN where undefined."""
    part = clip.moving()
    found = {
        "voc": spearman_with_time(curve.value[part], curve.valid[part], curve.noise),
        "voc_whole": spearman_with_time(curve.value, curve.valid, curve.noise),
    }
    controls = {"frozen": frozen(clip), "reversed": reverse(clip), "shuffled": shuffle(clip)}
    for name, control in controls.items():
        if control is not None:
            seen = scorer.curve(control)
            found[f"voc_{name}"] = spearman_with_time(seen.value, seen.valid, seen.noise)
            found[f"trend_{name}"] = trend(seen.value, seen.valid, seen.noise)
    return found


def instruction_row(clips: Sequence[Clip], scorer: Scorer) -> Row | None:
    """Ask of clips, in each of which another thing is moved, about the motion of each; None if there is none.

    The goal about a thing is to move it as far as it is moved in its own clip.
    """
    moved = [pair for pair in map(_most_moved, clips) if pair is not None]
    names = [name for name, _ in moved]
    if len(moved) < 2 or len(moved) < len(clips) or len(set(names)) < len(names):
        return None
    if any(name not in clip.references for name in names for clip in clips):
        return None
    goals = [Move(name, by=round(length, 2), within=0.02) for name, length in moved]
    asked = [[clip.asked(goal) for goal in goals] for clip in clips]
    return {
        "row": "instruction",
        "env": clips[0].env,
        "seed": clips[0].seed,
        "model": scorer.name,
        "things": names,
        "progress": [[_final(scorer.curve(clip)) for clip in line] for line in asked],
        "true_progress": [[float(clip.truth().progress[-1]) for clip in line] for line in asked],
    }


def _final(curve: Curve) -> float | None:
    value = last_valid(curve.progress, curve.valid)
    return None if np.isnan(value) else value


def _most_moved(clip: Clip) -> tuple[str, float] | None:
    """Return the thing with a pixel that has moved farthest by the end, and how far [m]."""
    lengths = {
        name: float(np.linalg.norm(clip.positions[-1][name] - clip.positions[0][name]))
        for name, reference in clip.references.items()
        if reference.pixel is not None
    }
    if not lengths or max(lengths.values()) < LEAST_MOTION:
        return None
    return max(lengths.items(), key=lambda pair: pair[1])


def columns(rows: Sequence[Mapping[str, Any]], key: str, first: int = 1) -> np.ndarray[Any, Any]:
    """Pool a column of all rows, unknown as NaN; the reference frame itself (frame 0) is left out."""
    parts = [np.array(row[key], float)[first:] for row in rows]
    return np.concatenate(parts) if parts else np.empty(0)


def _plain(value: Any) -> Any:
    """Return arrays as lists, and NaN as None."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value

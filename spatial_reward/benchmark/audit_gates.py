"""What an audit measures, and the gates that a reward must pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.benchmark import reward_metrics as measures
from spatial_reward.benchmark.audit_controls import CONTROLS
from spatial_reward.benchmark.metrics import MOVED, RESTING
from spatial_reward.benchmark.reward_clips import Clip, Truth
from spatial_reward.benchmark.reward_scorers import NOISE, Curve, Scorer
from spatial_reward.camera import Array

SIDE = 96  # [px] of the pictures that are kept

CREDITED = (
    *("static", "wrong_object", "wrong_goal", "camera_shake", "occluder", "removed_object"),
    *("robot_alone", "teleported_robot", "brightness", "colour"),
)
CALLED = {True: 0.5, False: 0.9}  # a probability, or a mere progress, from which success is called


@dataclass(frozen=True, eq=False)
class Scored:
    """A clip as it was scored, without its frames.

    Attributes:
        behaviour: What it shows.
        seed: Of the layout.
        goal: What was asked.
        truth: Of each frame.
        motion: (T,) true motion of the goal's thing [m].
        moving: The frames in which the goal is worked at.
        curve: What the reward said.
        pictures: A few small ones, evenly spread.
    """

    behaviour: str
    seed: int
    goal: str
    truth: Truth
    motion: Array
    moving: slice
    curve: Curve
    pictures: tuple[NDArray[np.uint8], ...]

    @classmethod
    def of(cls, clip: Clip, scorer: Scorer) -> Scored:
        """Score a clip, and keep what is needed of it."""
        curve, pictures = scorer.curve(clip), glimpses(clip)
        truth, motion, moving = clip.truth(), clip.motion(), clip.moving()
        return cls(clip.behaviour, clip.seed, str(clip.goal), truth, motion, moving, curve, pictures)


Results = Mapping[str, Sequence[Scored]]  # by control


def glimpses(clip: Clip, count: int = 5) -> tuple[NDArray[np.uint8], ...]:
    """Return small pictures of a clip, evenly spread, the first and the last among them."""
    numbers = np.unique(np.rint(np.linspace(0, len(clip.frames) - 1, count)).astype(int))
    small = [cv2.resize(clip.frames[n].rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for n in numbers]
    return tuple(np.asarray(picture, np.uint8) for picture in small)


class Gate(NamedTuple):
    """A gate: what was measured, its limit, and whether it is passed; None where it does not apply."""

    metric: str
    value: float
    limit: str
    passed: bool | None


def measure(results: Results) -> dict[str, float | None]:
    """Return the metrics of all controls; None where a control does not apply, NaN where undefined."""
    metric = any(one.curve.metric for one in results.get("success", ()))
    found: dict[str, float | None] = {**_as_it_was(results.get("success", ()), metric), **_order(results)}
    for name in CREDITED:
        found[f"{name}_unearned"] = _worst_unearned(results.get(name, ()))
    found["clock_unearned"] = _worst_unearned(results.get("clock", ()), waiting=True)
    found["false_motion_rate"] = _false_motion(results) if metric else None
    found["false_success_rate"] = _false_success([one for scored in results.values() for one in scored])
    pushes = [one for one in results.get("failures", ()) if one.behaviour == "push_not_lift"]
    found["push_not_lift_called_lift"] = _false_success(pushes) if pushes else None
    return found


def judge(
    metrics: Mapping[str, float | None],
    least: Mapping[str, float | None],
    most: Mapping[str, float | None],
) -> list[Gate]:
    """Hold metrics against their limits, of which None sets none; what is undefined (NaN) does not pass.

    Raises:
        ValueError: If a limit is for an unknown metric, or no number.
    """
    gates = []
    for sign, limits in ((">=", least), ("<=", most)):
        for metric, limit in limits.items():
            if limit is not None:
                gates.append(_gate(metrics, metric, sign, limit))
    return gates


def _gate(metrics: Mapping[str, float | None], metric: str, sign: str, limit: float) -> Gate:
    if metric not in metrics:
        raise ValueError(f"There is no metric {metric!r} to set a gate for. There are: {', '.join(metrics)}.")
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise ValueError(f"The gate of {metric!r} must be a number or null, got {limit!r}.")
    value, words = metrics[metric], f"{sign} {limit:g}"
    if value is None:
        return Gate(metric, measures.NAN, words, None)
    return Gate(metric, value, words, bool(value >= limit if sign == ">=" else value <= limit))


def _as_it_was(scored: Sequence[Scored], metric: bool) -> dict[str, float | None]:
    """How the attempt itself is measured."""
    curves = [(one.curve, one.moving) for one in scored]
    vocs = [measures.spearman_with_time(c.value[part], c.valid[part], c.noise) for c, part in curves]
    error = _pooled([(np.abs(one.curve.progress - one.truth.progress), one.curve.valid) for one in scored])
    gap = _pooled([(one.curve.potential + one.truth.distance, one.curve.valid) for one in scored])
    std = _pooled([(one.curve.std, one.curve.valid) for one in scored])
    valid = np.concatenate([one.curve.valid for one in scored]) if scored else np.empty(0)
    return {
        "voc": measures.median(vocs)[0],
        "progress_mae": float(np.mean(error)) if len(error) else measures.NAN,
        "mae_mm": 1000 * float(np.mean(np.abs(gap))) if metric else None,
        "coverage_90": measures.coverage(gap, std, 0.9) if metric else None,
        "valid_share": float(valid.mean()) if len(valid) else measures.NAN,
    }


def _order(results: Results) -> dict[str, float | None]:
    """How pictures in another order, or no order at all, are ordered."""
    real, frozen, backwards = (_trends(results.get(key, ())) for key in ("success", "static", "reversed"))
    biases = [_order_bias(one) for one in results.get("shuffled", ())]
    gaps = [one - other for one, other in zip(real, frozen, strict=False)]
    return {
        "voc_frozen": float(np.max(np.abs(frozen))) if frozen else None,
        "voc_gap": measures.median(gaps)[0] if gaps else None,
        "voc_reversed": measures.median(backwards)[0] if backwards else None,
        "shuffled_bias": abs(float(np.mean(biases))) if biases else None,
    }


def _trends(scored: Sequence[Scored]) -> list[float]:
    return [measures.trend(one.curve.value, one.curve.valid, one.curve.noise) for one in scored]


def _order_bias(one: Scored) -> float:
    """How much more values follow time than the truth does, in the very frames that are valid."""
    said = measures.trend(one.curve.value, one.curve.valid, one.curve.noise)
    return said - measures.trend(-one.truth.distance, one.curve.valid, NOISE["m"])


def _worst_unearned(scored: Sequence[Scored], waiting: bool = False) -> float | None:
    """Return the most progress claimed beyond the truth in any clip; only in its first half, if asked."""
    if not scored:
        return None
    claims = []
    for one in scored:
        part = slice(0, len(one.truth.progress) // 2 if waiting else None)
        progress, valid = one.curve.progress[part], one.curve.valid[part]
        claims.append(measures.unearned(progress, one.truth.progress[part], valid))
    # Where nothing is valid nothing is claimed; that too little is valid, `valid_share` tells.
    return float(np.max(np.nan_to_num(claims)))


def _false_motion(results: Results) -> float:
    """Share of valid frames of still controls in which the goal's thing is said to have moved."""
    still = [one for control in CONTROLS if control.still for one in results.get(control.name, ())]
    claimed = _pooled([(one.curve.motion, one.curve.valid & (one.motion <= RESTING)) for one in still])
    return float((claimed > MOVED).mean()) if len(claimed) else measures.NAN


def _false_success(scored: Sequence[Scored]) -> float:
    """Share of valid frames without success that are called one."""
    called = _pooled([(_calls(one.curve), one.curve.valid & (one.truth.success < 0.5)) for one in scored])
    return float(called.mean()) if len(called) else measures.NAN


def _calls(curve: Curve) -> Array:
    own = bool(np.isfinite(curve.success).any())
    return (np.nan_to_num(curve.verdict) >= CALLED[own]).astype(float)


def _pooled(columns: Sequence[tuple[Array, NDArray[np.bool_]]]) -> Array:
    """Return the known values of all columns where they are wanted, without the reference frames."""
    parts = [values[1:][wanted[1:]] for values, wanted in columns]
    pooled = np.concatenate(parts) if parts else np.empty(0)
    return pooled[np.isfinite(pooled)]

"""The numbers of the reward suite, from its rows: one flat dict per model, and how sure each number is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spatial_reward.benchmark import reward_metrics as measures
from spatial_reward.benchmark.metrics import MOVED, RESTING, latency_percentiles
from spatial_reward.benchmark.reward_rows import Row, columns

CALLED = 0.5  # probability of success from which a frame is said to show it


def summarise(rows: Sequence[Row]) -> dict[str, float]:
    """Return the numbers of one model; `*_undefined` counts what is behind a median and has no value."""
    clips = [row for row in rows if row["row"] == "clip"]
    return {
        "clips": len(clips),
        **_order(clips),
        **_ranking(clips),
        **_detection(clips),
        **_errors(clips),
        **_calibration(clips),
        **_instruction([row for row in rows if row["row"] == "instruction"]),
        **_safety(clips),
    }


def intervals(
    rows: Sequence[Row], keys: Sequence[str], times: int = 200, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of numbers by a bootstrap over layouts (environment and seed)."""
    layouts: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        layouts.setdefault((row["env"], row["seed"]), []).append(row)
    groups, rng = list(layouts.values()), np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {key: [] for key in keys}
    for _ in range(times if len(groups) > 1 else 0):
        picked = [
            _copy(groups[index], copy)
            for copy, index in enumerate(rng.integers(len(groups), size=len(groups)))
        ]
        found = summarise([row for group in picked for row in group])
        for key in keys:
            drawn[key].append(found[key])
    return {key: _central(values) for key, values in drawn.items()}


def _copy(rows: Sequence[Row], copy: int) -> list[Row]:
    """Make a drawn layout one of its own, so that its clips are compared with each other only."""
    return [{**row, "seed": (row["seed"], copy)} for row in rows]


def _central(values: Sequence[float]) -> tuple[float, float]:
    known = np.array(values, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _order(clips: Sequence[Row]) -> dict[str, float]:
    """Order in time: of successes, and of controls made of them."""
    ordered = [row for row in clips if "voc" in row]
    found: dict[str, float] = {"successes": len(ordered)}
    for key in ("voc", "voc_whole", "voc_frozen", "voc_reversed", "voc_shuffled"):
        found[key], missing = measures.median([_number(row.get(key)) for row in ordered])
        found[f"{key}_undefined"] = missing
    gaps = [_number(row["voc"]) - _number(row.get("trend_frozen")) for row in ordered]
    found["voc_gap"], found["voc_gap_undefined"] = measures.median(gaps)
    return found


def _ranking(clips: Sequence[Row]) -> dict[str, float]:
    """Final values against true final progress, within an environment or a layout."""
    taus = [
        _tau([row for row in clips if row["env"] == env]) for env in dict.fromkeys(r["env"] for r in clips)
    ]
    tau, missing = _mean(taus)
    progress, truth = [_final(row, "progress") for row in clips], [_last_true(row) for row in clips]
    layouts = [(row["env"], row["seed"]) for row in clips]
    return {
        "kendall_tau_b": tau,
        "kendall_tau_b_undefined": missing,
        "preference_accuracy": measures.preference_accuracy(progress, truth, layouts),
    }


def _tau(clips: Sequence[Row]) -> float:
    return measures.kendall_tau_b(
        [_final(row, "progress") for row in clips], [_last_true(row) for row in clips]
    )


def _detection(clips: Sequence[Row]) -> dict[str, float]:
    """Success of a whole clip, by its last valid verdict."""
    scores = np.array([_verdict(row) for row in clips], float)
    labels = np.array([row["true_success"][-1] for row in clips], float)
    return {
        "success_roc_auc": measures.roc_auc(scores, labels),
        "success_auprc": measures.average_precision(scores, labels),
        "success_fpr_at_95_tpr": measures.fpr_at_tpr(scores, labels),
        "success_undefined": int(np.isnan(scores).sum()),
    }


def _errors(clips: Sequence[Row]) -> dict[str, float]:
    """Errors of valid frames, pooled, without the reference frame."""
    valid = columns(clips, "valid") > 0.5
    progress = np.abs(columns(clips, "progress") - columns(clips, "true_progress"))[valid]
    metric = 1000 * np.abs(columns(clips, "potential_m") + columns(clips, "true_distance_m"))[valid]
    metric = metric[np.isfinite(metric)]
    return {
        "progress_mae": float(np.nanmean(progress)) if np.isfinite(progress).any() else measures.NAN,
        "mae_mm": float(metric.mean()) if len(metric) else measures.NAN,
        "error_mm_p50": float(np.median(metric)) if len(metric) else measures.NAN,
        "error_mm_p90": float(np.percentile(metric, 90)) if len(metric) else measures.NAN,
        "valid_share": float(valid.mean()) if len(valid) else measures.NAN,
    }


def _calibration(clips: Sequence[Row]) -> dict[str, float]:
    """Whether stds and probabilities mean what they say, over valid frames."""
    valid = columns(clips, "valid") > 0.5
    errors = (columns(clips, "potential_m") + columns(clips, "true_distance_m"))[valid]
    std = columns(clips, "std_m")[valid]
    success, label = columns(clips, "success")[valid], columns(clips, "true_success")[valid]
    return {
        "coverage_50": measures.coverage(errors, std, 0.5),
        "coverage_90": measures.coverage(errors, std, 0.9),
        "std_mm_p50": 1000 * measures.median(list(std))[0],
        "success_ece": measures.calibration_error(success, label),
        "risk_coverage_mm": 1000 * measures.risk_coverage_area(errors, std),
    }


def _instruction(rows: Sequence[Row]) -> dict[str, float]:
    margin, missing = _mean([measures.instruction_margin(matrix_of(row, "progress")) for row in rows])
    best, _ = _mean([measures.instruction_margin(matrix_of(row, "true_progress")) for row in rows])
    found = {"instruction_margin": margin, "instruction_margin_true": best}
    return {**found, "instruction_undefined": missing, "instruction_matrices": len(rows)}


def _safety(clips: Sequence[Row]) -> dict[str, float]:
    """Motion that is claimed of things at rest, and pushes that are called lifts."""
    valid = columns(clips, "valid") > 0.5
    resting = valid & (columns(clips, "true_motion_m") <= RESTING)
    claimed = columns(clips, "motion_m")[resting]
    claimed = claimed[np.isfinite(claimed)]
    pushes = [row for row in clips if row["behaviour"] == "push_not_lift" and max(row["true_success"]) < 0.5]
    said = np.concatenate([_verdicts(row) for row in pushes]) if pushes else np.empty(0)
    p50, p95 = latency_percentiles(columns(clips, "latency_s"))
    return {
        "false_motion_rate": float((claimed > MOVED).mean()) if len(claimed) else measures.NAN,
        "push_not_lift_called_lift": float((said >= CALLED).mean()) if len(said) else measures.NAN,
        "latency_ms_p50": p50,
        "latency_ms_p95": p95,
    }


def matrix_of(row: Mapping[str, Any], key: str) -> np.ndarray[Any, Any]:
    """Return a matrix of progress, unknown as NaN."""
    return np.array(row[key], float)


def _verdicts(row: Row) -> np.ndarray[Any, Any]:
    """Return what tells success in each valid frame: its probability, else the progress."""
    success = np.array(row["success"], float)
    told = success if np.isfinite(success).any() else np.array(row["progress"], float)
    kept: np.ndarray[Any, Any] = told[np.array(row["valid"], bool)]
    return kept


def _verdict(row: Row) -> float:
    told = _verdicts(row)
    told = told[np.isfinite(told)]
    return float(told[-1]) if len(told) else measures.NAN


def _final(row: Row, key: str) -> float:
    return measures.last_valid(np.array(row[key], float), row["valid"])


def _last_true(row: Row) -> float:
    return float(row["true_progress"][-1])


def _number(value: float | None) -> float:
    return measures.NAN if value is None else float(value)


def _mean(values: Sequence[float]) -> tuple[float, int]:
    known = [value for value in values if np.isfinite(value)]
    return (float(np.mean(known)) if known else measures.NAN), len(values) - len(known)

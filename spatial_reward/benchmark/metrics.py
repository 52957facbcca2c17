"""How right predicted distances are: rank, order, error, false motion, validity, latency.

Distances `predicted` and `truth` are (T,) [m], `valid` (T,) tells which predictions may be used. Only steps
that are valid and whose two numbers are known count. What is undefined is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array

NAN = float("nan")
_ROWS = 256  # steps that are compared with all others at a time
FEWEST_RANKED = 8  # a rank correlation of fewer steps says little
GROSS = 0.05  # [m] an error beyond it is a gross one
MOVED = 0.01  # [m] a displacement beyond it claims motion
RESTING = 0.001  # [m] a thing that moved less is at rest


@dataclass(frozen=True, eq=False)
class EpisodeErrors:
    """What one episode is judged by.

    Attributes:
        predicted: (T,) predicted distances to the goal [m]; NaN = unknown.
        truth: (T,) true distances [m]; NaN = unknown.
        valid: (T,) whether the prediction may be used.
        latency: (T,) time of a measurement [s].
        displacement_predicted: (T,) or (T, 3) motion of a followed reference since the start [m].
        displacement_true: (T,) or (T, 3) its true motion [m].

    Raises:
        ValueError: If the lengths disagree.
    """

    predicted: Array
    truth: Array
    valid: NDArray[np.bool_]
    latency: Array
    displacement_predicted: Array | None = None
    displacement_true: Array | None = None

    def __post_init__(self) -> None:
        """Check that every column has a row for every step."""
        lengths = {name: len(column) for name, column in self._columns().items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"The columns of an episode must be equally long, got {lengths}.")

    def as_columns(self) -> dict[str, list[Any]]:
        """Return the columns as lists, for JSON or a table."""
        return {name: np.asarray(column).tolist() for name, column in self._columns().items()}

    def _columns(self) -> dict[str, Any]:
        return {name: column for name, column in vars(self).items() if column is not None}


def thin(truth: ArrayLike, step: float = 0.005) -> NDArray[np.intp]:
    """Return the indices of steps that each differ from the last kept one by at least `step` [m].

    The first known step is kept; unknown ones (NaN) are not. Without this, long still phases rank noise.
    """
    kept: list[int] = []
    truth = np.asarray(truth, float)
    for index in np.flatnonzero(np.isfinite(truth)):
        # A micrometre of slack, so that steps of just 5 mm are kept in spite of rounding.
        if not kept or abs(truth[index] - truth[kept[-1]]) >= step - 1e-6:
            kept.append(int(index))
    return np.array(kept, np.intp)


def spearman(predicted: ArrayLike, truth: ArrayLike, valid: ArrayLike) -> float:
    """Rank correlation in [-1, 1] over thinned valid steps; NaN under 8 of them or if nothing varies."""
    from scipy.stats import spearmanr

    predicted, truth = _usable(predicted, truth, valid)
    kept = thin(truth)
    if len(kept) < FEWEST_RANKED or np.ptp(predicted[kept]) == 0:
        return NAN
    return float(spearmanr(predicted[kept], truth[kept]).statistic)


def order_accuracy(predicted: ArrayLike, truth: ArrayLike, valid: ArrayLike, gap: float = 0.005) -> float:
    """Share of the step pairs with true distances more than `gap` [m] apart that are ordered right.

    A tie in the prediction is not right. Time, not memory, grows with the square of the number of steps.
    """
    predicted, truth = _usable(predicted, truth, valid)
    pairs = right = 0
    for first in range(0, len(truth), _ROWS):
        rows = slice(first, first + _ROWS)
        farther = truth[rows, None] - truth > gap  # of each pair, the ordering with a positive difference
        pairs += int(farther.sum())
        right += int((farther & (predicted[rows, None] > predicted)).sum())
    return right / pairs if pairs else NAN


def mae_mm(predicted: ArrayLike, truth: ArrayLike, valid: ArrayLike) -> float:
    """Mean absolute error over valid steps [mm]."""
    errors = _errors(predicted, truth, valid)
    return 1000 * float(errors.mean()) if len(errors) else NAN


def gross_error_rate(predicted: ArrayLike, truth: ArrayLike, valid: ArrayLike, limit: float = GROSS) -> float:
    """Share of the valid steps that are off by more than `limit` [m]."""
    return _share(_errors(predicted, truth, valid) > limit)


def false_motion_rate(
    displacement_predicted: ArrayLike,
    displacement_true: ArrayLike,
    valid: ArrayLike,
    limit: float = MOVED,
    static: float = RESTING,
) -> float:
    """Share of the valid steps in which a thing that rests is said to have moved.

    Args:
        displacement_predicted: (T,) lengths or (T, 3) vectors since the start [m].
        displacement_true: (T,) or (T, 3) [m].
        valid: (T,).
        limit: Motion is claimed beyond this length [m].
        static: A thing rests up to this length [m].
    """
    return _share(_claims(displacement_predicted, displacement_true, valid, static) > limit)


def valid_share(valid: ArrayLike) -> float:
    """Share of the steps that are valid."""
    return _share(np.asarray(valid, bool))


def latency_percentiles(latency: ArrayLike, percentiles: Sequence[float] = (50, 95)) -> tuple[float, ...]:
    """Return percentiles [ms] of latencies [s]; unknown ones (NaN) do not count."""
    known = np.asarray(latency, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return (NAN,) * len(percentiles)
    return tuple(1000 * float(value) for value in np.percentile(known, percentiles))


def summarise(episodes: Sequence[EpisodeErrors]) -> dict[str, float]:
    """Return the numbers of several episodes, flat.

    `spearman`, `order_accuracy` and `mae_mm` are medians over the episodes in which they are defined, with
    `*_worst` beside and `*_undefined` counting the others. Rates, shares and latencies pool all steps, so
    that a long episode weighs more and a rare failure is not lost in a median.
    """
    summary: dict[str, float] = {"episodes": len(episodes)}
    for name, (measure, worst) in _PER_EPISODE.items():
        values = np.array([measure(one.predicted, one.truth, one.valid) for one in episodes], float)
        defined = values[np.isfinite(values)]
        summary[name] = float(np.median(defined)) if len(defined) else NAN
        summary[f"{name}_worst"] = float(worst(defined)) if len(defined) else NAN
        summary[f"{name}_undefined"] = len(values) - len(defined)
    errors = _pooled([_errors(one.predicted, one.truth, one.valid) for one in episodes])
    summary["gross_error_rate"] = _share(errors > GROSS)
    summary["false_motion_rate"] = _share(_pooled([_claims_of(one) for one in episodes]) > MOVED)
    summary["valid_share"] = valid_share(_pooled([one.valid for one in episodes]))
    latency = latency_percentiles(_pooled([one.latency for one in episodes]))
    summary["latency_ms_p50"], summary["latency_ms_p95"] = latency
    return summary


_PER_EPISODE: dict[str, tuple[Callable[..., float], Callable[[Array], Any]]] = {
    "spearman": (spearman, np.min),
    "order_accuracy": (order_accuracy, np.min),
    "mae_mm": (mae_mm, np.max),
}


def _usable(predicted: ArrayLike, truth: ArrayLike, valid: ArrayLike) -> tuple[Array, Array]:
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    known = np.asarray(valid, bool) & np.isfinite(predicted) & np.isfinite(truth)
    return predicted[known], truth[known]


def _errors(predicted: ArrayLike, truth: ArrayLike, valid: ArrayLike) -> Array:
    predicted, truth = _usable(predicted, truth, valid)
    return np.abs(predicted - truth)


def _claims(predicted: ArrayLike, true: ArrayLike, valid: ArrayLike, static: float = RESTING) -> Array:
    """Return the predicted lengths [m] of displacements in the valid steps in which the thing rests."""
    predicted, true = _usable(_lengths(predicted), _lengths(true), valid)
    return predicted[true <= static]


def _claims_of(episode: EpisodeErrors) -> Array:
    if episode.displacement_predicted is None or episode.displacement_true is None:
        return np.empty(0)
    return _claims(episode.displacement_predicted, episode.displacement_true, episode.valid)


def _lengths(displacement: ArrayLike) -> Array:
    displacement = np.asarray(displacement, float)
    lengths: Array = np.linalg.norm(displacement, axis=-1) if displacement.ndim == 2 else np.abs(displacement)
    return lengths


def _pooled(columns: Sequence[ArrayLike]) -> Array:
    return np.concatenate([np.asarray(column, float) for column in columns]) if columns else np.empty(0)


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if which.size else NAN

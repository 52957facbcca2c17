"""How good a reward is as a signal: order, ranking, success detection, error, calibration, instruction.

Undefined is NaN, never 0: a constant has no rank, a class that is missing no ROC. Definitions that differ
between papers are said: VOC here is Spearman's, ties count half.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array

NAN = float("nan")
FEWEST = 5  # frames that can be said to be in order


def spearman_with_time(values: ArrayLike, valid: ArrayLike, noise: float = 0.0) -> float:
    """Value-order correlation (VOC) in [-1, 1]: Spearman's of values (T,) with time, over valid frames.

    Changes below `noise` are ties, see `steady`. NaN under 5 valid frames, and where all values tie: a level
    line has no order.
    """
    from scipy.stats import spearmanr

    values = np.asarray(values, float)
    known = np.flatnonzero(np.asarray(valid, bool) & np.isfinite(values))
    ranked = steady(values[known], noise)
    if len(known) < FEWEST or np.ptp(ranked) == 0:
        return NAN
    return float(spearmanr(known, ranked).statistic)


def trend(values: ArrayLike, valid: ArrayLike, noise: float = 0.0) -> float:
    """VOC of a control clip, in which a level line is right and counts as 0; NaN under 5 valid frames."""
    values = np.asarray(values, float)
    known = values[np.asarray(valid, bool) & np.isfinite(values)]
    if len(known) >= FEWEST and np.ptp(steady(known, noise)) == 0:
        return 0.0
    return spearman_with_time(values, valid, noise)


def steady(values: ArrayLike, noise: float) -> Array:
    """Hold values (T,) until they differ from the held one by more than `noise`: still phases become ties.

    >>> steady([0.0, 0.01, -0.01, 0.5, 0.51], noise=0.1).tolist()
    [0.0, 0.0, 0.0, 0.5, 0.5]
    """
    held = np.array(values, float)
    for index in range(1, len(held)):
        if abs(held[index] - held[index - 1]) <= noise:
            held[index] = held[index - 1]
    return held


def stretch(distance: ArrayLike, reached: ArrayLike, moved: float = 0.005) -> slice:
    """Return the frames from just before a true distance (T,) first changes to where the goal is reached.

    Before that a hand approaches, and nothing that the goal speaks of moves: there is nothing to order.

    Args:
        distance: To the goal [m].
        reached: (T,) whether the goal is reached.
        moved: What counts as a change [m].
    """
    distance, reached = np.asarray(distance, float), np.asarray(reached, bool)
    changed = np.flatnonzero(np.abs(distance - distance[0]) > moved)
    if not len(changed):
        return slice(0, 0)
    ends = np.flatnonzero(reached & (np.arange(len(reached)) >= changed[0]))
    return slice(max(int(changed[0]) - 1, 0), int(ends[0]) + 1 if len(ends) else len(distance))


def kendall_tau_b(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Kendall's tau-b of final values with the true quality (n,); NaN under 2 known pairs or if all tie."""
    from scipy.stats import kendalltau

    predicted, truth = _known(predicted, truth)
    if len(predicted) < 2 or np.ptp(predicted) == 0 or np.ptp(truth) == 0:
        return NAN
    return float(kendalltau(predicted, truth, variant="b").statistic)


def preference_accuracy(
    predicted: ArrayLike, truth: ArrayLike, groups: Sequence[object], margin: float = 0.1
) -> float:
    """Share of pairs of one group, whose true quality differs by more than `margin`, ordered right.

    A tie in the prediction counts half, a value that is unknown (NaN) as wrong: who cannot say which of two
    is better has no preference to offer.
    """
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    same = np.array([[one == other for other in groups] for one in groups], bool).reshape(len(truth), -1)
    better = same & (truth[:, None] - truth[None] > margin)
    ahead = predicted[:, None] - predicted[None]
    right = np.where(np.isnan(ahead), 0.0, np.where(ahead == 0, 0.5, ahead > 0))
    return float(right[better].mean()) if better.any() else NAN


def roc_auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: how likely a success scores above a failure, ties half; NaN without both."""
    from scipy.stats import rankdata

    scores, labels = _scored(scores, labels)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return NAN
    above = rankdata(scores)[labels].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the precision-recall curve (AUPRC): precision averaged over the steps of recall."""
    scores, labels = _scored(scores, labels)
    if labels.all() or not labels.any():
        return NAN
    true, false = _counts_above(scores, labels)
    recall = true / labels.sum()
    return float(np.sum(np.diff(recall, prepend=0.0) * true / (true + false)))


def fpr_at_tpr(scores: ArrayLike, labels: ArrayLike, tpr: float = 0.95) -> float:
    """Share of failures called successes at the highest threshold that finds `tpr` of the successes."""
    scores, labels = _scored(scores, labels)
    if labels.all() or not labels.any():
        return NAN
    true, false = _counts_above(scores, labels)
    enough = np.flatnonzero(true >= tpr * labels.sum() - 1e-9)[0]
    return float(false[enough] / (~labels).sum())


def coverage(errors: ArrayLike, std: ArrayLike, level: float = 0.9) -> float:
    """Share of errors inside the central interval of probability `level` that their std states."""
    errors, std = _known(errors, std)
    inside = np.abs(errors) <= NormalDist().inv_cdf(0.5 + level / 2) * std + 1e-9  # an exact 0 is inside
    return float(inside.mean()) if len(errors) else NAN


def calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error of success probabilities, in equal bins of [0, 1]."""
    probabilities, labels = _known(probabilities, labels)
    if not len(probabilities):
        return NAN
    where = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [abs(float(np.sum(probabilities[where == b] - labels[where == b]))) for b in range(bins)]
    return sum(gaps) / len(probabilities)


def risk_coverage(errors: ArrayLike, std: ArrayLike) -> tuple[Array, Array]:
    """Return coverage (n,) in (0, 1] and risk (n,): mean |error| of the share that is surest of itself."""
    errors, std = _known(errors, std)
    surest = np.abs(errors)[np.argsort(std, kind="stable")]
    counts = np.arange(1, len(surest) + 1)
    return counts / max(len(surest), 1), np.cumsum(surest) / counts


def risk_coverage_area(errors: ArrayLike, std: ArrayLike) -> float:
    """Mean of the risk over all coverages, in the unit of the errors; NaN without any."""
    _, risk = risk_coverage(errors, std)
    return float(risk.mean()) if len(risk) else NAN


def instruction_margin(matrix: ArrayLike) -> float:
    """How much better instructions fit their own clips: mean diagonal minus mean off-diagonal progress.

    1 is perfect, 0 a reward that does not read its instruction; unknown entries do not count.
    """
    matrix = np.asarray(matrix, float)
    own = np.eye(len(matrix), dtype=bool)
    if not (np.isfinite(matrix[own]).any() and np.isfinite(matrix[~own]).any()):
        return NAN
    return float(np.nanmean(matrix[own]) - np.nanmean(matrix[~own]))


def unearned(progress: ArrayLike, truth: ArrayLike, valid: ArrayLike, percentile: float = 90) -> float:
    """Progress claimed beyond the true one: a high percentile over valid frames, as a blip is no cheat."""
    progress, truth = np.asarray(progress, float), np.asarray(truth, float)
    known = np.asarray(valid, bool) & np.isfinite(progress) & np.isfinite(truth)
    if not known.any():
        return NAN
    return float(np.percentile(np.maximum(progress - truth, 0.0)[known], percentile))


def last_valid(values: ArrayLike, valid: ArrayLike) -> float:
    """Return the last value that may be used, which is what a wrapper would hold; NaN if there is none."""
    values = np.asarray(values, float)
    known = values[np.asarray(valid, bool) & np.isfinite(values)]
    return float(known[-1]) if len(known) else NAN


def median(values: Sequence[float]) -> tuple[float, int]:
    """Return the median of the defined values, and how many are undefined."""
    array = np.asarray(values, float)
    defined = array[np.isfinite(array)]
    return (float(np.median(defined)) if len(defined) else NAN), len(array) - len(defined)


def _counts_above(scores: Array, labels: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return successes and failures at or above each distinct score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    return np.cumsum(labels[order])[ends], np.cumsum(~labels[order])[ends]


def _scored(scores: ArrayLike, labels: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    scores, labels = _known(scores, labels)
    return scores, labels > 0.5


def _known(first: ArrayLike, second: ArrayLike) -> tuple[Array, Array]:
    first, second = np.asarray(first, float), np.asarray(second, float)
    known = np.isfinite(first) & np.isfinite(second)
    return first[known], second[known]

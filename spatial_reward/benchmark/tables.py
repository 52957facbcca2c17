"""The published tables to compare with, and how their averages are made (MultiSPA, arXiv 2505.17015v2).

Scores are accuracies [%]. Two printed averages of the benchmark tables, and one of BLINK, do not follow from
their own columns: `misprinted` tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist, fmean

import numpy as np

from spatial_reward.questions import SUBTASKS, TABLE_ROWS

PER_SUBTASK = 300  # questions of each subtask in the published benchmark
SUBTASK_COUNTS = {row: len(subtasks) for row, subtasks in TABLE_ROWS.items()}  # 26 in all
BLINK_COUNTS = {
    "visual correspondence": 172,
    "relative depth": 124,
    "multi-view": 133,
    "spatial relation": 143,
}


@dataclass(frozen=True)
class Column:
    """One model's column of a published table.

    Attributes:
        scores: Accuracy [%] of each row.
        printed_average: As published [%].
        counts: Questions of each row, where the average weighs by them; without, rows count the same.
    """

    scores: Mapping[str, float]
    printed_average: float
    counts: Mapping[str, int] | None = None

    @property
    def average(self) -> float:
        """The average recomputed from the rows [%]."""
        return row_mean(self.scores) if self.counts is None else weighted_mean(self.scores, self.counts)

    @property
    def misprinted(self) -> bool:
        """Whether the printed average is off by more than rounding both to the printed digits explains."""
        step = 0.01 if self.counts is None else 0.1  # [%] last printed digit
        return abs(self.average - self.printed_average) > step


def row_means(subtask_scores: Mapping[str, float]) -> dict[str, float]:
    """Average the 26 subtasks to the 12 published rows.

    Raises:
        ValueError: If subtasks are missing or unknown.
    """
    _complete("subtasks", subtask_scores, [subtask.name for subtask in SUBTASKS])
    return {row: fmean(subtask_scores[name] for name in names) for row, names in TABLE_ROWS.items()}


def row_mean(row_scores: Mapping[str, float]) -> float:
    """Average the 12 rows as published: each counts the same, however many subtasks it has.

    Raises:
        ValueError: If rows are missing or unknown.
    """
    _complete("rows", row_scores, list(TABLE_ROWS))
    return fmean(row_scores.values())


def subtask_mean(subtask_scores: Mapping[str, float]) -> float:
    """Average the 26 subtasks, each counting the same.

    Raises:
        ValueError: If subtasks are missing or unknown.
    """
    _complete("subtasks", subtask_scores, [subtask.name for subtask in SUBTASKS])
    return fmean(subtask_scores.values())


def weighted_mean(scores: Mapping[str, float], counts: Mapping[str, int]) -> float:
    """Average rows [%] by their number of questions.

    A score is a whole number of right answers, so what rounding took from it is given back.

    Raises:
        ValueError: If the rows differ.
    """
    _complete("rows", scores, list(counts))
    correct = sum(round(scores[row] / 100 * count) for row, count in counts.items())
    return 100 * correct / sum(counts.values())


def wilson_interval(correct: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of an accuracy, as shares in [0, 1], from `correct` of `count` answers.

    Wilson's score interval (1927): sound for few answers and near 0 and 1. Nothing asked: (0, 1).

    Raises:
        ValueError: If `correct` is not between 0 and `count`, or `confidence` not between 0 and 1.
    """
    if not 0 <= correct <= count or not 0 < confidence < 1:
        raise ValueError(
            f"Need 0 <= correct <= count and 0 < confidence < 1, got {correct}, {count} and {confidence}."
        )
    if count == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, shrink = correct / count, 1 + z**2 / count
    middle = (share + z**2 / (2 * count)) / shrink
    half = z * float(np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))) / shrink
    low = 0.0 if correct == 0 else middle - half  # exact at the ends, where rounding would miss
    high = 1.0 if correct == count else middle + half
    return low, high


def _complete(what: str, given: Mapping[str, float], expected: list[str]) -> None:
    missing, unknown = sorted(set(expected) - set(given)), sorted(set(given) - set(expected))
    if missing or unknown:
        raise ValueError(
            f"An average needs all {len(expected)} {what}: missing {missing}, unknown {unknown}."
        )


def _column(average: float, *scores: float) -> Column:
    return Column(dict(zip(TABLE_ROWS, scores, strict=True)), average)


def _blink(average: float, *scores: float) -> Column:
    return Column(dict(zip(BLINK_COUNTS, scores, strict=True)), average, BLINK_COUNTS)


_PUBLISHED_8B = _column(
    56.11, 74.00, 75.33, 49.00, 90.00, 90.83, 45.50, 85.89, 42.33, 18.00, 40.42, 12.92, 49.11
)

# Table 2, the benchmark; rows in the order of `TABLE_ROWS`.
BENCHMARK: dict[str, Column] = {
    "Multi-SpatialMLLM-8B": _PUBLISHED_8B,
    "InternVL2-8B": _column(
        20.43, 49.50, 3.34, 1.67, 33.33, 48.17, 3.34, 52.33, 14.33, 0.33, 8.84, 2.50, 27.45
    ),
    "InternVL2-26B": _column(
        21.36, 50.50, 2.50, 1.67, 44.00, 49.34, 5.17, 50.22, 13.00, 0.67, 8.75, 3.58, 26.89
    ),
    "SpatialRGPT": _column(  # printed 16.24; its rows give 19.23
        16.24, 52.17, 3.00, 0.00, 30.67, 54.67, 4.84, 53.22, 7.33, 0.00, 2.57, 0.00, 22.33
    ),
    "Claude-3.5-Sonnet": _column(
        27.50, 38.17, 34.84, 1.33, 54.67, 62.17, 10.50, 55.11, 16.33, 0.33, 8.50, 1.92, 46.11
    ),
    "Gemini-2.0-Flash": _column(
        30.31, 57.00, 28.67, 5.67, 73.00, 62.17, 16.34, 51.89, 14.00, 0.33, 9.42, 2.33, 42.89
    ),
    "GPT-4o": _column(28.87, 54.84, 22.50, 2.00, 67.67, 58.84, 17.50, 54.78, 13.67, 0.00, 8.92, 5.25, 40.44),
}

# Table 8, what is trained of InternVL2-8B.
FINE_TUNING: dict[str, Column] = {
    "LLM LoRA": _PUBLISHED_8B,
    "LLM LoRA + MLP": _column(
        57.46, 73.34, 75.84, 52.67, 90.33, 91.50, 46.84, 87.66, 46.33, 24.67, 38.17, 15.84, 46.33
    ),
    "LLM LoRA + MLP + encoder": _column(
        65.41, 81.00, 78.50, 63.67, 94.67, 94.00, 59.67, 91.78, 72.00, 43.00, 39.08, 19.50, 48.00
    ),
    "full LLM + MLP + encoder": _column(  # printed 66.72; its rows give 68.93
        66.72, 80.84, 79.67, 71.33, 95.67, 94.17, 60.50, 92.56, 77.67, 53.00, 47.83, 26.75, 47.22
    ),
}

# Table 3, BLINK (validation); averages weigh by questions.
BLINK: dict[str, Column] = {
    "Gemini-2.0-Flash": _blink(75.7, 88.4, 83.9, 42.9, 83.9),
    "Claude-3.5-Sonnet": _blink(67.7, 74.4, 63.7, 54.1, 75.5),
    "GPT-4o": _blink(73.8, 84.9, 71.0, 53.4, 81.8),
    "InternVL2-8B": _blink(57.9, 39.0, 71.8, 49.6, 76.2),
    "InternVL2-26B": _blink(61.4, 47.1, 78.2, 44.4, 79.7),
    "SpatialRGPT": _blink(52.5, 34.3, 61.3, 44.4, 74.1),
    "Multi-SpatialMLLM-8B": _blink(84.3, 89.5, 79.8, 94.7, 74.8),  # its rows give 84.97
}

"""What a benchmark gives to those who do not look: guesses, the first option, and the best constant reply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.roboreward import SCORES
from spatial_reward.benchmark.harness.scored import THRESHOLDS
from spatial_reward.camera import Array

NAMES = ("random", "first_option", "constant")


def chance(items: Sequence[Item]) -> dict[str, float | None]:
    """Return the expected score of replies that see nothing, for items of one form.

    `random`: any option, the answer of another item, or any score; `first_option`: always A; `constant`: the
    reply that is best for all of these items together, which nobody knows beforehand.
    """
    forms = {"choice": _choices, "number": _numbers, "score": _scores}
    return dict(zip(NAMES, forms[items[0].form](items), strict=True))


def _choices(items: Sequence[Item]) -> tuple[float, float, float]:
    answers = Counter(item.answer for item in items)
    guessed = fmean(1 / len(item.options) for item in items)
    return guessed, answers["A"] / len(items), answers.most_common(1)[0][1] / len(items)


def _numbers(items: Sequence[Item]) -> tuple[float | None, None, float]:
    truths = np.array([float(item.answer) for item in items])
    replies, counts = np.unique(truths, return_counts=True)
    table = np.stack([_accuracies(reply, truths) for reply in replies])  # (replies, items)
    others = counts @ table - 1  # without the answer of the item itself, which is right
    guessed = float(np.mean(others) / (len(items) - 1)) if len(items) > 1 else None
    return guessed, None, float(table.mean(1).max())


def _accuracies(reply: float, truths: Array) -> Array:
    error = np.abs(reply - truths) / np.where(truths == 0, 1.0, np.abs(truths))
    return np.asarray(np.mean(error[:, None] <= 1 - THRESHOLDS, axis=1), float)


def _scores(items: Sequence[Item]) -> tuple[float, None, float]:
    errors = np.abs(np.array([int(item.answer) for item in items])[:, None] - np.array(SCORES))
    return float(errors.mean()), None, float(errors.mean(0).min())

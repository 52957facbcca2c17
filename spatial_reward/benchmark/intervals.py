"""How sure a mean of accuracies is: a bootstrap over scenes, for one model or for two on the same questions.

Questions about one scene are not independent, so scenes are drawn, not questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.questions import SUBTASKS, TABLE_ROWS

TIMES = 2000  # bootstrap samples
_BATCH = 250  # samples at a time: bounds the memory


class Sums(NamedTuple):
    """Right answers and questions of each scene and subtask.

    Attributes:
        subtasks: Names (C,), in the order of the published ones.
        correct: (S, C), or differences of two models' right answers.
        counts: (S, C).
    """

    subtasks: tuple[str, ...]
    correct: Array
    counts: Array


def sums(
    lines: Sequence[Mapping[str, Any]], key: str, minus: Mapping[str, Mapping[str, Any]] | None = None
) -> Sums:
    """Count right answers by scene and subtask.

    Args:
        lines: Of the log, with `scene`, `subtask` and a score.
        key: Name of the score.
        minus: Lines of another model by the id of the question, whose score is subtracted.
    """
    present = {line["subtask"] for line in lines}
    names = tuple(one.name for one in SUBTASKS if one.name in present)
    column = {name: index for index, name in enumerate(names)}
    scenes = {scene: index for index, scene in enumerate(dict.fromkeys(line["scene"] for line in lines))}
    correct, counts = np.zeros((2, len(scenes), len(names)))
    for line in lines:
        place = scenes[line["scene"]], column[line["subtask"]]
        correct[place] += float(line[key]) - (float(minus[line["id"]][key]) if minus else 0.0)
        counts[place] += 1
    return Sums(names, correct, counts)


def weights(subtasks: Sequence[str], by_row: bool) -> Array:
    """Return what each subtask (C,) counts in a mean: all the same, or all rows of the table the same.

    Rows and subtasks that are not there are left out; with all 26 these are the two published means.
    """
    if not by_row:
        return np.full(len(subtasks), 1 / len(subtasks))
    rows = [[name for name in names if name in subtasks] for names in TABLE_ROWS.values()]
    rows = [names for names in rows if names]
    share = {name: 1 / len(names) / len(rows) for names in rows for name in names}
    return np.array([share[name] for name in subtasks])


def mean_interval(
    table: Sums, weight: Array, seed: int = 0, confidence: float = 0.95, times: int = TIMES
) -> tuple[float, float, float]:
    """Return a weighted mean of subtask accuracies and its interval (percentile bootstrap), in percent.

    Args:
        table: Right answers, or their differences.
        weight: (C,) of the subtasks.
        seed: Of the bootstrap.
        confidence: That the interval holds the mean.
        times: Bootstrap samples.
    """
    scenes = len(table.correct)
    rng, means = np.random.default_rng(seed), []
    for start in range(0, times, _BATCH):
        size = min(_BATCH, times - start)
        drawn = rng.multinomial(scenes, np.full(scenes, 1 / scenes), size=size).astype(float)  # (B, S)
        means.append(_means(drawn @ table.correct, drawn @ table.counts, weight))
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(np.concatenate(means), [tail, 100 - tail])
    whole = _means(table.correct.sum(0)[None], table.counts.sum(0)[None], weight)[0]
    return float(whole), float(low), float(high)


def _means(correct: Array, counts: Array, weight: Array) -> Array:
    """Return the weighted means (B,) in percent; a subtask that was not drawn is left out of its sample.

    NaN for a sample without any of them.
    """
    shares = correct / np.maximum(counts, 1)
    whole = (counts > 0) @ weight
    return np.asarray(100 * (shares @ weight) / np.where(whole > 0, whole, np.nan), float)

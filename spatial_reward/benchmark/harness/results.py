"""What a run amounts to: benchmarks by subset and published mean, in every scoring, beside chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist, fmean
from typing import Any

import numpy as np

from spatial_reward.benchmark.harness.chance import NAMES, chance
from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.means import Weights, part, published_means
from spatial_reward.benchmark.harness.scored import Scored
from spatial_reward.benchmark.harness.scorers import STRICT, scored, scorers
from spatial_reward.benchmark.tables import wilson_interval

Scores = Sequence[Mapping[str, Scored]]
Numbers = dict[str, float | None]
_SURE = NormalDist().inv_cdf(0.975)  # of 95 % intervals
_MOST = {True: 4.0, False: 100.0}  # a mean can be, of errors or of percent


def benchmark_results(items: Sequence[Item], replies: Sequence[str]) -> dict[str, Any]:
    """Sum up one benchmark.

    Accuracies and mean relative accuracies are in percent, mean absolute errors in points of 1 to 5.
    """
    scores = [scored(item, reply) for item, reply in zip(items, replies, strict=True)]
    errors = items[0].form == "score"
    return {
        "n": len(items),
        "metric": "mean absolute error" if errors else "accuracy [%]",
        "subsets": {
            name: _row([items[index] for index in places], [scores[index] for index in places])
            for name, places in _grouped(items, lambda item: item.subset).items()
        },
        "means": {name: _mean(items, scores, weights) for name, weights in _means(items).items()},
    }


def _means(items: Sequence[Item]) -> dict[str, Weights]:
    counts = {name: len(places) for name, places in _grouped(items, part).items()}
    return published_means(items[0].benchmark, counts)


def _grouped(items: Sequence[Item], key: Callable[[Item], str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        found[key(item)].append(index)
    return dict(sorted(found.items()))


def _row(items: Sequence[Item], scores: Scores) -> dict[str, Any]:
    """Sum up items of one form."""
    factor = 1.0 if items[0].form == "score" else 100.0
    row: dict[str, Any] = {"n": len(items), "form": items[0].form}
    for name in scorers(items[0].benchmark):
        values = [factor * score[name].value for score in scores]
        low, high = _interval(values, items[0].form)
        row[name] = {"score": fmean(values), "low": low, "high": high} | _shares(scores, name)
    given = {name: None if value is None else factor * value for name, value in chance(items).items()}
    return row | {"chance": given}


def _shares(scores: Scores, name: str) -> dict[str, float]:
    """Return the shares [%] of replies that were not read, and of those that `strict` scores otherwise."""
    return {
        "unread": 100 * fmean(not score[name].read for score in scores),
        "unlike_strict": 100 * fmean(score[name].value != score[STRICT].value for score in scores),
    }


def _interval(values: Sequence[float], form: str) -> tuple[float | None, float | None]:
    """Return a 95 % interval: Wilson's of an accuracy, else that of a mean; None for a single number."""
    if form == "choice":
        low, high = wilson_interval(round(sum(values) / 100), len(values))
        return 100 * low, 100 * high
    if len(values) < 2:
        return None, None
    half = _SURE * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return max(0.0, fmean(values) - half), min(_MOST[form == "score"], fmean(values) + half)


def _mean(items: Sequence[Item], scores: Scores, weights: Weights) -> dict[str, Any]:
    """Return a weighted mean of parts in every scoring, and of what chance gives to them."""
    places = {name: found for name, found in _grouped(items, part).items() if name in weights}
    factor = 1.0 if items[0].form == "score" else 100.0
    row: dict[str, Any] = {"n": sum(map(len, places.values()))}
    inside = [index for found in places.values() for index in found]
    for name in scorers(items[0].benchmark):
        values = {key: [factor * scores[at][name].value for at in found] for key, found in places.items()}
        mean = _weighted(values, weights, _MOST[items[0].form == "score"])
        row[name] = mean | _shares([scores[at] for at in inside], name)
    return row | {"chance": _chance(items, places, weights, factor)}


def _weighted(values: Mapping[str, Sequence[float]], weights: Weights, most: float) -> Numbers:
    """Return a weighted mean of means, with a normal interval; none where a part has one question only."""
    mean = sum(weights[name] * fmean(part) for name, part in values.items())
    if min(map(len, values.values())) < 2:
        return {"score": mean, "low": None, "high": None}
    variances = (weights[name] ** 2 * np.var(part, ddof=1) / len(part) for name, part in values.items())
    half = _SURE * float(sum(variances)) ** 0.5
    return {"score": mean, "low": max(0.0, mean - half), "high": min(most, mean + half)}


def _chance(
    items: Sequence[Item], places: Mapping[str, Sequence[int]], weights: Weights, factor: float
) -> Numbers:
    parts = {name: chance_of_mixed([items[at] for at in found]) for name, found in places.items()}
    found: Numbers = {}
    for name in NAMES:
        values = [(weights[key], value[name]) for key, value in parts.items()]
        known = [factor * weight * value for weight, value in values if value is not None]
        found[name] = sum(known) if len(known) == len(values) else None
    return found


def chance_of_mixed(items: Sequence[Item]) -> Numbers:
    """Return what chance gives to items of several subsets, each by itself."""
    rows = [[items[at] for at in found] for found in _grouped(items, lambda item: item.subset).values()]
    table = [(len(row), chance(row)) for row in rows]
    found: Numbers = {}
    for name in NAMES:
        known = [count * value for count, row in table if (value := row[name]) is not None]
        found[name] = sum(known) / len(items) if len(known) == len(table) else None
    return found


def metrics_of(results: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of summary.json: every mean in every scoring, and what was not read."""
    metrics: dict[str, float] = {"questions": sum(one["n"] for one in results.values())}
    for benchmark, found in results.items():
        for mean, row in found["means"].items():
            for scorer in scorers(benchmark):
                name = f"{mean}_{scorer}".lower().replace(" ", "_").replace("-", "_")
                name = name if name.startswith(benchmark) else f"{benchmark}_{name}"
                metrics[name] = row[scorer]["score"]
                metrics[f"{name}_unread"] = row[scorer]["unread"]
    return metrics

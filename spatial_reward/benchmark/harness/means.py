"""The published means of each benchmark, as weights of its parts."""

from __future__ import annotations

from collections.abc import Mapping

from spatial_reward.benchmark.harness.blink import COUNTS, SPATIAL
from spatial_reward.benchmark.harness.cv_bench import SOURCES
from spatial_reward.benchmark.harness.erqa import SEVERAL
from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.vsi_bench import CHOICES, DIRECTIONS, UNITS

ALL = "all questions"
Weights = Mapping[str, float]


def part(item: Item) -> str:
    """Return the part of its benchmark that an item counts to."""
    return item.group if item.benchmark in ("cv_bench", "erqa") else item.subset


def published_means(benchmark: str, counts: Mapping[str, int]) -> dict[str, Weights]:
    """Return the weights of parts in each mean whose parts are all there.

    Args:
        benchmark: Name.
        counts: Questions of each part.

    >>> published_means("cv_bench", {"COCO": 3, "Omni3D": 1})["CV-Bench-3D"]
    {'Omni3D': 1.0}
    """
    total = sum(counts.values())
    means: dict[str, Weights] = {ALL: {name: count / total for name, count in counts.items()}}
    means |= _wanted(benchmark, counts)
    return {name: weights for name, weights in means.items() if set(weights) <= set(counts)}


def _wanted(benchmark: str, counts: Mapping[str, int]) -> dict[str, Weights]:
    if benchmark == "blink":
        return {"BLINK-4": _equal(SPATIAL), "BLINK-14": _equal(tuple(COUNTS))}
    if benchmark == "cv_bench":
        flat, deep = dict.fromkeys(SOURCES[:2], 0.5), {SOURCES[2]: 1.0}
        whole = {SOURCES[0]: 0.25, SOURCES[1]: 0.25, SOURCES[2]: 0.5}
        return {"CV-Bench-2D": flat, "CV-Bench-3D": deep, "CV-Bench": whole}
    if benchmark == "erqa":
        return {SEVERAL: {SEVERAL: 1.0}}
    if benchmark == "vsi_bench":
        types = (*CHOICES, *UNITS)
        share = 1 / (len(types) - len(DIRECTIONS) + 1)  # the three directions are one
        return {"VSI-Bench": {name: share / (3 if name in DIRECTIONS else 1) for name in types}}
    return {"mean of data sets": _equal(tuple(counts))}


def _equal(names: tuple[str, ...]) -> Weights:
    return dict.fromkeys(names, 1 / len(names))

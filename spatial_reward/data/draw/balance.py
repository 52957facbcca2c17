"""Choosing evenly: over bins of an answer, never the same candidate twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Indices = NDArray[np.int64]


def evenly(groups: ArrayLike, count: int, rng: np.random.Generator) -> Indices:
    """Choose up to `count` candidates, as evenly as their groups allow, in random order.

    Every group gives the same number; what a small one lacks is shared among the larger ones.

    Args:
        groups: (N,) group of each candidate; any integers.
        count: Candidates wanted.
        rng: Draws within the groups and shuffles the result.
    """
    _, group = np.unique(np.asarray(groups, np.int64), return_inverse=True)
    order = rng.permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]  # shuffled within each group
    sizes = np.bincount(group)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    tie = rng.random(len(sizes))[group[order]]  # no group always comes first in an incomplete round
    first = order[np.lexsort((tie, rank))][:count]
    return rng.permutation(first)


def log_bins(values: ArrayLike, per_doubling: float = 2.0) -> Indices:
    """Number the logarithmic bin of each positive value."""
    return np.floor(np.log2(np.maximum(values, 1e-9)) * per_doubling).astype(np.int64)


def shares(parts: Sequence[Indices], wanted: Sequence[float], count: int) -> list[int]:
    """Split `count` over parts in wanted shares; what a part lacks goes to the others in order."""
    quota = [min(len(part), round(share * count)) for part, share in zip(parts, wanted, strict=True)]
    for index, part in enumerate(parts):
        quota[index] += min(len(part) - quota[index], max(0, count - sum(quota)))
    return quota

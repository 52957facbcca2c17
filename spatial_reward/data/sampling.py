"""Draw pairs of frames so that no overlap and no displacement dominates (MultiSPA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Indices = NDArray[np.int64]

OVERLAP_EDGES = np.arange(6, 36)  # [%]: 29 bins of 1 %, right-closed, with the left edge of the first


def overlap_bins(overlap: ArrayLike, count: int, rng: np.random.Generator) -> Indices:
    """Choose up to `count` pairs, evenly over their overlap.

    Each of the 29 bins owes `count` // 29, the first ones one more for the remainder. From the emptiest
    bin to the fullest, what a bin lacks is carried over to the next. Never more than `count`.

    Args:
        overlap: (P,) of each pair [%].
        count: Pairs wanted.
        rng: Draws within the bins.

    Returns:
        Indices of the chosen pairs, ascending.

    Raises:
        ValueError: If `count` is negative.
    """
    if count < 0:
        raise ValueError(f"`count` must not be negative, got {count}.")
    bins = _overlap_bin(np.asarray(overlap, float))
    number = len(OVERLAP_EDGES) - 1
    members = [np.flatnonzero(bins == index) for index in range(number)]
    quota = count // number + (np.arange(number) < count % number)
    chosen, carry = [np.zeros(0, np.int64)], 0
    for index in np.argsort([len(pairs) for pairs in members], kind="stable"):
        want = int(quota[index]) + carry
        taken = _sample(members[index], want, rng)
        carry = want - len(taken)
        chosen.append(taken)
    return np.sort(np.concatenate(chosen))


def _overlap_bin(overlap: NDArray[np.float64]) -> Indices:
    """Return the bin of each overlap [%]; outside the band no bin's number."""
    bins = np.searchsorted(OVERLAP_EDGES, overlap, side="left") - 1
    bins[overlap == OVERLAP_EDGES[0]] = 0
    return bins


def displacement_bins(
    displacement: ArrayLike, cap: int, rng: np.random.Generator, *, bins: int = 10, middle: int = 4
) -> Indices:
    """Choose pairs of one moving point, evenly over how far it moved.

    Equal bins from the least to the greatest displacement; each gives as many pairs as bin number `middle`
    holds, at least one and at most `cap`. The limit is made anew for every call: one short track does not
    thin out the tracks after it.

    Args:
        displacement: (P,) of each pair [m]; leave out the static ones.
        cap: Most pairs of a bin.
        rng: Draws within the bins.
        bins: Number of bins.
        middle: Bin whose population limits all.

    Returns:
        Indices of the chosen pairs, ascending.

    Raises:
        ValueError: If a displacement is not finite, or `cap` is less than 1.
    """
    displacement = np.asarray(displacement, float)
    if not np.isfinite(displacement).all() or cap < 1:
        raise ValueError(f"`displacement` must be finite and `cap` at least 1, got {displacement} and {cap}.")
    if not displacement.size:
        return np.zeros(0, np.int64)
    edges = np.histogram_bin_edges(displacement, bins)
    place = np.clip(np.searchsorted(edges, displacement, side="right") - 1, 0, bins - 1)
    limit = max(1, min(cap, int((place == middle).sum())))
    chosen = [_sample(np.flatnonzero(place == index), limit, rng) for index in range(bins)]
    return np.sort(np.concatenate(chosen))


def _sample(members: Indices, count: int, rng: np.random.Generator) -> Indices:
    """Draw `count` without replacement, or take all there are."""
    return members if len(members) <= count else rng.choice(members, count, replace=False)

"""The smallest sets of pictures that show the whole of a thing (MultiSPA, appendix F)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array

Pictures = tuple[int, ...]
Span = tuple[float, float]  # lowest and highest coordinate [m]

_SEEN = 0.05  # share of a thing's points that a picture must show
_ROUNDING = 1e-9  # keeps the tolerance inclusive


def minimal_sets(
    coordinate: ArrayLike,
    visible: NDArray[np.bool_],
    size: float,
    *,
    largest: int = 5,
    tolerance: float = 0.1,
    rng: np.random.Generator,
    images: int = 25,
    candidates: int = 5000,
) -> list[Pictures]:
    """Find the sets of pictures that cover a side of a thing, none of whose parts covers it.

    Breadth-first over their number. A set covers if its points span `size` to `tolerance`, inclusive; gaps
    do not matter, so more than two are only found where `candidates` left out the outermost pair.

    Args:
        coordinate: (N,) of the thing's points along the side [m].
        visible: (T, N) which pictures show which points.
        size: True length of the side [m].
        largest: Size of the largest sets.
        tolerance: Share of `size`.
        rng: Chooses pictures and candidates where there are too many.
        images: Pictures that are tried.
        candidates: Sets of one size that are tried.

    Returns:
        Ascending tuples of picture numbers, small sets first.

    Raises:
        ValueError: If the shapes disagree or `size` is not positive.
    """
    spans = _spans(np.asarray(coordinate, float), visible, size)
    chosen = _seeing(visible, images, rng)
    later = {picture: _union(spans, chosen[place:]) for place, picture in enumerate(chosen)}
    found: set[Pictures] = set()
    level: list[Pictures] = [(picture,) for picture in chosen]
    while level and len(level[0]) <= largest:
        level = _sample(level, candidates, rng)
        span = {pictures: _union(spans, pictures) for pictures in level}
        found |= {pictures for pictures in level if _covers(span[pictures], size, tolerance)}
        best = {pictures: _joined(span[pictures], later[pictures[-1]]) for pictures in set(level) - found}
        hopeful = sorted(pictures for pictures in best if _reaches(best[pictures], size, tolerance))
        level = _expanded(hopeful, chosen, found)
    return sorted(found, key=lambda pictures: (len(pictures), pictures))


def _seeing(visible: NDArray[np.bool_], images: int, rng: np.random.Generator) -> list[int]:
    """Choose at most `images` pictures of those that show a twentieth of the thing."""
    fewest = max(1, int(_SEEN * visible.shape[1]))
    return sorted(rng.permutation(np.flatnonzero(visible.sum(axis=1) >= fewest))[:images].tolist())


def _sample(level: list[Pictures], count: int, rng: np.random.Generator) -> list[Pictures]:
    if len(level) <= count:
        return level
    return [level[index] for index in sorted(rng.choice(len(level), count, replace=False).tolist())]


def _expanded(level: list[Pictures], chosen: list[int], found: set[Pictures]) -> list[Pictures]:
    """Add each later picture to each set, without what holds a covering set already."""
    larger = [(*pictures, more) for pictures in level for more in chosen if more > pictures[-1]]
    return [pictures for pictures in larger if not found.intersection(_parts(pictures))]


def _parts(pictures: Pictures) -> list[Pictures]:
    return [part for count in range(1, len(pictures)) for part in combinations(pictures, count)]


def _spans(coordinate: Array, visible: NDArray[np.bool_], size: float) -> Array:
    """Return the lowest and highest coordinate (T, 2) that each picture shows; (inf, -inf) for nothing."""
    if coordinate.ndim != 1 or visible.shape[1:] != coordinate.shape or not size > 0:
        raise ValueError(
            f"`visible` must be (T, N) for `coordinate` (N,) and `size` positive, "
            f"got {visible.shape}, {coordinate.shape} and {size}."
        )
    low = np.where(visible, coordinate, np.inf).min(axis=1, initial=np.inf)
    high = np.where(visible, coordinate, -np.inf).max(axis=1, initial=-np.inf)
    return np.stack([low, high], axis=1)


def _union(spans: Array, pictures: Sequence[int]) -> Span:
    shown = spans[list(pictures)]
    return float(shown[:, 0].min()), float(shown[:, 1].max())


def _joined(a: Span, b: Span) -> Span:
    return min(a[0], b[0]), max(a[1], b[1])


def _covers(span: Span, size: float, tolerance: float) -> bool:
    return abs(span[1] - span[0] - size) <= tolerance * size + _ROUNDING * size


def _reaches(span: Span, size: float, tolerance: float) -> bool:
    return span[1] - span[0] >= (1 - tolerance - _ROUNDING) * size

"""Statistics of the features of a LeRobot dataset, as its `stats` files hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
MOST_PICTURES = 100  # of an episode that are looked at, evenly spread
LEVELS = 256


class PictureStats:
    """Statistics of pictures (H, W, 3) uint8 by their histograms, as shares in [0, 1]."""

    def __init__(self, counts: NDArray[np.int64] | None = None, pictures: int = 0) -> None:
        """Begin with the counts (3, 256) of some pictures."""
        self.counts = np.zeros((3, LEVELS), np.int64) if counts is None else counts
        self.pictures = pictures

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Count a picture; every fourth pixel of every fourth row is enough."""
        for channel in range(3):
            self.counts[channel] += np.bincount(picture[::4, ::4, channel].ravel(), minlength=LEVELS)
        self.pictures += 1

    def __add__(self, other: PictureStats) -> PictureStats:
        """Return the statistics of both."""
        return PictureStats(self.counts + other.counts, self.pictures + other.pictures)

    def as_dict(self) -> dict[str, Any]:
        """Return every statistic as [[[r]], [[g]], [[b]]]."""
        levels, total = np.arange(LEVELS) / (LEVELS - 1), self.counts.sum(1)
        mean = self.counts @ levels / total
        variance = self.counts @ levels**2 / total - mean**2
        shares = self.counts.cumsum(1) / total[:, None]
        values = {
            "min": levels[(self.counts > 0).argmax(1)],
            "max": levels[LEVELS - 1 - (self.counts[:, ::-1] > 0).argmax(1)],
            "mean": mean,
            "std": np.sqrt(np.maximum(variance, 0)),
        }
        values |= {name: levels[(shares >= share).argmax(1)] for name, share in QUANTILES.items()}
        return {
            **{name: value.reshape(3, 1, 1).tolist() for name, value in values.items()},
            "count": [self.pictures],
        }


def number_stats(values: NDArray[Any]) -> dict[str, Any]:
    """Return the statistics of a column (T,) or (T, n); unknown numbers (NaN) do not count.

    >>> number_stats(np.array([1.0, 2.0, np.nan]))["mean"]
    [1.5]
    """
    table = np.asarray(values, float).reshape(len(values), -1)
    known = np.where(np.isfinite(table).any(0), table, 0.0)  # a column of nothing gets zeros
    found = {
        "min": np.nanmin(known, 0),
        "max": np.nanmax(known, 0),
        "mean": np.nanmean(known, 0),
        "std": np.nanstd(known, 0),
        **{name: np.nanquantile(known, share, axis=0) for name, share in QUANTILES.items()},
    }
    return {**{name: value.tolist() for name, value in found.items()}, "count": [len(table)]}


def spread(count: int) -> Sequence[int]:
    """Return the numbers of the pictures to look at."""
    return sorted({int(step) for step in np.linspace(0, count - 1, min(count, MOST_PICTURES))})


def flattened(stats: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return statistics as the columns `stats/<feature>/<statistic>` of `meta/episodes`."""
    return {f"stats/{name}/{key}": value for name, all_of in stats.items() for key, value in all_of.items()}

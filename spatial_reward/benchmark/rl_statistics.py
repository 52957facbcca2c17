"""Means and intervals over a handful of seeds: interquartile means and a stratified bootstrap.

After Agarwal et al., "Deep RL at the edge of the statistical precipice" (NeurIPS 2021), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spatial_reward.camera import Array

TIMES = 2000  # bootstrap samples
FEWEST = 3  # values of a group, under which their spread is not known


class Estimate(NamedTuple):
    """A mean and the interval that holds it with 95 % confidence; NaN where that is not known."""

    mean: float
    low: float
    high: float

    def comparable(self, other: Estimate) -> bool:
        """Tell whether both intervals are known."""
        return bool(np.isfinite([self.low, self.high, other.low, other.high]).all())

    def above(self, other: Estimate) -> bool:
        """Tell whether this is larger, and the intervals do not overlap."""
        return self.low > other.high


def iqm(values: ArrayLike) -> Array:
    """Return the interquartile mean along the last axis: the mean of the middle half, ends weighed in part.

    >>> float(iqm([0.0, 0.0, 1.0, 1.0])), float(iqm([0.0, 0.2, 0.4, 0.6, 5.0]))
    (0.5, 0.4)
    """
    ordered = np.sort(np.asarray(values, float), axis=-1)
    count = ordered.shape[-1]
    low, high = count / 4, 3 * count / 4
    index = np.arange(count)
    weight = np.clip(np.minimum(index + 1, high) - np.maximum(index, low), 0, None)
    mean: Array = np.round(ordered @ weight / weight.sum(), 12)
    return mean


def estimate(groups: Sequence[ArrayLike], seed: int = 0) -> Estimate:
    """Return the interquartile mean of all values, and its interval, unless a group has fewer than three.

    Seeds are drawn again within each group, such as an environment: the groups are not a sample of any.

    Args:
        groups: Values (S,) of each group.
        seed: Of the bootstrap.
    """
    arrays = [np.asarray(group, float) for group in groups]
    if min(map(len, arrays)) < FEWEST:
        return Estimate(float(iqm(np.concatenate(arrays))), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(array, size=(TIMES, len(array))) for array in arrays]
    low, high = np.percentile(iqm(np.concatenate(drawn, axis=1)), [2.5, 97.5])
    return Estimate(float(iqm(np.concatenate(arrays))), float(low), float(high))


def area(steps: ArrayLike, values: ArrayLike) -> float:
    """Return the mean of a curve over its steps, from 0 on: the area under it, over its width.

    >>> area([0, 10, 20], [0.0, 1.0, 1.0])
    0.75
    """
    steps, values = np.asarray(steps, float), np.asarray(values, float)
    return (
        float(np.trapezoid(values, steps) / (steps[-1] - steps[0])) if len(steps) > 1 else float(values[-1])
    )

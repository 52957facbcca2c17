"""What a scorer makes of a reply, and the mean relative accuracy of numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of the relative accuracy


class Scored(NamedTuple):
    """A scored reply.

    Attributes:
        read: What was read: a letter, a number in words; "" = unread.
        value: An accuracy in [0, 1], or the absolute error of a score.
    """

    read: str
    value: float


def mean_relative_accuracy(number: float, truth: float) -> float:
    """Return the share of thresholds t = 0.50, 0.55, ..., 0.95 with |number - truth| / |truth| <= 1 - t.

    VSI-Bench (arXiv 2412.14171) writes "<"; its code and all harnesses compare with "<=". Where the truth is
    0, the error itself is compared.

    >>> mean_relative_accuracy(3.0, 3.0), mean_relative_accuracy(2.0, 4.0), mean_relative_accuracy(9.0, 4.0)
    (1.0, 0.1, 0.0)
    """
    error = abs(number - truth) / (abs(truth) or 1.0)
    return float(np.mean(error <= 1 - THRESHOLDS))

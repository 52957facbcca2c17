"""Warnings that are counted instead of repeated."""

from __future__ import annotations

import warnings


class CountedWarning:
    """Warn the 1st, 10th, 100th ... time, with the count: a long training is told, but not flooded."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self.count = 0

    def add(self, message: str) -> None:
        """Count once more, and warn if it is time to."""
        self.count += 1
        if str(self.count).strip("0") == "1":
            times = "" if self.count == 1 else f" ({self.count} times so far)"
            warnings.warn(message + times, RuntimeWarning, stacklevel=3)

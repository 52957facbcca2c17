"""Rewards that score whole clips, and the two of them that look at nothing: what any other must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.types import Frame


class ClipScore(NamedTuple):
    """What a clip scorer says of each frame.

    Attributes:
        progress: (T,) how much of the goal is reached, meant to lie in [0, 1]; NaN = unknown.
        success: (T,) probability that it is reached, where the scorer has an opinion of its own.
    """

    progress: Array
    success: Array | None = None


class ClipScorer(Protocol):
    """A reward that watches pictures and reads a goal in words, without measuring anything.

    Attributes:
        name: Shown in tables.
    """

    name: str

    def score(self, frames: Sequence[Frame], goal: str) -> ClipScore | Array:
        """Score every frame of a clip by what was seen up to it; (T,) progress alone is enough."""
        ...


class Clock:
    """Progress is the share of the clip that has passed.

    >>> Clock().score([None, None, None], "lift the cube").progress.tolist()
    [0.0, 0.5, 1.0]
    """

    name = "clock"

    def score(self, frames: Sequence[object], goal: str) -> ClipScore:
        """Count frames."""
        return ClipScore(np.linspace(0.0, 1.0, len(frames)))


class Constant:
    """Always the same progress.

    Args:
        value: In [0, 1].
    """

    name = "constant"

    def __init__(self, value: float = 0.5) -> None:
        """Keep the value."""
        if not 0 <= value <= 1:
            raise ValueError(f"`value` is a progress in [0, 1], got {value}.")
        self.value = value

    def score(self, frames: Sequence[object], goal: str) -> ClipScore:
        """Repeat the value."""
        return ClipScore(np.full(len(frames), self.value))


def prefixes(count: int, most: int) -> list[list[int]]:
    """Return, for each of `count` frames, the numbers of at most `most` frames up to it, spread evenly.

    The first frame and the frame itself are always among them: what a scorer of short clips is shown
    online, where the future is unknown.

    >>> prefixes(4, most=3)
    [[0], [0, 1], [0, 1, 2], [0, 2, 3]]
    """
    if most < 2:
        raise ValueError(f"A prefix shows the first and the last frame: at least 2 frames, got {most}.")
    return [
        np.unique(np.rint(np.linspace(0, last, min(most, last + 1)))).astype(int).tolist()
        for last in range(count)
    ]

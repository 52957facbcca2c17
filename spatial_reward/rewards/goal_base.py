"""What every goal is: it watches tracked positions from where they began, and gives verdicts.

`goal.watch(starts)` begins an attempt and returns a `Watch`; `watch.see(tracks)` judges positions. Goals
never change; what an attempt remembers (where it began, which stage it is in) is in its watch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.rewards.gaussian import Gap


class Track(NamedTuple):
    """Where a thing is.

    Attributes:
        position: (3,) in the world [m].
        motion: (3, 3) covariance of its motion since the reference frame [m^2].
        start: (3, 3) covariance of where it started [m^2]; it cancels in a displacement.
    """

    position: Array
    motion: Array = np.zeros((3, 3))
    start: Array = np.zeros((3, 3))


Tracks = Mapping[str, Track]


class Verdict(NamedTuple):
    """Distance to the goal [m] >= 0, its standard deviation [m], progress and success in [0, 1]."""

    distance: float
    std: float
    progress: float
    success: float


class Watch(Protocol):
    """An attempt at a goal: what it remembers of its beginning.

    Attributes:
        initial: Distance to the goal at its beginning [m].
    """

    initial: float

    def see(self, tracks: Tracks) -> Verdict:
        """Judge where things are now."""
        ...


class Goal(ABC):
    """What a task asks of the positions of named things; `str(goal)` is what `parse_goal` reads."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the things that it speaks of, in order, each once."""

    @abstractmethod
    def watch(self, tracks: Tracks) -> Watch:
        """Begin an attempt with things where they are."""

    @abstractmethod
    def settled(self, tracks: Tracks) -> dict[str, Track]:
        """Return where things would be, had they reached the goal: what a later stage begins from."""


class Simple(Goal):
    """A goal with one tolerance `within` [m]."""

    within: float

    @abstractmethod
    def gap(self, start: Tracks, now: Tracks) -> Gap:
        """Measure how far things are, given where the attempt began."""

    def watch(self, tracks: Tracks) -> Watch:
        """Begin an attempt with things where they are."""
        return _SimpleWatch(self, tracks)


class _SimpleWatch:
    """Progress is clip(1 - d / max(d0, within), 0, 1): a goal met from the start loses it by moving off."""

    def __init__(self, goal: Simple, start: Tracks) -> None:
        self._goal, self._start = goal, {name: start[name] for name in goal.names}
        self.initial = goal.gap(start, start).distance
        self._scale = max(self.initial, goal.within)

    def see(self, tracks: Tracks) -> Verdict:
        distance, std, success = self._goal.gap(self._start, tracks)
        return Verdict(distance, std, min(max(1 - distance / self._scale, 0.0), 1.0), success)

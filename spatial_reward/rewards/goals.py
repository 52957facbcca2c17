"""The goals: what a task asks of things, as a distance in metres of the world; up is its z axis."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.rewards.gaussian import Gap, ball_probability, interval_probability, norm_std
from spatial_reward.rewards.goal_base import Simple, Track, Tracks
from spatial_reward.rewards.lengths import check_name, write_length

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Near(Simple):
    """Bring `a` and `b` together: d = |a - b|, reached within `within` [m].

    >>> print(Near("cube", "pad", within=0.03))
    near(cube, pad, within=3cm)
    """

    a: str
    b: str
    within: float

    def __post_init__(self) -> None:
        """Check the names and the tolerance."""
        _check(self, self.a, self.b)
        if self.a == self.b:
            raise ValueError(f"{type(self).__name__} needs two different names, got {self.a!r} twice.")

    @property
    def names(self) -> tuple[str, ...]:
        """Both names."""
        return (self.a, self.b)

    def gap(self, start: Tracks, now: Tracks) -> Gap:
        """Measure |a - b|."""
        return _between(now[self.a], now[self.b], self.within)

    def settled(self, tracks: Tracks) -> dict[str, Track]:
        """Return the positions with `a` at `b`."""
        return {**tracks, self.a: Track(tracks[self.b].position)}

    def __str__(self) -> str:
        """Write the goal as text."""
        return f"{type(self).__name__.lower()}({self.a}, {self.b}, {_within(self)})"


@dataclass(frozen=True)
class Reach(Near):
    """Bring `a` (such as a gripper) to `b`: as `Near`, within 2 cm unless said otherwise.

    >>> print(Reach("gripper", "cube"))
    reach(gripper, cube, within=2cm)
    """

    within: float = 0.02  # [m]

    __str__ = Near.__str__


@dataclass(frozen=True)
class Move(Simple):
    """Move `a` to a thing or a point of the world, or by a length or a vector of the world.

    `to` a name: d = |a - b|, with `b` where it is now. `to` a point or `by` a vector: d = distance to that
    place. `by` a length, in whatever direction: d = ||a - a0| - by|, too far counts as much as too short.

    >>> print(Move("cube", to=(0.1, 0, 0.025)), Move("cube", by=0.05, within=0.01))
    move(cube, to=(10cm, 0cm, 2.5cm), within=2cm) move(cube, by=5cm, within=1cm)
    """

    a: str
    to: str | Vector | None = field(default=None, kw_only=True)
    by: float | Vector | None = field(default=None, kw_only=True)
    within: float = field(default=0.02, kw_only=True)  # [m]

    def __post_init__(self) -> None:
        """Check that there is one aim, and its numbers."""
        _check(self, self.a)
        if (self.to is None) == (self.by is None):
            raise ValueError(f"Move needs either `to` or `by`, got to={self.to!r} and by={self.by!r}.")
        if isinstance(self.to, str):
            Near(self.a, self.to, self.within)
        elif self.to is not None:
            object.__setattr__(self, "to", _vector("to", self.to))
        if self.by is not None:
            by = _positive("by", self.by) if np.ndim(self.by) == 0 else _vector("by", self.by)
            object.__setattr__(self, "by", by)

    @property
    def names(self) -> tuple[str, ...]:
        """What moves, and the thing it goes to."""
        return (self.a, self.to) if isinstance(self.to, str) else (self.a,)

    def gap(self, start: Tracks, now: Tracks) -> Gap:
        """Measure how far `a` is from where it should be."""
        if isinstance(self.to, str):
            return _between(now[self.a], now[self.to], self.within)
        if self.to is not None:
            return _between(now[self.a], Track(np.array(self.to)), self.within)
        motion, covariance = _displacement(start[self.a], now[self.a])
        if isinstance(self.by, tuple):
            return _length(motion - self.by, covariance, self.within)
        return _travel(motion, covariance, _number(self.by), self.within)

    def settled(self, tracks: Tracks) -> dict[str, Track]:
        """Return the positions with `a` where it should be; by a length, the direction is open: as it is."""
        position = tracks[self.a].position
        if isinstance(self.to, str):
            position = tracks[self.to].position
        elif self.to is not None:
            position = np.array(self.to)
        elif isinstance(self.by, tuple):
            position = position + self.by
        return {**tracks, self.a: Track(position)}

    def __str__(self) -> str:
        """Write the goal as text."""
        aim = f"to={_aim(self.to)}" if self.to is not None else f"by={_aim(self.by)}"
        return f"move({self.a}, {aim}, {_within(self)})"


@dataclass(frozen=True)
class Lift(Simple):
    """Raise `a` by at least `by` [m]: d = max(by - rise, 0); higher is as good.

    >>> print(Lift("cube", by=0.1))
    lift(cube, by=10cm, within=5mm)
    """

    a: str
    by: float
    within: float = 0.005  # [m]

    def __post_init__(self) -> None:
        """Check the name and the lengths."""
        _check(self, self.a)
        object.__setattr__(self, "by", _positive("by", self.by))

    @property
    def names(self) -> tuple[str, ...]:
        """What is lifted."""
        return (self.a,)

    def gap(self, start: Tracks, now: Tracks) -> Gap:
        """Measure how much height is missing; its std is that of the height, on the ground as above."""
        motion, covariance = _displacement(start[self.a], now[self.a])
        missing, std = self.by - float(motion[2]), float(np.sqrt(covariance[2, 2]))
        return Gap(max(missing, 0.0), std, interval_probability(missing, std, self.within))

    def settled(self, tracks: Tracks) -> dict[str, Track]:
        """Return the positions with `a` lifted."""
        return {**tracks, self.a: Track(tracks[self.a].position + np.array((0.0, 0.0, self.by)))}

    def __str__(self) -> str:
        """Write the goal as text."""
        return f"lift({self.a}, by={write_length(self.by)}, {_within(self)})"


@dataclass(frozen=True)
class Keep(Simple):
    """Leave `a` where it was when the attempt began: d = |a - a0|; progress falls from 1 to 0 at `within`.

    >>> print(Keep("vase"))
    keep(vase, within=1cm)
    """

    a: str
    within: float = 0.01  # [m]

    def __post_init__(self) -> None:
        """Check the name and the tolerance."""
        _check(self, self.a)

    @property
    def names(self) -> tuple[str, ...]:
        """What stays."""
        return (self.a,)

    def gap(self, start: Tracks, now: Tracks) -> Gap:
        """Measure how far `a` went."""
        return _length(*_displacement(start[self.a], now[self.a]), self.within)

    def settled(self, tracks: Tracks) -> dict[str, Track]:
        """Return the positions as they are."""
        return dict(tracks)

    def __str__(self) -> str:
        """Write the goal as text."""
        return f"keep({self.a}, {_within(self)})"


def _between(a: Track, b: Track, within: float) -> Gap:
    covariance = a.motion + a.start + b.motion + b.start  # of independent measurements
    return _length(a.position - b.position, covariance, within)


def _displacement(start: Track, now: Track) -> tuple[Array, Array]:
    return now.position - start.position, now.motion + start.motion


def _length(error: Array, covariance: Array, within: float) -> Gap:
    success = ball_probability(error, covariance, within)
    return Gap(float(np.linalg.norm(error)), norm_std(error, covariance), success)


def _travel(motion: Array, covariance: Array, by: float, within: float) -> Gap:
    """Measure a motion against a length that it should have: success is the mass of a shell."""
    distance = abs(float(np.linalg.norm(motion)) - by)
    if not np.trace(covariance) > 0:
        return Gap(distance, norm_std(motion, covariance), float(distance <= within))
    outer = ball_probability(motion, covariance, by + within)
    inner = ball_probability(motion, covariance, by - within)
    return Gap(distance, norm_std(motion, covariance), max(outer - inner, 0.0))


def _check(goal: Simple, *names: str) -> None:
    for name in names:
        check_name(name)
    object.__setattr__(goal, "within", _positive("within", goal.within))


def _positive(argument: str, length: object) -> float:
    number = _number(length)
    if not (isfinite(number) and number > 0):
        raise ValueError(f"`{argument}` must be a positive length [m], got {length!r}.")
    return number


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"Expected a length in metres, such as 0.03, got {value!r}.")
    return float(value)


def _vector(argument: str, values: object) -> Vector:
    array = np.asarray(values, float)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ValueError(f"`{argument}` must be three finite numbers [m], got {values!r}.")
    x, y, z = (float(value) for value in array)
    return (x, y, z)


def _aim(aim: str | float | Vector | None) -> str:
    if isinstance(aim, tuple):
        return f"({', '.join(write_length(length) for length in aim)})"
    return aim if isinstance(aim, str) else write_length(_number(aim))


def _within(goal: Simple) -> str:
    return f"within={write_length(goal.within)}"

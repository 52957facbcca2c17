"""Goals made of goals: all at once, or one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, prod

from spatial_reward.rewards.goal_base import Goal, Track, Tracks, Verdict, Watch

LATCH = 0.5  # success probability at which a stage counts as done


@dataclass(frozen=True)
class AllOf(Goal):
    """Reach all goals at once: d is the sum, progress the mean, success the product.

    The stds of parts that speak of different things add as independent ones; as soon as parts share a
    name they are correlated, and the sum of the stds, an upper bound, is stated instead.

    >>> from spatial_reward.rewards.goals import Keep, Lift
    >>> print(AllOf((Lift("cube", 0.1), Keep("vase"))))
    all_of(lift(cube, by=10cm, within=5mm), keep(vase, within=1cm))
    """

    goals: tuple[Goal, ...]

    def __post_init__(self) -> None:
        """Check that there are goals."""
        object.__setattr__(self, "goals", _goals(self, self.goals))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all goals."""
        return _names(self.goals)

    def watch(self, tracks: Tracks) -> Watch:
        """Begin an attempt at every goal."""
        disjoint = sum(len(goal.names) for goal in self.goals) == len(self.names)
        return _AllWatch([goal.watch(tracks) for goal in self.goals], disjoint)

    def settled(self, tracks: Tracks) -> dict[str, Track]:
        """Return where things would be, had they reached one goal after the other."""
        reached = dict(tracks)
        for goal in self.goals:
            reached = goal.settled(reached)
        return reached

    def __str__(self) -> str:
        """Write the goal as text."""
        return f"all_of({', '.join(map(str, self.goals))})"


class _AllWatch:
    def __init__(self, watches: Sequence[Watch], disjoint: bool) -> None:
        self._watches, self._disjoint = watches, disjoint
        self.initial = sum(watch.initial for watch in watches)

    def see(self, tracks: Tracks) -> Verdict:
        seen = [watch.see(tracks) for watch in self._watches]
        stds = [verdict.std for verdict in seen]
        return Verdict(
            distance=sum(verdict.distance for verdict in seen),
            std=hypot(*stds) if self._disjoint else sum(stds),
            progress=sum(verdict.progress for verdict in seen) / len(seen),
            success=prod(verdict.success for verdict in seen),
        )


@dataclass(frozen=True)
class Then(Goal):
    """Reach goals in order, each from where the one before left things.

    A stage is done for good once its success is at least 0.5; the next one begins where things are then.
    The distance counts the stages that are still to come by what they will measure at their beginning:
    their distances where the earlier stages, reached exactly, would leave things. So it is continuous at a
    change of stage up to what the reached stage was short of that, at most twice its `within` where things
    moved as the goal says; and, as the stage is a part of the state, shaping telescopes over changes.
    Success is that of the last stage, 0 before it; progress counts the stages done.

    >>> from spatial_reward.rewards.goals import Near, Reach
    >>> print(Then((Reach("gripper", "cube"), Near("cube", "pad", 0.03))))
    then(reach(gripper, cube, within=2cm), near(cube, pad, within=3cm))
    """

    goals: tuple[Goal, ...]

    def __post_init__(self) -> None:
        """Check that there are goals."""
        object.__setattr__(self, "goals", _goals(self, self.goals))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all goals."""
        return _names(self.goals)

    def watch(self, tracks: Tracks) -> Watch:
        """Begin an attempt at the first goal."""
        return _ThenWatch(self.goals, tracks)

    def settled(self, tracks: Tracks) -> dict[str, Track]:
        """Return where things would be after the last goal."""
        return AllOf(self.goals).settled(tracks)

    def __str__(self) -> str:
        """Write the goal as text."""
        return f"then({', '.join(map(str, self.goals))})"


class _ThenWatch:
    def __init__(self, goals: Sequence[Goal], tracks: Tracks) -> None:
        self._goals, self._stage = goals, 0
        self._watch = goals[0].watch(tracks)
        initials = _initials(goals, tracks)
        self.initial = sum(initials)
        self._later = [sum(initials[stage + 1 :]) for stage in range(len(goals))]

    def see(self, tracks: Tracks) -> Verdict:
        verdict = self._watch.see(tracks)
        while verdict.success >= LATCH and self._stage < len(self._goals) - 1:
            self._stage += 1
            self._watch = self._goals[self._stage].watch(tracks)
            verdict = self._watch.see(tracks)
        return Verdict(
            distance=verdict.distance + self._later[self._stage],
            std=verdict.std,
            progress=(self._stage + verdict.progress) / len(self._goals),
            success=verdict.success if self._stage == len(self._goals) - 1 else 0.0,
        )


def _initials(goals: Sequence[Goal], tracks: Tracks) -> list[float]:
    """Return the distance that each stage begins with, if those before it are reached exactly."""
    initials = []
    for goal in goals:
        initials.append(goal.watch(tracks).initial)
        tracks = goal.settled(tracks)
    return initials


def _names(goals: Sequence[Goal]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for goal in goals for name in goal.names))


def _goals(owner: Goal, goals: Sequence[Goal]) -> tuple[Goal, ...]:
    found = tuple(goals)
    if not found or not all(isinstance(goal, Goal) for goal in found):
        raise ValueError(f"{type(owner).__name__} needs a sequence of one or more goals, got {goals!r}.")
    return found

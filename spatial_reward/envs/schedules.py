"""When the model is asked: at every step, at every n-th, behind the loop's back, or after an episode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Name = Literal["sync", "hold", "lagged", "episode"]
_COUNTED = ("hold", "lagged")  # those that take a number of steps


@dataclass(frozen=True)
class Schedule:
    """When the model is asked.

    - "sync": each step waits for its own measurement.
    - "hold(k)": every k-th step is measured, and the last one of an episode; the value is held between.
    - "lagged(k)": measured in a thread while the loop goes on; step t waits for the frame of step t - k.
    - "episode": measured when an episode ends, all its frames at once.

    The last two give provisional rewards, made of the newest measurement there is: with shaping they still
    telescope. The rewards of "sync" follow, see `LateReward`; with `every=n`, by which only every n-th step
    is measured, the values between lie on a line; "lagged(k)" needs a k of at least n - 1 for that, else the
    last value is held.

    Fewer measurements are less to learn from: take "hold" where actions change slowly, or where the model
    would else be too slow.

    Attributes:
        name: One of the four.
        steps: k; 0 where there is none.

    Raises:
        ValueError: If it is none of these.

    >>> str(Schedule("lagged", 4)), Schedule("lagged", 4).late, Schedule("hold", 3).every
    ('lagged(4)', True, 3)
    """

    name: Name = "sync"
    steps: int = 0

    def __post_init__(self) -> None:
        """Check the name and its number."""
        if self.name not in get_args(Name) or (self.name in _COUNTED) != (self.steps > 0):
            raise ValueError(_expected(str(self)))

    def __str__(self) -> str:
        """Return what `parse_schedule` reads."""
        return f"{self.name}({self.steps})" if self.steps or self.name in _COUNTED else self.name

    @property
    def late(self) -> bool:
        """Whether the final rewards come after the step."""
        return self.name in ("lagged", "episode")

    @property
    def every(self) -> int:
        """Of how many steps one is measured."""
        return self.steps if self.name == "hold" else 1


def parse_schedule(text: Schedule | str) -> Schedule:
    """Read a schedule; one that is read already is returned as it is.

    Raises:
        ValueError: If it is none; names the four.

    >>> parse_schedule("hold(3)")
    Schedule(name='hold', steps=3)
    """
    if isinstance(text, Schedule):
        return text
    match = re.fullmatch(r"\s*(sync|hold|lagged|episode)\s*(?:\(\s*(\d+)\s*\))?\s*", str(text))
    if match is None:
        raise ValueError(_expected(text))
    return Schedule(match[1], int(match[2] or 0))  # type: ignore[arg-type]  # the pattern has the names


def combined(schedule: Schedule | str, every: int) -> tuple[Schedule, int]:
    """Return the schedule, and of how many steps one is judged.

    Raises:
        ValueError: If both say so.
    """
    schedule = parse_schedule(schedule)
    if schedule.name == "hold" and every != 1:
        raise ValueError(
            f"schedule={str(schedule)!r} and every={every} say the same thing: give one of them."
        )
    return schedule, max(schedule.every, every) if every >= 1 else every


def _expected(text: object) -> str:
    return f"`schedule` must be sync, hold(k), lagged(k) or episode with a k of at least 1, got {text!r}."

"""Time two things in turns, so that their ratio holds although the load of a computer changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Call = Callable[[], Any]


class Speed(NamedTuple):
    """One line of the table.

    Attributes:
        part: Of the suite.
        what: Is measured.
        unit: "ms" of one, or "/s".
        ours: Median over the rounds.
        p95: 95th percentile of single calls [ms]; None for rates.
        baseline: What it is compared with.
        theirs: Median over the rounds.
        ratio: How many times as fast ours is; median over the rounds.
    """

    part: str
    what: str
    unit: str
    ours: float
    p95: float | None
    baseline: str
    theirs: float
    ratio: float


def in_turns(ours: Call, theirs: Call, *, rounds: int, seconds: float) -> tuple[list[list[float]], ...]:
    """Return the durations [s] of single calls, round by round, of both; a first call is not timed."""
    ours(), theirs()
    both: tuple[list[list[float]], list[list[float]]] = ([], [])
    for _ in range(rounds):
        for call, durations in zip((ours, theirs), both, strict=True):
            durations.append(_timed(call, seconds))
    return both


def _timed(call: Call, seconds: float) -> list[float]:
    durations: list[float] = []
    until = time.perf_counter() + seconds
    while not durations or time.perf_counter() < until:
        begin = time.perf_counter()
        call()
        durations.append(time.perf_counter() - begin)
    return durations


def latency(
    part: str,
    what: str,
    ours: Call,
    baseline: str,
    theirs: Call,
    *,
    rounds: int,
    seconds: float,
    share: int = 1,
) -> Speed:
    """Compare two calls by the milliseconds that each takes for one of the things it does.

    Args:
        part: Of the suite.
        what: Ours does.
        ours: A call.
        baseline: Name of the other.
        theirs: The other.
        rounds: Turns.
        seconds: Of a turn [s].
        share: Things that a call of either does.
    """
    mine, other = in_turns(ours, theirs, rounds=rounds, seconds=seconds)
    per = 1000 / share
    pairs = per * np.array([(np.median(a), np.median(b)) for a, b in zip(mine, other, strict=True)])
    p95 = float(np.percentile(np.concatenate(mine), 95)) * per
    median, median_other = np.median(pairs, axis=0)
    ratio = float(np.median(pairs[:, 1] / pairs[:, 0]))
    return Speed(part, what, "ms", float(median), p95, baseline, float(median_other), ratio)

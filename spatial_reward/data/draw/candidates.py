"""From candidates to questions: their twins, and the frames that lie between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from spatial_reward.data.draw.pairs import moves
from spatial_reward.data.draw.rules import Drawn, Rules
from spatial_reward.types import Question, Scene


class Candidate(NamedTuple):
    """What a question may be about: two frames of a scene, and a point or an object (-1: none)."""

    first: int
    second: int
    thing: int = -1

    def exchanged(self) -> Candidate:
        """Return the same with its frames exchanged."""
        return Candidate(self.second, self.first, self.thing)


Ask = Callable[[Candidate], Question | None]


def with_twins(
    candidates: Sequence[Candidate], ask: Ask, count: int, rules: Rules, twin: str
) -> list[tuple[Question, Candidate, str]]:
    """Ask about candidates, some of them twice with exchanged frames, `count` times in all.

    Where the candidates are too few, more of them have a twin than the rules want.
    """
    twins = max(round(rules.twins * count), count - len(candidates))
    asked: list[tuple[Question, Candidate, str]] = []
    for candidate in candidates:
        pair = [(candidate, ""), (candidate.exchanged(), twin)][: 1 + (twins > 0)]
        for one, kind in pair[: count - len(asked)]:
            question = ask(one)
            if question is not None:
                asked.append((question, one, kind))
                twins -= bool(kind)
        if len(asked) >= count:
            break
    return asked


def clips(
    scene: Scene, asked: Sequence[tuple[Question, Candidate, str]], rng: np.random.Generator, rules: Rules
) -> list[Drawn]:
    """Put frames that lie between the two into the questions, as many as the rules allow."""
    drawn = []
    for question, candidate, twin in asked:
        frames = _clip(scene, candidate, rng, rules)
        pictures = tuple(scene.frames[time] for time in frames)
        drawn.append(Drawn(replace(question, frames=pictures), frames, twin))
    return drawn


def _clip(scene: Scene, candidate: Candidate, rng: np.random.Generator, rules: Rules) -> tuple[int, ...]:
    first, second = candidate.first, candidate.second
    if rules.most_frames == 2:
        return first, second
    between = np.array(
        [time for time in range(min(first, second) + 1, max(first, second)) if _fits(scene, candidate, time)],
        int,
    )
    count = min(len(between), int(rng.integers(rules.most_frames - 1)))
    middle = sorted(rng.choice(between, count, replace=False).tolist(), reverse=first > second)
    return first, *middle, second


def _fits(scene: Scene, candidate: Candidate, time: int) -> bool:
    """Tell whether a frame belongs between: of the camera's motion (no point), only if nothing else moves."""
    same_time = scene.frames[time].time == scene.frames[candidate.first].time
    return candidate.thing >= 0 or not moves(scene) or same_time

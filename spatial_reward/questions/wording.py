"""How questions and replies are put into words: numbers as text, slots, and the choice among templates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from spatial_reward.questions.base import Mode
from spatial_reward.types import Frame, PixelPoint, Question, Value

Rule = Literal["nearest", "truncate"]

# The published engine truncates these lengths toward zero; it rounds depths, sizes and object vectors.
_TRUNCATED = ("cam_dist", "cam_vec", "obj_dist_coord", "obj_dist_dot")
_ANGLES = ("cam_deg_yaw", "cam_deg_pitch")
_PIXELS = ("vc_coord", "depth_cmp_coord")


def to_millimetres(value: float, rule: Rule = "nearest") -> int:
    """Turn metres into whole millimetres, to the nearest or toward zero.

    >>> to_millimetres(-0.69697), to_millimetres(-0.69697, "truncate")
    (-697, -696)
    """
    millimetres = round(value * 1000, 6)  # 0.57 * 1000 is 569.9999..., which must not become 569
    return math.trunc(millimetres) if rule == "truncate" else round(millimetres)


def to_degrees(value: float) -> int:
    """Turn an angle into whole degrees without a sign, truncated as published.

    >>> to_degrees(-12.9)
    12
    """
    return math.trunc(abs(round(value, 6)))


def to_thousandths(pixel: Sequence[float] | Value, size: tuple[int, int]) -> tuple[int, int]:
    """Turn a pixel [px] into thousandths of the image's width and height, rounded and clamped to 0..1000.

    >>> to_thousandths((648.0, 968.0), (1296, 968))
    (500, 1000)
    """
    x, y = (
        min(max(round(p / s * 1000), 0), 1000) for p, s in zip(np.asarray(pixel).tolist(), size, strict=True)
    )
    return x, y


def bracketed(numbers: Sequence[int]) -> str:
    """Write whole numbers as a tuple.

    >>> bracketed((12, -3, 400))
    '[ 12 , -3 , 400 ]'
    """
    return f"[ {' , '.join(map(str, numbers))} ]"


def coordinate(pixel: Sequence[float] | Value, frame: Frame) -> str:
    """Write a pixel of a frame as coordinates."""
    return bracketed(to_thousandths(pixel, (frame.width, frame.height)))


def written(question: Question, mode: Mode = "strict") -> str:
    """Write the truth as it stands between the backticks; "paper" follows the published rounding.

    Raises:
        ValueError: If the question carries no truth.
    """
    if question.answer is None or question.answer.value is None:
        raise ValueError(f"A {question.kind!r} question without a truth has no reply: set its `answer`.")
    value = question.answer.value
    if isinstance(value, str):
        return value
    if question.kind in _PIXELS:
        return coordinate(value, question.frames[-1])
    numbers = np.atleast_1d(np.asarray(value, float))
    if question.kind in _ANGLES:
        return str(to_degrees(float(numbers[0])))
    rule: Rule = "truncate" if mode == "paper" and question.kind in _TRUNCATED else "nearest"
    millimetres = [to_millimetres(float(number), rule) for number in numbers]
    return str(millimetres[0]) if np.ndim(value) == 0 else bracketed(millimetres)


def is_still(question: Question) -> bool:
    """Tell whether the truth is that nothing moved."""
    value = None if question.answer is None else question.answer.value
    return value is not None and not isinstance(value, str) and not np.any(value)


@dataclass(frozen=True)
class Wording:
    """The templates of one kind.

    A phrase is one setting, one convention (if there are any), and one question; slots in braces.

    Attributes:
        settings: What is shown.
        questions: What is asked.
        replies: Sentences with `{answer}` between backticks.
        hint: The exact format of the answer, for models that were not trained on it.
        conventions: Axes or coordinates, where numbers need them.
        still_replies: Replies for truths of zero, where "did not move" comes first.
        points: How many points the question needs.
    """

    settings: tuple[str, ...]
    questions: tuple[str, ...]
    replies: tuple[str, ...]
    hint: str
    conventions: tuple[str, ...] = ("",)
    still_replies: tuple[str, ...] = ()
    points: int = 0

    def phrase(self, question: Question, rng: np.random.Generator, format_hint: bool = False) -> str:
        """Put a question into words; the question's own `prompt` takes precedence.

        Raises:
            ValueError: If the question lacks points.
        """
        parts = [_pick(rng, group) for group in (self.settings, self.conventions, self.questions)]
        hint = self.hint if format_hint else ""
        if question.prompt:
            return _joined(question.prompt, hint)
        slots = self._slots(question)
        return _joined(*(part.format(**slots) for part in parts), _clip(question), hint)

    def reply(self, question: Question, rng: np.random.Generator, mode: Mode = "strict") -> str:
        """State the truth in a sentence, between single backticks; "paper" follows the published rounding.

        Raises:
            ValueError: If the question carries no truth, or lacks points.
        """
        template = _pick(rng, self._reply_templates(question))
        return template.format(answer=written(question, mode), **self._slots(question))

    def phrases(self, question: Question, format_hint: bool = False) -> list[str]:
        """List every way of asking."""
        slots, hint = self._slots(question), self.hint if format_hint else ""
        groups = product(self.settings, self.conventions, self.questions)
        clip = _clip(question)
        return [_joined(*(part.format(**slots) for part in parts), clip, hint) for parts in groups]

    def all_replies(self, question: Question) -> list[str]:
        """List every way of answering."""
        slots = self._slots(question)
        return [t.format(answer=written(question), **slots) for t in self._reply_templates(question)]

    def _reply_templates(self, question: Question) -> tuple[str, ...]:
        return self.still_replies if self.still_replies and is_still(question) else self.replies

    def _slots(self, question: Question) -> dict[str, str]:
        if len(question.points) < self.points:
            got = len(question.points)
            raise ValueError(f"A {question.kind!r} question needs {self.points} `points`, got {got}.")
        slots = {"name": question.labels[0] if question.labels else "object"}
        for slot, point in zip(("first", "second"), question.points, strict=False):
            slots[slot] = _place(point, question)
        return slots | relation_words(question)


def relation_words(question: Question) -> dict[str, str]:
    """Return the slots of a depth comparison: the last label says "closer" (the default) or "farther"."""
    farther = bool(question.labels) and question.labels[-1] == "farther"
    return {
        "nearer": "farther from" if farther else "closer to",
        "nearest": "farthest from" if farther else "closest to",
        "depth": "larger" if farther else "smaller",
        "behind": "behind" if farther else "in front of",
    }


def _clip(question: Question) -> str:
    """Say which of more than two pictures the question is about."""
    count = len(question.frames)
    if count <= 2:
        return ""
    return f"Of these {count} images in order, the first and the last are the two meant."


def _place(point: PixelPoint, question: Question) -> str:
    return coordinate((point.x, point.y), question.frames[point.frame])


def _pick(rng: np.random.Generator, group: Sequence[str]) -> str:
    return group[int(rng.integers(len(group)))]


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)

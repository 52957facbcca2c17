"""What a question type is: one definition that data engine, models, benchmark and training share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from spatial_reward.types import Answer, Question, Scene

Mode = Literal["strict", "paper"]


class Reply(Protocol):
    """States the truth of a question in words; "paper" rounds as the published engine does."""

    def __call__(self, question: Question, rng: np.random.Generator, mode: Mode = "strict") -> str:
        """Return the sentence, with the answer between backticks."""
        ...


@dataclass(frozen=True)
class Kind:
    """A question type: how it is asked, worded, answered, read and scored.

    Attributes:
        name: Slug (MultiSPA subtask).
        family: "depth", "correspondence", "camera_motion", "object_motion" or "object_size".
        unit: Unit of the answer: "m", "deg", "px" or "1".
        ask: (scene, rng, mode) -> question with truth, or None where the scene does not support it.
        phrase: (question, rng, format_hint) -> the user's words, without image marks.
        reply: (question, rng, mode) -> the assistant's words that state `question.answer`.
        read: (text, question) -> the answer that the text states; `Answer.unknown` if unread.
        score: (answer, question, mode) -> whether the answer counts as correct.
    """

    name: str
    family: str
    unit: str
    ask: Callable[[Scene, np.random.Generator, Mode], Question | None]
    phrase: Callable[[Question, np.random.Generator, bool], str]
    reply: Reply
    read: Callable[[str, Question], Answer]
    score: Callable[[Answer, Question, Mode], bool]

"""Models that see nothing: what any other must beat, and what a table must expose."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from spatial_reward.data.blind_guesses import Plain, answer_to, plain_truth
from spatial_reward.models.answer_format import CHOICES
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Question

Pool = Mapping[str, Sequence[Plain]]


def answer_pool(questions: Iterable[Question]) -> dict[str, list[Plain]]:
    """Collect the truths of questions by kind: what random answers are drawn from."""
    pool: dict[str, list[Plain]] = {}
    for question in questions:
        pool.setdefault(question.kind, []).append(plain_truth(question))
    return pool


class Random:
    """Answer at random: one of the options, or the answer of another question of the set.

    The answer depends on the seed and on the question alone, so that the order of questions does not matter.

    Args:
        pool: Answers to draw from, by kind; see `answer_pool`.
        seed: Of the draw.
    """

    name = "random"
    needs: frozenset[str] = frozenset()
    blind = True

    def __init__(self, pool: Pool, seed: int = 0) -> None:
        """Keep what to draw from."""
        self._pool, self._seed = pool, seed

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Draw an answer to every question."""
        return [replace(self._answer(question), source=self.name) for question in questions]

    def _answer(self, question: Question) -> Answer:
        options: Sequence[Plain] = CHOICES.get(question.kind) or self._pool.get(question.kind, ())
        options = ("0", "1") if question.kind == "depth_cmp_coord" else options
        if not len(options):
            return Answer.unknown(f"The pool holds no answer of kind {question.kind!r}.")
        rng = np.random.default_rng([self._seed, _number(question)])
        return answer_to(question, options[int(rng.integers(len(options)))])


class Biased:
    """Reply with the same words, whatever is asked: a biased model.

    Args:
        text: The reply, read as that of any model in words, such as "left" or "300 mm".
    """

    needs: frozenset[str] = frozenset()
    blind = True

    def __init__(self, text: str) -> None:
        """Keep the words."""
        self.name = f"always {text!r}"
        self._text = text

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Read the words as the answer to every question."""
        return [
            replace(KINDS[one.kind].read(self._text, one), source=self.name)
            if one.kind in KINDS
            else Answer.unknown(f"Unknown kind {one.kind!r}.", source=self.name)
            for one in questions
        ]


def _number(question: Question) -> int:
    """Return a number that hardly two questions of a set share."""
    first = question.frames[0].camera
    pose = b"" if first is None else first.world_from_camera.tobytes()
    times = [frame.time for frame in question.frames]
    words = f"{question.kind} {question.points} {question.labels} {question.prompt} {times}"
    return zlib.crc32(words.encode() + pose)

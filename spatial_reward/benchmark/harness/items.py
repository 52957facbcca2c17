"""The question of a public benchmark, whichever it is from, and where a benchmark is published."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, NamedTuple

from spatial_reward.chat import IMAGE, Picture

Form = Literal["choice", "number", "score"]
LETTERS = "ABCDEFGHIJ"


class Source(NamedTuple):
    """Where a benchmark is published.

    Attributes:
        name: Slug, and name of its folder under `data`.
        repository: Id of the data set on the Hugging Face hub.
        revision: Commit of that repository, whole.
        files: Patterns of the files that are needed.
        licence: As its card states it.
        split: The part that is asked.
    """

    name: str
    repository: str
    revision: str
    files: tuple[str, ...]
    licence: str
    split: str


@dataclass(frozen=True, eq=False)
class Item:
    """A question.

    Attributes:
        id: Unique over all benchmarks.
        benchmark: Name of its source.
        subset: Of the benchmark: task or question type.
        form: "choice" (a letter), "number" (in `unit`) or "score" (1 to 5).
        prompt: The user's words, with a mark `chat.IMAGE` for every picture.
        answer: The truth: a letter, or a number in words.
        options: Texts of the options A, B, ..., where they are known; () for other forms.
        pictures: Gives the pictures, (H, W, 3) uint8 RGB each.
        unit: Of a number: "m", "cm", "m2", or "" for counts.
        group: What published means are taken over, beside the subset; "" for none.
    """

    id: str
    benchmark: str
    subset: str
    form: Form
    prompt: str
    answer: str
    options: tuple[str, ...]
    pictures: Callable[[], Sequence[Picture]]
    unit: str = ""
    group: str = ""

    @property
    def letters(self) -> str:
        """Letters of the options.

        >>> Item("1", "erqa", "", "choice", "?", "A", ("yes", "no"), list).letters
        'AB'
        """
        return LETTERS[: len(self.options)]

    @property
    def digest(self) -> str:
        """SHA-256 of everything but the pictures."""
        parts = [self.id, self.form, self.prompt, self.answer, *self.options, self.unit, self.group]
        return sha256(json.dumps(parts).encode()).hexdigest()


def images_first(count: int, words: str) -> str:
    """Put the marks of all pictures before the words, as most harnesses do."""
    return IMAGE * count + words

"""Which sample comes when: an order without state, mixed from questions and general conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from spatial_reward.training.permutation import Permutation
from spatial_reward.training.vlm_rows import Rows, Sample


class Joined:
    """Several rows, one after the other."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        """Count them."""
        self._parts, self._ends = list(parts), np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        """Return how many there are in all."""
        return int(self._ends[-1])

    def __getitem__(self, number: int) -> Sample:
        """Return one."""
        part = int(np.searchsorted(self._ends, number, side="right"))
        return self._parts[part][number - (int(self._ends[part - 1]) if part else 0)]


@dataclass(frozen=True)
class Order:
    """The order of samples for all time: number n of a run is the same on any number of processes.

    An epoch shows every question once, in an order of its own, and in between so many general
    conversations that they are `share` of all; those go round in epochs of their own.

    Attributes:
        questions: How many there are.
        general: How many conversations there are; 0 for none.
        share: Of samples, those that are general, below 1.
        seed: Of the order.

    Raises:
        ValueError: If there are no questions, or the share makes no sense.
    """

    questions: int
    general: int = 0
    share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be ordered."""
        if self.questions < 1:
            raise ValueError(f"There must be at least one question, got {self.questions}.")
        if not 0 <= self.share < 1 or (self.share > 0) != (self.general > 0):
            raise ValueError(
                f"`general_share` must be within 0..1, and above 0 just where there is general data, "
                f"got {self.share} with {self.general} conversations."
            )

    @cached_property
    def epoch(self) -> int:
        """Samples of an epoch."""
        return self.questions + self._general_each

    @cached_property
    def _general_each(self) -> int:
        return round(self.questions * self.share / (1 - self.share)) if self.general else 0

    def __call__(self, number: int) -> tuple[str, int]:
        """Return "question" or "general", and the number of the row."""
        epoch, place = divmod(number, self.epoch)
        chosen = _permutation(self.epoch, self.seed, epoch)(place)
        if chosen < self.questions:
            return "question", chosen
        turn, place = divmod(epoch * self._general_each + chosen - self.questions, self.general)
        return "general", _permutation(self.general, self.seed, turn, 1)(place)


@lru_cache(8)
def _permutation(count: int, *key: int) -> Permutation:
    return Permutation(count, *key)


@dataclass(frozen=True)
class Mixture:
    """The samples of a run in their order, as a data set whose item n is sample n.

    Attributes:
        questions: Rows of questions.
        general: Rows of general conversations, or None.
        order: Which comes when.
        samples: How many the run takes.
    """

    questions: Rows
    general: Rows | None
    order: Order
    samples: int

    def __len__(self) -> int:
        """Return how many samples the run takes."""
        return self.samples

    def __getitem__(self, number: int) -> Sample:
        """Return a sample."""
        source, row = self.order(number)
        return self.questions[row] if source == "question" or self.general is None else self.general[row]

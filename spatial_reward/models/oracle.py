"""The simulator's truth as a model: the upper bound in every table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spatial_reward.types import Answer, Question


class Oracle:
    """Answer with the truth that a question carries, with Gaussian noise if asked for.

    Args:
        noise: Standard deviation of the noise on each number, in its unit ([m], [deg] or [px]).
        seed: Of the noise.

    Raises:
        ValueError: If `noise` is negative.
    """

    name = "oracle"
    needs = frozenset({"truth"})
    follows = False  # answers do not depend on `Question.previous`

    def __init__(self, noise: float = 0.0, seed: int = 0) -> None:
        """Set up the noise."""
        if not noise >= 0:
            raise ValueError(f"`noise` must not be negative, got {noise}.")
        self.noise = noise
        self.reseed(seed)

    def reseed(self, seed: int | Sequence[int]) -> None:
        """Begin another sequence of noise."""
        self._rng = np.random.default_rng(seed)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer every question; one without truth is unknown."""
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Answer:
        truth = question.answer
        if truth is None or truth.value is None:
            return Answer.unknown("The question carries no truth.", source=self.name)
        if isinstance(truth.value, str) or self.noise == 0:
            return replace(truth, source=self.name)
        value = np.asarray(truth.value, float)
        noisy = value + self._rng.normal(0, self.noise, value.shape)
        if value.ndim == 0:
            return replace(truth, value=float(noisy), std=self.noise, source=self.name)
        covariance = self.noise**2 * np.eye(3) if value.shape == (3,) else None
        std = np.full(value.shape, self.noise)
        return replace(truth, value=noisy, std=std, covariance=covariance, source=self.name)

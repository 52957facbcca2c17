"""A reward from a vision-language model's belief: how likely it finds it that the clip fulfils the goal.

In the manner of TOPReward (2026), but online: each frame is scored by the frames up to it, and nothing is
rescaled per episode, so that a failed episode need not end at 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from spatial_reward.models.clock import ClipScore, prefixes
from spatial_reward.models.transformers import Transformers
from spatial_reward.types import Frame, Question

Scale = Literal["probability", "log"]
STATEMENT = (
    "The pictures show, in order of time, what a robot has done so far. Statement: by the last picture, "
    "this has been achieved: {goal}. Is the statement True or False?"
)
KIND = "cam_vec"  # any kind of two or more pictures without marked points; its words are replaced


class LogProbability:
    """Ask a model whether the goal is reached, and take the probability of "True" against "False".

    Args:
        model: Folder of a checkpoint, or id on the hub.
        frames: Most frames that are shown at a time.
        scale: "probability" in [0, 1], or "log", TOPReward's log-probability, in which progress is
            unbounded and only ranks mean anything.
        options: Further options of `Transformers`, such as `device` and `dtype`.

    Raises:
        ImportError, OSError, ValueError: As `Transformers`.
    """

    def __init__(self, model: str, frames: int = 8, scale: Scale = "probability", **options: Any) -> None:
        """Load the model."""
        if scale not in get_args(Scale):
            raise ValueError(f"`scale` must be one of {', '.join(get_args(Scale))}, got {scale!r}.")
        prefixes(1, frames)
        self.scale, self._frames = scale, frames
        self._model = Transformers(model, **options)
        self.name = f"log_probability:{self._model.name.partition(':')[2]}"

    def score(self, frames: Sequence[Frame], goal: str) -> ClipScore:
        """Score every frame by the frames up to it."""
        statement = STATEMENT.format(goal=goal)
        questions = [
            Question(KIND, tuple(frames[number] for number in shown), prompt=statement)
            for shown in prefixes(len(frames), self._frames)
        ]
        true = self._model.probabilities(questions)[:, 0]
        return ClipScore(np.log(np.maximum(true, 1e-12)) if self.scale == "log" else true)

"""By which rules questions are drawn, and what is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, get_args

from spatial_reward.questions import Mode
from spatial_reward.types import Question


class Drawn(NamedTuple):
    """A question about a scene.

    Attributes:
        question: With its truth.
        frames: The numbers of its frames in the scene.
        twin: "reversed" or "swapped" if it is the question before it with its frames exchanged, else "".
    """

    question: Question
    frames: tuple[int, ...]
    twin: str = ""


@dataclass(frozen=True)
class Rules:
    """How questions are chosen.

    Attributes:
        mode: "strict" keeps clear of what is ambiguous and balances answers; "paper" follows the published
            engine: its overlap bins, its displacement bins, its thresholds.
        still_share: Of object-motion questions, those about a point that did not move.
        near_share: Of correspondence questions, at most those whose point stays near its pixel.
        hard: Whether the wrong dots of a choice lie close to the right one, as for the published study of
            emergence, whose distances are not known: between 3 and 10 % of the width.
        twins: Share of camera and motion questions that come again with their frames exchanged.
        most_frames: Frames of a question about motion, at most; those beyond two lie between.

    Raises:
        ValueError: If a number is out of its range.
    """

    mode: Mode = "strict"
    still_share: float = 0.10
    near_share: float = 0.10
    twins: float = 0.05
    most_frames: int = 2
    hard: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no share, no mode, no clip."""
        if self.mode not in get_args(Mode):
            raise ValueError(f"`mode` must be one of {get_args(Mode)}, got {self.mode!r}.")
        for name in ("still_share", "near_share", "twins"):
            share = getattr(self, name)
            if not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ValueError(f"`{name}` must be a number in [0, 1], got {share!r}.")
        if not isinstance(self.most_frames, int) or not 2 <= self.most_frames <= 8:
            raise ValueError(f"`most_frames` must be a whole number from 2 to 8, got {self.most_frames!r}.")

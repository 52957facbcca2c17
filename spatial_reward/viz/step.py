"""One judged step of an episode: what recordings and reports show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spatial_reward.camera import Array
from spatial_reward.types import Frame, Reference, Signal


@dataclass(frozen=True, eq=False)
class Step:
    """A frame, what was measured in it, and what came of it.

    Attributes:
        index: Number of the step in its episode.
        frame: The picture that was judged.
        reference_frame: The picture in which the references were marked; the same for a whole episode.
        references: The things of the goal, by name.
        signal: What the judge says; NaN where unknown.
        reward: What the learner gets.
        env_reward: What the environment gave.
        truth: True distance to the goal [m]; NaN = unknown.
        latency: Time that the measurement took [s].
        motion: True motion (3,) of the things since the reference frame [m], by name, where known.
    """

    index: int
    frame: Frame
    reference_frame: Frame
    references: Mapping[str, Reference]
    signal: Signal
    reward: float
    env_reward: float
    truth: float
    latency: float
    motion: Mapping[str, Array] = field(default_factory=dict)

    @property
    def predicted(self) -> float:
        """Predicted distance to the goal [m]."""
        return -self.signal.potential

    @property
    def error(self) -> float:
        """Predicted minus true distance [m]."""
        return self.predicted - self.truth

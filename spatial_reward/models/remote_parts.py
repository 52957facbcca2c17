"""What of some questions goes into one request."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from spatial_reward.models.wire_arrays import Limits
from spatial_reward.types import Question

_WORDS = {
    "frames": "frames",
    "pixels": "pixels in one picture",
    "total_pixels": "pixels in its pictures and arrays together",
    "bytes": "bytes",
}


class TooLarge(ValueError):
    """Why a question cannot be sent, even alone."""


class Takes(NamedTuple):
    """What a server takes in one request.

    Attributes:
        bytes: Of its body.
        frames: Pictures.
        pixels: Of one picture.
        total_pixels: Of all pictures and arrays together.
        questions: Questions.
        seconds: From its first byte to its answer [s].
    """

    bytes: float = Limits().bytes
    frames: float = Limits().frames
    pixels: float = math.inf
    total_pixels: float = math.inf
    questions: float = Limits().questions
    seconds: float = Limits().seconds

    @classmethod
    def told(cls, info: Mapping[str, Any]) -> Takes:
        """Read what `/v1/info` says; what it leaves out is as a server has it by default, or unlimited.

        Raises:
            ValueError: If a limit is no number above 0.
        """
        stated = {name: limit for name, limit in info.get("limits", {}).items() if name in cls._fields}
        for name, limit in stated.items():
            if not isinstance(limit, int | float) or not limit > 0:
                raise ValueError(f"the limit `{name}` is {limit!r}, no number above 0")
        return cls(**stated)

    def first(self, questions: Sequence[Question], most: int, sent: Collection[str]) -> Sequence[Question]:
        """Return the first questions, at least one and so many at most, that fit by their pictures."""
        load = Load(sent)
        for count, question in enumerate(questions[:most]):
            load.add(question)
            if count and self.excess(load):
                return questions[:count]
        return questions[:most]

    def excess(self, load: Load) -> str:
        """Return which limit is exceeded, in words; "" if none is."""
        for name, words in _WORDS.items():
            amount, limit = getattr(load, name), getattr(self, name)
            if amount > limit:
                return f"{amount} {words} are more than the {limit} that the server takes (limits.{name})"
        return ""

    def check(self, question: Question, sent: Collection[str], size: int = 0) -> None:
        """Refuse a question that cannot be sent, even alone.

        Args:
            question: What is asked.
            sent: Which arrays of its frames are sent.
            size: Of its message [bytes], once that is known: of compressed pictures arrays tell little.

        Raises:
            TooLarge: If there is no sending it; says what to do.
        """
        load = Load(sent)
        load.add(question)
        load.bytes = size
        if excess := self.excess(load):
            raise TooLarge(
                f"a question is too large to be sent: {excess}; send smaller pictures, or raise the limit"
            )


class Load:
    """What questions weigh together, each frame once.

    Args:
        sent: Which arrays of a frame count: "rgb", "depth", "bodies".

    Attributes:
        frames: Number of their frames.
        bytes: Of their arrays, as they are in memory.
        pixels: Of the largest picture.
        total_pixels: Of all pictures and arrays.
    """

    def __init__(self, sent: Collection[str]) -> None:
        """Nothing weighs nothing."""
        self._sent = sent
        self.frames = self.bytes = self.pixels = self.total_pixels = 0
        self._seen: set[int] = set()

    def add(self, question: Question) -> None:
        """Add a question."""
        for frame in question.frames:
            if id(frame) in self._seen:
                continue
            self._seen.add(id(frame))
            arrays = [array for name in self._sent if (array := getattr(frame, name)) is not None]
            pixels = frame.width * frame.height
            self.frames += 1
            self.bytes += sum(array.nbytes for array in arrays)
            self.pixels = max(self.pixels, pixels)
            self.total_pixels += pixels * len(arrays)

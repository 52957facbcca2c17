"""What a source of scenes is: three methods, so that a new one is one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spatial_reward.types import Scene


class BadScene(ValueError):
    """Say why one scene cannot be used: it is skipped and counted, the others go on.

    Attributes:
        reason: A few fixed words without names or numbers, such as "no camera poses", for the count.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        """Keep the reason apart from the details."""
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@runtime_checkable
class Source(Protocol):
    """Scenes with truth, one at a time.

    Attributes:
        name: Recorded with every question.
    """

    name: str

    def scenes(self) -> Sequence[str]:
        """List the ids of all scenes in a fixed order, without reading them."""
        ...

    def load(self, scene: str) -> Scene:
        """Read one scene; its frames may hold `unread` pictures.

        Raises:
            BadScene: If it is incomplete or broken.
        """
        ...

    def picture(self, scene: str, frame: int) -> bytes:
        """Return frame number `frame` of the scene as a JPEG or PNG file.

        Raises:
            BadScene: If it cannot be read.
        """
        ...


def unread(width: int, height: int) -> NDArray[np.uint8]:
    """Return a black picture (H, W, 3) that takes no memory: the place of one that is on disk."""
    return np.broadcast_to(np.uint8(0), (height, width, 3))


def static_points(points: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Repeat points (N, 3) that never move for each of T frames (T, N, 3), without copying them."""
    return np.broadcast_to(points, (frames, *points.shape))

"""A source that renders its scenes: what they share, whatever they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import cv2

from spatial_reward.data.sources.base import BadScene
from spatial_reward.types import Scene

Encoding = Literal["jpeg", "png"]


class Rendered:
    """Number the scenes, keep the last one, and encode its pictures.

    Args:
        name: Recorded with every question.
        prefix: Of the ids of scenes; a number follows.
        scenes: How many there are.
        frames: Of each camera in a scene.
        seed: Of everything random.
        points_per_body: At most so many points are followed on each body.
        encoding: Of pictures: "jpeg" or "png".
        quality: Of JPEG pictures, up to 100.

    Raises:
        ValueError: If a number is out of its range, or the encoding unknown.
    """

    def __init__(
        self,
        name: str,
        prefix: str,
        *,
        scenes: int,
        frames: int,
        seed: int,
        points_per_body: int,
        encoding: Encoding,
        quality: int,
    ) -> None:
        """Check what is to be made; nothing is rendered yet."""
        numbers = (("scenes", scenes, 1), ("frames", frames, 2), ("seed", seed, 0))
        for option, number, least in (*numbers, ("points_per_body", points_per_body, 1)):
            if number < least:
                raise ValueError(f"`{option}` must be at least {least}, got {number}.")
        if encoding not in ("jpeg", "png") or not 1 <= quality <= 100:
            raise ValueError(
                f'`encoding` must be "jpeg" or "png" and `quality` 1 to 100, got {encoding!r} and {quality}.'
            )
        self.name, self._prefix, self._number = name, prefix, scenes
        self._frames, self._seed, self._points = frames, seed, points_per_body
        self._file = (".png", []) if encoding == "png" else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])
        self._last: tuple[str, Scene] | None = None

    def scenes(self) -> Sequence[str]:
        """List the ids of all scenes."""
        return [f"{self._prefix}-{index:06d}" for index in range(self._number)]

    def load(self, scene: str) -> Scene:
        """Render one scene, or return it where it was the last one; scene i depends on (seed, i) alone.

        Raises:
            BadScene: If there is no such scene, or too little of it can be used.
        """
        if self._last is None or self._last[0] != scene:
            self._last = None
            self._last = scene, self._render(self._index(scene))
        return self._last[1]

    def picture(self, scene: str, frame: int) -> bytes:
        """Return one frame of a scene as a JPEG or PNG file.

        Raises:
            BadScene: If there is no such scene or frame.
        """
        frames = self.load(scene).frames
        if not 0 <= frame < len(frames):
            raise BadScene("no such frame", f"{scene} has {len(frames)}, asked for {frame}")
        suffix, settings = self._file
        _, encoded = cv2.imencode(suffix, cv2.cvtColor(frames[frame].rgb, cv2.COLOR_RGB2BGR), settings)
        return bytes(encoded)

    def _index(self, scene: str) -> int:
        prefix, _, number = scene.rpartition("-")
        if prefix != self._prefix or not number.isdecimal() or int(number) >= self._number:
            last = f"{self._prefix}-{self._number - 1:06d}"
            raise BadScene("no such scene", f"{scene!r}; the last one is {last!r}")
        return int(number)

    def _render(self, index: int) -> Scene:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """Leave the rendered scene behind when another process takes over."""
        return {**self.__dict__, "_last": None}

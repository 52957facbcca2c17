"""Pictures of a recording as files, without decoding what is encoded already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.data.picture_file import inspect
from spatial_reward.data.sources.base import BadScene

SUFFIXES = (".jpg", ".jpeg", ".png")


class Pictures(Protocol):
    """The pictures of a recording, all of one size.

    Attributes:
        size: Width and height [px].
    """

    size: tuple[int, int]

    def __len__(self) -> int:
        """Count them."""
        ...

    def encoded(self, index: int) -> bytes:
        """Return one as a JPEG or PNG file.

        Raises:
            BadScene: If it cannot be read.
        """
        ...


class EncodedPictures:
    """JPEG or PNG files in memory, or the paths of such files; handed on unchanged.

    Raises:
        BadScene: "no pictures", "unreadable picture" or "pictures of different sizes".
    """

    def __init__(self, files: Sequence[bytes | Path]) -> None:
        """Look at all headers."""
        if not files:
            raise BadScene("no pictures")
        self.files = files
        sizes = {picture_size(self.encoded(index)) for index in range(len(files))}
        if len(sizes) > 1:
            raise BadScene("pictures of different sizes", f"{sorted(sizes)}")
        (self.size,) = sizes

    def __len__(self) -> int:
        """Count them."""
        return len(self.files)

    def encoded(self, index: int) -> bytes:
        """Return one file."""
        file = self.files[index]
        if isinstance(file, bytes):
            return file
        try:
            return file.read_bytes()
        except OSError as error:
            raise BadScene("unreadable picture", str(error)) from error


class RawPictures:
    """Pictures (T, H, W, 3) uint8, handed on as PNG.

    Raises:
        BadScene: "no pictures" or "wrong shape or type".
    """

    def __init__(self, rgb: NDArray[Any]) -> None:
        """Check the shape."""
        if rgb.ndim != 4 or rgb.shape[3] != 3 or rgb.dtype != np.uint8:
            raise BadScene("wrong shape or type", f"rgb is {rgb.shape} {rgb.dtype}, not (T, H, W, 3) uint8")
        if not rgb.size:
            raise BadScene("no pictures")
        self.rgb = rgb
        self.size = (int(rgb.shape[2]), int(rgb.shape[1]))

    def __len__(self) -> int:
        """Count them."""
        return len(self.rgb)

    def encoded(self, index: int) -> bytes:
        """Return one as PNG."""
        return png(self.rgb[index])


class VideoPictures:
    """The pictures of a video file, decoded in order and handed on as PNG.

    Videos are read from the start, because many seek only to the nearest key frame: asking in ascending
    order decodes each picture once.

    Raises:
        BadScene: "unreadable video" or "no pictures".
    """

    def __init__(self, path: Path) -> None:
        """Count the pictures, which a header may state wrongly."""
        self.path = path
        self._open()
        self.size = (
            int(self._video.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self._video.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        while self._video.grab():
            self._next += 1
        self._count = self._next
        if not self._count:
            raise BadScene("no pictures", str(path))

    def __len__(self) -> int:
        """Count them."""
        return self._count

    def encoded(self, index: int) -> bytes:
        """Return one as PNG."""
        if index < self._next:
            self._open()
        while self._next < index and self._video.grab():
            self._next += 1
        read, bgr = self._video.read()
        self._next += 1
        if not read:
            raise BadScene("unreadable picture", f"{self.path}, number {index}")
        return png(bgr[..., ::-1])

    def _open(self) -> None:
        self._video = cv2.VideoCapture(str(self.path))
        self._next = 0
        if not self._video.isOpened():
            raise BadScene("unreadable video", str(self.path))


def png(rgb: NDArray[Any]) -> bytes:
    """Encode a picture (H, W, 3) without loss."""
    return cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))[1].tobytes()


def picture_size(data: bytes) -> tuple[int, int]:
    """Read width and height [px] from the header of a whole JPEG or PNG file.

    Raises:
        BadScene: "unreadable picture", also where the end is missing.
    """
    try:
        _, width, height = inspect(data)
    except ValueError as error:
        raise BadScene("unreadable picture", str(error)) from error
    if min(width, height) < 1:
        raise BadScene("unreadable picture", f"a size of {width} x {height}")
    return width, height

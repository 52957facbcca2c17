"""Video files: when their frames are, frames by number without decoding what is not needed, and writing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward._require import require
from spatial_reward.camera import Array
from spatial_reward.data.episodes.base import BadEpisode

CODECS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "ffv1": "ffv1"}
FAULTS = (OSError, ValueError, EOFError)  # what PyAV raises for damaged files
NEAR = 8  # frames up to which reading on is cheaper than seeking


def frame_times(path: Path) -> Array:
    """Return the time [s] of every frame of a video, ascending, without decoding any.

    Raises:
        BadEpisode: If the file is missing, or is no whole video.
    """
    return _seconds(path)[0]


def _seconds(path: Path) -> tuple[Array, NDArray[np.int64], Fraction]:
    stamps, base = _stamps(path, path.stat().st_mtime_ns if path.exists() else 0)
    return np.asarray(stamps * float(base), np.float64), stamps, base


@lru_cache(maxsize=16)
def _stamps(path: Path, _changed: int) -> tuple[NDArray[np.int64], Fraction]:
    """Return presentation times in units of the stream's time base."""
    container = open_video(path)
    with container:
        stream = container.streams.video[0]
        found = []
        try:
            for packet in container.demux(stream):
                if packet.pts is not None:
                    found.append(packet.pts)
        except FAULTS as error:
            raise BadEpisode(f"{path} is damaged after {len(found)} frames ({_reason(error)})") from error
        return np.sort(np.array(found, np.int64)), stream.time_base


def open_video(path: Path) -> Any:
    """Open a container with at least one video stream.

    Raises:
        BadEpisode: If that is impossible.
    """
    av = require("av", extra="episodes", purpose="videos")
    if not path.is_file():
        raise BadEpisode(f"{path} is missing")
    try:
        container = av.open(str(path))
    except FAULTS as error:
        raise BadEpisode(f"{path} is no whole video ({_reason(error)})") from error
    if not container.streams.video:
        container.close()
        raise BadEpisode(f"{path} has no picture stream")
    return container


def read_frames(path: Path, numbers: Sequence[int], pixels: str = "rgb24") -> Iterator[NDArray[Any]]:
    """Yield frames by their ascending numbers in the file, (H, W, 3) uint8, or (H, W) of another format.

    Raises:
        BadEpisode: If the file ends before them, or its pictures change their size.
    """
    if not len(numbers):
        return
    _, stamps, _ = _seconds(path)
    if numbers[-1] >= len(stamps):
        raise BadEpisode(f"{path} has {len(stamps)} frames, but frame {numbers[-1]} is needed")
    position, size = 0, None
    for frame in _decoded(path, numbers, stamps):
        array = frame.to_ndarray(format=pixels)
        size = size or array.shape
        if array.shape != size:
            raise BadEpisode(f"{path} has pictures of different sizes: {size[:2]} and {array.shape[:2]}")
        position += 1
        yield array
    if position < len(numbers):
        raise BadEpisode(f"{path} ends early: frame {numbers[position]} cannot be decoded")


def _decoded(path: Path, numbers: Sequence[int], stamps: NDArray[np.int64]) -> Iterator[Any]:
    """Yield the decoded frames of ascending numbers, reading on or seeking, whichever is less work."""
    with open_video(path) as container:
        stream, position, back = container.streams.video[0], 0, 0
        try:
            while position < len(numbers):
                begin = numbers[position] - back
                if begin > 0 or position or back:
                    container.seek(int(stamps[max(begin, 0)]), stream=stream)
                found = 0
                for frame in _until(container.decode(stream), numbers[position:], stamps):
                    yield frame
                    found += 1
                position += found
                if not found and begin <= 0:
                    return  # it is not in the file
                # Some files seek to a key frame after the one that is asked for: begin earlier.
                back = 0 if found else max(1, 2 * back)
        except FAULTS as error:
            what = f"{path}: frame {numbers[min(position, len(numbers) - 1)]} cannot be decoded"
            raise BadEpisode(f"{what} ({_reason(error)})") from error


def _until(frames: Iterator[Any], numbers: Sequence[int], stamps: NDArray[np.int64]) -> Iterator[Any]:
    """Yield the frames with the given numbers until one is missing, or the next is far away."""
    position = 0
    for frame in frames:
        if frame.pts is None or frame.pts < stamps[numbers[position]]:
            continue
        if frame.pts > stamps[numbers[position]]:
            return
        yield frame
        position += 1
        if position == len(numbers) or numbers[position] - numbers[position - 1] > NEAR:
            return


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


class VideoWriter:
    """Write pictures of one size, one after the other.

    Args:
        path: File; its ending chooses the container.
        fps: Frames per second.
        codec: "h264", "hevc", "av1" or "ffv1".
        pixels: Pixel format of the file.
        options: Of the encoder, such as {"crf": "18"}.
        gop: A key frame every so many frames.

    Raises:
        ValueError: If the codec is unknown.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        codec: str = "h264",
        *,
        pixels: str = "yuv420p",
        options: dict[str, str] | None = None,
        gop: int = 10,
    ) -> None:
        """Remember; the file is made with the first picture, whose size is the video's."""
        if codec not in CODECS:
            raise ValueError(f"`codec` must be one of {', '.join(CODECS)}, got {codec!r}.")
        self.path, self.fps, self.count = path, fps, 0
        self.bytes = 0  # written so far
        self._codec, self._pixels, self._options, self._gop = codec, pixels, options or {}, gop
        self._container: Any = None
        self._stream: Any = None
        self._size = (0, 0)

    def add(self, picture: NDArray[Any], pixels: str = "rgb24") -> None:
        """Append a picture (H, W, 3) uint8, or (H, W) in another format.

        Raises:
            ValueError: If its size is not that of the first.
        """
        size = (picture.shape[1], picture.shape[0])
        if self._container is None:
            self._open(*size)
        if size != self._size:
            raise ValueError(f"{self.path} has {self._size} pictures, got one of {size}.")
        frame = _av().VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=pixels)
        frame.pts = self.count
        self.count += 1
        self._mux(frame)

    def close(self) -> None:
        """Finish the file."""
        if self._container is not None:
            self._mux(None)
            self._container.close()
            self._container = None

    def __enter__(self) -> VideoWriter:
        """Return the writer, which closes at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _open(self, width: int, height: int) -> None:
        os.environ.setdefault("SVT_LOG", "1")  # errors only; the encoder is talkative
        self._size = (width, height)
        self._container = _av().open(str(self.path), "w")
        rate = Fraction(self.fps).limit_denominator(1001)
        options = {"g": str(self._gop), **self._options}
        stream = self._container.add_stream(CODECS[self._codec], rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, self._pixels
        stream.codec_context.time_base = stream.time_base = 1 / rate
        stream.codec_context.thread_count = 1
        self._stream = stream

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self.bytes += packet.size
            self._container.mux(packet)


def _av() -> Any:
    av = require("av", extra="episodes", purpose="videos")
    av.logging.set_level(av.logging.ERROR)
    return av

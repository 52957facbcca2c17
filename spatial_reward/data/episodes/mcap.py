"""MCAP recordings of ROS 2 with image topics; one file is one episode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.data.episodes.base import (
    BadEpisode,
    Calibration,
    Column,
    EpisodeInfo,
    Seen,
    ascending,
    metres,
)
from spatial_reward.data.episodes.depth_units import depth_scale
from spatial_reward.data.episodes.described import beside, described_calibration
from spatial_reward.data.episodes.pictures import decode_picture

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
INFO = "sensor_msgs/msg/CameraInfo"
CHANNELS = {"rgb8": "rgb", "bgr8": "bgr", "rgba8": "rgb", "bgra8": "bgr", "mono8": "grey"}
FAR: dict[str, np.dtype[Any]] = {
    "16UC1": np.dtype("<u2"),
    "mono16": np.dtype("<u2"),
    "32FC1": np.dtype("<f4"),
}
APART = 0.05  # [s] between a picture and its depth, at most


class Mcap:
    """Read image topics; depth is the topic with "depth" in its name that has the longest common beginning.

    The intrinsics are those of the nearest `CameraInfo`, shifted to pixel centres at + 0.5. Poses are not
    looked for (`/tf`): give them in `cameras.json`, or the camera counts as still.

    Args:
        root: A `.mcap` file, or a folder of such.

    Raises:
        ValueError: If there are no image topics.
    """

    format = "mcap"

    def __init__(self, root: Path) -> None:
        """List files and topics."""
        self.root = root
        self._paths = [root] if root.is_file() else sorted(root.glob("**/*.mcap"))
        self._damage: dict[int, str] = {}
        self._topics = [self._look(index, path) for index, path in enumerate(self._paths)]
        images = {topic for topics in self._topics for topic, (kind, _) in topics.items() if kind in IMAGES}
        self.cameras = tuple(sorted(topic for topic in images if "depth" not in topic))
        self._depths = sorted(images - set(self.cameras))
        if not self.cameras:
            raise ValueError(f"{root} has no topic of {' or '.join(IMAGES)}.")
        self.fps = float("nan")
        self._infos: list[EpisodeInfo] = []
        for index, path in enumerate(self._paths):
            counts = [self._topics[index].get(camera, ("", 0))[1] for camera in self.cameras]
            start = sum(info.length for info in self._infos)
            length = min((count for count in counts if count), default=0)
            self._infos.append(EpisodeInfo(index, path.stem, length, self._task(path), start))

    def episodes(self) -> Sequence[EpisodeInfo]:
        """List the files; a damaged one has length 0."""
        return self._infos

    def frames(
        self, episode: EpisodeInfo, camera: str, steps: Sequence[int], depth: bool = False
    ) -> Iterator[Seen]:
        """Yield the pictures of ascending steps, numbered by their order in the file."""
        path = self._paths[episode.index]
        if episode.index in self._damage or not episode.length:
            raise BadEpisode(self._damage.get(episode.index, "it has no pictures"))
        if camera not in self._topics[episode.index]:
            raise BadEpisode(
                f"{path} has no topic {camera!r}; it has {', '.join(self._topics[episode.index])}"
            )
        scale = depth_scale(self.notes().get("cameras", {}), camera)
        far = _Nearest(_messages(path, self._depth_topic(camera)), scale) if depth else None
        begin, last = None, -np.inf
        for time, message in _chosen(_messages(path, camera), steps, path):
            begin = time if begin is None else begin
            ascending(np.array([last, time]) if np.isfinite(last) else np.array([time]), camera)
            last = time
            yield Seen(_picture(message, camera), time - begin, None if far is None else far.at(time))

    def has_depth(self, camera: str) -> bool:
        """Tell whether there is a depth topic."""
        return bool(self._depths)

    def calibration(self, episode: EpisodeInfo, camera: str) -> Calibration | None:
        """Return the camera of `cameras.json`, else the first message of the nearest `CameraInfo`."""
        described = described_calibration(self.notes().get("cameras", {}), camera, episode.index)
        topics = [topic for topic, (kind, _) in self._topics[episode.index].items() if kind == INFO]
        topics = [topic for topic in topics if "depth" not in topic] or topics
        if described is not None or not topics:
            return described
        _, info = next(_messages(self._paths[episode.index], _nearest_name(camera, topics)), (0.0, None))
        if info is None:
            return None
        matrix = np.array(info.k, float).reshape(3, 3)
        matrix[:2, 2] += 0.5  # ROS counts from the middle of the first pixel
        return Calibration(matrix, int(info.width), int(info.height))

    def column(self, episode: EpisodeInfo, name: str) -> Column | None:
        """Return nothing: only pictures are read."""
        return None

    def notes(self) -> Mapping[str, Any]:
        """Return what the files beside say."""
        return self._notes

    @cached_property
    def _notes(self) -> dict[str, Any]:
        return beside(self.root)

    def _depth_topic(self, camera: str) -> str:
        if not self._depths:
            raise BadEpisode(f"there is no depth topic for {camera!r}")
        return _nearest_name(camera, self._depths)

    def _look(self, index: int, path: Path) -> dict[str, tuple[str, int]]:
        """Return the topics of a file: their types and numbers of messages."""
        try:
            with path.open("rb") as file:
                summary = _reader(file).get_summary()
                if summary is None or summary.statistics is None:
                    raise ValueError("it has no summary: `mcap recover` may mend it")
                counts = summary.statistics.channel_message_counts
                return {
                    channel.topic: (summary.schemas[channel.schema_id].name, counts.get(number, 0))
                    for number, channel in summary.channels.items()
                    if channel.schema_id in summary.schemas
                }
        except ImportError:
            raise
        except Exception as error:  # a broken file fails anywhere inside mcap
            self._damage[index] = (
                f"{path} cannot be read ({' '.join(str(error).split()) or type(error).__name__})"
            )
            return {}

    def _task(self, path: Path) -> str:
        """Return the metadata record "task", where there is one."""
        try:
            with path.open("rb") as file:
                for record in _reader(file).iter_metadata():
                    if "task" in record.metadata:
                        return str(record.metadata["task"])
        except Exception:  # told when the file is read
            return ""
        return ""


class _Nearest:
    """The depth nearest in time, for ascending times."""

    def __init__(self, messages: Iterator[tuple[float, Any]], scale: float) -> None:
        self._messages, self._scale = messages, scale
        self._before: tuple[float, Any] | None = None
        self._after = next(messages, None)

    def at(self, time: float) -> Any:
        """Return depth (H, W) [m] within `APART` of a time [s]."""
        while self._after is not None and self._after[0] <= time:
            self._before, self._after = self._after, next(self._messages, None)
        near = [pair for pair in (self._before, self._after) if pair is not None]
        best = min(near, key=lambda pair: abs(pair[0] - time), default=None)
        if best is None or abs(best[0] - time) > APART:
            raise BadEpisode(f"no depth was recorded within {APART} s of the picture at {time:.3f} s")
        return metres(_picture(best[1], "depth"), self._scale)


def _reader(file: Any) -> Any:
    decoder = require("mcap_ros2.decoder", extra="episodes", purpose="MCAP files").DecoderFactory()
    return require("mcap.reader", extra="episodes").make_reader(file, decoder_factories=[decoder])


def _messages(path: Path, topic: str) -> Iterator[tuple[float, Any]]:
    """Yield time [s] and content of the messages of a topic."""
    try:
        with path.open("rb") as file:
            for decoded in _reader(file).iter_decoded_messages(topics=[topic]):
                yield _time(decoded), decoded.decoded_message
    except (BadEpisode, ImportError):
        raise
    except Exception as error:  # as above
        raise BadEpisode(f"{path}: {topic} cannot be read ({error or type(error).__name__})") from error


def _time(decoded: Any) -> float:
    """Return the time of a message's header, else when it was logged [s]."""
    stamp = getattr(getattr(decoded.decoded_message, "header", None), "stamp", None)
    seconds = float(stamp.sec + 1e-9 * stamp.nanosec) if stamp is not None else 0.0
    return seconds or 1e-9 * float(decoded.message.log_time)


def _chosen(
    messages: Iterator[tuple[float, Any]], steps: Sequence[int], path: Path
) -> Iterator[tuple[float, Any]]:
    position = 0
    for number, pair in enumerate(messages):
        if position < len(steps) and number == steps[position]:
            yield pair
            position += 1
        if position == len(steps):
            return
    raise BadEpisode(f"{path} ends before frame {steps[position]}")


def _nearest_name(name: str, others: Sequence[str]) -> str:
    return max(others, key=lambda other: _shared(name, other))


def _shared(name: str, other: str) -> int:
    """Count the characters that two names begin with."""
    return next(
        (i for i, (a, b) in enumerate(zip(name, other, strict=False)) if a != b), min(len(name), len(other))
    )


def _picture(message: Any, where: str) -> Any:
    """Return the content of an image message."""
    if not hasattr(message, "height"):
        return decode_picture(bytes(message.data), where)
    data, size = bytes(message.data), (message.height, message.width)
    if message.encoding in FAR:
        kind = FAR[message.encoding].newbyteorder(">") if message.is_bigendian else FAR[message.encoding]
        return np.frombuffer(data, kind).reshape(message.height, -1)[:, : message.width]
    if message.encoding not in CHANNELS:
        known = ", ".join([*CHANNELS, *FAR])
        raise BadEpisode(f"{where} has encoding {message.encoding!r}; known are {known}")
    rows = np.frombuffer(data, np.uint8).reshape(message.height, message.step)
    if CHANNELS[message.encoding] == "grey":
        return np.repeat(rows[:, : message.width, None], 3, axis=2)
    channels = 4 if message.encoding.endswith("a8") else 3
    picture = rows[:, : message.width * channels].reshape(*size, channels)[..., :3]
    return np.ascontiguousarray(picture[..., ::-1] if CHANNELS[message.encoding] == "bgr" else picture)

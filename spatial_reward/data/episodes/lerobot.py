"""LeRobot datasets: v3.0 (many episodes in a file) and v2.1 (one file for each)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spatial_reward.data.episodes.base import (
    BadEpisode,
    Calibration,
    Column,
    EpisodeInfo,
    Seen,
    ascending,
    metres,
)
from spatial_reward.data.episodes.depth_code import decode_depth
from spatial_reward.data.episodes.depth_units import depth_scale
from spatial_reward.data.episodes.described import beside, described_calibration, read_json
from spatial_reward.data.episodes.lerobot_meta import Row, Table, episode_rows
from spatial_reward.data.episodes.pictures import decode_picture
from spatial_reward.data.episodes.video_file import frame_times, read_frames

DEPTH_MARK = ("_depth", ".depth", "depth.")  # in the names of depth features
PREFIX = "observation.images."
PER_BATCH = 64  # rows with pictures that are held at a time


class LeRobot:
    """Read a LeRobotDataset.

    Args:
        root: Its folder, with `meta/info.json`.

    Raises:
        ValueError: If the folder holds another version, or something necessary is missing.
    """

    def __init__(self, root: Path) -> None:
        """Read what lies in `meta/`."""
        self.root = root
        self.info = read_json(root / "meta" / "info.json")
        self.version = str(self.info.get("codebase_version"))
        if self.version not in ("v3.0", "v2.1", "v2.0"):
            raise ValueError(f"{root} is LeRobot {self.version}; v3.0 and v2.1 can be read.")
        self.format, self.fps = f"lerobot {self.version}", float(self.info["fps"])
        features: Mapping[str, Any] = self.info["features"]
        shown = {name: f for name, f in features.items() if f["dtype"] in ("video", "image")}
        self.depths = {name for name, f in shown.items() if _is_depth(name, f)}
        self._names = {name.removeprefix(PREFIX): name for name in sorted(shown.keys() - self.depths)}
        self.cameras = tuple(self._names)  # "front" for "observation.images.front"
        self._features = features

    @cached_property
    def rows(self) -> list[Row]:
        """The episodes, with the places of their data."""
        return episode_rows(self.root, self.info)

    def episodes(self) -> Sequence[EpisodeInfo]:
        """List the episodes with the first of their tasks."""
        return [
            EpisodeInfo(row.index, f"episode_{row.index:06d}", row.length, row.task, row.start)
            for row in self.rows
        ]

    def frames(
        self, episode: EpisodeInfo, camera: str, steps: Sequence[int], depth: bool = False
    ) -> Iterator[Seen]:
        """Yield the pictures of ascending steps."""
        row = self._row(episode)
        times = self._times(row)
        colours = self._pictures(row, self._names[camera], steps)
        ranges = self._measured(row, camera, steps) if depth else iter([None] * len(steps))
        for step, rgb, far in zip(steps, colours, ranges, strict=True):
            if far is not None and far.shape[:2] != rgb.shape[:2]:
                raise BadEpisode(
                    f"the depth of {camera} is {far.shape[:2]}, its pictures are {rgb.shape[:2]}"
                )
            yield Seen(rgb, float(times[step]), far)

    def has_depth(self, camera: str) -> bool:
        """Tell whether there is a depth feature named after the camera."""
        return bool(self._depth_name(camera))

    def calibration(self, episode: EpisodeInfo, camera: str) -> Calibration | None:
        """Return the camera of `cameras.json`, with the poses in `<camera>.world_from_camera`."""
        poses = self.column(episode, f"{camera}.world_from_camera")
        return described_calibration(self.notes().get("cameras", {}), camera, episode.index, poses)

    def column(self, episode: EpisodeInfo, name: str) -> Column | None:
        """Return a column of numbers of an episode."""
        feature = self._features.get(name)
        if feature is None or feature["dtype"] in ("video", "image", "string", "language"):
            return None
        return _numbers(self._table(self._row(episode), [name])[name])

    def notes(self) -> Mapping[str, Any]:
        """Return what the files at the root say."""
        return self._notes

    @cached_property
    def _notes(self) -> dict[str, Any]:
        return beside(self.root)

    def _row(self, episode: EpisodeInfo) -> Row:
        return next(row for row in self.rows if row.index == episode.index)

    def _times(self, row: Row) -> Column:
        if row.length < 1:
            raise BadEpisode("it has no frames")
        times = ascending(_numbers(self._table(row, ["timestamp"])["timestamp"]), row.data.name)
        if len(times) != row.length:
            raise BadEpisode(f"{row.data.name} has {len(times)} of its rows, but {row.length} are announced")
        expected = np.arange(row.length) / self.fps
        late = np.flatnonzero(np.abs(times - times[0] - expected) > 0.5 / self.fps)
        if len(late):
            raise BadEpisode(
                f"frame {late[0]} is at {times[late[0]]:.3f} s, but at {self.fps:g} fps it would be at "
                f"{expected[late[0]]:.3f} s: the frame rate in meta/info.json is wrong"
            )
        return times

    def _table(self, row: Row, columns: list[str]) -> Table:
        try:
            table = pq.read_table(row.data, columns=columns, filters=[("episode_index", "=", row.index)])
        except (OSError, pa.ArrowException) as error:
            raise BadEpisode(f"{row.data} cannot be read ({_first_line(error)})") from error
        return table

    def _depth_name(self, camera: str) -> str | None:
        full, short = self._names[camera], camera.rpartition(".")[2]
        near = (f"observation.depth.{short}", f"{full}_depth", f"{full}.depth", f"{short}_depth")
        return next((name for name in near if name in self.depths), None)

    def _depth_of(self, camera: str) -> str:
        name = self._depth_name(camera)
        if name is None:
            raise BadEpisode(f"camera {camera!r} has no depth; there is depth for {sorted(self.depths)}")
        return name

    def _pictures(self, row: Row, name: str, steps: Sequence[int]) -> Iterator[Any]:
        if self._features[name]["dtype"] == "image":
            return self._embedded(row, name, steps)
        return self._filmed(row, name, steps)

    def _measured(self, row: Row, camera: str, steps: Sequence[int]) -> Iterator[Any]:
        """Yield depth [m]: videos are decoded to metres, tables hold integers."""
        name, scale = self._depth_of(camera), depth_scale(self.notes().get("cameras", {}), camera)
        pictures = self._pictures(row, name, steps)
        return (metres(picture, scale) for picture in pictures)

    def _filmed(self, row: Row, name: str, steps: Sequence[int]) -> Iterator[Any]:
        """Decode frames of a video, in which the episode may be a part."""
        path, begin = row.video(name)
        known = frame_times(path)
        first = int(np.searchsorted(known, begin - 0.5 / self.fps))
        self._check_rate(known[first : first + row.length], row, path, begin)
        depth = name in self.depths
        for picture in read_frames(path, [first + step for step in steps], "gray12le" if depth else "rgb24"):
            yield decode_depth(picture, self._features[name]["info"]) if depth else picture

    def _check_rate(self, known: Column, row: Row, path: Path, begin: float) -> None:
        """Refuse a video whose frames are not where the dataset says."""
        if len(known) < row.length:
            raise BadEpisode(f"{path} ends after {len(known)} of the {row.length} frames")
        wrong = np.abs(known - begin - np.arange(len(known)) / self.fps) > 0.5 / self.fps
        if wrong.any():
            found = (len(known) - 1) / max(float(known[-1] - known[0]), 1e-9)
            raise BadEpisode(
                f"{path} has {found:.4g} frames per second, but meta/info.json says {self.fps:g}"
            )

    def _embedded(self, row: Row, name: str, steps: Sequence[int]) -> Iterator[Any]:
        """Decode pictures that are stored in the table, a few rows at a time."""
        wanted, position = list(steps), 0
        for batch in _batches(row, name):
            while position < len(wanted) and wanted[position] < batch.first + len(batch.pictures):
                data = batch.pictures[wanted[position] - batch.first]
                picture = decode_picture(
                    data["bytes"] or _loose(self.root, data["path"]), f"{name} of {row.data}"
                )
                yield picture
                position += 1
        if position < len(wanted):
            raise BadEpisode(f"{row.data} ends before frame {wanted[position]}")


class _Batch:
    """Some rows of an episode: the number of the first, and their pictures."""

    def __init__(self, first: int, pictures: list[Any]) -> None:
        self.first, self.pictures = first, pictures


def _batches(row: Row, name: str) -> Iterator[_Batch]:
    first = 0
    with pq.ParquetFile(row.data) as file:
        for batch in file.iter_batches(PER_BATCH, columns=[name, "episode_index"]):
            ours = batch.filter(pa.compute.equal(batch["episode_index"], row.index))
            if ours.num_rows:
                yield _Batch(first, ours[name].to_pylist())
                first += ours.num_rows


def _is_depth(name: str, feature: Mapping[str, Any]) -> bool:
    if feature.get("info") and feature["info"].get("is_depth_map"):
        return True
    return list(feature["shape"])[-1] == 1 and any(mark in name for mark in DEPTH_MARK)


def _numbers(column: Any) -> Column:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_fixed_size_list(array.type) or pa.types.is_list(array.type):
        return np.array(array.to_pylist(), float)
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _loose(root: Path, path: str) -> bytes:
    try:
        return (root / path).read_bytes()
    except OSError as error:
        raise BadEpisode(f"{root / path} cannot be read ({error.strerror})") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def is_lerobot(path: Path) -> bool:
    """Tell whether a folder is a LeRobot dataset."""
    return (path / "meta" / "info.json").is_file()

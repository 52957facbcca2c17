"""Write rollouts as a LeRobotDataset v3.0: many episodes in a parquet file and in a video."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spatial_reward.data.episodes.base import Column
from spatial_reward.data.episodes.depth_code import encode_depth
from spatial_reward.data.episodes.described import write_json
from spatial_reward.data.episodes.lerobot_features import colour_name, depth_name, features_of, table_of
from spatial_reward.data.episodes.lerobot_files import CHUNK, VIDEO_PATH, DataFiles, VideoFiles
from spatial_reward.data.episodes.lerobot_meta import arrow_schema
from spatial_reward.data.episodes.lerobot_stats import PictureStats, flattened, number_stats, spread
from spatial_reward.data.episodes.rollout import Notes, Rollout, Rollouts, write_notes
from spatial_reward.outputs import output_folder

DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA_MB, VIDEO_MB = 100, 200  # a file that is larger is followed by the next one


def write_lerobot(
    rollouts: Rollouts,
    folder: str | Path,
    fps: int,
    *,
    codec: str = "av1",
    robot_type: str = "sim",
    data_mb: float = DATA_MB,
    video_mb: float = VIDEO_MB,
) -> Path:
    """Write a dataset, one rollout at a time; return its folder.

    Args:
        rollouts: All with the same cameras, sizes and columns.
        folder: Of the dataset.
        fps: Frames per second.
        codec: Of the videos: "av1" as LeRobot has it, "h264" or "hevc".
        robot_type: Stated in `meta/info.json`.
        data_mb: Size after which another parquet file begins.
        video_mb: Size after which another video begins.

    Raises:
        FileExistsError: If the folder holds something.
        ValueError: If there are no rollouts, or they do not fit together.
    """
    final = Path(folder)
    with output_folder(final) as partial:
        dataset = _Dataset(partial, fps, codec, data_mb, video_mb)
        try:
            for rollout in rollouts:
                dataset.add(rollout)
        finally:
            dataset.close()
        dataset.write_meta(robot_type)
    return final


class _Dataset:
    """A dataset being written."""

    def __init__(self, folder: Path, fps: int, codec: str, data_mb: float, video_mb: float) -> None:
        self.folder, self.fps, self.codec = folder, fps, codec
        self.limits = {"data": data_mb * 2**20, "video": video_mb * 2**20}
        self.features: dict[str, Any] = {}
        self.tasks: list[str] = []
        self.notes, self.lines = Notes(), list[dict[str, Any]]()
        self.index = 0
        self.pictures: dict[str, PictureStats] = {}
        self.columns: dict[str, list[Column]] = {}
        self._data = DataFiles(folder, DATA_PATH, self.limits["data"])
        self._videos: dict[str, VideoFiles] = {}

    def add(self, rollout: Rollout) -> None:
        """Append an episode."""
        number = len(self.lines)
        features = features_of(rollout, self.fps, self.codec)
        if self.features and features != self.features:
            raise ValueError(
                f"Episode {number} has other features than the first: {_difference(self.features, features)}."
            )
        self.features = features
        if rollout.task not in self.tasks:
            self.tasks.append(rollout.task)
        self.notes.add(number, rollout)
        columns = self._columns(rollout, number)
        stats: dict[str, Any] = {name: number_stats(values) for name, values in columns.items()}
        line = {
            "episode_index": number,
            "tasks": [rollout.task],
            "length": rollout.length,
            "dataset_from_index": self.index,
            "dataset_to_index": self.index + rollout.length,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        line |= self._write_rows(columns)
        for camera in rollout.frames:
            line |= self._film(rollout, camera, stats)
        self.lines.append({**line, **flattened(stats)})
        self.index += rollout.length
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(np.asarray(values))

    def close(self) -> None:
        """Finish all files."""
        self._data.close()
        for video in self._videos.values():
            video.close()

    def write_meta(self, robot_type: str) -> None:
        """Write `meta/` and the files beside."""
        if not self.lines:
            raise ValueError("A dataset needs at least one rollout.")
        meta = self.folder / "meta"
        info = {
            "codebase_version": "v3.0",
            "fps": self.fps,
            "features": self.features,
            "total_episodes": len(self.lines),
            "total_frames": self.index,
            "total_tasks": len(self.tasks),
            "chunks_size": CHUNK,
            "data_files_size_in_mb": DATA_MB,
            "video_files_size_in_mb": VIDEO_MB,
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH,
            "robot_type": robot_type,
            "splits": {"train": f"0:{len(self.lines)}"},
        }
        write_json(meta / "info.json", info)
        write_json(meta / "stats.json", self._stats())
        write_tasks(meta / "tasks.parquet", self.tasks)
        path = self.folder / EPISODES_PATH.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self.lines), path, compression="snappy")
        write_notes(self.notes, self.folder)

    def _stats(self) -> dict[str, Any]:
        numbers = {name: number_stats(np.concatenate(parts)) for name, parts in self.columns.items()}
        return {**numbers, **{name: stats.as_dict() for name, stats in self.pictures.items()}}

    def _columns(self, rollout: Rollout, number: int) -> dict[str, Column]:
        steps = np.arange(rollout.length)
        return {
            **{name: np.asarray(values) for name, values in rollout.all_columns().items()},
            "timestamp": (steps / self.fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full(rollout.length, number),
            "index": self.index + steps,
            "task_index": np.full(rollout.length, self.tasks.index(rollout.task)),
        }

    def _write_rows(self, columns: Mapping[str, Column]) -> dict[str, int]:
        """Append a row group."""
        schema = arrow_schema(self.features)
        chunk, file = self._data.append(table_of(columns, schema))
        return {"data/chunk_index": chunk, "data/file_index": file}

    def _film(self, rollout: Rollout, camera: str, stats: dict[str, Any]) -> dict[str, Any]:
        name = colour_name(camera)
        seen = PictureStats()
        for step in spread(rollout.length):
            seen.add(rollout.frames[camera][step].rgb)
        stats[name] = seen.as_dict()
        self.pictures[name] = self.pictures.get(name, PictureStats()) + seen
        place = self._video(name).append(frame.rgb for frame in rollout.frames[camera])
        if rollout.depth(camera):
            codes = (encode_depth(f.depth) for f in rollout.frames[camera] if f.depth is not None)
            place |= self._video(depth_name(camera)).append(codes)
        return place

    def _video(self, name: str) -> VideoFiles:
        if name not in self._videos:
            self._videos[name] = VideoFiles(self.folder, name, self.fps, self.codec, self.limits["video"])
        return self._videos[name]


def write_tasks(path: Path, tasks: list[str]) -> None:
    """Write the table of tasks: a pandas frame indexed by their words."""
    index = {
        "name": "task",
        "field_name": "task",
        "pandas_type": "unicode",
        "numpy_type": "object",
        "metadata": None,
    }
    number = {
        **index,
        "name": "task_index",
        "field_name": "task_index",
        "pandas_type": "int64",
        "numpy_type": "int64",
    }
    names = {
        "name": None,
        "field_name": None,
        "pandas_type": "unicode",
        "numpy_type": "object",
        "metadata": {"encoding": "UTF-8"},
    }
    words = {
        "index_columns": ["task"],
        "column_indexes": [names],
        "columns": [number, index],
        "pandas_version": "2.2.3",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())}
    )
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(words)}), path)


def _difference(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
    return ", ".join(names[:3])

"""Write rollouts as a LeRobotDataset v2.1: one parquet file and one video for each episode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from spatial_reward.data.episodes.depth_code import encode_depth
from spatial_reward.data.episodes.described import write_json
from spatial_reward.data.episodes.lerobot_features import colour_name, depth_name, features_of, table_of
from spatial_reward.data.episodes.lerobot_files import CHUNK, video_writer
from spatial_reward.data.episodes.lerobot_meta import arrow_schema
from spatial_reward.data.episodes.lerobot_stats import PictureStats, number_stats, spread
from spatial_reward.data.episodes.rollout import Notes, Rollout, Rollouts, write_notes
from spatial_reward.outputs import output_folder

DATA_PATH = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
VIDEO_PATH = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
STATS = ("min", "max", "mean", "std", "count")


def write_lerobot_v21(
    rollouts: Rollouts, folder: str | Path, fps: int, *, codec: str = "h264", robot_type: str = "sim"
) -> Path:
    """Write a dataset, one rollout at a time; return its folder.

    Args:
        rollouts: All with the same cameras, sizes and columns.
        folder: Of the dataset.
        fps: Frames per second.
        codec: Of the videos: "h264", "av1" or "hevc".
        robot_type: Stated in `meta/info.json`.

    Raises:
        FileExistsError: If the folder holds something.
        ValueError: If there are no rollouts.
    """
    final = Path(folder)
    with output_folder(final) as partial:
        tasks: list[str] = []
        lines: list[dict[str, Any]] = []
        stats: list[dict[str, Any]] = []
        notes, features, start = Notes(), dict[str, Any](), 0
        for number, rollout in enumerate(rollouts):
            tasks += [] if rollout.task in tasks else [rollout.task]
            features = features_of(rollout, fps, codec)
            notes.add(number, rollout)
            columns = _columns(rollout, number, start, tasks.index(rollout.task), fps)
            found = {name: number_stats(values) for name, values in columns.items()}
            _write_rows(partial / _place(DATA_PATH, number), columns, features)
            for camera in rollout.frames:
                found[colour_name(camera)] = _film(rollout, camera, partial, number, fps, codec)
            lines.append({"episode_index": number, "tasks": [rollout.task], "length": rollout.length})
            stats.append({"episode_index": number, "stats": _short(found)})
            start += rollout.length
        if not lines:
            raise ValueError("A dataset needs at least one rollout.")
        _write_meta(partial, lines, stats, tasks, _info(features, fps, robot_type, lines, tasks))
        write_notes(notes, partial)
    return final


def _place(pattern: str, number: int, key: str = "") -> str:
    return pattern.format(episode_chunk=number // CHUNK, episode_index=number, video_key=key)


def _columns(rollout: Rollout, number: int, start: int, task: int, fps: int) -> dict[str, Any]:
    steps = np.arange(rollout.length)
    return {
        **rollout.all_columns(),
        "timestamp": (steps / fps).astype(np.float32),
        "frame_index": steps,
        "episode_index": np.full(rollout.length, number),
        "index": start + steps,
        "task_index": np.full(rollout.length, task),
    }


def _write_rows(path: Path, columns: dict[str, Any], features: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table_of(columns, arrow_schema(features)), path, compression="snappy")


def _film(rollout: Rollout, camera: str, folder: Path, number: int, fps: int, codec: str) -> dict[str, Any]:
    """Write the videos of a camera; return the statistics of its pictures."""
    seen, looked_at = PictureStats(), set(spread(rollout.length))
    with video_writer(folder / _place(VIDEO_PATH, number, colour_name(camera)), fps, codec, False) as video:
        for step, frame in enumerate(rollout.frames[camera]):
            video.add(frame.rgb)
            if step in looked_at:
                seen.add(frame.rgb)
    if rollout.depth(camera):
        with video_writer(folder / _place(VIDEO_PATH, number, depth_name(camera)), fps, codec, True) as video:
            for frame in rollout.frames[camera]:
                if frame.depth is not None:
                    video.add(encode_depth(frame.depth), "gray12le")
    return seen.as_dict()


def _short(stats: dict[str, Any]) -> dict[str, Any]:
    return {name: {key: found[key] for key in STATS} for name, found in stats.items()}


def _info(
    features: dict[str, Any], fps: int, robot_type: str, lines: list[dict[str, Any]], tasks: list[str]
) -> dict[str, Any]:
    videos = sum(feature["dtype"] == "video" for feature in features.values())
    return {
        "codebase_version": "v2.1",
        "robot_type": robot_type,
        "total_episodes": len(lines),
        "total_frames": sum(line["length"] for line in lines),
        "total_tasks": len(tasks),
        "total_videos": videos * len(lines),
        "total_chunks": (len(lines) - 1) // CHUNK + 1,
        "chunks_size": CHUNK,
        "fps": fps,
        "splits": {"train": f"0:{len(lines)}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": features,
    }


def _write_meta(
    folder: Path,
    lines: list[dict[str, Any]],
    stats: list[dict[str, Any]],
    tasks: list[str],
    info: dict[str, Any],
) -> None:
    meta = folder / "meta"
    write_json(meta / "info.json", info)
    named = [{"task_index": number, "task": task} for number, task in enumerate(tasks)]
    for name, rows in (("episodes", lines), ("episodes_stats", stats), ("tasks", named)):
        (meta / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

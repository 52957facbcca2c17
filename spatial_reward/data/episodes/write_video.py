"""Write rollouts as plain videos: `EPISODE/CAMERA.mp4`, with numbers and tasks in `episodes.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.data.episodes.depth_code import encode_depth
from spatial_reward.data.episodes.described import write_json
from spatial_reward.data.episodes.lerobot_files import video_writer
from spatial_reward.data.episodes.rollout import Notes, Rollout, Rollouts, write_notes
from spatial_reward.outputs import output_folder


def write_videos(rollouts: Rollouts, folder: str | Path, fps: float, *, codec: str = "h264") -> Path:
    """Write a folder of videos, one rollout at a time; return it.

    Args:
        rollouts: Episodes.
        folder: To write.
        fps: Frames per second.
        codec: "h264", "hevc" or "av1".

    Raises:
        FileExistsError: If the folder holds something.
    """
    final, notes, said = Path(folder), Notes(), dict[str, Any]()
    with output_folder(final) as partial:
        for number, rollout in enumerate(rollouts):
            name = f"episode_{number:06d}"
            notes.add(number, rollout)
            said[name] = {"task": rollout.task, **_columns(rollout)}
            for camera in rollout.frames:
                _film(rollout, camera, partial / name, fps, codec)
        write_json(partial / "episodes.json", said)
        write_notes(notes, partial)
    return final


def _columns(rollout: Rollout) -> dict[str, Any]:
    columns = {name: np.asarray(values) for name, values in rollout.all_columns().items()}
    return {name: np.nan_to_num(values.astype(float), nan=0.0).tolist() for name, values in columns.items()}


def _film(rollout: Rollout, camera: str, folder: Path, fps: float, codec: str) -> None:
    frames = rollout.frames[camera]
    with video_writer(folder / f"{camera}.mp4", fps, codec, False) as video:
        for frame in frames:
            video.add(frame.rgb)
    if rollout.depth(camera):
        with video_writer(folder / f"{camera}.depth.mp4", fps, codec, True) as video:
            for frame in frames:
                if frame.depth is not None:
                    video.add(encode_depth(frame.depth), "gray12le")

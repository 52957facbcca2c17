"""Write rollouts as MCAP recordings of ROS 2: raw pictures, depth and camera infos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.data.episodes.rollout import Notes, Rollout, Rollouts, write_notes
from spatial_reward.outputs import output_folder

_HEADER = """
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec"""
IMAGE = (
    """std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data"""
    + _HEADER
)
CAMERA_INFO = (
    """std_msgs/Header header
uint32 height
uint32 width
string distortion_model
float64[] d
float64[9] k
float64[9] r
float64[12] p"""
    + _HEADER
)


def topic(camera: str) -> str:
    """Return the topic of a camera's pictures."""
    return f"/{camera}/image_raw"


def write_mcap(rollouts: Rollouts, folder: str | Path, fps: float) -> Path:
    """Write a folder of `.mcap` files, one for each episode; return it.

    Args:
        rollouts: Episodes.
        folder: To write.
        fps: Frames per second.

    Raises:
        FileExistsError: If the folder holds something.
    """
    final, notes = Path(folder), Notes()
    with output_folder(final) as partial:
        for number, rollout in enumerate(rollouts):
            named = Rollout(
                {topic(camera): frames for camera, frames in rollout.frames.items()},
                rollout.task,
                references={topic(camera): found for camera, found in rollout.references.items()},
                goal=rollout.goal,
            )
            notes.add(number, named)
            _write_episode(partial / f"episode_{number:06d}.mcap", rollout, fps)
        write_notes(notes, partial)
    return final


def _write_episode(path: Path, rollout: Rollout, fps: float) -> None:
    writer_class = require("mcap_ros2.writer", extra="episodes", purpose="MCAP files").Writer
    with path.open("wb") as file:
        writer = writer_class(file)
        image = writer.register_msgdef("sensor_msgs/msg/Image", IMAGE)
        info = writer.register_msgdef("sensor_msgs/msg/CameraInfo", CAMERA_INFO)
        writer._writer.add_metadata("episode", {"task": rollout.task})
        for step in range(rollout.length):
            for camera, frames in rollout.frames.items():
                _write_frame(writer, image, info, camera, frames[step], round(1e9 * (1 + step / fps)))
        writer.finish()


def _write_frame(writer: Any, image: Any, info: Any, camera: str, frame: Any, time: int) -> None:
    stamp = {"sec": time // 10**9, "nanosec": time % 10**9}
    header = {"stamp": stamp, "frame_id": camera}
    common = {"header": header, "height": frame.height, "width": frame.width}

    def send(where: str, schema: Any, message: dict[str, Any]) -> None:
        writer.write_message(where, schema, message, log_time=time, publish_time=time)

    picture = {"encoding": "rgb8", "is_bigendian": 0, "step": 3 * frame.width, "data": frame.rgb.tobytes()}
    send(topic(camera), image, {**common, **picture})
    if frame.depth is not None:
        data = np.nan_to_num(frame.depth, nan=0.0).astype("<f4").tobytes()
        far = {"encoding": "32FC1", "is_bigendian": 0, "step": 4 * frame.width, "data": data}
        send(f"/{camera}/depth/image_raw", image, {**common, **far})
    if frame.camera is not None:
        matrix = frame.camera.intrinsics.copy()
        matrix[:2, 2] -= 0.5
        numbers = {"k": matrix.ravel().tolist(), "r": np.eye(3).ravel().tolist()}
        projection = np.hstack([matrix, np.zeros((3, 1))]).ravel().tolist()
        more = {"distortion_model": "plumb_bob", "d": [0.0] * 5, **numbers, "p": projection}
        send(f"/{camera}/camera_info", info, {**common, **more})

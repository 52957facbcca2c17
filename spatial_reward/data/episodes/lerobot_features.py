"""The features of a LeRobot dataset, as its `info.json` and the types of its columns have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from spatial_reward.data.episodes.base import Column
from spatial_reward.data.episodes.depth_code import INFO
from spatial_reward.data.episodes.lerobot_files import DEPTH, GOP
from spatial_reward.data.episodes.rollout import Rollout

AUTOMATIC = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64"}


def colour_name(camera: str) -> str:
    """Return the feature of a camera's pictures."""
    return f"observation.images.{camera}"


def depth_name(camera: str) -> str:
    """Return the feature of a camera's depth."""
    return DEPTH + camera


def features_of(rollout: Rollout, fps: int, codec: str) -> dict[str, Any]:
    """Return the features of `meta/info.json`: pictures, columns, and the five automatic ones last."""
    features: dict[str, Any] = {}
    for camera, frames in rollout.frames.items():
        size = frames[0].height, frames[0].width
        features[colour_name(camera)] = _filmed(size, 3, fps, codec, {"is_depth_map": False})
        if rollout.depth(camera):
            features[depth_name(camera)] = _filmed(size, 1, fps, "hevc", INFO)
    for name, values in rollout.all_columns().items():
        shape = list(np.asarray(values).shape[1:]) or [1]
        features[name] = {"dtype": column_type(np.asarray(values)), "shape": shape, "names": None}
    for name, dtype in {**AUTOMATIC, "task_index": "int64"}.items():
        features[name] = {"dtype": dtype, "shape": [1], "names": None}
    return features


def column_type(values: Column) -> str:
    """Return the type of a column in the words of LeRobot."""
    return {"b": "bool", "i": "int64", "u": "int64"}.get(values.dtype.kind, "float32")


def _filmed(
    size: tuple[int, int], channels: int, fps: int, codec: str, more: Mapping[str, Any]
) -> dict[str, Any]:
    info = {
        "video.height": size[0],
        "video.width": size[1],
        "video.codec": codec,
        "video.pix_fmt": "gray12le" if channels == 1 else "yuv420p",
        "video.fps": fps,
        "video.channels": channels,
        "has_audio": False,
        "video.g": GOP,
        **more,
    }
    names = ["height", "width", "channels"]
    return {"dtype": "video", "shape": [*size, channels], "names": names, "info": info}


def table_of(columns: Mapping[str, Column], schema: Any) -> Any:
    """Return columns (T, ...) as a table."""
    arrays = []
    for field in schema:
        values = np.asarray(columns[field.name])
        if pa.types.is_fixed_size_list(field.type):
            flat = pa.array(values.reshape(-1), field.type.value_type)
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, field.type.list_size))
        else:
            arrays.append(pa.array(values.reshape(-1), field.type, from_pandas=False))
    return pa.Table.from_arrays(arrays, schema=schema)

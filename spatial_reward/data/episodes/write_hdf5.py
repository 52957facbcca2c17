"""Write rollouts as one HDF5 file in the layout of robomimic."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.data.episodes.rollout import Notes, Rollout, Rollouts

NAMES = {  # what robomimic calls the columns
    "action": "actions",
    "next.reward": "rewards",
    "next.done": "dones",
    "observation.state": "obs/state",
}


def write_hdf5(rollouts: Rollouts, path: str | Path, fps: float) -> Path:
    """Write a file, one rollout at a time; return its path. Depth is stored in metres, pictures upright.

    Args:
        rollouts: Episodes.
        path: Of the file.
        fps: Frames per second.

    Raises:
        FileExistsError: If the file is there already.
        OSError: If it cannot be written.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} already exists: choose another file, or remove it first.")
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    h5py = require("h5py", extra="episodes", purpose="HDF5 files")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(partial, "w") as file:
            data, notes, total = file.create_group("data"), Notes(), 0
            for number, rollout in enumerate(rollouts):
                notes.add(number, rollout)
                _write_demo(data.create_group(f"demo_{number}"), rollout)
                total += rollout.length
            data.attrs["total"] = total
            data.attrs["env_args"] = json.dumps(
                {"env_name": "", "type": 1, "env_kwargs": {"control_freq": fps}}
            )
            data.attrs["fps"] = fps
            for key, content in notes.as_files().items():
                data.attrs[key] = json.dumps(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _write_demo(group: Any, rollout: Rollout) -> None:
    group.attrs["num_samples"], group.attrs["task"] = rollout.length, rollout.task
    for name, values in rollout.all_columns().items():
        group.create_dataset(NAMES.get(name, name), data=np.asarray(values))
    for camera, frames in rollout.frames.items():
        size = (frames[0].height, frames[0].width)
        _stream(group, f"obs/{camera}_image", [frame.rgb for frame in frames], (*size, 3), "u1")
        if rollout.depth(camera):
            _stream(group, f"obs/{camera}_depth", [frame.depth for frame in frames], size, "f4")


def _stream(group: Any, name: str, arrays: list[Any], shape: tuple[int, ...], kind: str) -> None:
    """Store arrays one by one, a chunk each, so that one can be read without the others."""
    stored = group.create_dataset(
        name, (len(arrays), *shape), kind, chunks=(1, *shape), compression="gzip", compression_opts=1
    )
    for step, array in enumerate(arrays):
        stored[step] = array

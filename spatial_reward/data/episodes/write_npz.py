"""Write rollouts as NumPy arrays, one `.npz` an episode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.data.episodes.npz import MAIN
from spatial_reward.data.episodes.rollout import Notes, Rollout, Rollouts, write_notes
from spatial_reward.outputs import output_folder


def write_npz(rollouts: Rollouts, folder: str | Path, fps: float) -> Path:
    """Write a folder of `.npz` files; return it. With a camera "main", the `episodes` source reads them too.

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
            notes.add(number, rollout)
            arrays: dict[str, Any] = {"time": np.arange(rollout.length) / fps, "task": np.array(rollout.task)}
            arrays |= {name: np.asarray(values) for name, values in rollout.columns.items()}
            for camera in rollout.frames:
                arrays |= _pictures(rollout, camera)
            np.savez(partial / f"episode_{number:06d}.npz", **arrays)
        write_notes(notes, partial)
    return final


def _pictures(rollout: Rollout, camera: str) -> dict[str, Any]:
    prefix = "" if camera == MAIN else f"{camera}."
    frames, calibration = rollout.frames[camera], rollout.calibration(camera)
    arrays: dict[str, Any] = {"rgb": np.stack([frame.rgb for frame in frames])}
    if rollout.depth(camera):
        arrays["depth"] = np.stack([frame.depth for frame in frames if frame.depth is not None])
    if calibration is not None:
        arrays["intrinsics"] = calibration.intrinsics
        arrays["world_from_camera"] = calibration.world_from_camera
    return {f"{prefix}{name}": array for name, array in arrays.items()}

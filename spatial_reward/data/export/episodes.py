"""Scenes as recorded episodes, in the format of the `Episodes` source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.data.sources.pictures import png
from spatial_reward.geometry import RigidFit, fit_rigid
from spatial_reward.outputs import output_folder
from spatial_reward.types import Scene

STILL = 1e-6  # [m]
NOT_RIGID = 1e-4  # [m] root mean square deviation


def export_episode(scene: Scene, folder: str | Path) -> Path:
    """Write a scene of one camera as `FOLDER/`: `rgb/*.png` and one .npy file per array.

    Pictures, cameras and depth come back as they are (depth as float32, poses to 1e-9). The scene holds
    points, no poses: those of an object are fitted to its points, exact to rounding, and tell its motion
    since the first frame. An object that moves and whose points are not rigid, too few or on a line has no
    pose: its pixels count as no object. A scene in which nothing moves needs no objects: load it with
    `static=True`.

    Args:
        scene: Its frames hold pictures, cameras and depth, and the objects of the pixels where things move.
        folder: Where to write, named after the episode.

    Raises:
        FileExistsError: If the folder holds something.
        ValueError: If the scene does not fit the format.
    """
    _check(scene)
    final = Path(folder)
    with output_folder(final) as partial:
        (partial / "rgb").mkdir()
        for index, frame in enumerate(scene.frames):
            (partial / "rgb" / f"{index:06d}.png").write_bytes(png(frame.rgb))
        for name, array in _arrays(scene).items():
            np.save(partial / f"{name}.npy", array, allow_pickle=False)
    return final


def _check(scene: Scene) -> None:
    if len({frame.view for frame in scene.frames}) != 1:
        raise ValueError("An episode has one camera: export the frames of each view as a scene of its own.")
    for frame in scene.frames:
        if frame.camera is None or frame.depth is None or not any(frame.rgb.strides):
            raise ValueError(
                "A frame of the scene lacks its camera, depth or picture: export captured scenes."
            )
    if not _segmented(scene) and not _still(scene.points):
        raise ValueError("Things move in the scene, but not all frames hold `bodies`: which pixels move?")


def _segmented(scene: Scene) -> bool:
    return all(frame.bodies is not None for frame in scene.frames)


def _still(points: Array) -> bool:
    return bool(np.abs(points - points[:1]).max(initial=0) < STILL)


def _arrays(scene: Scene) -> dict[str, NDArray[Any]]:
    cameras = [frame.camera for frame in scene.frames if frame.camera is not None]
    arrays: dict[str, NDArray[Any]] = {
        "time": np.array([frame.time for frame in scene.frames]),
        "intrinsics": np.stack([camera.intrinsics for camera in cameras]),
        "world_from_camera": np.stack([camera.world_from_camera for camera in cameras]),
        "depth": np.stack([frame.depth for frame in scene.frames if frame.depth is not None]),
    }
    return arrays | (_objects(scene) if _segmented(scene) else {})


def _objects(scene: Scene) -> dict[str, NDArray[Any]]:
    """Return names, segmentation and poses of the objects whose poses the points tell."""
    poses = {body: _poses(scene.points[:, scene.body == body]) for body in range(len(scene.names))}
    known = {body: pose for body, pose in poses.items() if pose is not None}
    number = np.full(len(scene.names) + 1, -1, np.int32)  # the last one for -1
    number[list(known)] = np.arange(len(known))
    shown = [number[frame.bodies] for frame in scene.frames if frame.bodies is not None]
    return {
        "names": np.array([scene.names[body] for body in known], dtype=np.str_),
        "bodies": np.stack(shown),
        "world_from_body": _stacked(list(known.values()), len(scene.frames)),
    }


def _poses(points: Array) -> Array | None:
    """Return the motion (T, 4, 4) of points (T, N, 3) [m] since the first frame, if they tell it."""
    if not points.shape[1]:
        return None
    if _still(points):
        return np.broadcast_to(np.eye(4), (len(points), 4, 4))
    fits = [fit_rigid(points[0], now, robust=False) for now in points]
    return np.stack([fit.b_from_a for fit in fits]) if all(map(_exact, fits)) else None


def _exact(fit: RigidFit) -> bool:
    return fit.valid and fit.residual < NOT_RIGID


def _stacked(poses: list[Array], count: int) -> Array:
    """Return poses (T, B, 4, 4), also of no objects."""
    return np.stack(poses, axis=1) if poses else np.zeros((count, 0, 4, 4))

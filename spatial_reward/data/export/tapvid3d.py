"""Scenes as clips in the format of TAPVid-3D."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, transform
from spatial_reward.data.sources.calibration import upright
from spatial_reward.outputs import output_folder
from spatial_reward.types import Frame, Scene

JPEG_QUALITY = 95


def export_tapvid3d(
    scenes: Mapping[str, Scene], folder: str | Path, *, extrinsics: bool = True
) -> list[Path]:
    """Write `FOLDER/adt/<name>.npz`, or without extrinsics `FOLDER/pstudio/<name>.npz`.

    A scene seen by several cameras becomes one clip per camera, `<name>_0.npz` and so on. Numbers are stored
    as float64, so that the `TAPVid3D` source gives back the same truth to 1e-9 m. The format has no place for
    times, depth, and which body a point rides on, and a track needs a frame that sees it: points never seen
    are left out. The world of the extrinsics has y up, as that of Aria Digital Twin.

    Args:
        scenes: By name; their frames hold pictures and cameras.
        folder: Where to write; what it already holds of the other subset stays.
        extrinsics: Write the camera's poses; without them, every camera must stand still.

    Raises:
        FileExistsError: If there are clips already.
        ValueError: If a scene does not fit the format.
    """
    final = Path(folder) / ("adt" if extrinsics else "pstudio")
    with output_folder(final) as partial:
        for name, scene in scenes.items():
            _check_name(name)
            for clip, times in _views(name, scene):
                np.savez(partial / f"{clip}.npz", **_arrays(scene, times, extrinsics))
    return sorted(final.glob("*.npz"))


def _check_name(name: str) -> None:
    if not name or Path(name).name != name:
        raise ValueError(f"Scene name {name!r} must be a plain file name: it becomes <name>.npz.")


def _views(name: str, scene: Scene) -> Iterator[tuple[str, list[int]]]:
    """Yield the name of each clip with its frames."""
    views = list(dict.fromkeys(frame.view for frame in scene.frames))
    for number, view in enumerate(views):
        times = [time for time, frame in enumerate(scene.frames) if frame.view == view]
        yield name if len(views) == 1 else f"{name}_{number}", times


def _arrays(scene: Scene, times: list[int], extrinsics: bool) -> dict[str, Any]:
    frames = [scene.frames[time] for time in times]
    cameras = [_camera(frame) for frame in frames]
    tracked = scene.visible[times].any(axis=0)
    points, visible = scene.points[times][:, tracked], scene.visible[times][:, tracked]
    arrays: dict[str, Any] = {
        "images_jpeg_bytes": np.array([_jpeg(frame) for frame in frames]),
        "queries_xyt": _queries(cameras, points, visible),
        "tracks_XYZ": np.stack(
            [transform(view.camera_from_world, now) for view, now in zip(cameras, points, strict=True)]
        ),
        "visibility": visible,
        "fx_fy_cx_cy": _common_intrinsics(cameras),
    }
    poses = np.stack([camera.camera_from_world for camera in cameras])
    if extrinsics:
        arrays["extrinsics_w2c"] = poses @ upright("y")  # from a world with y up
    elif not np.allclose(poses, poses[0], atol=1e-9):
        raise ValueError("The camera moves, so the clip needs its poses: set extrinsics=True.")
    return arrays


def _camera(frame: Frame) -> Camera:
    if frame.camera is None or not any(frame.rgb.strides):
        raise ValueError("A frame of the scene lacks its camera or its picture: export captured scenes.")
    return frame.camera


def _jpeg(frame: Frame) -> bytes:
    bgr = np.ascontiguousarray(frame.rgb[..., ::-1])
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _queries(cameras: list[Camera], points: Array, visible: NDArray[np.bool_]) -> Array:
    """Return x, y [px] and number (N, 3) of the first frame that sees each point."""
    first = visible.argmax(axis=0)
    pixels = np.stack([camera.project(now)[0] for camera, now in zip(cameras, points, strict=True)])
    return np.column_stack([pixels[first, np.arange(len(first))], first])


def _common_intrinsics(cameras: list[Camera]) -> Array:
    """Return fx, fy, cx, cy, which all frames must share."""
    first = cameras[0].intrinsics
    if not all(np.allclose(camera.intrinsics, first) for camera in cameras) or first[0, 1] != 0:
        raise ValueError(
            "The format has one fx, fy, cx, cy for all frames and no skew; the scene has others."
        )
    return np.array([first[0, 0], first[1, 1], first[0, 2], first[1, 2]])

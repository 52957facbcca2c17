"""Scenes as ScanNet: its mesh, its annotations, and its recordings in either layout."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array, Camera, invert, rigid, transform
from spatial_reward.data.sources.scannet import SCENE_ID
from spatial_reward.data.sources.sens import (
    CALIBRATION,
    DEPTH_FORMATS,
    FRAME,
    PICTURE_FORMATS,
    VERSION,
)
from spatial_reward.types import Frame, Scene

QUALITY = 95  # of the JPEG files
PER_METRE = 1000  # depth is stored in whole millimetres
_HALF = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])  # [px] ScanNet's pixel centres are whole numbers
_TURN = np.radians(30)
ALIGNMENT = rigid(
    [[np.cos(_TURN), -np.sin(_TURN), 0], [np.sin(_TURN), np.cos(_TURN), 0], [0, 0, 1]], (1.2, -0.7, 0.1)
)


class _Rig(NamedTuple):
    """What all frames of a recording have in common, and their poses (T, 4, 4) in the world of the scan."""

    size: tuple[int, int]
    depth_size: tuple[int, int]
    intrinsics: Array  # (3, 3), for pixel centres at whole numbers
    depth_intrinsics: Array
    poses: Array


def export_scannet(
    scenes: Mapping[str, Scene],
    root: str | Path,
    *,
    sens: bool = False,
    alignment: Array = ALIGNMENT,
    depth_size: tuple[int, int] | None = None,
) -> Path:
    """Write scenes as ScanNet, so that reading them with `ScanNet(root, stride=1)` gives the same truth.

    Points that never move become the vertices of `_vh_clean_2.ply` (without faces), with every body an
    annotated object; what moves has no place in a scan and is left out. The files are in a world that
    `alignment` turns back. Exact to the rounding of the format: vertices, and poses of `.sens` files, to
    float32 (2.4e-7 m at 4 m), depths to 0.5 mm and 65.535 m; pictures are JPEG.

    Args:
        scenes: By id; frames with pictures, depths, and cameras of one kind per scene.
        root: Folder that is filled.
        sens: Write `<scene>.sens` instead of `posed_images/<scene>`.
        alignment: (4, 4) from the world of the scan to that of the scene.
        depth_size: Width and height of depths [px]; None: of the pictures. Taken from the nearest pixels.

    Returns:
        The root.

    Raises:
        ValueError: If an id is no plain name, a frame lacks something, the cameras of a scene differ, or
            no point of it stays in place.
    """
    root = Path(root)
    rigs = {name: _rig(name, scene, invert(alignment), depth_size) for name, scene in scenes.items()}
    for name, rig in rigs.items():
        scene = scenes[name]
        folder = root / "scans" / name
        folder.mkdir(parents=True, exist_ok=True)
        _write_mesh(folder / name, name, scene, invert(alignment))
        _write_meta(folder / f"{name}.txt", rig, alignment)
        if sens:
            write_sens(folder / f"{name}.sens", scene.frames, rig.poses, depth_size=depth_size)
        else:
            _write_posed(root / "posed_images" / name, scene.frames, rig)
    return root


def write_sens(
    path: str | Path,
    frames: Sequence[Frame],
    poses: ArrayLike,
    *,
    depth_size: tuple[int, int] | None = None,
    picture_format: str = "jpeg",
    depth_format: str = "zlib_ushort",
) -> None:
    """Write a recording as a `.sens` file of version 4.

    Args:
        path: Of the file.
        frames: With pictures, depths, and cameras of one kind.
        poses: (T, 4, 4) `world_from_camera` to write instead of those of the cameras; -inf where unknown.
        depth_size: Width and height of depths [px]; None: of the pictures.
        picture_format: "jpeg" or "png".
        depth_format: "zlib_ushort" or "raw_ushort".

    Raises:
        ValueError: If a format is unknown, or the frames do not fit together.
    """
    suffixes = {"jpeg": ".jpg", "png": ".png"}
    if picture_format not in suffixes or depth_format not in ("zlib_ushort", "raw_ushort"):
        raise ValueError(
            f"Pictures can be jpeg or png, depths zlib_ushort or raw_ushort, got {picture_format!r} and "
            f"{depth_format!r}."
        )
    poses = np.asarray(poses, float)
    rig = _common(frames, poses, depth_size)
    with Path(path).open("wb") as file:
        sensor = b"MuJoCo"
        file.write(VERSION.to_bytes(4, "little") + len(sensor).to_bytes(8, "little") + sensor)
        file.write(_calibration(rig, picture_format, depth_format, len(frames)))
        for frame, pose in zip(frames, poses, strict=True):
            picture = _picture(frame, suffixes[picture_format])
            depth = _millimetres(frame, rig.depth_size).tobytes()
            depth = zlib.compress(depth) if depth_format == "zlib_ushort" else depth
            time = round(frame.time * 1e6)  # [us]
            head = np.array((pose, time, time, len(picture), len(depth)), FRAME)
            file.write(head.tobytes() + picture + depth)
        file.write((0).to_bytes(8, "little"))  # IMU frames


def _rig(name: str, scene: Scene, scan_from_world: Array, depth_size: tuple[int, int] | None) -> _Rig:
    """Check a scene before anything is written."""
    if not SCENE_ID.fullmatch(name):
        raise ValueError(f"{name!r} is no scene id: it must be a plain name such as 'scene0000_00'.")
    if not _stays(scene).any():
        raise ValueError(f"Scene {name!r} has no point that stays in place: a scan needs some.")
    try:
        poses = [scan_from_world @ _camera(frame).world_from_camera for frame in scene.frames]
        return _common(scene.frames, np.array(poses), depth_size)
    except ValueError as error:
        raise ValueError(f"Scene {name!r}: {error}") from error


def _common(frames: Sequence[Frame], poses: Array, depth_size: tuple[int, int] | None) -> _Rig:
    """Check that the frames fit together."""
    if not frames or poses.shape != (len(frames), 4, 4):
        raise ValueError(
            f"{len(frames)} frames with {poses.shape} poses: expected at least one, and one each."
        )
    first = _camera(frames[0])
    for frame in frames:
        camera = _camera(frame)
        same = np.allclose(camera.intrinsics, first.intrinsics, rtol=1e-9)
        if not same or (camera.width, camera.height) != (first.width, first.height):
            raise ValueError("All frames of a scan must have the same size and intrinsics.")
    size = first.width, first.height
    depth_camera = first.resized(*(depth_size or size))
    return _Rig(size, depth_size or size, first.intrinsics - _HALF, depth_camera.intrinsics - _HALF, poses)


def _camera(frame: Frame) -> Camera:
    if frame.camera is None or frame.depth is None:
        raise ValueError("Each frame needs a camera and a depth.")
    return frame.camera


def _calibration(rig: _Rig, picture_format: str, depth_format: str, count: int) -> bytes:
    numbers = {name: number for kinds in (PICTURE_FORMATS, DEPTH_FORMATS) for number, name in kinds.items()}
    fields = (
        _four(rig.intrinsics),
        np.eye(4),
        _four(rig.depth_intrinsics),
        np.eye(4),
        numbers[picture_format],
        numbers[depth_format],
        rig.size,
        rig.depth_size,
        PER_METRE,
        count,
    )
    return np.array(fields, CALIBRATION).tobytes()


def _write_posed(folder: Path, frames: Sequence[Frame], rig: _Rig) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "intrinsic.txt", _four(rig.intrinsics), fmt="%.9f")
    np.savetxt(folder / "depth_intrinsic.txt", _four(rig.depth_intrinsics), fmt="%.9f")
    for number, (frame, pose) in enumerate(zip(frames, rig.poses, strict=True)):
        path = folder / f"{number:05d}"
        path.with_suffix(".jpg").write_bytes(_picture(frame, ".jpg"))
        path.with_suffix(".png").write_bytes(_encoded(_millimetres(frame, rig.depth_size), ".png"))
        np.savetxt(path.with_suffix(".txt"), pose, fmt="%.9f")


def _write_mesh(path: Path, name: str, scene: Scene, scan_from_world: Array) -> None:
    """Write `_vh_clean_2.ply`, its segments, and the objects they make up, each object two segments."""
    still = _stays(scene)
    body = scene.body[still]
    _write_ply(Path(f"{path}_vh_clean_2.ply"), transform(scan_from_world, scene.points[0, still]))
    segments = 2 * (body + 1) + np.arange(len(body)) % 2
    groups = [
        {
            "id": number,
            "objectId": number,
            "segments": np.unique(segments[body == index]).tolist(),
            "label": scene.names[index],
        }
        for number, index in enumerate(np.unique(body[body >= 0]).tolist())
    ]
    file = f"{path.name}_vh_clean_2.0.010000.segs.json"
    path.with_name(file).write_text(json.dumps({"sceneId": name, "segIndices": segments.tolist()}))
    aggregation = {"sceneId": f"scannet.{name}", "appId": "Aggregator.v2", "segGroups": groups}
    aggregation["segmentsFile"] = f"scannet.{file}"
    Path(f"{path}.aggregation.json").write_text(json.dumps(aggregation))


def _stays(scene: Scene) -> NDArray[np.bool_]:
    """Tell which points (N,) never move."""
    stays: NDArray[np.bool_] = np.ptp(scene.points, axis=0).max(axis=1) < 1e-9
    return stays


def _write_ply(path: Path, points: Array) -> None:
    """Write grey vertices and an empty list of faces."""
    kinds = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
    vertices = np.full(len(points), 128, np.dtype([*kinds, ("alpha", "u1")]))
    vertices["alpha"] = 255
    for axis, values in zip("xyz", points.T, strict=True):
        vertices[axis] = values
    properties = [f"property float {axis}" for axis in "xyz"]
    properties += [f"property uchar {channel}" for channel in ("red", "green", "blue", "alpha")]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}", *properties]
    header += ["element face 0", "property list uchar int vertex_indices", "end_header\n"]
    path.write_bytes("\n".join(header).encode() + vertices.tobytes())


def _write_meta(path: Path, rig: _Rig, alignment: Array) -> None:
    """Write what `<scene>.txt` says of the recording."""
    lines = {"axisAlignment": " ".join(f"{value:.9f}" for value in alignment.ravel())}
    cameras = {"color": (rig.size, rig.intrinsics), "depth": (rig.depth_size, rig.depth_intrinsics)}
    for kind, ((width, height), matrix) in cameras.items():
        lines |= {f"{kind}Height": str(height), f"{kind}Width": str(width)}
        places = {"fx": (0, 0), "fy": (1, 1), "mx": (0, 2), "my": (1, 2)}
        lines |= {f"{name}_{kind}": f"{matrix[place]:.9f}" for name, place in places.items()}
        lines[f"num{kind.title()}Frames"] = str(len(rig.poses))
    lines["colorToDepthExtrinsics"] = " ".join(f"{value:.6f}" for value in np.eye(4).ravel())
    lines["numIMUmeasurements"] = "0"
    path.write_text("".join(f"{name} = {lines[name]}\n" for name in sorted(lines)))


def _picture(frame: Frame, suffix: str) -> bytes:
    return _encoded(np.ascontiguousarray(frame.rgb[..., ::-1]), suffix, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def _encoded(image: NDArray[np.integer], suffix: str, options: Sequence[int] = ()) -> bytes:
    return cv2.imencode(suffix, image, options if suffix == ".jpg" else ())[1].tobytes()


def _millimetres(frame: Frame, size: tuple[int, int]) -> NDArray[np.uint16]:
    """Return the depth at another size in whole millimetres; 0 where unknown or too far."""
    depth = np.asarray(frame.depth)
    rows = ((np.arange(size[1]) + 0.5) * depth.shape[0] / size[1]).astype(int)
    columns = ((np.arange(size[0]) + 0.5) * depth.shape[1] / size[0]).astype(int)
    stored = np.round(np.nan_to_num(depth[rows[:, None], columns].astype(float), nan=0.0) * PER_METRE)
    return np.where((stored > 0) & (stored <= np.iinfo(np.uint16).max), stored, 0).astype("<u2")


def _four(matrix: Array) -> Array:
    """Return a (3, 3) matrix as the (4, 4) that ScanNet writes."""
    four = np.eye(4)
    four[:3, :3] = matrix
    return four

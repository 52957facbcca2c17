"""The small JSON files beside a dataset: `cameras.json`, `points.json`, `goals.json`.

`cameras.json`: for each camera `intrinsics` (3, 3) [px], or `fovy` [deg]; `width`, `height` [px]; and, where
known, `world_from_camera` (4, 4) [m]. `centre: 0` says that pixel centres are at integers, as in OpenCV and
ROS. `depth_scale` [m] is the unit of depths that are integers, else a millimetre; it may stand alone. Entries
under `"episodes": {index: {camera: ...}}` hold for these episodes only.

`points.json`: where things are in the first frame. `{"cube": {"pixel": [x, y]}}`, a `box` [left, top, right,
bottom] or a fixed `position` [x, y, z] in the world [m]; `"cube": "object0"` is another name for the same.
Entries under `"cameras": {camera: ...}` and `"episodes": {index: ...}` (which may hold `cameras` again) hold
for these only.

`goals.json`: from the words of a task to a goal, `{"push the cube": "near(cube, pad, within=3cm)"}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.camera import Array, Camera
from spatial_reward.data.episodes.base import LEVEL, Calibration
from spatial_reward.data.episodes.depth_units import depth_scale

FILES = {"cameras": "cameras.json", "points": "points.json", "goals": "goals.json"}


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON or YAML file that holds a mapping.

    Raises:
        ValueError: If it is not one.
        OSError: If it cannot be read.
    """
    text = path.read_text()
    try:
        content = _yaml(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a mapping, got {type(content).__name__}.")
    return content


def _yaml(text: str) -> Any:
    import yaml  # type: ignore[import-untyped]

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def beside(root: Path) -> dict[str, Any]:
    """Read those of the three files that lie in a folder, or beside a file."""
    folder = root if root.is_dir() else root.parent
    prefixes = ("",) if root.is_dir() else (f"{root.stem}.", "")
    found: dict[str, Any] = {}
    for key, name in FILES.items():
        path = next(
            (folder / f"{prefix}{name}" for prefix in prefixes if (folder / f"{prefix}{name}").is_file()),
            None,
        )
        if path is not None:
            found[key] = read_json(path)
    return found


def calibration_of(entry: Mapping[str, Any], name: str, source: str = "dataset") -> Calibration:
    """Read one entry of `cameras.json`.

    Raises:
        ValueError: If something is missing or is not a camera.
    """
    if "width" not in entry or "height" not in entry:
        raise ValueError(f"Camera {name!r} needs `width` and `height` of its pictures [px].")
    width, height = int(entry["width"]), int(entry["height"])
    if ("intrinsics" in entry) == ("fovy" in entry):
        raise ValueError(f"Camera {name!r} needs either `intrinsics` (3, 3) [px] or `fovy` [deg].")
    if "fovy" in entry:
        intrinsics = Camera.from_fov(float(entry["fovy"]), width, height, LEVEL).intrinsics
    else:
        intrinsics = _intrinsics(entry, name)
    pose = entry.get("world_from_camera")
    calibration = Calibration(
        intrinsics, width, height, None if pose is None else np.asarray(pose, float), source
    )
    calibration.camera(0, width, height)  # so that a wrong one is found here
    return calibration


def _intrinsics(entry: Mapping[str, Any], name: str) -> Array:
    intrinsics = np.array(entry["intrinsics"], float)
    centre = float(entry.get("centre", 0.5))
    if intrinsics.shape != (3, 3) or centre not in (0.0, 0.5):
        raise ValueError(f"Camera {name!r}: `intrinsics` must be (3, 3) [px] and `centre` 0 or 0.5.")
    intrinsics[:2, 2] += 0.5 - centre
    return intrinsics


def camera_entry(calibration: Calibration) -> dict[str, Any]:
    """Return the entry of `cameras.json` for a camera at rest."""
    entry = {
        "intrinsics": calibration.intrinsics.tolist(),
        "width": calibration.width,
        "height": calibration.height,
    }
    if calibration.world_from_camera is not None and not calibration.moving:
        entry["world_from_camera"] = calibration.world_from_camera.tolist()
    return entry


def described_calibration(
    cameras: Mapping[str, Any], camera: str, episode: int, poses: Any = None, source: str = "dataset"
) -> Calibration | None:
    """Return the calibration of a camera in an episode by `cameras.json`; `poses` (T, 16) where it moves.

    Raises:
        ValueError: If what it says is no camera.
    """
    own = cameras.get("episodes", {}).get(str(episode), {})
    entry = own.get(camera, cameras.get(camera))
    scale = depth_scale(cameras, camera)
    if source == "file" and "depth_scale" in cameras.get(camera, {}):
        raise ValueError(
            f"The calibration says depth_scale={scale:g} of camera {camera!r}, but depths are read with that "
            "of cameras.json beside the dataset: state it there, and give no calibration= that has one."
        )
    if entry is None or entry.keys() == {"depth_scale"}:
        return None
    calibration = calibration_of(entry, camera, source)
    if poses is None:
        return calibration
    poses = np.asarray(poses, float).reshape(-1, 4, 4)
    return Calibration(calibration.intrinsics, calibration.width, calibration.height, poses, source)


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON, and the folder where it is to be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4) + "\n")

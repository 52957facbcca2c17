"""What a recorded episode holds on disk, checked: pictures, depth, cameras, objects and their poses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.data.episodes.depth_units import depth_scale, measured
from spatial_reward.data.episodes.described import beside
from spatial_reward.data.sources.arrays import numbers, read_npy, read_npz, required
from spatial_reward.data.sources.base import BadScene
from spatial_reward.data.sources.calibration import rigid_poses
from spatial_reward.data.sources.pictures import (
    SUFFIXES,
    EncodedPictures,
    Pictures,
    RawPictures,
    VideoPictures,
)

ARRAYS = ("intrinsics", "world_from_camera", "depth", "rgb", "time", "bodies", "names", "world_from_body")
MAIN = "main"  # the camera in `cameras.json`


@dataclass(frozen=True, eq=False)
class Recording:
    """An episode of T frames as it was recorded; see `Episodes` for the format.

    Attributes:
        pictures: T of W x H px.
        intrinsics: (3, 3) or (T, 3, 3) [px].
        world_from_camera: (T, 4, 4) in the recording's own world [m].
        depth: (T, H, W) as recorded.
        time: (T,) [s], where recorded.
        bodies: (T, H, W) as recorded, where there is a segmentation.
        names: Of the objects that `bodies` numbers.
        world_from_body: (T, B, 4, 4) of the objects [m], where known.
        depth_scale: Metres per unit of integer depth.
    """

    pictures: Pictures
    intrinsics: NDArray[Any]
    world_from_camera: Array
    depth: NDArray[Any]
    time: NDArray[Any] | None
    bodies: NDArray[Any] | None
    names: tuple[str, ...]
    world_from_body: Array | None
    depth_scale: float

    def metres(self, frame: int) -> NDArray[np.float32]:
        """Return the depth of a frame [m], NaN where nothing was measured.

        Raises:
            BadScene: "depth not in metres".
        """
        try:
            return measured(self.depth[frame], self.depth_scale)
        except ValueError as error:
            raise BadScene("depth not in metres", f"frame {frame}: {error}") from error

    def objects(self, frame: int) -> NDArray[np.int32] | None:
        """Return the number of the object at each pixel of a frame, -1 for none.

        Raises:
            BadScene: "segmentation without names", where a number has no name.
        """
        if self.bodies is None:
            return None
        raw = np.asarray(self.bodies[frame])
        none = raw == np.iinfo(raw.dtype).max if raw.dtype.kind == "u" else raw < 0
        objects = np.where(none, -1, raw.astype(np.int64))
        if objects.max(initial=-1) >= len(self.names):
            raise BadScene(
                "segmentation without names", f"object {objects.max()}, but {len(self.names)} names"
            )
        return objects.astype(np.int32)


def read_recording(path: Path) -> Recording:
    """Read an episode, a folder or a .npz file.

    Raises:
        BadScene: "missing file", "unreadable file", "missing arrays", "wrong shape or type", "no pictures",
            "unreadable picture", "unreadable video", "pictures of different sizes", "no depth",
            "bad depth_scale", "poses not finite", "poses not rigid", "times not ascending" or
            "object poses without segmentation".
    """
    arrays = _arrays(path)
    required(arrays, ("intrinsics", "world_from_camera"), path)
    pictures = read_pictures(path, arrays)
    count, (width, height) = len(pictures), pictures.size
    names = _names(arrays)
    depth = _depth(path, arrays, (count, height, width))
    return Recording(
        pictures,
        _each_or_all(arrays["intrinsics"], count, (3, 3), "intrinsics"),
        _camera_poses(arrays, count),
        depth,
        _time(arrays, count),
        _bodies(arrays, (count, height, width)),
        names,
        _body_poses(arrays, count, len(names)),
        _depth_scale(path.parent),
    )


def read_pictures(path: Path, arrays: dict[str, NDArray[Any]] | None = None) -> Pictures:
    """Open the pictures of an episode: the array `rgb`, the files `rgb/*`, or the video `rgb.mp4`.

    Raises:
        BadScene: As `read_recording`.
    """
    arrays = _arrays(path, ("rgb",)) if arrays is None else arrays
    if "rgb" in arrays:
        return RawPictures(arrays["rgb"])
    if (path / "rgb.mp4").is_file():
        return VideoPictures(path / "rgb.mp4")
    return EncodedPictures(_files(path / "rgb", SUFFIXES))


def _arrays(path: Path, names: tuple[str, ...] = ARRAYS) -> dict[str, NDArray[Any]]:
    """Read those of the arrays that there are, from one .npz or from a folder of .npy."""
    if path.suffix == ".npz":
        return read_npz(path, names)
    packed = read_npz(path / "episode.npz", names) if (path / "episode.npz").exists() else {}
    loose = {name: path / f"{name}.npy" for name in names}
    return packed | {name: read_npy(file) for name, file in loose.items() if file.is_file()}


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """List the pictures of a folder by name; none if there is no such folder."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in suffixes)


def _depth(path: Path, arrays: dict[str, NDArray[Any]], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return depth (T, H, W), from the array or from the files `depth/*.png` of 16 bits [mm]."""
    depth = arrays.get("depth")
    files = _files(path / "depth", (".png",))
    if depth is None and files:
        depth = _stacked(files)
    if depth is None:
        raise BadScene("no depth", str(path))
    if numbers(depth, shape, "depth").dtype.itemsize == 1:
        raise BadScene("wrong shape or type", f"depth is {depth.dtype}, not floats or integers of 16 bits")
    return depth


def _depth_scale(folder: Path) -> float:
    """Return the unit of integer depths [m] by the `cameras.json` of the episodes."""
    try:
        return depth_scale(beside(folder).get("cameras", {}), MAIN)
    except (OSError, ValueError) as error:
        raise BadScene("bad depth_scale", str(error)) from error


def _stacked(files: list[Path]) -> NDArray[np.uint16]:
    images = [_depth_picture(file) for file in files]
    if len({image.shape for image in images}) > 1:
        raise BadScene("pictures of different sizes", str(files[0].parent))
    return np.stack(images)


def _depth_picture(file: Path) -> NDArray[np.uint16]:
    try:
        image: NDArray[Any] | None = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:  # such as too many pixels
        raise BadScene("unreadable picture", str(file)) from error
    if image is None:
        raise BadScene("unreadable picture", str(file))
    if image.ndim != 2 or image.dtype != np.uint16:
        raise BadScene("wrong shape or type", f"{file} is {image.shape} {image.dtype}, not (H, W) uint16")
    return image


def _each_or_all(array: NDArray[Any], count: int, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """Check an array that holds one thing for each frame, or one for all."""
    return numbers(array, shape if array.ndim == len(shape) else (count, *shape), name)


def _camera_poses(arrays: dict[str, NDArray[Any]], count: int) -> Array:
    name = "world_from_camera"
    poses = rigid_poses(_each_or_all(arrays[name], count, (4, 4), name), name)
    return np.broadcast_to(poses, (count, 4, 4))


def _time(arrays: dict[str, NDArray[Any]], count: int) -> NDArray[Any] | None:
    if "time" not in arrays:
        return None
    time = numbers(arrays["time"], (count,), "time").astype(float)
    if not np.isfinite(time).all() or (np.diff(time) < 0).any():
        raise BadScene("times not ascending")
    return time


def _bodies(arrays: dict[str, NDArray[Any]], shape: tuple[int, ...]) -> NDArray[Any] | None:
    if "bodies" not in arrays:
        return None
    bodies = numbers(arrays["bodies"], shape, "bodies")
    if bodies.dtype.kind not in "iu":
        raise BadScene("wrong shape or type", f"bodies are {bodies.dtype}, not integers")
    return bodies


def _names(arrays: dict[str, NDArray[Any]]) -> tuple[str, ...]:
    names = arrays.get("names", np.zeros(0, "U1"))
    if names.ndim != 1 or names.dtype.kind != "U":
        raise BadScene("wrong shape or type", f"names are {names.shape} {names.dtype}, not (B,) strings")
    return tuple(map(str, names))


def _body_poses(arrays: dict[str, NDArray[Any]], count: int, bodies: int) -> Array | None:
    name = "world_from_body"
    if name not in arrays:
        return None
    if "bodies" not in arrays:
        raise BadScene("object poses without segmentation")
    return rigid_poses(numbers(arrays[name], (count, bodies, 4, 4), name), name)

"""Tracked points of real videos: the ADT and Panoptic Studio clips of TAPVid-3D (arXiv 2407.05921)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, invert, transform
from spatial_reward.data.sources.arrays import numbers, read_npz, required
from spatial_reward.data.sources.base import BadScene, unread
from spatial_reward.data.sources.calibration import cameras, rigid_poses, upright
from spatial_reward.data.sources.listing import by_name, chosen, existing_folder, path_of
from spatial_reward.data.sources.pictures import EncodedPictures
from spatial_reward.geometry import rigid_groups
from spatial_reward.types import Frame, Scene

SUBSETS = ("auto", "adt", "pstudio")
FARTHEST = 1e4  # [m] from the camera; what is beyond is no measurement
_NEEDED = ("images_jpeg_bytes", "tracks_XYZ", "visibility", "fx_fy_cx_cy")
_EXTRINSICS = "extrinsics_w2c"


class TAPVid3D:
    """Clips `FOLDER/adt/*.npz` and `FOLDER/pstudio/*.npz`, or `FOLDER/*.npz`.

    What a clip holds and what becomes of it:

    * `images_jpeg_bytes` (T,): handed on unchanged. The official scripts store byte strings, readable
      without pickle; copies stored as arrays of objects are read by an unpickler that can make only `bytes`.
    * `fx_fy_cx_cy` (4,) [px]: taken as it is. TAPVid-3D puts the principal point of ADT at half the size and
      takes pixel (row, column) for (column + 0.5, row + 0.5), as this package does. The ADT pictures
      themselves were rectified with centres at integers, so what they show lies half a pixel aside.
    * `tracks_XYZ` (T, N, 3) [m, camera axes]: put into the world. A track with a coordinate that is not
      finite in any frame is left out.
    * `visibility` (T, N): kept where the point also lies in front of the camera and inside the picture.
    * `extrinsics_w2c` (T, 4, 4): absent from Panoptic Studio, whose cameras stand still. An ADT clip without
      it comes from an old release and is refused, because it would pass for one with a still camera.
    * `queries_xyt`: not used.

    Points that keep their distances are one object, the largest first, all named "object"; points in groups
    of up to five belong to none. A clip states no times: they follow from `fps`.

    Args:
        folder: Of the data set, or of clips.
        split: File with the names of clips, one a line, to use only those.
        subset: "adt", "pstudio", or "auto" for all there are.
        up: Axis of the clips' world that points up. None: "y", as in Aria Digital Twin, where a clip has
            extrinsics; "-y", up in the picture, where the first camera is the world. Only yaw, pitch and
            the height of things depend on it; motions are told in camera axes.
        slow: Let changes of distance below 1 cm a frame add up in telling objects apart.
        fps: Frames per second.
        most_points: At most so many tracks of a clip, evenly chosen: grouping grows with their square.

    Raises:
        FileNotFoundError: If the folder or the list is missing.
        ValueError: If an argument has no sense, or no clips are found or listed.
    """

    name = "tapvid3d"

    def __init__(
        self,
        folder: str | Path,
        split: str | Path | None = None,
        subset: str = "auto",
        *,
        up: str | None = None,
        slow: bool = False,
        fps: float = 30.0,
        most_points: int = 2000,
    ) -> None:
        """List the clips; none is read yet."""
        if subset not in SUBSETS:
            raise ValueError(f"`subset` must be one of {', '.join(SUBSETS)}, got {subset!r}.")
        if not fps > 0 or most_points < 1:
            raise ValueError(f"`fps` and `most_points` must be positive, got {fps} and {most_points}.")
        self.subset, self.slow, self.fps, self.most_points = subset, slow, fps, most_points
        self._turned = None if up is None else upright(up)
        root = existing_folder(folder)
        self._found = by_name(_clips(root, subset))
        self._scenes = chosen(self._found, split, root)
        self._last: tuple[str, EncodedPictures] | None = None

    def scenes(self) -> Sequence[str]:
        """List the names of the clips, without reading them."""
        return self._scenes

    def load(self, scene: str) -> Scene:
        """Read one clip; its pictures stay encoded.

        Raises:
            BadScene: "name outside the folder", "missing file", "unreadable file", "missing arrays",
                "wrong shape or type", "no pictures", "unreadable picture", "pictures of different sizes",
                "no camera poses", "poses not finite", "poses not rigid", "bad calibration" or
                "no finite tracks".
        """
        arrays = self._read(scene)
        pictures = self._keep(scene, arrays)
        count = len(pictures)
        tracks, visible = _tracks(arrays, count, self.most_points)
        views = cameras(_intrinsics(arrays), self._poses(scene, arrays, count), pictures.size)
        points = np.stack(
            [transform(camera.world_from_camera, now) for camera, now in zip(views, tracks, strict=True)]
        )
        shown = np.stack([_inside(camera, now) for camera, now in zip(views, tracks, strict=True)])
        group = rigid_groups(tracks, slow=self.slow)
        names = ("object",) * (int(group.max(initial=-1)) + 1)
        rgb = unread(*pictures.size)
        frames = [Frame(rgb, index / self.fps, camera=camera) for index, camera in enumerate(views)]
        return Scene(tuple(frames), points, visible & shown, group, names)

    def picture(self, scene: str, frame: int) -> bytes:
        """Return a frame as the JPEG file that the clip holds.

        Raises:
            BadScene: As `load`.
        """
        last = self._last
        pictures = last[1] if last and last[0] == scene else self._keep(scene, self._read(scene))
        if not 0 <= frame < len(pictures):
            raise BadScene("no such frame", f"{scene} has {len(pictures)} frames, not number {frame}")
        return pictures.encoded(frame)

    def _read(self, scene: str) -> dict[str, NDArray[Any]]:
        path = path_of(scene, self._found)
        arrays = read_npz(path, (*_NEEDED, _EXTRINSICS))
        required(arrays, _NEEDED, path)
        return arrays

    def _keep(self, scene: str, arrays: dict[str, NDArray[Any]]) -> EncodedPictures:
        """Keep the pictures of the last clip, because `picture` is called for each."""
        files = arrays["images_jpeg_bytes"]
        if files.ndim != 1 or files.dtype.kind not in "SO":
            raise BadScene("wrong shape or type", f"images_jpeg_bytes is {files.shape} {files.dtype}")
        pictures = EncodedPictures([bytes(file) for file in files])
        self._last = (scene, pictures)
        return pictures

    def _poses(self, scene: str, arrays: dict[str, NDArray[Any]], count: int) -> Array:
        """Return `world_from_camera` (T, 4, 4) in a world with z up."""
        if _EXTRINSICS in arrays:
            camera_from_world = rigid_poses(
                numbers(arrays[_EXTRINSICS], (count, 4, 4), _EXTRINSICS), _EXTRINSICS
            )
            turned = upright("y") if self._turned is None else self._turned
            poses: Array = turned @ invert(camera_from_world)
            return poses
        if self.subset == "adt" or _is_adt(self._found[scene]):
            raise BadScene(
                "no camera poses", f"{scene} is an ADT clip without {_EXTRINSICS}: get release 1.0"
            )
        turned = upright("-y") if self._turned is None else self._turned
        return np.broadcast_to(turned, (count, 4, 4))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the kept pictures behind when copied to another process."""
        return {**self.__dict__, "_last": None}


def _clips(root: Path, subset: str) -> list[Path]:
    """Find the clips of a subset in its own folder, else in `root` itself."""
    folders = [root / name for name in SUBSETS[1:] if subset in ("auto", name)]
    clips = [path for folder in folders for path in folder.glob("*.npz")]
    return clips if clips and subset != "auto" else [*clips, *root.glob("*.npz")]


def _is_adt(path: Path) -> bool:
    """Tell an ADT clip by its folder, or by a name such as "Apartment_release_meal_seq136_8"."""
    return path.parent.name == "adt" or "_release_" in path.name


def _intrinsics(arrays: dict[str, NDArray[Any]]) -> Array:
    fx, fy, cx, cy = numbers(arrays["fx_fy_cx_cy"], (4,), "fx_fy_cx_cy").astype(float)
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _tracks(
    arrays: dict[str, NDArray[Any]], count: int, most: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the usable tracks (T, N, 3) [m] in camera axes, and where the clip says they are seen (T, N)."""
    tracks = numbers(arrays["tracks_XYZ"], (count, None, 3), "tracks_XYZ")
    visible = numbers(arrays["visibility"], tracks.shape[:2], "visibility")
    usable = np.flatnonzero((np.abs(tracks) <= FARTHEST).all(axis=(0, 2)))  # NaN is not
    if not len(usable):
        raise BadScene("no finite tracks")
    if len(usable) > most:
        usable = usable[np.linspace(0, len(usable) - 1, most).astype(int)]
    return tracks[:, usable].astype(float), np.nan_to_num(visible[:, usable]) > 0


def _inside(camera: Camera, points: Array) -> NDArray[np.bool_]:
    """Tell which points (N, 3) in camera axes lie in front of the camera and inside its picture."""
    with np.errstate(over="ignore"):  # beside the camera
        return camera.contains(camera.pixels(points))

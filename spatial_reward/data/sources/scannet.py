"""ScanNet: rooms scanned by hand, with a mesh whose vertices are the points and annotated objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera
from spatial_reward.data.sources.base import BadScene, static_points, unread
from spatial_reward.data.sources.calibration import cameras, rigid_poses
from spatial_reward.data.sources.pictures import picture_size
from spatial_reward.data.sources.scannet_annotations import (
    FARTHEST,
    axis_alignment,
    depth_intrinsics,
    read_mesh,
    read_meta,
    thinned,
)
from spatial_reward.data.sources.scannet_recordings import (
    PosedImages,
    Recording,
    SensRecording,
    bad_scene,
)
from spatial_reward.geometry import visible
from spatial_reward.geometry.visibility import Mode
from spatial_reward.types import Frame, Scene

SCENE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HALF = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])  # [px] from pixel centres at whole numbers to ours


class ScanNet:
    """Scenes of ScanNet v2 (arXiv 1702.04405), as MultiSPA prepares them.

    Read are `scans/<scene>/<scene>{_vh_clean_2.ply,.txt,.aggregation.json,_vh_clean_2.0.010000.segs.json}`
    and either `posed_images/<scene>/{00000.jpg,00000.png,00000.txt,...,intrinsic.txt}` or the raw recording
    `scans/<scene>/<scene>.sens`. Points and poses are in the axis-aligned world. Every annotated object
    is a name, its raw category, so that names repeat where there are several; other vertices have body -1.
    Frames without a finite pose are left out. Extents of objects are those of all their vertices.

    Args:
        root: Holds `scans`.
        scenes: Ids, or a file with one id a line such as `scannetv2_val.txt`; None for all in `scans`.
        stride: Every how many frames one is used; MultiSPA uses every 5th.
        sens: True for `.sens` files, False for extracted pictures, "auto" for pictures where there are.
        mode: Which points a frame shows, see `geometry.visible`. "paper" is the published rule to the
            half pixel: intrinsics of the pictures for the depths too, pixel centres at whole numbers.
            "strict" looks up the depth with its own intrinsics where they are known.
        tolerance: Of "strict" [m]: the mesh of a hand-held scan and a single depth differ by centimetres.
        most_points: Vertices to keep, drawn anew for each scene id but always alike; None for all. The
            extremes of every object are kept, so that no size changes.
        depth: Keep the depths, in the size of the pictures: 5 MB a frame.

    Raises:
        ValueError: If the root, the list, an id or a number cannot be used.
    """

    name = "scannet"

    def __init__(
        self,
        root: str | Path,
        scenes: str | Path | Sequence[str] | None = None,
        *,
        stride: int = 5,
        sens: bool | Literal["auto"] = "auto",
        mode: Mode = "strict",
        tolerance: float = 0.05,  # [m]
        most_points: int | None = 20_000,
        depth: bool = False,
    ) -> None:
        """Check everything but the scenes themselves."""
        if stride < 1 or (most_points is not None and most_points < 1) or not tolerance > 0:
            raise ValueError(
                f"`stride`, `most_points` and `tolerance` must be positive, got {stride}, {most_points} "
                f"and {tolerance}."
            )
        if mode not in get_args(Mode) or sens not in (True, False, "auto"):
            raise ValueError(
                f"`mode` must be one of {get_args(Mode)} and `sens` true, false or auto, "
                f"got {mode!r} and {sens!r}."
            )
        self.root = Path(root).expanduser()
        if not (self.root / "scans").is_dir():
            raise ValueError(
                f"No folder 'scans' in root={root}: set source.root to the folder that holds it."
            )
        self.stride, self.sens, self.mode = stride, sens, mode
        self.tolerance, self.most_points, self.depth = tolerance, most_points, depth
        self._scenes = _listed(self.root, scenes)
        self._last: tuple[str, _Opened] | None = None

    def scenes(self) -> tuple[str, ...]:
        """Return the ids, in the order of the list, or sorted."""
        return self._scenes

    def load(self, scene: str) -> Scene:
        """Read the mesh, the poses, and every depth once; pictures stay on disk.

        Raises:
            BadScene: If anything of it is missing or broken, or nothing is visible.
        """
        opened = self._open(scene)
        mesh = read_mesh(self.root / "scans" / scene, scene, opened.alignment)
        mesh = thinned(mesh, self.most_points, np.random.default_rng(list(scene.encode())))
        frames = []
        seen = np.zeros((len(opened.kept), len(mesh.points)), bool)
        for index, depth in enumerate(opened.depths()):
            seen[index] = self._visible(opened, index, mesh.points, depth)
            frames.append(opened.frame(index, depth if self.depth else None))
        if not seen.any():
            raise BadScene("nothing visible", scene)
        return Scene(tuple(frames), static_points(mesh.points, len(frames)), seen, mesh.body, mesh.names)

    def picture(self, scene: str, frame: int) -> bytes:
        """Return a picture as it is stored, unchanged.

        Raises:
            BadScene: If there is none, or it is not whole, or of another size than the first.
        """
        opened = self._open(scene)
        if not 0 <= frame < len(opened.kept):
            raise BadScene("no such frame", f"{frame} of {len(opened.kept)} in {scene}")
        data = opened.recording.picture(opened.kept[frame])
        if picture_size(data) != opened.recording.size:
            raise BadScene("pictures of different sizes", f"{picture_size(data)} in frame {frame} of {scene}")
        return data

    def _visible(
        self, opened: _Opened, index: int, points: Array, depth: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Apply the rule of the mode, within the picture."""
        camera = opened.cameras[index]
        if self.mode == "paper":
            lookup = replace(camera, intrinsics=camera.intrinsics - _HALF)
        else:
            lookup = opened.depth_camera(index, depth)
        shown = visible(lookup, points, depth, self.mode, self.tolerance)
        shown[shown] = camera.contains(camera.project(points[shown])[0])
        return shown

    def _open(self, scene: str) -> _Opened:
        """Find the frames of a scene; the last one stays open, for its pictures."""
        if self._last is None or self._last[0] != scene:
            self._last = (scene, _opened(self._recording(scene), read_meta(self._in_scans(scene, ".txt"))))
        return self._last[1]

    def _recording(self, scene: str) -> Recording:
        self._in_scans(scene, "")
        posed = self.root / "posed_images" / scene
        if self.sens is True or (self.sens == "auto" and not posed.is_dir()):
            return SensRecording(self._in_scans(scene, ".sens"), self.stride)
        return PosedImages(posed, self.stride)

    def _in_scans(self, scene: str, ending: str) -> Path:
        if not SCENE_ID.fullmatch(scene):
            raise BadScene("name outside the folder", repr(scene))
        return self.root / "scans" / scene / f"{scene}{ending}"


class _Opened(NamedTuple):
    """The usable frames of a recording, in the aligned world."""

    recording: Recording
    kept: list[int]
    cameras: list[Camera]
    alignment: Array
    depth_intrinsics: Array | None

    def depths(self) -> Iterator[NDArray[np.float32]]:
        """Decode the depths one after the other.

        Raises:
            BadScene: "unreadable depth", or "depths of different sizes".
        """
        size = None
        for frame in self.kept:
            depth = self.recording.depth(frame)
            if size not in (None, depth.shape):
                raise BadScene("depths of different sizes", f"{depth.shape} after {size}")
            size = depth.shape
            yield depth

    def frame(self, index: int, depth: NDArray[np.float32] | None) -> Frame:
        """Return a frame whose picture is on disk, with its depth in the size of the picture."""
        camera, time = self.cameras[index], float(self.recording.times[self.kept[index]])
        resampled = None if depth is None else _resampled(depth, self.depth_camera(index, depth), camera)
        return Frame(unread(camera.width, camera.height), time, camera=camera, depth=resampled)

    def depth_camera(self, index: int, depth: NDArray[np.float32]) -> Camera:
        """Return the camera of a depth.

        Raises:
            BadScene: "bad calibration".
        """
        camera, (height, width) = self.cameras[index], depth.shape
        if self.depth_intrinsics is None:
            return camera.resized(width, height)
        with bad_scene("bad calibration"):
            return replace(camera, intrinsics=self.depth_intrinsics + _HALF, width=width, height=height)


def _opened(recording: Recording, meta: dict[str, str]) -> _Opened:
    alignment = axis_alignment(meta)
    kept = np.flatnonzero((np.abs(recording.poses) < FARTHEST).all(axis=(1, 2))).tolist()  # inf, NaN are not
    if not kept:
        raise BadScene("no camera poses", f"none of {len(recording.poses)} is finite")
    poses = alignment @ rigid_poses(recording.poses[kept], "poses of the camera")
    placed = cameras(recording.intrinsics + _HALF, poses, recording.size)
    own = recording.depth_intrinsics
    own = depth_intrinsics(meta) if own is None else own
    return _Opened(recording, kept, placed, alignment, own)


def _resampled(depth: NDArray[np.float32], lookup: Camera, camera: Camera) -> NDArray[np.float32]:
    """Return a depth in the size of the picture, from the nearest pixels; NaN outside."""
    columns, inside_x = _nearest(camera, lookup, 0)
    rows, inside_y = _nearest(camera, lookup, 1)
    inside = inside_y[:, None] & inside_x
    return np.where(inside, depth[rows[:, None], columns], np.float32(np.nan)).astype(np.float32)


def _nearest(camera: Camera, lookup: Camera, axis: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return which column (axis 0) or row (1) of the other picture is nearest, and whether it is inside."""
    count = (camera.width, camera.height)[axis]
    other = (lookup.width, lookup.height)[axis]
    ray = (np.arange(count) + 0.5 - camera.intrinsics[axis, 2]) / camera.intrinsics[axis, axis]
    places = ray * lookup.intrinsics[axis, axis] + lookup.intrinsics[axis, 2]
    cells = np.floor(np.clip(places, -1, other)).astype(np.int64)
    return np.clip(cells, 0, other - 1), (cells >= 0) & (cells < other)


def _listed(root: Path, scenes: str | Path | Sequence[str] | None) -> tuple[str, ...]:
    """Return the ids to use, each once."""
    if scenes is None:
        folders = (path.name for path in (root / "scans").iterdir() if path.is_dir())
        ids = sorted(name for name in folders if SCENE_ID.fullmatch(name))
    elif isinstance(scenes, str | Path):
        if not Path(scenes).is_file():
            raise ValueError(
                f"No list scenes={scenes}: write one scene id a line, or set source.scenes=null."
            )
        lines = Path(scenes).read_text(encoding="utf-8", errors="replace").splitlines()
        ids = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    else:
        ids = list(scenes)
    bad = [name for name in ids if not (isinstance(name, str) and SCENE_ID.fullmatch(name))]
    if bad:
        raise ValueError(f"{bad[0]!r} is no scene id: expected one such as 'scene0000_00', without slashes.")
    if not ids:
        raise ValueError(
            f"No scenes in {root / 'scans' if scenes is None else scenes}: name some, one id a line."
        )
    return tuple(dict.fromkeys(ids))

"""Rollouts as NumPy arrays: one `.npz` an episode, or the folders that `data/sources/episodes.py` reads."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from spatial_reward.data.episodes.base import (
    BadEpisode,
    Calibration,
    Column,
    EpisodeInfo,
    Seen,
    ascending,
    metres,
)
from spatial_reward.data.episodes.depth_units import depth_scale
from spatial_reward.data.episodes.described import beside, described_calibration
from spatial_reward.data.episodes.pictures import as_rgb, decode_picture
from spatial_reward.data.episodes.video_file import frame_times, read_frames

MAIN = "main"  # the camera whose arrays have no prefix
RATE = 30.0
FILES = (".png", ".jpg", ".jpeg")
Shape = tuple[tuple[int, ...], Any]


class Arrays:
    """Read episodes of arrays; of several cameras, their names are prefixes, as in `front.rgb`.

    `rgb` (T, H, W, 3) uint8, or files `rgb/*`, or `rgb.mp4`; `depth` (T, H, W), floats in metres or integers
    in millimetres (or the `depth_scale` of `cameras.json`); `intrinsics` (3, 3) or (T, 3, 3);
    `world_from_camera` (4, 4) or (T, 4, 4); `time` (T,) [s]; `task`, a string; and columns by any other name.

    Args:
        root: A `.npz` file, a folder of such, or a folder of episode folders.
        fps: Frames per second of episodes without `time`.

    Raises:
        ValueError: If nothing of the kind is found.
    """

    format = "npz"

    def __init__(self, root: Path, *, fps: float | None = None) -> None:
        """List episodes and cameras."""
        self.root, self.fps = root, fps or RATE
        self._paths = arrays_in(root)
        self._stores = [_Store(path) for path in self._paths]
        self.cameras = tuple(sorted({camera for store in self._stores for camera in store.cameras}))
        if not self.cameras:
            raise ValueError(f"{root} holds no episode with an array `rgb`{self._damages()}.")
        self._infos: list[EpisodeInfo] = []
        for index, store in enumerate(self._stores):
            start = sum(info.length for info in self._infos)
            self._infos.append(EpisodeInfo(index, store.path.stem, store.length, store.task, start))

    def _damages(self) -> str:
        """Say which files cannot be read, and what to do; nothing where all can."""
        damages = [store.damage for store in self._stores if store.damage]
        return f": {'; '.join(damages[:3])}; record or copy them again" if damages else ""

    def episodes(self) -> Sequence[EpisodeInfo]:
        """List the episodes by name; a damaged one has length 0."""
        return self._infos

    def frames(
        self, episode: EpisodeInfo, camera: str, steps: Sequence[int], depth: bool = False
    ) -> Iterator[Seen]:
        """Yield the pictures of ascending steps."""
        store = self._stores[episode.index]
        if store.damage or not episode.length:
            raise BadEpisode(store.damage or "it has no frames")
        if camera not in store.cameras:
            raise BadEpisode(f"it has no camera {camera!r}; it has {', '.join(store.cameras)}")
        stamps = store.array("time")
        times = np.arange(episode.length) / self.fps if stamps is None else ascending(stamps, "time")
        scale = depth_scale(self.notes().get("cameras", {}), camera)
        far = store.slices(_key(camera, "depth"), steps) if depth else iter([None] * len(steps))
        for step, rgb, distance in zip(steps, store.pictures(camera, steps), far, strict=True):
            measured = None if distance is None else metres(distance, scale)
            yield Seen(as_rgb(rgb, f"rgb of {store.path}"), float(times[step]), measured)

    def has_depth(self, camera: str) -> bool:
        """Tell whether the first episode that can be read has depth."""
        return any(_key(camera, "depth") in store.shapes for store in self._stores[:1] if not store.damage)

    def calibration(self, episode: EpisodeInfo, camera: str) -> Calibration | None:
        """Return the camera that the episode's arrays describe, else that of `cameras.json`."""
        store = self._stores[episode.index]
        intrinsics = store.array(_key(camera, "intrinsics"))
        poses = store.array(_key(camera, "world_from_camera"))
        if intrinsics is None or camera not in store.cameras:
            return described_calibration(self.notes().get("cameras", {}), camera, episode.index)
        matrix = intrinsics[0] if intrinsics.ndim == 3 else intrinsics
        width, height = store.size(camera)
        pose = None if poses is None else np.asarray(poses, float)
        return Calibration(np.asarray(matrix, float), width, height, pose)

    def column(self, episode: EpisodeInfo, name: str) -> Column | None:
        """Return an array of the episode."""
        return self._stores[episode.index].array(name)

    def notes(self) -> Mapping[str, Any]:
        """Return what the files at the root say."""
        return self._notes

    @cached_property
    def _notes(self) -> dict[str, Any]:
        return beside(self.root)


class _Store:
    """The arrays of an episode: their shapes at once, their content when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path, self.damage, self.shapes = path, "", {}
        self._packed = path if path.suffix == ".npz" else path / "episode.npz"
        try:
            self.shapes = self._shapes()
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
            self.damage = f"{path} cannot be read ({' '.join(str(error).split())})"

    @property
    def cameras(self) -> tuple[str, ...]:
        named = [name.rpartition(".")[0] or MAIN for name in self.shapes if name.rpartition(".")[2] == "rgb"]
        loose = MAIN not in named and (self._files() or (self.path / "rgb.mp4").is_file())
        return tuple(sorted([*named, MAIN] if loose else named))

    @property
    def length(self) -> int:
        try:
            lengths = [self._count(camera) for camera in self.cameras]
        except BadEpisode as error:
            self.damage = self.damage or str(error)
            return 0
        return min(lengths, default=0)

    @property
    def task(self) -> str:
        return "" if self.damage or "task" not in self.shapes else str(self.array("task"))

    def size(self, camera: str) -> tuple[int, int]:
        """Return width and height of the pictures [px]."""
        if _key(camera, "rgb") in self.shapes:
            return self.shapes[_key(camera, "rgb")][0][2], self.shapes[_key(camera, "rgb")][0][1]
        first = next(self.pictures(camera, [0]))
        return first.shape[1], first.shape[0]

    def array(self, name: str) -> Column | None:
        """Read a whole array; None where there is none."""
        if self.damage or name not in self.shapes:
            return None
        loose = self.path / f"{name}.npy"
        if self.path.is_dir() and loose.is_file():
            return np.asarray(np.load(loose, allow_pickle=False))
        with zipfile.ZipFile(self._packed) as archive, archive.open(f"{name}.npy") as member:
            return np.asarray(npy.read_array(member, allow_pickle=False))

    def slices(self, name: str, steps: Sequence[int]) -> Iterator[Column]:
        """Yield rows of an array, which is never held as a whole."""
        loose = self.path / f"{name}.npy"
        if name not in self.shapes:
            raise BadEpisode(f"{self.path} has no array {name!r}")
        if self.path.is_dir() and loose.is_file():
            mapped = np.load(loose, mmap_mode="r", allow_pickle=False)
            yield from (np.asarray(mapped[step]) for step in steps)
            return
        try:
            with zipfile.ZipFile(self._packed) as archive, archive.open(f"{name}.npy") as member:
                yield from _rows(member, steps)
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise BadEpisode(f"{self.path}: {name!r} cannot be read ({error})") from error

    def pictures(self, camera: str, steps: Sequence[int]) -> Iterator[Column]:
        """Yield pictures from the array, the files or the video."""
        if _key(camera, "rgb") in self.shapes:
            return self.slices(_key(camera, "rgb"), steps)
        files = self._files()
        if files:
            return (decode_picture(files[step].read_bytes(), str(files[step])) for step in steps)
        return read_frames(self.path / "rgb.mp4", steps)

    def _count(self, camera: str) -> int:
        if _key(camera, "rgb") in self.shapes:
            return self.shapes[_key(camera, "rgb")][0][0]
        return len(self._files()) or len(frame_times(self.path / "rgb.mp4"))

    def _files(self) -> list[Path]:
        return sorted(path for path in (self.path / "rgb").glob("*") if path.suffix.lower() in FILES)

    def _shapes(self) -> dict[str, Shape]:
        found: dict[str, Shape] = {}
        if self._packed.is_file():
            with zipfile.ZipFile(self._packed) as archive:
                for name in archive.namelist():
                    with archive.open(name) as member:
                        found[name.removesuffix(".npy")] = _header(member)
        for path in self.path.glob("*.npy") if self.path.is_dir() else ():
            with path.open("rb") as file:
                found[path.stem] = _header(file)
        return found


def _header(file: IO[bytes]) -> Shape:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, transposed, dtype = read(file)
    if (transposed and len(shape) > 1) or dtype.hasobject:
        raise ValueError("arrays must be plain numbers or strings in C order")
    return shape, dtype


def _rows(member: IO[bytes], steps: Sequence[int]) -> Iterator[Column]:
    """Read rows of an array from its stream, skipping what is not asked for."""
    shape, dtype = _header(member)
    size, position = int(np.prod(shape[1:])) * dtype.itemsize, 0
    for step in steps:
        member.seek((step - position) * size, 1)
        data = member.read(size)
        if len(data) < size:
            raise EOFError(f"it ends before frame {step}")
        position = step + 1
        yield np.frombuffer(data, dtype).reshape(shape[1:])


def _key(camera: str, name: str) -> str:
    return name if camera == MAIN else f"{camera}.{name}"


def arrays_in(root: Path) -> list[Path]:
    """List the episodes of arrays in a folder, or the one that `root` is."""
    if root.suffix == ".npz" or _is_episode(root):
        return [root]
    entries = sorted(root.iterdir()) if root.is_dir() else []
    return [path for path in entries if path.suffix == ".npz" or (path.is_dir() and _is_episode(path))]


def _is_episode(path: Path) -> bool:
    return path.is_dir() and any(
        (path / name).is_file() for name in ("episode.npz", "rgb.npy", "intrinsics.npy")
    )

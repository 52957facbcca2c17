"""Plain videos, and folders of pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.data.episodes.base import BadEpisode, Calibration, Column, EpisodeInfo, Seen, ascending
from spatial_reward.data.episodes.depth_code import decode_depth
from spatial_reward.data.episodes.described import beside, described_calibration, read_json
from spatial_reward.data.episodes.pictures import decode_picture
from spatial_reward.data.episodes.video_file import frame_times, read_frames

VIDEOS, PICTURES = (".mp4", ".mkv", ".mov", ".avi", ".webm"), (".png", ".jpg", ".jpeg")
DEPTH = ".depth"  # ending of the stem of a depth video
MAIN = "main"  # the camera of an episode that is one file
RATE = 30.0  # frames per second of a folder of pictures, where nobody says


class Videos:
    """Read one video, a folder of videos, a folder of pictures, or a folder of episodes of several cameras.

    `EPISODE.mp4`, or `EPISODE/` with pictures, is an episode of the camera "main"; `EPISODE/CAMERA.mp4` and
    `EPISODE/CAMERA/` have several. `CAMERA.depth.mp4` is depth as LeRobot encodes it (`depth_code.py`).
    `episodes.json` at the root may give tasks and columns: `{"EPISODE": {"task": ..., "NAME": [...]}}`.

    Args:
        root: As above.
        fps: Frames per second of pictures; of a video, what it must have (None: whatever it has).

    Raises:
        ValueError: If nothing of the kind is found.
    """

    format = "video"

    def __init__(self, root: Path, *, fps: float | None = None) -> None:
        """List episodes and cameras."""
        self.root, self._asked = root, fps
        self._found = {name: _cameras_of(path) for name, path in _episodes_of(root).items()}
        self._found = {name: cameras for name, cameras in self._found.items() if cameras}
        if not self._found:
            raise ValueError(f"{root} holds neither videos ({', '.join(VIDEOS)}) nor pictures.")
        self.cameras = tuple(sorted({camera for found in self._found.values() for camera in found}))
        self._said = read_json(root / "episodes.json") if (root / "episodes.json").is_file() else {}
        self._infos: list[EpisodeInfo] | None = None
        self.fps = self._rate()

    def episodes(self) -> Sequence[EpisodeInfo]:
        """List the episodes by name; a damaged one has length 0."""
        if self._infos is None:
            self._infos, start = [], 0
            for index, (name, cameras) in enumerate(self._found.items()):
                task = str(self._said.get(name, {}).get("task", ""))
                self._infos.append(EpisodeInfo(index, name, _length(cameras), task, start))
                start += self._infos[-1].length
        return self._infos

    def frames(
        self, episode: EpisodeInfo, camera: str, steps: Sequence[int], depth: bool = False
    ) -> Iterator[Seen]:
        """Yield the pictures of ascending steps."""
        found = self._found[episode.name]
        if camera not in found:
            raise BadEpisode(f"it has no camera {camera!r}; it has {', '.join(sorted(found))}")
        path = found[camera]
        if path.is_dir():
            yield from self._shown(path, steps)
            return
        times = ascending(frame_times(path), str(path))
        if not len(times):
            raise BadEpisode(f"{path} has no frames")
        self._check_rate(times, path)
        far = read_frames(_depth_path(path), steps, "gray12le") if depth else iter([None] * len(steps))
        for step, rgb, codes in zip(steps, read_frames(path, steps), far, strict=True):
            yield Seen(rgb, float(times[step] - times[0]), None if codes is None else decode_depth(codes))

    def has_depth(self, camera: str) -> bool:
        """Tell whether the first episode has a depth video of this camera."""
        return any(_depth_path(found[camera]).is_file() for found in self._found.values() if camera in found)

    def calibration(self, episode: EpisodeInfo, camera: str) -> Calibration | None:
        """Return the camera of `cameras.json`."""
        poses = self.column(episode, f"{camera}.world_from_camera")
        return described_calibration(self.notes().get("cameras", {}), camera, episode.index, poses)

    def column(self, episode: EpisodeInfo, name: str) -> Column | None:
        """Return numbers that `episodes.json` holds."""
        found = self._said.get(episode.name, {}).get(name)
        return np.asarray(found, float) if isinstance(found, list) else None

    def notes(self) -> Mapping[str, Any]:
        """Return what the files at the root say."""
        return self._notes

    @cached_property
    def _notes(self) -> dict[str, Any]:
        return beside(self.root)

    def _rate(self) -> float:
        """Return what was asked for, else what the first readable video has."""
        for cameras in () if self._asked else self._found.values():
            for path in cameras.values():
                try:
                    times = frame_times(path) if path.is_file() else np.empty(0)
                except BadEpisode:
                    continue
                if len(times) > 1:
                    return round(float((len(times) - 1) / (times[-1] - times[0])), 3)
        return self._asked or RATE

    def _check_rate(self, times: Column, path: Path) -> None:
        if self._asked is None or len(times) < 2:
            return
        rate = (len(times) - 1) / float(times[-1] - times[0])
        if abs(rate - self._asked) > 0.02 * self._asked:
            raise BadEpisode(f"{path} has {rate:.4g} frames per second, but fps={self._asked:g} was said")

    def _shown(self, folder: Path, steps: Sequence[int]) -> Iterator[Seen]:
        files, size = _pictures_of(folder), None
        for step in steps:
            rgb = decode_picture(files[step].read_bytes(), str(files[step]))
            size = size or rgb.shape
            if rgb.shape != size:
                raise BadEpisode(f"{files[step]} is {rgb.shape[:2]}, but the first picture is {size[:2]}")
            yield Seen(rgb, step / self.fps)


def _depth_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}{DEPTH}{path.suffix}")


def _episodes_of(root: Path) -> dict[str, Path]:
    """Return what may be episodes, by name."""
    if root.is_file() or _pictures_of(root):
        return {root.stem: root}
    entries = sorted(root.iterdir(), key=lambda path: _natural(path.name))
    return {
        path.stem: path
        for path in entries
        if path.is_dir() or (path.suffix.lower() in VIDEOS and not path.stem.endswith(DEPTH))
    }


def _cameras_of(path: Path) -> dict[str, Path]:
    """Return the cameras of an episode: videos, or folders of pictures."""
    if path.is_file() or _pictures_of(path):
        return {MAIN: path}
    return {
        inner.stem: inner
        for inner in sorted(path.iterdir())
        if (inner.suffix.lower() in VIDEOS and not inner.stem.endswith(DEPTH))
        or (inner.is_dir() and _pictures_of(inner))
    }


def _pictures_of(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES]
    return sorted(files, key=lambda path: _natural(path.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort "frame_10" after "frame_9"."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _length(cameras: Mapping[str, Path]) -> int:
    lengths = []
    for path in cameras.values():
        try:
            lengths.append(len(_pictures_of(path)) if path.is_dir() else len(frame_times(path)))
        except BadEpisode:
            continue  # told again, in full, when it is read
    return min(lengths, default=0)

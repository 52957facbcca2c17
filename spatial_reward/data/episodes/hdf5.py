"""HDF5 files of robomimic, robosuite and LIBERO (many demonstrations) and of ALOHA (one episode a file)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
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

SUFFIXES = (".hdf5", ".h5")
COLOUR, DEPTH = ("_image", "_rgb"), "_depth"
RATE = 20.0  # frames per second of robosuite, where the file does not say


class Hdf5:
    """Read `data/demo_<k>/obs/<camera>_image` (T, H, W, 3), or `observations/images/<camera>`.

    Args:
        root: A file, or a folder of such files.
        flip: Turn the pictures upright: robosuite stores them upside down.
        fps: Frames per second; None takes what the file says, else 20.

    Raises:
        ValueError: If there are no episodes, or no pictures in them.
    """

    format = "hdf5"

    def __init__(self, root: Path, *, flip: bool = False, fps: float | None = None) -> None:
        """List episodes and cameras."""
        self.root, self.flip = root, flip
        self._h5py = require("h5py", extra="episodes", purpose="HDF5 files")
        files = [root] if root.is_file() else sorted(p for p in root.iterdir() if p.suffix in SUFFIXES)
        self._places: list[tuple[Path, str]] = []
        self._damaged: dict[Path, str] = {}
        for file in files:
            self._list(file)
        self._infos = self._list_infos()
        self.cameras = self._cameras()
        if not self._places or not self.cameras:
            what = "no pictures in its episodes" if self._places else "no episodes"
            raise ValueError(f"{root} holds {what}: expected data/demo_0/obs/<camera>_image.")
        self.fps = fps or self._rate()

    def episodes(self) -> Sequence[EpisodeInfo]:
        """List the demonstrations in the order of their numbers."""
        return self._infos

    def frames(
        self, episode: EpisodeInfo, camera: str, steps: Sequence[int], depth: bool = False
    ) -> Iterator[Seen]:
        """Yield the pictures of ascending steps."""
        file, name = self._places[episode.index]
        if episode.length < 1:
            raise BadEpisode(self._damaged.get(file, "it has no frames"))
        with self._h5py.File(file) as opened:
            group = opened[name]
            colour, far = _colour(group, camera), _depth(group, camera) if depth else None
            if colour is None:
                raise BadEpisode(f"it has no camera {camera!r}; it has {sorted(_cameras(group))}")
            times = self._times(group, episode)
            for step in steps:
                try:
                    yield self._seen(colour, far, step, float(times[step]), camera)
                except OSError as error:
                    raise BadEpisode(f"{file}: frame {step} cannot be read ({error})") from error

    def has_depth(self, camera: str) -> bool:
        """Tell whether the first episode has depth of this camera."""
        return self._with_first(lambda group: _depth(group, camera) is not None)

    def calibration(self, episode: EpisodeInfo, camera: str) -> Calibration | None:
        """Return the camera of the attribute `cameras`, with the poses `<camera>.world_from_camera`."""
        poses = self.column(episode, f"{camera}.world_from_camera")
        return described_calibration(self.notes().get("cameras", {}), camera, episode.index, poses)

    def column(self, episode: EpisodeInfo, name: str) -> Column | None:
        """Return a dataset of the episode's group, such as "actions" or "truth.distance_m"."""
        file, group = self._places[episode.index]
        if file in self._damaged:
            return None
        with self._h5py.File(file) as opened:
            found = opened[group].get(name)
            return None if found is None else np.asarray(found[()])

    def notes(self) -> Mapping[str, Any]:
        """Return what the attributes of `data` and the files beside say."""
        return self._notes

    @cached_property
    def _notes(self) -> dict[str, Any]:
        notes: dict[str, Any] = {}
        with self._h5py.File(self._places[0][0]) as opened:
            attributes = opened["data"].attrs if "data" in opened else opened.attrs
            for key in ("cameras", "points", "goals"):
                if key in attributes:
                    notes[key] = json.loads(attributes[key])
        return {**notes, **beside(self.root)}

    def _list(self, file: Path) -> None:
        try:
            with self._h5py.File(file) as opened:
                names = sorted((n for n in opened.get("data", {}) if n.startswith("demo")), key=_number)
                self._places += [(file, f"data/{name}") for name in names] or [(file, "/")]
        except OSError as error:
            self._damaged[file] = f"{file} cannot be read ({' '.join(str(error).split())})"
            self._places.append((file, "/"))

    def _list_infos(self) -> list[EpisodeInfo]:
        infos, start = [], 0
        for index, (file, name) in enumerate(self._places):
            length, task = (0, "") if file in self._damaged else self._look(file, name)
            title = file.stem if name == "/" else name.rpartition("/")[2]
            infos.append(EpisodeInfo(index, title, length, task, start))
            start += length
        return infos

    def _look(self, file: Path, name: str) -> tuple[int, str]:
        """Return the length and the task of an episode."""
        with self._h5py.File(file) as opened:
            group = opened[name]
            lengths = [len(group[path]) for path in _cameras(group).values()]
            return min(lengths, default=0), _task(group, opened)

    def _cameras(self) -> tuple[str, ...]:
        found: set[str] = set()
        for file, name in self._places:
            if file not in self._damaged:
                with self._h5py.File(file) as opened:
                    found |= set(_cameras(opened[name]))
        return tuple(sorted(found))

    def _with_first(self, look: Any) -> bool:
        for file, name in self._places:
            if file not in self._damaged:
                with self._h5py.File(file) as opened:
                    return bool(look(opened[name]))
        return False

    def _rate(self) -> float:
        for file, _ in self._places:
            if file in self._damaged:
                continue
            with self._h5py.File(file) as opened:
                attributes = opened["data"].attrs if "data" in opened else opened.attrs
                if "fps" in attributes:
                    return float(attributes["fps"])
                settings = json.loads(attributes.get("env_args", "{}")).get("env_kwargs", {})
                return float(settings.get("control_freq", RATE))
        return RATE

    def _times(self, group: Any, episode: EpisodeInfo) -> Column:
        found = next((group[name] for name in ("timestamps", "obs/timestamps") if name in group), None)
        if found is None:
            return np.arange(episode.length) / self.fps
        return ascending(found[()], f"{group.name}/timestamps")

    def _seen(self, colour: Any, far: Any, step: int, time: float, camera: str) -> Seen:
        stored = colour[step]
        rgb = decode_picture(stored.tobytes(), camera) if stored.ndim == 1 else as_rgb(stored, camera)
        distance = (
            None if far is None else metres(far[step], depth_scale(self.notes().get("cameras", {}), camera))
        )
        if self.flip:
            rgb = np.ascontiguousarray(rgb[::-1])
            distance = None if distance is None else np.ascontiguousarray(distance[::-1])
        return Seen(rgb, time, distance)


def _number(name: str) -> tuple[int, str]:
    digits = "".join(character for character in name if character.isdigit())
    return int(digits or 0), name


def _cameras(group: Any) -> dict[str, str]:
    """Return the pictures of an episode: names of cameras, and paths in its group."""
    found = {}
    for name in group.get("obs", {}):
        ending = next((end for end in COLOUR if name.endswith(end)), None)
        if ending:
            found[name.removesuffix(ending)] = f"obs/{name}"
    found.update({name: f"observations/images/{name}" for name in group.get("observations/images", {})})
    return found


def _colour(group: Any, camera: str) -> Any:
    path = _cameras(group).get(camera)
    return None if path is None else group[path]


def _depth(group: Any, camera: str) -> Any:
    paths = (f"obs/{camera}{DEPTH}", f"observations/depth/{camera}")
    return next((group[path] for path in paths if path in group), None)


def _task(group: Any, opened: Any) -> str:
    """Find the words of the task, where robomimic, LIBERO and we put them."""
    for attributes in (group.attrs, opened["data"].attrs if "data" in opened else {}):
        for key in ("task", "language_instruction"):
            if key in attributes:
                return _text(attributes[key])
        for key, inner in (("ep_meta", "lang"), ("problem_info", "language_instruction")):
            if key in attributes:
                return _text(json.loads(attributes[key]).get(inner, ""))
    return ""


def _text(value: Any) -> str:
    if isinstance(value, (list, np.ndarray)):
        value = value[0] if len(value) else ""
    return value.decode() if isinstance(value, bytes) else str(value)

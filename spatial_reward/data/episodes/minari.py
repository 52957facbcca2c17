"""Minari datasets with the HDF5 backend: pictures among the observations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.data.episodes.base import BadEpisode, Calibration, Column, EpisodeInfo, Seen, metres
from spatial_reward.data.episodes.depth_units import depth_scale
from spatial_reward.data.episodes.described import beside, described_calibration, read_json
from spatial_reward.data.episodes.pictures import as_rgb, decode_picture

RATE = 30.0  # frames per second, where the dataset does not say
OBSERVATIONS = "observations"


class Minari:
    """Read `data/main_data.hdf5`: an episode of T actions has T + 1 observations, and so many frames.

    Args:
        root: Folder of the dataset, with `data/metadata.json`.
        fps: Frames per second; None takes `fps` of the metadata, else 30.

    Raises:
        ValueError: If there is no HDF5 file, or no pictures among the observations.
    """

    format = "minari"

    def __init__(self, root: Path, *, fps: float | None = None) -> None:
        """List episodes and cameras."""
        self.root = root
        self._h5py = require("h5py", extra="episodes", purpose="Minari datasets")
        self._file = root / "data" / "main_data.hdf5"
        self.metadata = read_json(root / "data" / "metadata.json")
        if not self._file.is_file():
            raise ValueError(f"{root} has no data/main_data.hdf5: only Minari's HDF5 backend can be read.")
        self.fps = float(fps or self.metadata.get("fps") or RATE)
        with self._h5py.File(self._file) as opened:
            groups = {
                group: opened[group] for group in sorted(opened, key=lambda name: int(name.split("_")[1]))
            }
            self._groups = list(groups)
            first: Any = next(iter(groups.values()), None)
            found = _pictures(first)
            self._infos = _infos(groups, found, str(self.metadata.get("task", "")))
        self._far = {path for path, kind in found.items() if kind == "depth"}
        self.cameras = tuple(sorted(path for path, kind in found.items() if kind == "colour"))
        if not self.cameras:
            raise ValueError(f"{root} has no pictures (T, H, W, 3) uint8 among its observations.")

    def episodes(self) -> Sequence[EpisodeInfo]:
        """List the episodes."""
        return self._infos

    def frames(
        self, episode: EpisodeInfo, camera: str, steps: Sequence[int], depth: bool = False
    ) -> Iterator[Seen]:
        """Yield the pictures of ascending steps."""
        if episode.length < 1:
            raise BadEpisode("it has no frames")
        with self._h5py.File(self._file) as opened:
            group = opened[self._groups[episode.index]]
            colour, far = group.get(_path(camera)), group.get(_path(f"{camera}_depth")) if depth else None
            if colour is None or (depth and far is None):
                raise BadEpisode(f"it has no {'camera' if colour is None else 'depth of'} {camera!r}")
            scale = depth_scale(self.notes().get("cameras", {}), camera)
            for step in steps:
                try:
                    distance = None if far is None else metres(far[step], scale)
                    yield Seen(_picture(colour[step], camera), step / self.fps, distance)
                except OSError as error:
                    raise BadEpisode(f"{self._file}: frame {step} cannot be read ({error})") from error

    def has_depth(self, camera: str) -> bool:
        """Tell whether `<camera>_depth` is among the observations."""
        return f"{camera}_depth" in self._far

    def calibration(self, episode: EpisodeInfo, camera: str) -> Calibration | None:
        """Return the camera of `cameras.json`."""
        poses = self.column(episode, f"infos/{camera}.world_from_camera")
        return described_calibration(self.notes().get("cameras", {}), camera, episode.index, poses)

    def column(self, episode: EpisodeInfo, name: str) -> Column | None:
        """Return a dataset of the episode, also from `infos`."""
        with self._h5py.File(self._file) as opened:
            group = opened[self._groups[episode.index]]
            found = group.get(name, group.get(f"infos/{name}"))
            return np.asarray(found[()]) if isinstance(found, self._h5py.Dataset) else None

    def notes(self) -> Mapping[str, Any]:
        """Return what the files at the root say."""
        return self._notes

    @cached_property
    def _notes(self) -> dict[str, Any]:
        return beside(self.root)


def _path(camera: str) -> str:
    return OBSERVATIONS if camera == OBSERVATIONS else f"{OBSERVATIONS}/{camera}"


def _pictures(group: Any, prefix: str = OBSERVATIONS) -> dict[str, str]:
    """Return the arrays of observations that are pictures or depth, by their path below `observations`."""
    node = group.get(prefix) if hasattr(group, "get") else None
    if node is None:
        return {}
    if hasattr(node, "keys"):
        found: dict[str, str] = {}
        for key in node:
            found |= _pictures(group, f"{prefix}/{key}")
        return found
    name = prefix.removeprefix(f"{OBSERVATIONS}/")
    if _is_jpeg(node):
        return {name: "colour"}
    if node.ndim == 4 and node.dtype == np.uint8 and (node.shape[3] in (1, 3) or node.shape[1] in (1, 3)):
        return {name: "colour"}
    return {name: "depth"} if node.ndim in (3, 4) and name.endswith("_depth") else {}


def _is_jpeg(node: Any) -> bool:
    """Tell whether an array holds JPEG files, as Minari stores pictures: of equal or of different lengths."""
    if not len(node) or (node.dtype != object and not (node.ndim == 2 and node.dtype == np.uint8)):
        return False
    first = node[0]
    return isinstance(first, np.ndarray) and first.dtype == np.uint8 and bytes(first[:2]) == b"\xff\xd8"


def _picture(stored: Column, camera: str) -> Any:
    return decode_picture(stored.tobytes(), camera) if stored.ndim == 1 else as_rgb(stored, camera)


def _infos(groups: Mapping[str, Any], found: Mapping[str, str], task: str) -> list[EpisodeInfo]:
    infos, start = [], 0
    for index, (name, group) in enumerate(groups.items()):
        lengths = [len(group[_path(path)]) for path in found if _path(path) in group]
        words = group.attrs.get("task", "") or group.attrs.get("options/task", "") or task
        infos.append(EpisodeInfo(index, name, min(lengths, default=0), str(words), start))
        start += infos[-1].length
    return infos


def is_minari(path: Path) -> bool:
    """Tell whether a folder is a Minari dataset."""
    return (path / "data" / "metadata.json").is_file()

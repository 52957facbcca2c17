"""Recorded robot episodes: one reader for each format, and one door to all."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from spatial_reward.data.episodes.base import (
    BadEpisode,
    Calibration,
    EpisodeInfo,
    EpisodeReader,
    Seen,
)

__all__ = ["FORMATS", "BadEpisode", "Calibration", "EpisodeInfo", "EpisodeReader", "Seen", "open_episodes"]

# Imported only when asked for: each brings its own libraries.
FORMATS = {
    "lerobot": "lerobot.LeRobot",
    "hdf5": "hdf5.Hdf5",
    "minari": "minari.Minari",
    "npz": "npz.Arrays",
    "mcap": "mcap.Mcap",
    "video": "video.Videos",
}


def open_episodes(path: str | Path, format: str | None = None, **options: Any) -> EpisodeReader:
    """Open a recorded dataset; its pictures are decoded as they are asked for.

    Args:
        path: A folder or a file.
        format: One of `FORMATS`; None recognises it.
        options: Of the reader, such as `fps=10` or, for HDF5, `flip=True`; None counts as not given.

    Raises:
        FileNotFoundError: If there is nothing at `path`.
        ValueError: If it is no dataset of that format, or none that is known.
        ImportError: If the package that reads it is missing.
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(f"There is no dataset at {root}: give the folder or file of one.")
    format = format or recognise(root)
    if format not in FORMATS:
        raise ValueError(f"Unknown format {format!r}. Known formats: {', '.join(FORMATS)}.")
    module, _, cls = FORMATS[format].partition(".")
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    try:
        reader: EpisodeReader = getattr(import_module(f"{__name__}.{module}"), cls)(root, **given)
    except TypeError as error:
        raise ValueError(f"The format {format!r} does not take {', '.join(given)}: {error}.") from error
    return reader


def recognise(root: Path) -> str:
    """Return the format of a dataset, by its files.

    Raises:
        ValueError: If it looks like none.
    """
    if (root / "meta" / "info.json").is_file():
        return "lerobot"
    if (root / "data" / "metadata.json").is_file():
        return "minari"
    entries = [root] if root.is_file() else sorted(root.iterdir())
    suffixes = {entry.suffix.lower() for entry in entries}
    by_suffix = {".hdf5": "hdf5", ".h5": "hdf5", ".npz": "npz", ".mcap": "mcap"}
    found = [by_suffix[suffix] for suffix in sorted(suffixes & by_suffix.keys())]
    if found:
        return found[0]
    folders = [root, *(entry for entry in entries if entry.is_dir())]
    if any((folder / name).is_file() for folder in folders for name in ("episode.npz", "intrinsics.npy")):
        return "npz"
    if any(list(folder.glob("*.mcap")) for folder in folders):
        return "mcap"
    return "video"

"""Which scenes a folder holds, and which of them a list names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spatial_reward.data.sources.base import BadScene


def existing_folder(folder: str | Path) -> Path:
    """Return the folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FileNotFoundError(f"No folder {str(folder)!r}: set source.folder=FOLDER to where the data is.")
    return path


def by_name(paths: Iterable[Path]) -> dict[str, Path]:
    """Return the paths by their names without ".npz", in order.

    Raises:
        ValueError: If two have the same name.
    """
    found: dict[str, Path] = {}
    for name, path in sorted((path.name.removesuffix(".npz"), path) for path in paths):
        if name in found:
            raise ValueError(f"{path} and {found[name]} have the same name: rename one, or load them apart.")
        found[name] = path
    return found


def chosen(found: Iterable[str], split: str | Path | None, folder: Path) -> tuple[str, ...]:
    """Return the names that the file `split` lists, one a line, or all that were found.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If nothing is left, or the file is no text.
    """
    if split is None:
        names = tuple(found)
        if not names:
            raise ValueError(f"{folder} holds no scenes of this format: set source.folder to another folder.")
        return names
    path = Path(split)
    if not path.is_file():
        raise FileNotFoundError(
            f"No list {str(split)!r} of scenes: write one name a line, or set source.split=null."
        )
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    names = tuple(dict.fromkeys(line.removesuffix(".npz") for line in lines if line and line[0] != "#"))
    if not names:
        raise ValueError(
            f"The list {split} names no scenes: write one name a line, or set source.split=null."
        )
    return names


def path_of(scene: str, found: dict[str, Path]) -> Path:
    """Return where a scene is.

    Raises:
        BadScene: "name outside the folder" or "missing file".
    """
    if Path(scene).name != scene or "\\" in scene:
        raise BadScene("name outside the folder", repr(scene))
    if scene not in found:
        raise BadScene("missing file", repr(scene))
    return found[scene]

"""The folder of a long run: made or taken up again, one run at a time, without leftovers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spatial_reward.data.shards import write_json
from spatial_reward.outputs import lock, remove_empty, tell_interrupted

SETTINGS = "generate.json"
PARTS = ("scenes", "questions")
_PARTIAL = ".*.partial-*"
_SHOWN = 5  # differing settings in an error


@contextmanager
def run_folder(
    folder: Path, settings: Mapping[str, Any], *, file: str = SETTINGS, parts: Sequence[str] = PARTS
) -> Iterator[Path]:
    """Open the folder of a run, new or begun with the same settings, for this process alone.

    A run that fails before it has finished anything leaves nothing behind; an interrupted one that keeps what
    it has says how it goes on.

    Args:
        folder: Of the run.
        settings: That it must have been begun with.
        file: In which they are kept.
        parts: Folders inside, in which the run leaves what it has finished.

    Raises:
        FileExistsError: If it holds something else, or was begun with other settings.
        OSError: If it cannot be written.
        RuntimeError: If another run is writing to it.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OSError(
            f"Cannot write out={folder} ({error.strerror}): choose another with out=FOLDER."
        ) from error
    try:
        lock(opened, folder)
        _begin(folder, json.loads(json.dumps(settings)), file, parts)
        try:
            yield folder
        except BaseException as error:
            if not _finished(folder, parts):
                abandon(folder, file, parts)
                remove_empty(new)
            elif isinstance(error, KeyboardInterrupt):
                tell_interrupted(folder)
            raise
        finally:
            remove_partials(folder, parts)
    finally:
        os.close(opened)


def remove_partials(folder: Path, parts: Sequence[str] = PARTS) -> None:
    """Remove what interrupted writers left under temporary names."""
    for place in (folder, *(folder / name for name in (*parts, "exports"))):
        for path in place.glob(_PARTIAL):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _finished(folder: Path, parts: Sequence[str]) -> bool:
    """Tell whether a run has finished anything."""
    return any(not path.match(_PARTIAL) for name in parts for path in (folder / name).glob("*"))


def abandon(folder: Path, file: str = SETTINGS, parts: Sequence[str] = PARTS) -> None:
    """Remove what a run that came to nothing has written."""
    for name in parts:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("skipped.json", file):
        (folder / name).unlink(missing_ok=True)
    remove_partials(folder, parts)
    remove_empty([folder])


def _begin(folder: Path, settings: Mapping[str, Any], file: str, parts: Sequence[str]) -> None:
    """Compare or write the settings."""
    path = folder / file
    if not path.exists():
        if any(not entry.match(_PARTIAL) for entry in folder.iterdir()):
            raise FileExistsError(f"out={folder} already exists: choose another folder, or remove it first.")
        _write_settings(path, settings)
    different = _differences(_read(path), settings)
    if different:
        more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        raise FileExistsError(
            f"out={folder} was made with other settings ({', '.join(different[:_SHOWN])}{more}): "
            "repeat those, or choose another out."
        )
    remove_partials(folder, parts)
    for name in parts:
        (folder / name).mkdir(exist_ok=True)


def _write_settings(path: Path, settings: Mapping[str, Any]) -> None:
    try:
        write_json(path, settings)
    except OSError as error:
        raise OSError(
            f"Cannot write out={path.parent} ({error.strerror}): choose another with out=FOLDER."
        ) from error


def _read(path: Path) -> Mapping[str, Any]:
    try:
        settings = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): choose another out, or remove the folder.") from error
    return settings if isinstance(settings, dict) else {}


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Describe the settings that differ."""
    old, new = dict(_flat(there)), dict(_flat(here))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return [f"{key.removeprefix('config.')}: {old.get(key)} there, {new.get(key)} here" for key in keys]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

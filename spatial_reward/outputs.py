"""Result folders that appear whole or not at all, and the `summary.json` inside them."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from spatial_reward import __version__


def default_folder(command: str) -> Path:
    """Return the place for results that the user did not name: `outputs/<command>/<time>`."""
    return Path("outputs") / command / datetime.now().strftime("%Y%m%d-%H%M%S-%f")


@contextmanager
def output_folder(final: Path) -> Iterator[Path]:
    """Give a folder to write into, which becomes `final` only when everything is written.

    Raises:
        FileExistsError: If `final` already holds something.
        OSError: If the place cannot be written.
    """
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise FileExistsError(f"out={final} already exists: choose another folder, or remove it first.")
    partial = final.with_name(f".{final.name}.partial-{os.getpid()}")
    new = [parent for parent in final.parents if not parent.exists()]
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise OSError(
            f"Cannot write out={final} ({error.strerror}): choose another with out=FOLDER."
        ) from error
    try:
        yield partial
        partial.replace(final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        remove_empty(new)
        raise


def tell_interrupted(folder: Path) -> None:
    """Say on stderr how a run that keeps what it has goes on."""
    print(f"Interrupted. The same command with out={folder} goes on from here.", file=sys.stderr)


def remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, inner ones first, as far as nothing is in them."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def lock(descriptor: int, folder: Path) -> None:
    """Claim a folder for this process, by an open file in it, until that is closed.

    Raises:
        RuntimeError: If another process has claimed it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RuntimeError(
            f"Another run is writing to out={folder}: wait for it, or choose another."
        ) from None


def write_summary(
    folder: Path,
    *,
    command: str,
    seed: int,
    config: Mapping[str, Any],
    metrics: Mapping[str, float],
    **details: Any,
) -> Path:
    """Write `summary.json`: what ran, with what, what it left behind, and flat metrics with units in names.

    Unknown numbers (NaN) become null. `artefacts` are the files of the folder, relative to it.
    """
    artefacts = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    summary = {
        "command": command,
        "version": __version__,
        "seed": seed,
        "config": config,
        "artefacts": [*artefacts, "summary.json"],
        "metrics": metrics,
        **details,
    }
    path = folder / "summary.json"
    path.write_text(json.dumps(jsonable(summary), indent=1, allow_nan=False) + "\n")
    return path


def jsonable(value: Any) -> Any:
    """Turn NumPy numbers and arrays, paths and NaN into what JSON has."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value

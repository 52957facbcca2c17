"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def partial_file(path: Path) -> Path:
    """Create the empty temporary file beside `path` that is to be renamed to it when it is whole.

    Raises:
        OSError: If `path` cannot be written; says why.
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        partial.touch()
    except OSError as error:
        raise OSError(
            f"Cannot write {path} ({error.strerror}): choose a file in a folder that exists and is writable."
        ) from error
    return partial

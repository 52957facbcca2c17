"""Replies kept in a folder by the content of their requests, so that none is paid for twice."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any


class ReplyCache:
    """A folder of JSON files, one per request; processes may share it.

    Args:
        folder: Made if it is not there.

    Raises:
        OSError: If it cannot be made or written to.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Make the folder."""
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._folder):
            pass

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what was put under a key; None where there is nothing, or nothing readable."""
        try:
            found = json.loads(self._path(key).read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, key: str, reply: dict[str, Any]) -> None:
        """Keep a reply; the file appears whole or not at all. A full disk is logged, not raised."""
        path = self._path(key)
        try:
            path.parent.mkdir(exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
            try:
                with os.fdopen(handle, "w") as file:
                    json.dump(reply, file)
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            logging.getLogger(__name__).warning("A reply was not kept in %s: %s", self._folder, error)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

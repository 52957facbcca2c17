"""Shards: Parquet files with a manifest each, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow.parquet as pq

from spatial_reward.data.columns import SCHEMA, Columns
from spatial_reward.data.draw import Drawn

PER_GROUP, PER_GROUP_EMBEDDED = 4096, 100  # rows of a row group, which is what is held in memory
_REPEATED = ("source", "scene", "subtask", "kind", "mode", "twin", "unit", "answer_word")
_ENCODED = [*_REPEATED, "labels.list.element", "images.list.element.path"]  # once each, then by number


class ShardWriter:
    """Write the questions of a part into shards of at most `per_shard` rows.

    Shards appear one after the other, each with its manifest as soon as it is full; the manifest of the
    last says so. What an exception interrupts leaves no file under a final name.

    Args:
        folder: Of the shards.
        part: Number that names them.
        per_shard: Rows.
        embed: Store pictures and cameras in the rows.
        common: What every manifest of the part says.
    """

    def __init__(
        self, folder: Path, part: int, per_shard: int, *, embed: bool, common: Mapping[str, Any]
    ) -> None:
        """Start without a file."""
        self._folder, self._part, self._per_shard, self._common = folder, part, per_shard, common
        self._columns, self._counts = Columns(embed), Counter[str]()
        self._per_group = PER_GROUP_EMBEDDED if embed else PER_GROUP
        self._number, self._rows = 0, 0
        self._file: pq.ParquetWriter | None = None

    @property
    def _path(self) -> Path:
        return shard_path(self._folder, self._part, self._number)

    @property
    def _partial(self) -> Path:
        return partial_path(self._path)

    def add(
        self, drawn: Drawn, pictures: tuple[str, ...], files: list[bytes], *, subtask: str, **texts: str
    ) -> None:
        """Add a question; see `Columns.add`."""
        if self._rows == self._per_shard:
            self._close({"last": False})
        row = f"{self._part:05d}-{self._number:04d}-{self._rows:06d}"
        self._columns.add(drawn, pictures, files, id=row, subtask=subtask, **texts)
        self._counts[subtask] += 1
        self._rows += 1
        if len(self._columns) == self._per_group:
            self._flush()

    def finish(self, **result: Any) -> None:
        """Write the last shard, whose manifest holds the result of the part."""
        self._close({"last": True, **result})

    def __enter__(self) -> ShardWriter:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what is unfinished."""
        if self._file is not None:
            self._file.close()
            self._partial.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._file is None:
            self._file = pq.ParquetWriter(
                self._partial, SCHEMA, compression="zstd", compression_level=1, use_dictionary=_ENCODED
            )
        if len(self._columns):
            self._file.write_table(self._columns.take())

    def _close(self, result: Mapping[str, Any]) -> None:
        self._flush()
        assert self._file is not None  # flushed
        self._file.close()
        self._file = None
        manifest = {
            **self._common,
            "rows": self._rows,
            "sha256": sha256(self._partial),
            "counts": dict(sorted(self._counts.items())),
            **result,
        }
        os.replace(self._partial, self._path)
        write_json(self._path.with_suffix(".json"), manifest)
        self._number, self._rows, self._counts = self._number + 1, 0, Counter()


def shard_path(folder: Path, part: int, number: int) -> Path:
    """Return the path of a shard of a part."""
    return folder / f"{part:05d}-{number:04d}.parquet"


def partial_path(path: Path) -> Path:
    """Return the temporary name of a file, hidden beside it."""
    return path.with_name(f".{path.name}.partial-{os.getpid()}")


def read_part(folder: Path, part: int, common: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the manifests of all shards of a part; none if one is missing, damaged, or of another plan."""
    manifests: list[dict[str, Any]] = []
    while not manifests or not manifests[-1]["last"]:
        path = shard_path(folder, part, len(manifests))
        manifest = _sound(path, common)
        if manifest is None:
            return []
        manifests.append({"shard": path.name, **manifest})
    return manifests


def _sound(path: Path, common: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the manifest of a shard if it fits, and the shard fits it."""
    try:
        manifest = json.loads(path.with_suffix(".json").read_text())
        fits = all(manifest[key] == value for key, value in common.items()) and isinstance(
            manifest["last"], bool
        )
        return manifest if fits and manifest["sha256"] == sha256(path) else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def remove_strays(folder: Path, shards: set[str]) -> None:
    """Remove what an earlier plan left: files that belong to none of the named shards."""
    stems = {Path(name).stem for name in shards}
    for path in folder.iterdir():
        if path.stem not in stems:
            path.unlink()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: Any) -> Path:
    """Write a JSON file whole or not at all."""
    partial = partial_path(path)
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    os.replace(partial, path)
    return path

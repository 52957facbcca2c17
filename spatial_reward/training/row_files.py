"""Rows of question sets laid out uncompressed, so that any of them can be read from a memory-mapped file."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

_COLUMNS = ("id", "subtask", "kind", "images", "points", "labels", "prompt", "reply")
_BATCH = 256  # rows of a batch


def row_file(shard: Path) -> Path:
    """Lay the rows of a parquet shard out uncompressed, where that has not been done; return the file.

    Processes may do so at the same time: each writes under a name of its own, and the last rename wins.
    """
    path = shard.parent.parent / "rows" / f"{shard.stem}.arrow"
    if path.exists() and path.stat().st_mtime_ns >= shard.stat().st_mtime_ns:
        return path
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with pq.ParquetFile(shard) as source:
            schema = pa.schema([source.schema_arrow.field(name) for name in _COLUMNS])
            with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, schema) as writer:
                for batch in source.iter_batches(_BATCH, columns=list(_COLUMNS)):
                    writer.write_batch(batch.select(list(_COLUMNS)))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


class RowFile:
    """The rows of a file, read where they are looked at.

    Args:
        path: What `row_file` returned.
    """

    def __init__(self, path: Path) -> None:
        """Map the file into memory."""
        self._file = pa.ipc.open_file(pa.memory_map(str(path)))
        lengths = [self._file.get_batch(index).num_rows for index in range(self._file.num_record_batches)]
        self._ends = np.cumsum(lengths)

    @staticmethod
    @lru_cache(256)
    def of(path: Path) -> RowFile:
        """Return the row file, opened once a process."""
        return RowFile(path)

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return a row as a dict."""
        batch = int(np.searchsorted(self._ends, number, side="right"))
        first = int(self._ends[batch - 1]) if batch else 0
        row: dict[str, Any] = self._file.get_batch(batch).slice(number - first, 1).to_pylist()[0]
        return row

    def column(self, name: str) -> NDArray[np.object_]:
        """Return a column of texts."""
        parts = [
            self._file.get_batch(index).column(name).to_numpy(zero_copy_only=False)
            for index in range(len(self._ends))
        ]
        return np.concatenate(parts) if parts else np.zeros(0, object)

"""Where a benchmark's files are: in a folder of the user's, or downloaded at the pinned revision."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.harness.items import Source

Row = Mapping[str, Any]


def located(source: Source, root: Path, download: bool) -> Path:
    """Return the folder of a benchmark, `root/name`, in the layout of its repository on the hub.

    Args:
        source: The benchmark.
        root: Of all benchmarks.
        download: Whether to get the pinned revision from the hub where the folder is missing.

    Raises:
        FileNotFoundError: If it is missing, or cannot be downloaded.
        ImportError: If it is to be downloaded, and huggingface_hub is not installed.
    """
    folder = root / source.name
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    if download:
        return _downloaded(source, folder)
    patterns = " ".join(f"--include '{pattern}'" for pattern in source.files)
    raise FileNotFoundError(
        f"{source.name} is not in {folder}: say download=true, or run `hf download {source.repository} "
        f"--repo-type dataset --revision {source.revision} {patterns} --local-dir {folder}`."
    )


def _downloaded(source: Source, folder: Path) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ImportError(
            'huggingface_hub is needed for download=true: pip install "spatial-reward[vlm]"',
            name="huggingface_hub",
        ) from error
    try:
        snapshot_download(
            source.repository,
            repo_type="dataset",
            revision=source.revision,
            allow_patterns=list(source.files),
            local_dir=folder,
        )
    except (OSError, ValueError, RuntimeError) as error:  # whatever keeps us from the hub
        reason = " ".join(f"{error}".split())[:200]
        raise FileNotFoundError(
            f"{source.repository} at {source.revision[:12]} cannot be had from the hub ({reason}): "
            f"put its files into {folder}."
        ) from error
    return folder


def found(folder: Path, *patterns: str) -> list[Path]:
    """Return the files of the first pattern that has any, sorted.

    Raises:
        FileNotFoundError: If none has.
    """
    for pattern in patterns:
        files = sorted(folder.glob(pattern))
        if files:
            return files
    raise FileNotFoundError(f"{folder} holds none of {', '.join(patterns)}: is it the whole repository?")


def parquet_rows(path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> Iterator[Row]:
    """Yield the rows of a Parquet file, a few at a time, since they hold pictures.

    Args:
        path: Of the file.
        columns: That must be there.
        optional: That are read where they are there.

    Raises:
        ValueError: If the file is damaged, or lacks a column.
    """
    import pyarrow
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            lacking(path, columns, names)
            wanted = [name for name in (*columns, *optional) if name in names]
            for batch in file.iter_batches(batch_size=16, columns=wanted):
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path} is no sound Parquet file: {error}.") from error


def json_rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows of a file of JSON lines, or of one JSON list.

    Raises:
        ValueError: If the file is damaged, or a row lacks a column.
    """
    text = path.read_text()
    try:
        lines = text.splitlines()
        rows = json.loads(text) if text.lstrip()[:1] == "[" else [json.loads(line) for line in lines if line]
    except ValueError as error:
        raise ValueError(f"{path} is no sound JSON: {error}.") from error
    for row in rows:
        lacking(path, columns, row)
        yield row


def lacking(path: Path, columns: tuple[str, ...], names: Any) -> None:
    """Refuse a file that lacks columns.

    Raises:
        ValueError: If it does.
    """
    missing = [column for column in columns if column not in names]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}: it has {', '.join(map(str, names))}.")

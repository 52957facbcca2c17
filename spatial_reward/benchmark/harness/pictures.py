"""The pictures of public benchmarks: picture files inside rows, and frames of videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from spatial_reward.chat import Picture


def encoded(cell: Any, folder: Path) -> bytes:
    """Return the picture file in a cell as `datasets` writes it: {"bytes", "path"}, or the bytes alone.

    Raises:
        FileNotFoundError: If only the path is given, and the file is not there.
        ValueError: If the cell holds neither.
    """
    if isinstance(cell, bytes):
        return cell
    if isinstance(cell, Mapping) and cell.get("bytes"):
        return bytes(cell["bytes"])
    if isinstance(cell, Mapping) and cell.get("path"):
        return (folder / str(cell["path"])).read_bytes()
    raise ValueError(f"A picture must have `bytes` or a `path`, got {str(cell)[:80]}.")


def decoded(files: Sequence[bytes]) -> list[Picture]:
    """Decode picture files to (H, W, 3) uint8 RGB, turned as their EXIF data says.

    Raises:
        ValueError: If one cannot be decoded.
    """
    return [_decoded(file) for file in files]


def _decoded(file: bytes) -> Picture:
    bgr = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR) if file else None
    if bgr is None:
        raise ValueError(f"{len(file)} bytes that should be a picture cannot be decoded.")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def from_parquet(path: Path, row: int, columns: tuple[str, ...]) -> Callable[[], list[Picture]]:
    """Return what reads the pictures of a row of a Parquet file when they are wanted: empty cells are none.

    Rows that are asked one after the other share the reading of their row group.
    """
    return partial(_row_pictures, path, row, columns)


def _row_pictures(path: Path, row: int, columns: tuple[str, ...]) -> list[Picture]:
    group, offset = _place(path, row)
    cells = _group(path, group, columns)[offset]
    return decoded([encoded(cell, path.parent) for column in columns for cell in shown(cells[column])])


def shown(cell: Any) -> list[Any]:
    """List the pictures of a cell, which holds one, several, or none."""
    return [one for one in (cell if isinstance(cell, list) else [cell]) if one is not None]


def _place(path: Path, row: int) -> tuple[int, int]:
    """Return the row group of a row, and its number there."""
    for group, rows in enumerate(_group_sizes(path)):
        if row < rows:
            return group, row
        row -= rows
    raise ValueError(f"{path} has no such row.")


@lru_cache(maxsize=64)
def _group_sizes(path: Path) -> tuple[int, ...]:
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    return tuple(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))


@lru_cache(maxsize=1)
def _group(path: Path, group: int, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        rows: list[dict[str, Any]] = file.read_row_group(group, columns=list(columns)).to_pylist()
        return rows


def from_video(path: Path, count: int) -> Callable[[], list[Picture]]:
    """Return what reads frames of a video when they are wanted."""
    return partial(video_frames, path, count)


def frame_numbers(length: int, count: int) -> list[int]:
    """Choose `count` frames of `length`, evenly, with the first and the last; all where there are fewer.

    As lmms-eval does for several pictures (tasks/vsibench/multi_image_input/utils.py, 2bb5e98).

    >>> frame_numbers(10, 4), frame_numbers(2, 4)
    ([0, 3, 6, 9], [0, 1])
    """
    return [int(place) for place in np.linspace(0, length - 1, min(count, length), dtype=int)]


def video_frames(path: Path, count: int) -> list[Picture]:
    """Read evenly chosen frames of a video.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"The video {path} is missing: unpack the archives of its data set there.")
    wanted = set(frame_numbers(_length(path), count))
    video, pictures = cv2.VideoCapture(str(path)), []
    for number in range(max(wanted) + 1):
        if not video.grab():
            break
        if number in wanted:
            pictures.append(np.asarray(cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB), np.uint8))
    video.release()
    return pictures


def _length(path: Path) -> int:
    """Count the frames, one by one: what headers say is often wrong."""
    video, length = cv2.VideoCapture(str(path)), 0
    while video.grab():
        length += 1
    video.release()
    if not length:
        raise ValueError(f"{path} is no readable video.")
    return length

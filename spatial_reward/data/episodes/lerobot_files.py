"""The files of a LeRobot dataset being written: parquet files and videos that follow one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from spatial_reward.data.episodes.video_file import VideoWriter

VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
CHUNK = 1000  # files of a folder
DEPTH = "observation.depth."  # features of depth
OPTIONS = {  # LeRobot's own for AV1; the others look as good
    "av1": {"crf": "30", "preset": "12"},
    "h264": {"crf": "18", "preset": "veryfast"},
    "hevc": {"crf": "20", "preset": "veryfast"},
}
GOP = 2  # frames from one key frame to the next
LOSSLESS = {"preset": "ultrafast", "x265-params": "lossless=1:log-level=none:open-gop=0:bframes=0:pools=none"}


class DataFiles:
    """Parquet files that follow one another."""

    def __init__(self, folder: Path, pattern: str, limit: float) -> None:
        """Begin without a file; one that is larger than `limit` bytes is followed by the next."""
        self.folder, self.pattern, self.limit, self.number = folder, pattern, limit, 0
        self._writer: Any = None
        self._path = folder

    def append(self, table: Any) -> tuple[int, int]:
        """Write a row group; return the numbers of chunk and file."""
        if self._writer is not None and self._path.stat().st_size > self.limit:
            self.close()
            self.number += 1
        chunk, file = divmod(self.number, CHUNK)
        if self._writer is None:
            self._path = self.folder / self.pattern.format(chunk_index=chunk, file_index=file)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="snappy")
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        return chunk, file

    def close(self) -> None:
        """Finish the last file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class VideoFiles:
    """Videos of one feature that follow one another."""

    def __init__(self, folder: Path, name: str, fps: float, codec: str, limit: float) -> None:
        """Begin without a file, as above."""
        self.folder, self.name, self.fps, self.codec, self.limit = folder, name, fps, codec, limit
        self.is_depth, self.number = name.startswith(DEPTH), 0
        self._writer: VideoWriter | None = None

    def append(self, pictures: Any) -> dict[str, Any]:
        """Add an episode; return its columns of `meta/episodes`."""
        if self._writer is not None and self._writer.bytes > self.limit:
            self.close()
            self.number += 1
        chunk, file = divmod(self.number, CHUNK)
        if self._writer is None:
            place = VIDEO_PATH.format(video_key=self.name, chunk_index=chunk, file_index=file)
            self._writer = video_writer(self.folder / place, self.fps, self.codec, self.is_depth)
        begin = self._writer.count
        for picture in pictures:
            self._writer.add(picture, "gray12le" if self.is_depth else "rgb24")
        return {
            f"videos/{self.name}/chunk_index": chunk,
            f"videos/{self.name}/file_index": file,
            f"videos/{self.name}/from_timestamp": begin / self.fps,
            f"videos/{self.name}/to_timestamp": self._writer.count / self.fps,
        }

    def close(self) -> None:
        """Finish the last file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def video_writer(path: Path, fps: float, codec: str, is_depth: bool) -> VideoWriter:
    """Open the video of a feature: depth is HEVC without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if is_depth:
        return VideoWriter(path, fps, "hevc", pixels="gray12le", options=LOSSLESS, gop=GOP)
    return VideoWriter(path, fps, codec, options=OPTIONS.get(codec), gop=GOP)

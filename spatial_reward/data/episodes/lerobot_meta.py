"""The metadata of a LeRobot dataset: tasks, and where the data of each episode are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spatial_reward.data.episodes.base import BadEpisode

Table = Any  # of pyarrow


@dataclass(frozen=True)
class Row:
    """An episode and its files.

    Attributes:
        index: Number of the episode.
        length: Number of its frames.
        task: The first of its tasks; "" where there is none.
        start: Number of its first frame in the dataset.
        data: Its parquet file.
        videos: For each video feature, its file and when the episode begins in it [s].
    """

    index: int
    length: int
    task: str
    start: int
    data: Path
    videos: Mapping[str, tuple[Path, float]] = field(default_factory=dict)

    def video(self, name: str) -> tuple[Path, float]:
        """Return the file of a video feature, and when the episode begins in it [s].

        Raises:
            BadEpisode: If the episode has no such video.
        """
        if name not in self.videos:
            raise BadEpisode(f"it has no video of {name!r}; it has {sorted(self.videos)}")
        return self.videos[name]


def episode_rows(root: Path, info: Mapping[str, Any]) -> list[Row]:
    """Return all episodes, by number.

    Raises:
        ValueError: If there is no list of episodes.
    """
    rows = _rows_v3(root, info) if info["codebase_version"] == "v3.0" else _rows_v2(root, info)
    return sorted(rows, key=lambda row: row.index)


def tasks_of(root: Path) -> dict[int, str]:
    """Return the words of each task, by its number."""
    path = root / "meta" / "tasks.parquet"
    if path.is_file():
        table = pq.read_table(path)
        # The words are the index of a pandas frame, whose name older files do not state.
        words = next(name for name in table.column_names if name != "task_index")
        return dict(zip(table["task_index"].to_pylist(), table[words].to_pylist(), strict=True))
    lines = _lines(root / "meta" / "tasks.jsonl")
    return {int(line["task_index"]): str(line["task"]) for line in lines}


def _rows_v3(root: Path, info: Mapping[str, Any]) -> list[Row]:
    files = sorted((root / "meta" / "episodes").glob("chunk-*/file-*.parquet"))
    if not files:
        raise ValueError(f"{root} lists no episodes in meta/episodes.")
    videos = [name for name, feature in info["features"].items() if feature["dtype"] == "video"]
    rows = []
    for file in files:
        schema = pq.read_schema(file)
        names = [name for name in schema.names if not name.startswith("stats/")]
        rows += [_row_v3(root, info, videos, line) for line in pq.read_table(file, columns=names).to_pylist()]
    return rows


def _row_v3(root: Path, info: Mapping[str, Any], videos: list[str], line: Mapping[str, Any]) -> Row:
    data = info["data_path"].format(chunk_index=line["data/chunk_index"], file_index=line["data/file_index"])
    places = {}
    for name in videos:
        if line.get(f"videos/{name}/chunk_index") is None:
            continue
        place = info["video_path"].format(
            video_key=name,
            chunk_index=line[f"videos/{name}/chunk_index"],
            file_index=line[f"videos/{name}/file_index"],
        )
        places[name] = (root / place, float(line[f"videos/{name}/from_timestamp"]))
    return Row(
        int(line["episode_index"]),
        int(line["length"]),
        _first(line.get("tasks")),
        int(line["dataset_from_index"]),
        root / data,
        places,
    )


def _rows_v2(root: Path, info: Mapping[str, Any]) -> list[Row]:
    videos = [name for name, feature in info["features"].items() if feature["dtype"] == "video"]
    rows, start = [], 0
    for line in sorted(_lines(root / "meta" / "episodes.jsonl"), key=lambda line: int(line["episode_index"])):
        index, length = int(line["episode_index"]), int(line["length"])
        place = {"episode_chunk": index // int(info["chunks_size"]), "episode_index": index}
        places = {name: (root / info["video_path"].format(video_key=name, **place), 0.0) for name in videos}
        data = root / info["data_path"].format(**place)
        rows.append(Row(index, length, _first(line.get("tasks")), start, data, places))
        start += length
    return rows


def _first(tasks: Any) -> str:
    return str(tasks[0]) if tasks else ""


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise ValueError(f"{path} is missing: a LeRobot v2.1 dataset has it.")
    try:
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def huggingface_features(features: Mapping[str, Any]) -> dict[str, Any]:
    """Return the types of columns in the words of the `datasets` library, as its metadata states them."""
    kinds = {}
    for name, feature in features.items():
        if feature["dtype"] == "video":
            continue
        shape = list(feature["shape"])
        value = {"dtype": feature["dtype"], "_type": "Value"}
        if feature["dtype"] == "image":
            kinds[name] = {"_type": "Image"}
        elif shape == [1]:
            kinds[name] = value
        else:
            kinds[name] = {"feature": value, "length": shape[0], "_type": "Sequence"}  # type: ignore[dict-item]
    return kinds


def arrow_schema(features: Mapping[str, Any]) -> Any:
    """Return the schema of a data file: one field for each feature but videos, with their metadata."""
    fields = []
    for name, feature in features.items():
        if feature["dtype"] == "video":
            continue
        if feature["dtype"] == "image":
            fields.append(pa.field(name, pa.struct([("bytes", pa.binary()), ("path", pa.string())])))
            continue
        value = pa.bool_() if feature["dtype"] == "bool" else pa.type_for_alias(feature["dtype"])
        shape = list(feature["shape"])
        fields.append(pa.field(name, value if shape == [1] else pa.list_(value, shape[0])))
    words = json.dumps({"info": {"features": huggingface_features(features)}})
    return pa.schema(fields, metadata={"huggingface": words})

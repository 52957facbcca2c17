"""Question sets on disk: records read one after the other, exactly as they were drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spatial_reward.camera import Camera
from spatial_reward.data.columns import SCHEMA
from spatial_reward.data.draw import subtask
from spatial_reward.data.prepared import KEPT, PreparedScene, decode, folder_name
from spatial_reward.data.sources.base import unread
from spatial_reward.questions import Mode
from spatial_reward.types import Answer, Frame, PixelPoint, Question

__all__ = ["SCHEMA", "QuestionSet", "Record"]

FORMAT = "spatial-reward questions 1"  # what manifest.json says it is
_BATCH = 1024  # rows held in memory
_SCENES = 2  # open scenes; records of a scene come together


@dataclass(frozen=True, eq=False)
class Record:
    """A question of a set.

    Attributes:
        id: Unique in its set.
        source: Name of the source.
        scene: Id of the scene in the source.
        subtask: Name of the subtask.
        mode: Rules by which it was drawn: "strict" or "paper".
        twin: "reversed" or "swapped" if it is the record before it with its frames exchanged, else "".
        frames: Numbers of its frames in the scene.
        pictures: Path of each picture, relative to the folder of the set.
        question: With its truth and cameras; the pictures are `unread` unless asked for.
        prompt: The user's words.
        reply: The words that state the truth.
    """

    id: str
    source: str
    scene: str
    subtask: str
    mode: Mode
    twin: str
    frames: tuple[int, ...]
    pictures: tuple[str, ...]
    question: Question
    prompt: str
    reply: str


class QuestionSet:
    """A finished set of questions in a folder, as `generate` writes it.

    Args:
        folder: Holds manifest.json, questions/ and scenes/.

    Raises:
        FileNotFoundError: If there is no set, or it is unfinished or incomplete.
        ValueError: If the manifest is damaged or of something else.
    """

    def __init__(self, folder: Path | str) -> None:
        """Read the manifest and find the shards."""
        self.folder = Path(folder)
        self.manifest = _manifest(self.folder)
        self.shards = [self.folder / "questions" / name for name in self.manifest["shards"]]
        missing = [path for path in self.shards if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{self.folder} lacks {missing[0]}: run `generate` again, or copy it whole."
            )
        self._scene = lru_cache(_SCENES)(self._open)
        self._decode = lru_cache(KEPT)(decode)

    def __len__(self) -> int:
        """Return the number of records."""
        return int(self.manifest["questions"])

    def records(self, pictures: bool = False, subtasks: Sequence[str] | None = None) -> Iterator[Record]:
        """Yield the records in order, holding a thousand rows in memory.

        Args:
            pictures: Decode the pictures, with depth where it was kept; else frames are `unread`.
            subtasks: Names of those wanted; None for all.

        Raises:
            FileNotFoundError: If a scene or picture is missing.
            ValueError: If a subtask is unknown, or a shard is damaged.
        """
        wanted = (
            None if subtasks is None else pa.array([subtask(name).name for name in subtasks], pa.string())
        )
        for path in self.shards:
            for batch in _batches(path, wanted):
                for row in batch.to_pylist():
                    yield self._record(row, pictures)

    def _record(self, row: dict[str, Any], pictures: bool) -> Record:
        embedded = row["intrinsics"] is not None
        frames = self._embedded(row, pictures) if embedded else self._referenced(row, pictures)
        return Record(
            **{name: row[name] for name in ("id", "source", "scene", "subtask", "mode", "twin")},
            frames=tuple(row["frames"]),
            pictures=tuple(image["path"] for image in row["images"]),
            question=_question(row, frames),
            prompt=row["prompt"],
            reply=row["reply"],
        )

    def _referenced(self, row: dict[str, Any], pictures: bool) -> tuple[Frame, ...]:
        prepared = self._scene(row["scene"])
        frames = prepared.scene.frames
        return tuple(prepared.frame(index) if pictures else frames[index] for index in row["frames"])

    def _embedded(self, row: dict[str, Any], pictures: bool) -> tuple[Frame, ...]:
        return tuple(self._embedded_frame(row, index, pictures) for index in range(len(row["frames"])))

    def _embedded_frame(self, row: dict[str, Any], index: int, pictures: bool) -> Frame:
        width, height = row["width"][index], row["height"][index]
        intrinsics = np.reshape(row["intrinsics"][index], (3, 3))
        pose = np.reshape(row["world_from_camera"][index], (4, 4))
        rgb = self._decode(row["images"][index]["bytes"]) if pictures else unread(width, height)
        return Frame(rgb, row["times"][index], row["views"][index], Camera(intrinsics, pose, width, height))

    def _open(self, scene: str) -> PreparedScene:
        return PreparedScene(self.folder / "scenes" / folder_name(scene))


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        unfinished = (folder / "generate.json").is_file()
        remedy = "run the same `generate` again to finish it" if unfinished else "make one with `generate`"
        what = "an unfinished question set" if unfinished else "no question set"
        raise FileNotFoundError(f"There is {what} in {folder} (no manifest.json): {remedy}.")
    try:
        manifest = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): run the same `generate` again.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"{path} is not the manifest of a question set ({FORMAT!r}).")
    return manifest


def _batches(path: Path, wanted: pa.Array | None) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(SCHEMA):
                raise ValueError(f"its columns are not those of {FORMAT!r}")
            for batch in file.iter_batches(_BATCH):
                yield batch if wanted is None else batch.filter(pc.is_in(batch["subtask"], value_set=wanted))
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is no shard of a question set: {reason}. Run `generate` again.") from error


def _question(row: dict[str, Any], frames: tuple[Frame, ...]) -> Question:
    points = tuple(PixelPoint(point["x"], point["y"], point["frame"]) for point in row["points"])
    return Question(row["kind"], frames, points, tuple(row["labels"]), answer=_answer(row))


def _answer(row: dict[str, Any]) -> Answer:
    value: Any = row["answer_word"] if row["answer_number"] is None else row["answer_number"]
    value = np.array(row["answer_vector"]) if value is None else value
    match = None if row["match"] is None else tuple(row["match"])
    return Answer(value, row["unit"], 0.0, source="truth", match=match)

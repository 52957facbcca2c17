"""Questions as columns: the schema of a shard, and rows gathered into tables without a detour over dicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from spatial_reward.data.draw import Drawn
from spatial_reward.types import Frame

_MATRIX3, _MATRIX4 = pa.list_(pa.float64(), 9), pa.list_(pa.float64(), 16)
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_POINT = pa.struct([("x", pa.float64()), ("y", pa.float64()), ("frame", pa.int32())])

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "source", "scene", "subtask", "kind", "mode", "twin")),
        ("frames", pa.list_(pa.int32())),  # numbers in the scene
        ("images", pa.list_(_IMAGE)),  # bytes are null where pictures are referenced
        ("width", pa.list_(pa.int32())),
        ("height", pa.list_(pa.int32())),
        ("times", pa.list_(pa.float64())),  # like the next three null where referenced: scene.json has them
        ("views", pa.list_(pa.string())),
        ("intrinsics", pa.list_(_MATRIX3)),
        ("world_from_camera", pa.list_(_MATRIX4)),
        ("points", pa.list_(_POINT)),
        ("labels", pa.list_(pa.string())),
        ("prompt", pa.string()),
        ("reply", pa.string()),
        ("unit", pa.string()),
        ("answer_number", pa.float64()),  # one of the three is not null
        ("answer_vector", pa.list_(pa.float64())),
        ("answer_word", pa.string()),
        ("match", pa.list_(pa.float64())),
    ]
)


@dataclass
class Columns:
    """Rows on their way into a table.

    Attributes:
        embed: Store picture files and cameras in the rows.
    """

    embed: bool = False
    rows: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in SCHEMA.names})

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows["id"])

    def add(self, drawn: Drawn, pictures: tuple[str, ...], files: list[bytes], **texts: str) -> None:
        """Add a question.

        Args:
            drawn: With its truth.
            pictures: Path of each picture, relative to the set.
            files: The picture files, if they are embedded.
            texts: id, source, scene, subtask, mode, prompt, reply.

        Raises:
            ValueError: If the question carries no truth.
        """
        question, rows = drawn.question, self.rows
        for name, text in texts.items():
            rows[name].append(text)
        rows["kind"].append(question.kind)
        rows["twin"].append(drawn.twin)
        rows["frames"].append(drawn.frames)
        contents: Sequence[bytes | None] = files or [None] * len(pictures)
        rows["images"].append(list(zip(contents, pictures, strict=True)))
        rows["width"].append([frame.width for frame in question.frames])
        rows["height"].append([frame.height for frame in question.frames])
        self._add_cameras(question.frames)
        rows["points"].append(question.points)
        rows["labels"].append(question.labels)
        self._add_answer(drawn)

    def _add_cameras(self, frames: tuple[Frame, ...]) -> None:
        cameras = [frame.camera for frame in frames if frame.camera is not None] if self.embed else []
        known = {
            "times": [frame.time for frame in frames],
            "views": [frame.view for frame in frames],
            "intrinsics": [camera.intrinsics.ravel() for camera in cameras],
            "world_from_camera": [camera.world_from_camera.ravel() for camera in cameras],
        }
        for name, values in known.items():
            self.rows[name].append(values if self.embed else None)

    def _add_answer(self, drawn: Drawn) -> None:
        answer = drawn.question.answer
        if answer is None or answer.value is None:
            raise ValueError(f"A {drawn.question.kind!r} question without a truth cannot be recorded.")
        value = answer.value
        word, vector = isinstance(value, str), isinstance(value, np.ndarray)
        self.rows["unit"].append(answer.unit)
        self.rows["answer_word"].append(value if word else None)
        self.rows["answer_vector"].append(value if vector else None)
        self.rows["answer_number"].append(None if word or vector else float(value))
        self.rows["match"].append(answer.match)

    def take(self) -> pa.Table:
        """Return the rows as a table, and start anew."""
        arrays = [_array(self.rows[name], SCHEMA.field(name).type) for name in SCHEMA.names]
        self.rows = {name: [] for name in SCHEMA.names}
        return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Build a column; lists of structs from flat columns, which is several times faster than row by row."""
    if not (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)):
        return pa.array(values, kind)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(row) for row in values], out=offsets[1:])
    fields = list(kind.value_type)
    flat = (
        zip(*(item for row in values for item in row), strict=True) if offsets[-1] else [[] for _ in fields]
    )
    columns = [pa.array(list(column), one.type) for column, one in zip(flat, fields, strict=True)]
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=fields), type=kind)

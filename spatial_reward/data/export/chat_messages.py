"""Chat messages in Parquet: what Hugging Face datasets loads and TRL trains on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spatial_reward.chat import messages
from spatial_reward.data.export.cutting import cut
from spatial_reward.data.export.pictures import Pictures
from spatial_reward.data.export.truth import unit
from spatial_reward.data.records import QuestionSet, Record
from spatial_reward.outputs import output_folder
from spatial_reward.questions import written

PER_SHARD = 50_000  # records
PER_GROUP = 500  # records of a row group, which is what is held in memory


def export(set_folder: Path, out: Path | None = None, *, embed: bool = False) -> Path:
    """Write `train-00000.parquet` and so on with columns `messages` and `images`; return the folder.

    `images` are referenced by paths relative to the folder, so load the dataset from within it; or they
    are embedded, which takes more space and can be loaded from anywhere and uploaded.

    Args:
        set_folder: A question set.
        out: Folder to write; `exports/chat_messages` of the set where None.
        embed: Store the picture files in the table.

    Raises:
        FileExistsError: If the folder already holds something.
        FileNotFoundError: If the set or one of its pictures is missing.
    """
    questions, final = QuestionSet(set_folder), out or set_folder / "exports" / "chat_messages"
    with output_folder(final) as folder:
        pictures = Pictures(set_folder, folder, final)
        for number, records in enumerate(cut(questions.records(), PER_SHARD)):
            rows = (_row(record, pictures, embed) for record in records)
            _write(rows, folder / f"train-{number:05d}.parquet")
    return final


def _row(record: Record, pictures: Pictures, embed: bool) -> dict[str, Any]:
    files = [file.content for file in pictures.files(record)] if embed else pictures.paths(record)
    stored, other = ("bytes", "path") if embed else ("path", "bytes")
    return {
        "id": record.id,
        "messages": messages(record.question, record.prompt, record.reply),
        "images": [{stored: file, other: None} for file in files],
        "subtask": record.subtask,
        "answer": written(record.question, record.mode),
        "unit": unit(record),
    }


def _write(rows: Iterator[dict[str, Any]], path: Path) -> None:
    schema = _schema()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in cut(rows, PER_GROUP):
            writer.write_table(pa.Table.from_pylist(list(group), schema))


def _schema() -> pa.Schema:
    """Return the columns, with the note by which Hugging Face datasets takes `images` for pictures."""
    text = pa.string()
    block = pa.struct([("type", text), ("text", text)])
    message = pa.struct([("role", text), ("content", pa.list_(block))])
    image = pa.struct([("bytes", pa.binary()), ("path", text)])
    words = {"dtype": "string", "_type": "Value"}
    features = {name: words for name in ("id", "subtask", "answer", "unit")} | {
        "messages": [{"role": words, "content": [{"type": words, "text": words}]}],
        "images": [{"_type": "Image"}],
    }
    columns = [
        ("id", text),
        ("messages", pa.list_(message)),
        ("images", pa.list_(image)),
        ("subtask", text),
        ("answer", text),
        ("unit", text),
    ]
    ordered = {"info": {"features": {name: features[name] for name, _ in columns}}}
    return pa.schema(columns, metadata={"huggingface": json.dumps(ordered)})

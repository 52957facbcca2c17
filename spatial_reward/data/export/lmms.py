"""An lmms-eval task: a folder with its YAML, its functions, its questions, and the pictures with dots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spatial_reward.data.export.asking import asked, set_name
from spatial_reward.data.export.cutting import cut
from spatial_reward.data.export.pictures import Pictures
from spatial_reward.data.records import QuestionSet, Record
from spatial_reward.outputs import output_folder
from spatial_reward.questions import SUBTASKS, written

PER_GROUP = 500  # records that are held in memory


def export(set_folder: Path, out: Path | None = None) -> Path:
    """Write `spatial_reward_<set>.yaml`, `utils.py`, `questions.parquet` and `pictures`; return the folder.

    Run `lmms-eval --include_path FOLDER --tasks spatial_reward_<set>`. The YAML names the table by its
    absolute path, so export again where the folder moves. `utils.py` scores with `lmms_task`: lmms-eval
    needs this package beside it.

    Args:
        set_folder: A question set.
        out: Folder to write; `exports/lmms` of the set where None.

    Raises:
        FileExistsError: If the folder already holds something.
        FileNotFoundError: If the set or one of its pictures is missing.
    """
    questions, final = QuestionSet(set_folder), out or set_folder / "exports" / "lmms"
    with output_folder(final) as folder:
        pictures = Pictures(set_folder, folder, final)
        subtasks = _write_table(questions, pictures, folder / "questions.parquet")
        name = f"spatial_reward_{set_name(set_folder)}"
        known = [subtask.name for subtask in SUBTASKS if subtask.name in subtasks]
        task = _TASK.format(name=name, table=final.resolve() / "questions.parquet")
        extra = sorted(subtasks - set(known))
        metrics = [_METRIC.format(name=subtask, aggregation="mean") for subtask in [*known, *extra]]
        (folder / f"{name}.yaml").write_text(task + "".join(metrics))
        (folder / "utils.py").write_text(_UTILS)
    return final


def _write_table(questions: QuestionSet, pictures: Pictures, path: Path) -> set[str]:
    """Write the questions; return their subtasks."""
    schema, subtasks = _schema(), set()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in cut(questions.records(), PER_GROUP):
            rows = [row_of(record, pictures) for record in group]
            subtasks |= {row["subtask"] for row in rows}
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return subtasks


def row_of(record: Record, pictures: Pictures) -> dict[str, Any]:
    """Return a record as a row of the table, from which `lmms_task` makes the question again.

    Raises:
        ValueError: If the record carries no truth.
    """
    question = record.question
    if question.answer is None:
        raise ValueError(f"Record {record.id!r} carries no truth and cannot be scored.")
    value = question.answer.value
    word = value if isinstance(value, str) else None
    return {
        "id": record.id,
        "subtask": record.subtask,
        "kind": question.kind,
        "mode": record.mode,
        "question": asked(record),
        "images": pictures.paths(record),
        "width": [frame.width for frame in question.frames],
        "height": [frame.height for frame in question.frames],
        "points": [list(map(float, point)) for point in question.points],
        "labels": list(question.labels),
        "target": written(question, record.mode),
        "unit": question.answer.unit,
        "word": word,
        "numbers": None if word is not None else np.atleast_1d(np.asarray(value, float)).tolist(),
    }


def _schema() -> pa.Schema:
    text, numbers = pa.string(), pa.list_(pa.float64())
    return pa.schema(
        [(name, text) for name in ("id", "subtask", "kind", "mode", "question")]
        + [("images", pa.list_(text))]
        + [(name, pa.list_(pa.int32())) for name in ("width", "height")]
        + [("points", pa.list_(numbers)), ("labels", pa.list_(text))]
        + [(name, text) for name in ("target", "unit", "word")]
        + [("numbers", numbers)]
    )


_METRIC = """\
  - metric: {name}
    aggregation: {aggregation}
    higher_is_better: true
"""
_TASK = """\
task: {name}
dataset_path: parquet
dataset_kwargs:
  data_files: {table}
test_split: train
output_type: generate_until
doc_to_messages: !function utils.doc_to_messages
doc_to_visual: !function utils.doc_to_visual
doc_to_text: !function utils.doc_to_text
doc_to_target: target
process_results: !function utils.process_results
generation_kwargs:
  max_new_tokens: 256
  temperature: 0
  do_sample: false
metadata:
  version: 1
metric_list:
  - metric: paper_mean_12
    aggregation: !function utils.paper_mean_12
    higher_is_better: true
  - metric: mean_26
    aggregation: !function utils.mean_26
    higher_is_better: true
  - metric: unread_share
    aggregation: mean
    higher_is_better: false
"""
_UTILS = '''\
"""The functions of the task beside this file, scored by spatial_reward."""

from pathlib import Path

from spatial_reward.data.export import lmms_task

FOLDER = Path(__file__).parent
process_results = lmms_task.process_results
paper_mean_12 = lmms_task.paper_mean_12
mean_26 = lmms_task.mean_26


def doc_to_visual(doc):
    return lmms_task.doc_to_visual(doc, FOLDER)


def doc_to_messages(doc, lmms_eval_specific_kwargs=None):
    return lmms_task.doc_to_messages(doc, FOLDER)


def doc_to_text(doc, lmms_eval_specific_kwargs=None):
    return doc["question"]
'''

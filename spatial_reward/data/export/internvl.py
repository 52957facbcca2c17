"""InternVL's chat JSONL with its meta file: what `internvl_chat` fine-tunes on."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from spatial_reward.chat import TILES, internvl_text
from spatial_reward.data.export.pictures import Pictures
from spatial_reward.data.export.truth import plain, unit
from spatial_reward.data.records import QuestionSet, Record
from spatial_reward.outputs import output_folder


def export(set_folder: Path, out: Path | None = None) -> Path:
    """Write `meta.json` and one JSONL file for each number of pictures; return the folder.

    InternVL divides `max_dynamic_patch` by the number of pictures of a record. Records with equally many
    pictures therefore share a file and an entry of the meta file, which gives each picture 6 tiles, as
    MultiSPA has it, with InternVL's code as it is. `gt_value` is in `gt_unit`: mm, deg, thousandths, word.

    Args:
        set_folder: A question set.
        out: Folder to write; `exports/internvl` of the set where None.

    Raises:
        FileExistsError: If the folder already holds something.
        FileNotFoundError: If the set or one of its pictures is missing.
    """
    questions, final = QuestionSet(set_folder), out or set_folder / "exports" / "internvl"
    with output_folder(final) as folder:
        counts = _write(questions, Pictures(set_folder, folder, final), folder)
        meta = {f"{set_folder.resolve().name}_{n}": _entry(final, n, counts[n]) for n in sorted(counts)}
        (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
    return final


def _write(questions: QuestionSet, pictures: Pictures, folder: Path) -> Counter[int]:
    """Write the records; return how many there are of each number of pictures."""
    counts: Counter[int] = Counter()
    with ExitStack() as stack:
        files: dict[int, IO[str]] = {}
        for record in questions.records():
            number = len(record.pictures)
            if number not in files:
                files[number] = stack.enter_context((folder / _name(number)).open("w"))
            files[number].write(json.dumps(_row(record, pictures.paths(record))) + "\n")
            counts[number] += 1
    return counts


def _row(record: Record, paths: list[str]) -> dict[str, Any]:
    asked = internvl_text(record.question, record.prompt)
    return {
        "id": record.id,
        "image": paths,
        "conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": record.reply}],
        "height_list": [frame.height for frame in record.question.frames],
        "width_list": [frame.width for frame in record.question.frames],
        "question_type": record.subtask,
        "gt_value": plain(record),
        "gt_unit": unit(record),
    }


def _entry(final: Path, pictures: int, length: int) -> dict[str, Any]:
    return {
        "root": f"{final.resolve()}/",
        "annotation": str(final.resolve() / _name(pictures)),
        "data_augment": False,
        "repeat_time": 1,
        "length": length,
        "max_dynamic_patch": TILES * pictures,
    }


def _name(pictures: int) -> str:
    return f"questions_{pictures}.jsonl"

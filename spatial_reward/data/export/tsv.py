"""VLMEvalKit tables: a TSV of multiple-choice questions and one of open questions, pictures inside."""

from __future__ import annotations

import csv
import json
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from spatial_reward.data.export.asking import asked, set_name
from spatial_reward.data.export.pictures import Pictures
from spatial_reward.data.export.truth import unit
from spatial_reward.data.records import QuestionSet, Record
from spatial_reward.outputs import output_folder
from spatial_reward.questions import to_thousandths, written
from spatial_reward.types import Question

LETTERS = "ABCD"
DIRECTIONS = {
    "cam_dir_x": ("left", "right"),
    "cam_dir_y": ("up", "down"),
    "cam_dir_z": ("forward", "backward"),
    "cam_dir_yaw": ("left", "right"),
    "cam_dir_pitch": ("up", "down"),
}
_ALWAYS = ("index", "id", "category", "l2-category", "question", "answer", "unit", "image", "image_path")


def export(set_folder: Path, out: Path | None = None) -> Path:
    """Write `<set>_mcq.tsv` and `<set>_openended.tsv`, those that have records; return the folder.

    Copied to VLMEvalKit's `LMUData`, they run under their names without any change to it: it takes a
    table with columns A and B for multiple choice, and one with "openended" in its name for open
    questions. It scores the first itself; the predictions of the second are scored by `id`.

    Args:
        set_folder: A question set.
        out: Folder to write; `exports/tsv` of the set where None.

    Raises:
        FileExistsError: If the folder already holds something.
        FileNotFoundError: If the set or one of its pictures is missing.
    """
    questions, final = QuestionSet(set_folder), out or set_folder / "exports" / "tsv"
    name = set_name(set_folder)
    with output_folder(final) as folder, ExitStack() as stack:
        pictures = Pictures(set_folder, folder, final)
        tables: dict[str, Any] = {}
        for index, record in enumerate(questions.records()):
            choices = options(record.question)
            kind = "mcq" if choices else "openended"
            if kind not in tables:
                file = stack.enter_context((folder / f"{name}_{kind}.tsv").open("w", newline=""))
                tables[kind] = _table(file, [*_ALWAYS, *LETTERS] if choices else [*_ALWAYS])
            tables[kind].writerow(_row(index, record, choices, pictures))
    return final


def options(question: Question) -> tuple[str, ...]:
    """Return what a question can be answered with, in the order of the letters; () for open questions."""
    choices = _options(question)
    return choices if len(set(choices)) == len(choices) else ()  # two points may share coordinates


def _options(question: Question) -> tuple[str, ...]:
    if question.kind == "vc_mcq":
        return tuple(f"dot {letter}" for letter in question.labels[1:])
    if question.kind == "depth_cmp_dot":
        return tuple(f"dot {letter}" for letter in question.labels[: len(question.points)])
    if question.kind == "depth_cmp_coord":
        return tuple(_coordinates(question, number) for number in range(len(question.points)))
    return DIRECTIONS.get(question.kind, ())


def _coordinates(question: Question, number: int) -> str:
    point = question.points[number]
    frame = question.frames[point.frame]
    x, y = to_thousandths((point.x, point.y), (frame.width, frame.height))
    return f"[ {x} , {y} ]"


def _table(file: Any, columns: list[str]) -> Any:
    table = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n")
    table.writeheader()
    return table


def _row(index: int, record: Record, choices: tuple[str, ...], pictures: Pictures) -> dict[str, Any]:
    answer = written(record.question, record.mode)
    files = [b64encode(file.content).decode() for file in pictures.files(record)]
    # VLMEvalKit decodes the pictures and writes them under these names: as PNG, so that dots stay sharp.
    names = [f"{index}_{number}.png" for number in range(len(files))]
    return {
        "index": index,
        "id": record.id,
        "category": record.subtask,
        "l2-category": record.subtask.split("_")[0],
        "question": asked(record, hint=not choices),
        "answer": _letter(answer, choices) if choices else answer,
        "unit": unit(record),
        "image": _list(files),
        "image_path": _list(names),
        **dict(zip(LETTERS, choices, strict=False)),
    }


def _letter(answer: str, choices: tuple[str, ...]) -> str:
    """Return the letter of the choice that is the answer or, for a dot, ends with it."""
    matches = [letter for letter, choice in zip(LETTERS, choices, strict=False) if _fits(answer, choice)]
    if len(matches) != 1:
        raise ValueError(f"The truth {answer!r} is not exactly one of the choices {choices}.")
    return matches[0]


def _fits(answer: str, choice: str) -> bool:
    return choice in (answer, f"dot {answer}")


def _list(items: list[str]) -> str:
    """Write one item as it is, several as the JSON list that VLMEvalKit takes apart."""
    return items[0] if len(items) == 1 else json.dumps(items)

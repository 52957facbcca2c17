"""Questions of a set with their truth drawn in: chosen by number, id, subtask or at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.data.prepared import PreparedScene, folder_name
from spatial_reward.data.records import QuestionSet, Record
from spatial_reward.types import Question
from spatial_reward.viz.question_recording import Shown, write_recording
from spatial_reward.viz.question_sheet import write_sheet

Config = Mapping[str, Any]


def show_questions(path: Path, folder: Path, config: Config) -> tuple[dict[str, float], dict[str, Any]]:
    """Write a recording and a contact sheet of some questions of a set; return metrics and details."""
    questions = QuestionSet(path)
    shown = _shown(questions, chosen(questions, config))
    title = f"{path.resolve().name}: {len(shown)} of {len(questions)} questions"
    write_shown(shown, folder, "questions", title, config)
    records = [{"id": item.id, "kind": item.question.kind} for item in shown]
    return {"records_shown": len(shown), "records": len(questions)}, {"records": records}


def write_shown(shown: list[Shown], folder: Path, name: str, title: str, config: Config) -> None:
    """Write the recording and the contact sheet that the configuration asks for."""
    if config["rrd"] or config["open"] or config["screenshot"]:
        write_recording(shown, folder / f"{name}.rrd", title)
    if config["png"]:
        write_sheet(shown, folder / f"{name}.png", title)


def chosen(questions: QuestionSet, config: Config) -> list[Record]:
    """Return the records that the configuration names, or a random choice by its seed, in their order.

    Raises:
        ValueError: If there is no such record.
    """
    wanted = config["record"]
    subtasks = None if config["subtask"] is None else [config["subtask"]]
    if wanted is None:
        return _some(questions, subtasks, config["count"], config["seed"])
    if isinstance(wanted, int):
        return [_by_number(questions, wanted)]
    return [_by_id(questions, str(wanted))]


def _some(questions: QuestionSet, subtasks: list[str] | None, count: int, seed: int) -> list[Record]:
    """Keep `count` random records of a stream (reservoir sampling)."""
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"`count` must be at least 1, got {count!r}.")
    rng, kept = np.random.default_rng(seed), {}
    for number, record in enumerate(questions.records(subtasks=subtasks)):
        place = number if number < count else int(rng.integers(number + 1))
        if place < count:
            kept[place] = (number, record)
    if not kept:
        raise ValueError(f"There are no records{f' of subtask {subtasks[0]!r}' if subtasks else ''} to show.")
    return [record for _, record in sorted(kept.values(), key=lambda pair: pair[0])]


def _by_number(questions: QuestionSet, wanted: int) -> Record:
    for number, record in enumerate(questions.records()):
        if number == wanted:
            return record
    raise ValueError(f"There is no record {wanted}: numbers go from 0 to {len(questions) - 1}.")


def _by_id(questions: QuestionSet, wanted: str) -> Record:
    ids = []
    for record in questions.records():
        if record.id == wanted:
            return record
        ids.append(record.id)
    near = get_close_matches(wanted, ids, 3, 0.5) or ids[:3]
    raise ValueError(f"There is no record {wanted!r}. Did you mean: {', '.join(near)}?")


def _shown(questions: QuestionSet, records: list[Record]) -> list[Shown]:
    """Load the pictures of records, with the depth of their scenes where that was kept."""
    try:
        questions_by_id = {record.id: _from_scene(questions.folder, record) for record in records}
    except FileNotFoundError:  # pictures may be in the shards instead
        wanted = {record.id for record in records}
        loaded = questions.records(pictures=True, subtasks=sorted({record.subtask for record in records}))
        questions_by_id = {record.id: record.question for record in loaded if record.id in wanted}
    return [
        Shown(record.id, _about(record), questions_by_id[record.id], record.prompt, record.reply)
        for record in records
    ]


def _from_scene(folder: Path, record: Record) -> Question:
    scene = PreparedScene(folder / "scenes" / folder_name(record.scene))
    return replace(record.question, frames=tuple(scene.frame(number) for number in record.frames))


def _about(record: Record) -> str:
    return ", ".join(part for part in (record.subtask, record.source, record.scene, record.twin) if part)

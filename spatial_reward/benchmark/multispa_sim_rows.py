"""The questions of multispa-sim as written down, one JSON object each, and back."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.benchmark.multispa_sim_scenes import STEP, Clip, pose_of, write_gzip
from spatial_reward.camera import Camera
from spatial_reward.data.draw import Drawn
from spatial_reward.data.sources import unread
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Frame, PixelPoint, Question

QUESTIONS = "questions.jsonl.gz"
Row = dict[str, Any]

_DIGITS = {"m": 7, "deg": 5, "px": 4, "1": 0}  # that truths are written with
_PIXEL = _DIGITS["px"]


def row_of(subtask: str, clip: str, drawn: Drawn) -> Row:
    """Write a question down, as yet without an id and words."""
    question = drawn.question
    if question.answer is None or question.answer.value is None:
        raise ValueError(f"A {question.kind!r} question without a truth cannot be frozen.")
    value, unit = question.answer.value, question.answer.unit
    match = question.answer.match
    return {
        "id": "",
        "subtask": subtask,
        "kind": question.kind,
        "clip": clip,
        "frames": list(map(int, drawn.frames)),
        "points": [_written(point, question) for point in question.points],
        "labels": list(question.labels),
        "truth": value if isinstance(value, str) else np.round(value, _DIGITS[unit]).tolist(),
        "unit": unit,
        "match": None if match is None else np.round(match, _PIXEL).tolist(),
        "prompt": "",
        "reply": "",
    }


def _written(point: PixelPoint, question: Question) -> list[float]:
    """Round a point's coordinates, but not out of its picture."""
    frame, step = question.frames[point.frame], 10.0**-_PIXEL
    x = min(round(point.x, _PIXEL), frame.width - step)
    y = min(round(point.y, _PIXEL), frame.height - step)
    return [x, y, point.frame]


def with_words(row: Row, frames: Sequence[Frame], rng: np.random.Generator) -> Row:
    """Put the question and its reply into words."""
    question, kind = question_of(row, frames), KINDS[row["kind"]]
    return row | {"prompt": kind.phrase(question, rng, False), "reply": kind.reply(question, rng)}


def question_of(row: Mapping[str, Any], frames: Sequence[Frame]) -> Question:
    """Make the question of a row about all frames of its clip."""
    truth = row["truth"]
    value = truth if isinstance(truth, str) else np.array(truth) if isinstance(truth, list) else float(truth)
    match = None if row["match"] is None else (float(row["match"][0]), float(row["match"][1]))
    return Question(
        kind=row["kind"],
        frames=tuple(frames[index] for index in row["frames"]),
        points=tuple(PixelPoint(*point) for point in row["points"]),
        labels=tuple(row["labels"]),
        prompt=row["prompt"],
        answer=Answer(value, row["unit"], 0.0, source="truth", match=match),
    )


def frames_of(clip: Clip) -> tuple[Frame, ...]:
    """Return the frames of a clip with their cameras, as yet without pictures."""
    blank = unread(clip.width, clip.height)
    cameras = [Camera.from_fov(clip.fovy, clip.width, clip.height, pose_of(row)) for row in clip.cameras]
    return tuple(Frame(blank, round(index * STEP, 6), "main", camera) for index, camera in enumerate(cameras))


def read_rows(folder: Path) -> list[Row]:
    """Read all questions.

    Raises:
        FileNotFoundError: If they are not there.
    """
    with gzip.open(folder / QUESTIONS, "rt") as file:
        return [json.loads(line) for line in file]


def write_rows(folder: Path, rows: Iterable[Row]) -> None:
    """Write questions; the same ones give the same bytes."""
    lines = [json.dumps(row, separators=(",", ":")) for row in rows]
    write_gzip(folder / QUESTIONS, "\n".join(lines) + "\n")

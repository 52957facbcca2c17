"""What an exported lmms-eval task calls: a row of its table as messages, and the score of a reply."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.chat import messages
from spatial_reward.data.sources.base import unread
from spatial_reward.questions import KINDS, SUBTASKS, TABLE_ROWS
from spatial_reward.types import Answer, Frame, PixelPoint, Question

Doc = Mapping[str, Any]
Scored = Sequence[tuple[str, float]]


def question_of(doc: Doc) -> Question:
    """Build the question of a row, with its truth and frames without pixels."""
    frames = tuple(Frame(unread(*size)) for size in zip(doc["width"], doc["height"], strict=True))
    points = tuple(PixelPoint(x, y, int(frame)) for x, y, frame in doc["points"])
    numbers = doc["numbers"]
    value = doc["word"] if numbers is None else numbers[0] if len(numbers) == 1 else np.array(numbers)
    truth = Answer(value, doc["unit"], 0.0, source="truth")
    return Question(doc["kind"], frames, points, tuple(doc["labels"]), answer=truth)


def doc_to_visual(doc: Doc, folder: Path) -> list[Any]:
    """Open the pictures of a row (PIL), whose paths are relative to the folder of the task."""
    image = require("PIL.Image", extra="vlm", purpose="lmms-eval tasks")
    return [image.open(folder / path).convert("RGB") for path in doc["images"]]


def doc_to_messages(doc: Doc, folder: Path) -> list[dict[str, Any]]:
    """Put a row as chat messages, with the pictures in their places."""
    pictures = iter(doc_to_visual(doc, folder))
    content = messages(question_of(doc), doc["question"])[0]["content"]
    filled = [block | {"url": next(pictures)} if block["type"] == "image" else block for block in content]
    return [{"role": "user", "content": filled}]


def process_results(doc: Doc, results: Sequence[str]) -> dict[str, Any]:
    """Score the reply to a row: under its subtask, for both means, and whether it could be read."""
    question, kind = question_of(doc), KINDS[doc["kind"]]
    answer = kind.read(results[0], question)
    score = float(kind.score(answer, question, doc["mode"]))
    scored = (doc["subtask"], score)
    unread_share = float(not answer.valid)
    return {doc["subtask"]: score, "paper_mean_12": scored, "mean_26": scored, "unread_share": unread_share}


def paper_mean_12(scored: Scored) -> float:
    """Average the 12 rows of the published table; NaN unless every one of them is there."""
    means = _means(scored)
    rows = [[means.get(name, np.nan) for name in names] for names in TABLE_ROWS.values()]
    return float(np.mean([np.mean(row) for row in rows]))


def mean_26(scored: Scored) -> float:
    """Average the 26 subtasks; NaN unless every one of them is there."""
    means = _means(scored)
    return float(np.mean([means.get(subtask.name, np.nan) for subtask in SUBTASKS]))


def _means(scored: Scored) -> dict[str, float]:
    scores = defaultdict(list)
    for subtask, score in scored:
        scores[subtask].append(score)
    return {subtask: float(np.mean(values)) for subtask, values in scores.items()}

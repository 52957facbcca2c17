"""What an answer is worth: one line of the log for each, and what the lines of a subtask amount to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from spatial_reward.benchmark.answer_log import Line
from spatial_reward.benchmark.tables import wilson_interval
from spatial_reward.data.blind import MODES, BlindRow
from spatial_reward.data.records import Record
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Question, Value

IN_MILLIMETRES = {"m": ("mm", 1000.0), "deg": ("deg", 1.0), "px": ("px", 1.0)}  # unit of errors, and factor


def line_of(record: Record, answer: Answer, **about: Any) -> Line:
    """Write down a question, the answer to it, and its scores.

    `paper` and `strict`: whether it counts as correct. `*_unsure`: the same had the model not marked it as
    invalid, as for a model that is made to guess. `error`: distance to the truth in the unit; null for
    words, choices of a point, and where there is no value.

    Args:
        record: With its truth.
        answer: The model's.
        about: More to write down.
    """
    question, truth = record.question, record.question.answer
    score = KINDS[question.kind].score
    guess = replace(answer, valid=answer.value is not None)
    scores = {mode: bool(score(answer, question, mode)) for mode in MODES}
    return {
        "id": record.id,
        "subtask": record.subtask,
        "kind": question.kind,
        "scene": record.scene,
        "frames": list(record.frames),
        "prompt": record.prompt,
        "points": [list(map(float, point)) for point in question.points],
        "labels": list(question.labels),
        "truth": plain(None if truth is None else truth.value),
        "unit": KINDS[question.kind].unit,
        "value": plain(answer.value),
        "std": plain(answer.std),
        "valid": bool(answer.valid),
        "text": answer.text,
        "source": answer.source,
        **{str(mode): scores[mode] for mode in scores},
        **{f"{mode}_unsure": bool(score(guess, question, mode)) for mode in MODES},
        "error": error_of(answer, question),
        **about,
    }


def plain(value: Value | None) -> Any:
    """Turn a value into what JSON has; what is not finite becomes null."""
    if value is None or isinstance(value, str):
        return value
    numbers = np.asarray(value, float)
    if numbers.ndim:
        return [plain(float(number)) for number in numbers]
    return float(numbers) if np.isfinite(numbers) else None


def error_of(answer: Answer, question: Question) -> float | None:
    """Return how far an answer is from the truth, in its unit; None for words and where there is none."""
    truth = question.answer
    if truth is None or truth.value is None or answer.value is None or answer.unit != truth.unit:
        return None
    if isinstance(truth.value, str) or isinstance(answer.value, str) or question.kind == "depth_cmp_coord":
        return None
    gap = np.atleast_1d(np.asarray(answer.value, float)) - np.atleast_1d(np.asarray(truth.value, float))
    error = float(np.linalg.norm(gap))
    return error if math.isfinite(error) else None


def subtask_row(lines: Sequence[Line], blind: Mapping[str, BlindRow | None]) -> dict[str, Any]:
    """Sum up the lines of one subtask.

    `unread`: share without a value, such as a reply that cannot be read, or a question that the model
    cannot answer. `invalid`: share with a value that the model itself says is not to be used; it counts as
    wrong, except in `if_made_to_guess`. `over_blind`: whether the whole interval lies above the best
    baseline that sees no picture.

    Args:
        lines: At least one.
        blind: The blind baselines on the same questions, by mode; None for a single question, from which
            nothing can be guessed but itself.
    """
    unit, factor = IN_MILLIMETRES.get(lines[0]["unit"], ("1", 1.0))
    errors = [line["error"] for line in lines if line["error"] is not None]
    row: dict[str, Any] = {"n": len(lines)}
    for mode in MODES:
        row[mode] = _scored(lines, mode, blind[mode])
    return row | {
        "unread": _share([line["value"] is None for line in lines]),
        "invalid": _share([line["value"] is not None and not line["valid"] for line in lines]),
        "median_error": factor * median(errors) if errors else None,
        "error_unit": unit if errors else None,
    }


def _scored(lines: Sequence[Line], mode: str, blind: BlindRow | None) -> dict[str, Any]:
    correct, count = sum(line[mode] for line in lines), len(lines)
    low, high = wilson_interval(correct, count)
    chance, best = (1.0, 1.0) if blind is None else (blind.chance, blind.scores[blind.best])
    return {
        "correct": correct,
        "accuracy": 100 * correct / count,
        "low": 100 * low,
        "high": 100 * high,
        "if_made_to_guess": 100 * _share([line[f"{mode}_unsure"] for line in lines]),
        "random": 100 * chance,
        "blind": 100 * best,
        "blind_by": "its only answer" if blind is None else blind.best,
        "over_blind": low > best,
    }


def _share(which: Sequence[bool]) -> float:
    return sum(which) / len(which)

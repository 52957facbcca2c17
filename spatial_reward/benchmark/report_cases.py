"""The best and the worst answers of a run, and their pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from spatial_reward.benchmark.answer_log import Line
from spatial_reward.questions import TABLE_ROWS
from spatial_reward.types import Question
from spatial_reward.viz import draw
from spatial_reward.viz.draw import Colour, Picture
from spatial_reward.viz.questions import joined, question_pictures

ANSWERED: Colour = (255, 190, 0)
WIDTH = 320  # [px] of a picture
GAP = 1e-3  # [m], [deg] or [px]: a smaller truth does not make an error larger
_FACTOR = {"m": (1000, " mm"), "deg": (1, " deg"), "px": (1, " px"), "1": (1, "")}


class Case(NamedTuple):
    """An answer to show: its row of the table, "best" or "worst", and its line of the log."""

    row: str
    which: str
    line: Line


def chosen_cases(lines: Sequence[Line]) -> list[Case]:
    """Choose the best right and the worst wrong answer of each row of the table, where there are any.

    By the error as a share of the truth; of words and unread answers, the first by id.
    """
    cases = []
    for row, names in TABLE_ROWS.items():
        own = sorted((line for line in lines if line["subtask"] in names), key=lambda line: line["id"])
        right = [line for line in own if line["strict"]]
        wrong = [line for line in own if not line["strict"]]
        cases += [Case(row, "best", min(right, key=_share))] if right else []
        cases += [Case(row, "worst", max(wrong, key=_share))] if wrong else []
    return cases


def _share(line: Line) -> float:
    """Return the error as a share of the truth; -1 without an error: a word, or nothing."""
    if line["error"] is None:
        return -1.0
    size = 1.0 if line["unit"] == "px" else math.hypot(*np.atleast_1d(line["truth"]))
    return float(line["error"]) / max(size, GAP)


def answer_words(line: Line) -> str:
    """Say an answer in a few words, with its standard deviation where that is known."""
    if line["value"] is None:
        return "no answer"
    spread = _written(line["std"], line["unit"]) if _known(line["std"]) else ""
    words = _written(line["value"], line["unit"]) + (f" +- {spread}" if spread else "")
    return words if line["valid"] else f"{words} (marked invalid)"


def truth_words(line: Line) -> str:
    """Say the truth in a few words."""
    return _written(line["truth"], line["unit"])


def _known(std: Any) -> bool:
    spread = np.atleast_1d(np.array(std, float))  # null becomes NaN
    return bool(np.isfinite(spread).all() and spread.any())


def _written(value: Any, unit: str) -> str:
    if isinstance(value, str):
        return value
    factor, name = _FACTOR[unit]
    numbers = [f"{factor * number:.4g}" for number in np.atleast_1d(np.array(value, float))]
    return (numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]") + name


def case_picture(case: Case, question: Question, width: int = WIDTH) -> Picture:
    """Return the pictures of a question side by side, with the truth and the answer drawn in."""
    pictures = question_pictures(question, case.line["id"], width)
    value, last = case.line["value"], question.frames[-1]
    if case.line["unit"] == "px" and value is not None and last.camera is not None:
        at = np.array(value) * width / last.width
        pictures[-1] = draw.dot(pictures[-1], at, ANSWERED, radius=9, ring=True)
    pictures[-1] = draw.text(pictures[-1], answer_words(case.line), (6, 16), ANSWERED, size=0.45)
    return joined(pictures, 2)

"""The truth of a record as other formats take it: whole numbers in the units of the reply, or a word."""

from __future__ import annotations

import re

from spatial_reward.data.records import Record
from spatial_reward.questions import KINDS, written

Plain = str | int | list[int]

UNITS = {"m": "mm", "deg": "deg", "px": "thousandths", "1": "word"}


def unit(record: Record) -> str:
    """Return the unit of `plain`: "mm", "deg", "thousandths" (of width and height), or "word"."""
    return UNITS[KINDS[record.question.kind].unit]


def plain(record: Record) -> Plain:
    """Return the truth as the reply states it: a word, a number, or a vector.

    Lengths are millimetres, also those of vectors; coordinates are thousandths of the picture.

    Raises:
        ValueError: If the record carries no truth.
    """
    text = written(record.question, record.mode)
    if unit(record) == "word":
        return text
    numbers = [int(number) for number in re.findall(r"-?\d+", text)]
    return numbers if text.startswith("[") else numbers[0]

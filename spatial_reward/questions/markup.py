"""How a reply marks its answer: back-ticked spans, code fences, JSON, bold and LaTeX."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

LONGEST_JSON = 10_000  # [characters]
CONTEXT = 80  # characters kept on each side of a span

_ANSWER_KEYS = ("final_answer", "answer", "prediction", "result", "value", "output")
_SIDE_KEYS = ("confidence", "probability", "score", "certainty", "uncertainty", "std", "error", "id", "image")
_UNIT_SUFFIX = re.compile(r"_(mm|cm|m|deg|degrees|rad|px)$")
_LATEX_BOX = re.compile(r"\\(?:boxed|text|textbf|mathrm|mathbf|mathbb)\s?\{")
_DEGREE = re.compile(r"\^\s?\{?\s?\\circ\s?\}?")
_LATEX_SPACE = re.compile(r"\\[,;:! ]|\\(?:left|right|quad)(?![a-z])|[${}*]|__|</?[a-zA-Z]{1,12}>")
_FENCE = re.compile(r"(?<!`)`{3,}[a-zA-Z]{0,12}(?=\s)")
_TICKS = re.compile(r"`{2,}")
_SPACES = re.compile(r"[ \t]{2,}")


class Unread(ValueError):
    """The text states no single usable answer."""


class Span(NamedTuple):
    """One back-ticked piece of a reply with its surroundings."""

    text: str
    before: str
    after: str


def clean(text: str) -> str:
    """Strip emphasis, LaTeX and tags, and reduce every kind of fence to single backticks."""
    text = _TICKS.sub("`", _FENCE.sub("`", text))
    text = _DEGREE.sub("°", _LATEX_BOX.sub(" ", text))
    return _SPACES.sub(" ", _LATEX_SPACE.sub(" ", text))


def split_marks(text: str) -> tuple[list[Span], str]:
    """Return the back-ticked spans, and the text without marks; an odd backtick means no spans.

    >>> split_marks("It is `12` mm.")[0][0].text
    '12'
    """
    pieces = text.split("`")
    plain = " ".join(pieces)
    if len(pieces) % 2 == 0:
        return [], plain
    marked = range(1, len(pieces), 2)
    return [Span(pieces[i], pieces[i - 1][-CONTEXT:], pieces[i + 1][:CONTEXT]) for i in marked], plain


def json_answer(text: str) -> str | None:
    """Return the answer field of the JSON object in a reply as words, or None where there is no JSON.

    Raises:
        Unread: If the object has several fields that could be the answer.
    """
    start, end = text.find("{"), text.rfind("}") + 1
    if start < 0 or not 0 < end - start <= LONGEST_JSON:
        return None
    try:
        found = json.loads(text[start:end])
    except (ValueError, RecursionError):
        return None
    return _in_words(found) if isinstance(found, dict) and found else None


def _in_words(value: Any, unit: str = "", depth: int = 0) -> str:
    if depth > 4:
        raise Unread("deeply nested JSON")
    if isinstance(value, dict):
        return _field_in_words({str(key).lower(): field for key, field in value.items()}, depth)
    if isinstance(value, list):
        return f"[ {' , '.join(str(entry) for entry in value)} ] {unit}"
    return f"{value} {unit}"


def _field_in_words(fields: dict[str, Any], depth: int) -> str:
    for prefix in ("d", ""):
        axes = [fields[prefix + axis] for axis in "xyz" if prefix + axis in fields]
        if len(axes) in (2, 3) and len(axes) == len(fields):
            return _in_words(axes)
    chosen = [key for key in _ANSWER_KEYS if key in fields][:1] or _candidates(fields)
    if len(chosen) != 1:
        raise Unread("JSON with several fields and no `answer`")
    unit = _UNIT_SUFFIX.search(chosen[0])
    stated = unit[1] if unit else str(fields.get("unit", fields.get("units", "")))
    return _in_words(fields[chosen[0]], stated, depth + 1)


def _candidates(fields: dict[str, Any]) -> list[str]:
    """Numbers and lists are candidates before words are."""
    keys = [key for key in fields if key not in (*_SIDE_KEYS, "unit", "units")]
    measured = [key for key in keys if isinstance(fields[key], int | float | list | dict)]
    return measured or [key for key in keys if isinstance(fields[key], str | None)]

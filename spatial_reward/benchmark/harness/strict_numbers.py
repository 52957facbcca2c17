"""Reading the number, or the score from 1 to 5, that a reply states as its answer."""

from __future__ import annotations

import re

UNITS = {  # of lengths and areas, in metres and square metres
    "mm": 1e-3,
    "cm": 1e-2,
    "m": 1.0,
    "km": 1e3,
    "in": 0.0254,
    "ft": 0.3048,
    "cm2": 1e-4,
    "m2": 1.0,
    "ft2": 0.3048**2,
}
_SPELT = (
    (r"(?:square\s+met(?:er|re)s?|sq\.?\s*m(?:et(?:er|re)s?)?|sqm|m\s*(?:\^\s*\{?2\}?|²|2))(?![\w])", "m2"),
    (r"(?:square\s+centimet(?:er|re)s?|cm\s*(?:\^\s*2|²|2))(?!\w)", "cm2"),
    (r"(?:square\s+f(?:ee|oo)t|sq\.?\s*ft\.?|ft\s*(?:\^\s*2|²|2))(?!\w)", "ft2"),
    (r"(?:millimet(?:er|re)s?|mm)\b", "mm"),
    (r"(?:centimet(?:er|re)s?|cms?)\b", "cm"),
    (r"(?:kilomet(?:er|re)s?|km)\b", "km"),
    (r"(?:met(?:er|re)s?|m)\b", "m"),
    (r"(?:inch(?:es)?|in)\b(?!\s+\w)", "in"),
    (r"(?:f(?:ee|oo)t|ft)\b", "ft"),
)
_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b(?!-)", re.I)
_NUMBER = re.compile(
    r"(?<![\w.^])[-−+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:(?<=\d)\.\d*|(?<!\d)\.\d+)?(?:e[-+]?\d+)?", re.I
)
_RANGE = re.compile(r"\d\s*(?:-|–|—|to|or)\s*\d|\bbetween\b[^.]*\d\s*\w*\s+and\s+\d", re.I)
_DECLARED = re.compile(r"\b(?:answer|result|estimate|total)\b[*_\s]*(?:is|=|:|would be)[*_:\s]*(.*)", re.I)
_MARKS = re.compile(r"\\(?:text|mathrm|mathbf|textbf)|\\[,; ]|[*_`$#{}\\]")
_SCORE = re.compile(r"(?:<\s*)?([1-5])(?:\.0+)?(?![\d.]\d|\d)(?:\s*>)?\s*(?:/\s*5|out of 5)?", re.I)
_SCORED = re.compile(r"\b(?:answer|score|reward|rating)\b\s*(?:is|=|:|of)[*_:\s]*(.*)", re.I)


def number_in(said: str, unit: str) -> float | None:
    """Read the number of a final answer, in the unit that was asked for; None where there is not just one.

    What the reply declares as its answer goes first, then its last line with a number. Another unit of the
    same dimension is converted; a range is no answer, and neither is a number below 0.

    >>> number_in("The distance is about 250 cm.", "m"), number_in("3 or 4", ""), number_in("Two chairs.", "")
    (2.5, None, 2.0)
    """
    lines = [_MARKS.sub("", line).strip() for line in said.splitlines()]
    declared = [match[1] for line in lines if (match := _DECLARED.search(line))]
    places = [text for text in (declared or lines) if _numbers(text)]
    if not places or _RANGE.search(_digits(places[-1])):
        return None
    text = places[-1]
    text = text.rpartition("=")[2] if _numbers(text.rpartition("=")[2]) else text  # "4 x 5 = 20"
    stated = [_in_unit(value, rest, unit) for value, rest in _numbers(text)]
    named = {value for value, unit_named in stated if unit_named and value is not None}
    found = named or {value for value, unit_named in stated if not unit_named and value is not None}
    value = found.pop() if len(found) == 1 else -1.0
    return value if value >= 0 else None


def score_in(said: str) -> int | None:
    """Read a score from 1 to 5; None where there is none.

    >>> score_in("The block fell. ANSWER: 2"), score_in("4/5"), score_in("ANSWER: 7")
    (2, 4, None)
    """
    lines = [_MARKS.sub("", line).strip() for line in said.splitlines() if line.strip()]
    declared = [match[1] for line in lines if (match := _last(line))]
    if declared:
        match = _SCORE.match(declared[-1].lstrip(" (["))
        return int(match[1]) if match else None
    match = _SCORE.match(" ".join(lines))
    whole = match and re.fullmatch(r"\s*(?:[.:)-].*)?", " ".join(lines)[match.end() :])
    return int(match[1]) if match and whole else None


def _last(line: str) -> re.Match[str] | None:
    found = start = None
    while match := _SCORED.search(line, start or 0):
        found, start = match, match.start() + 1
    return found


def _numbers(text: str) -> list[tuple[float, str]]:
    """List the numbers of a text, each with the words behind it."""
    text = _digits(text)
    matches = [match for match in _NUMBER.finditer(text) if any(map(str.isdigit, match[0]))]
    return [(float(one[0].replace(",", "").replace("−", "-")), text[one.end() :]) for one in matches]


def _digits(text: str) -> str:
    return _WORD.sub(lambda match: str(_WORDS.index(match[1].lower())), text)


def _in_unit(value: float, rest: str, unit: str) -> tuple[float | None, bool]:
    """Convert a value by the unit behind it, and tell whether there is one; None: of another dimension."""
    for spelling, name in _SPELT:
        if unit and re.match(rf"\s*-?{spelling}", rest, re.I):
            same = ("2" in name) == ("2" in unit)
            return (round(value * UNITS[name] / UNITS[unit], 9) if same else None), True
    return value, False

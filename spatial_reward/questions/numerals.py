"""Numbers with units in free text; every pattern is bounded, so that reading takes linear time."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from spatial_reward.questions.markup import Span, Unread

LARGEST = 1e6  # [m] or [deg]: beyond it, a number is no measurement
SAME = 0.01  # two statements within 1 % say the same, such as "1.2 m (1200 mm)"

MINUS = "-−–‐‑‒﹣－"
_GROUPED = r"[0-9]{1,3}(?:[,\u00a0\u2009\u202f'’][0-9]{3}){1,5}(?![0-9])"
DIGITS = rf"(?:(?:{_GROUPED}|[0-9]{{1,18}})(?:\.[0-9]{{1,18}})?|\.[0-9]{{1,18}})(?:[eE][-+−]?[0-9]{{1,3}})?"
_METRE = "met(?:er|re)s?"
# Scales to metres and degrees. "in" is left out: it is nearly always the preposition.
_SCALES = {
    rf"milli{_METRE}|mm": ("m", 1e-3),
    rf"centi{_METRE}|cm": ("m", 1e-2),
    rf"deci{_METRE}|dm": ("m", 1e-1),
    rf"kilo{_METRE}|km": ("m", 1e3),
    rf"{_METRE}|m": ("m", 1.0),
    "inch(?:es)?": ("m", 0.0254),
    "feet|foot|ft": ("m", 0.3048),
    "yards?|yd": ("m", 0.9144),
    "degrees?|degs?|°|º|˚": ("deg", 1.0),
    "radians?|rads?": ("deg", 180 / math.pi),
}
_FOREIGN = (
    r"(?:[mck]m|m)(?:[23²³]|\^[23]|\s?/\s?[a-z]{1,6})|(?:square|cubic)\s[a-z]{1,12}|%|percent|per\s?cent|pixels?|px|"
    r"seconds?|secs?|s|ms|minutes?|hours?|hz|fps|kg|times|images?|frames?|pictures?|photos?|views?|points?|dots?|"
    r"cameras?|objects?|steps?|units?|dimensions?|axes|meters?\sper|micro[a-z]{1,10}|μm|um|nm|nanomet[a-z]{1,5}|miles?"
)
UNIT = rf"(?:{_FOREIGN}|{'|'.join(_SCALES)})"
_UNIT = re.compile(UNIT, re.IGNORECASE)
_NUMBER = re.compile(
    rf"(?:(?<![\w)\]])(?P<sign>[{MINUS}+]))?(?<!\w)(?P<digits>{DIGITS})"
    rf"(?:[ \u00a0\u202f-]?(?P<unit>{UNIT}))?(?!\w)",
    re.IGNORECASE,
)
_AFTER = re.compile(rf"\s{{0,3}}[\[(]?\s?({UNIT})(?!\w)", re.IGNORECASE)
_STATED = re.compile(
    rf"\b(?:in|units?(?:\s?[:=]|\s(?:is|are|of))?)\s{{0,3}}\(?({UNIT})(?![\w`])", re.IGNORECASE
)
_PLUS_MINUS = re.compile(rf"\s?(?:±|\+\s?/\s?[-−]|\\pm)\s{{0,3}}{DIGITS}")
_LABEL = re.compile(
    r"\b(?:images?|frames?|pictures?|photos?|views?|figures?|fig|steps?|options?|points?|cameras?|objects?"
    r"|confidence(?:\s(?:of|is|level))?:?)\.?\s?[-#]?\s?(?:[0-9]{1,4}\s?(?:and|to|or|[-–,&])\s?)?$",
    re.IGNORECASE,
)
_ITEM = re.compile(r"[0-9]{1,2}[.)]\s{1,3}[^\W\d_]")  # "2. Then ..." at the start of a line
_BOUND = re.compile(
    r"(?:[<>≤≥]=?|\b(?:not|less than|more than|fewer than|greater than|under|over|below|above|at least|"
    r"at most|up to|within|exceeds|no more than))\s?(?:about\s|quite\s|exactly\s)?$",
    re.IGNORECASE,
)
_JOIN = re.compile(
    r"\s*(?:[-–—−/⁄:,x×*^·~&]|\\times|to|or|and|by|through|up to|versus|vs\.?|and/or)?\s*|\.|\.{2,3}|…",
    re.IGNORECASE,
)


_UNGROUP = str.maketrans("−", "-", ",\u00a0\u2009\u202f'’")


class Number(NamedTuple):
    """A number as written: `dimension` is "m", "deg", "other", or "" where no unit follows it."""

    value: float
    dimension: str
    scale: float
    start: int
    end: int


def numeral(sign: str | None, digits: str) -> float:
    """Turn written digits with grouping marks into a float."""
    value = float(digits.translate(_UNGROUP))
    return -value if sign and sign in MINUS else value


def unit_scale(unit: str) -> tuple[str, float]:
    """Return the dimension of a unit word, and its size in metres or degrees."""
    for pattern, scale in _SCALES.items():
        if re.fullmatch(pattern, unit, re.IGNORECASE):
            return scale
    return "other", 1.0


def drop_tolerances(text: str) -> str:
    """Remove what stands behind a plus-minus sign.

    >>> drop_tolerances("1200 ± 50 mm")
    '1200 mm'
    """
    return _PLUS_MINUS.sub("", text)


def numbers(text: str) -> list[Number]:
    """List the numbers of a text, without those that only count pictures ("image 2")."""
    found = []
    for match in _NUMBER.finditer(text):
        dimension, scale = unit_scale(match["unit"]) if match["unit"] else ("", 1.0)
        if dimension or not _counts(text, match.start()):
            value = numeral(match["sign"], match["digits"])
            found.append(Number(value, dimension, scale, match.start(), match.end()))
    return found


def _counts(text: str, start: int) -> bool:
    """Tell whether the number at a place counts pictures or items of a list."""
    before = text[max(0, start - 40) : start]
    new_line = before.rstrip(" ").endswith("\n") or not before.strip()
    return _LABEL.search(before) is not None or (new_line and _ITEM.match(text, start) is not None)


def unit_after(text: str, dimension: str) -> float | None:
    """Return the scale of the unit that a text starts with, None without one.

    Raises:
        Unread: If it is a unit of something else.
    """
    match = _AFTER.match(text)
    if not match:
        return None
    found, scale = unit_scale(match[1])
    if found != dimension:
        raise Unread(f"unit {match[1]!r} where {dimension!r} is asked")
    return scale


def default_scale(text: str, dimension: str) -> float:
    """Return the scale of a bare number: of the unit announced as "in metres", else mm or degrees.

    Raises:
        Unread: If several units are announced.
    """
    stated = {unit_scale(match[1]) for match in _STATED.finditer(text)}
    scales = {scale for found, scale in stated if found == dimension}
    if len(scales) > 1:
        raise Unread("several units are announced")
    return scales.pop() if scales else {"m": 1e-3}.get(dimension, 1.0)


def marked_number(span: Span, dimension: str, default: float) -> float | None:
    """Read the one number of a back-ticked span in metres or degrees; None without a number.

    Raises:
        Unread: If it holds several numbers, a bound, or a number of another dimension.
    """
    text = drop_tolerances(span.text)
    found = numbers(text)
    if not found:
        return None
    usable = [number for number in found if number.dimension in ("", dimension)]
    if not usable or _BOUND.search(text[max(0, usable[0].start - 20) : usable[0].start]):
        raise Unread("no plain number of the right dimension between the backticks")
    if all(number.dimension == "" for number in usable):
        default = unit_after(span.after, dimension) or default
    values = [_scaled(number, default) for number in usable]
    if any(not _same(value, values[-1]) for value in values):
        raise Unread("several numbers between the backticks")
    return values[-1]


def last_number(text: str, dimension: str, default: float) -> float | None:
    """Read the last number of unmarked text, preferring those that carry a fitting unit; None without one.

    Raises:
        Unread: If it is one end of a range, one of two alternatives, a part of a fraction, or a bound.
    """
    text = drop_tolerances(text)
    usable = [number for number in numbers(text) if number.dimension in ("", dimension)]
    if not usable:
        return None
    with_unit = [index for index, number in enumerate(usable) if number.dimension]
    index = with_unit[-1] if with_unit else len(usable) - 1
    for other in (index - 1, index + 1):
        if 0 <= other < len(usable) and _joined(text, usable[index], usable[other], default):
            raise Unread("two numbers where one is asked")
    if _BOUND.search(text[max(0, usable[index].start - 30) : usable[index].start]):
        raise Unread("a bound, not an estimate")
    return _scaled(usable[index], default)


def _joined(text: str, number: Number, other: Number, default: float) -> bool:
    first, second = sorted((number, other), key=lambda item: item.start)
    gap = text[first.end : second.start]
    # In "1000 to 1200 mm" the unit belongs to both.
    fallback = number.scale if number.dimension else default
    same = _same(_scaled(other, default), _scaled(number, default)) or _same(
        _scaled(other, fallback), _scaled(number, fallback)
    )
    return len(gap) <= 16 and _JOIN.fullmatch(gap) is not None and not same


def _scaled(number: Number, default: float) -> float:
    value = number.value * (number.scale if number.dimension else default)
    return checked(value)


def checked(value: float) -> float:
    """Return a plausible value without a negative zero.

    Raises:
        Unread: If it is not finite or absurdly large.
    """
    if not abs(value) <= LARGEST:
        raise Unread("not a finite measurement")
    return value + 0.0


def _same(first: float, second: float) -> bool:
    return abs(first - second) <= SAME * max(abs(first), abs(second))

"""Vectors and coordinates in free text: bracketed, named by axis, or bare."""

from __future__ import annotations

import re

from spatial_reward.questions.markup import Span, Unread
from spatial_reward.questions.numerals import (
    DIGITS,
    MINUS,
    UNIT,
    checked,
    drop_tolerances,
    numbers,
    numeral,
    unit_after,
    unit_scale,
)

AXES = "xyz"
_GROUP = re.compile(r"[\[(<]([^\[\]()<>]{1,200})[\])>]")
_COMPONENT = re.compile(
    rf"\s*[\"']?(?:[dΔ]?(?P<axis>[xyz])\s{{0,2}}[=:]\s{{0,2}})?(?P<sign>[{MINUS}+])?\s?(?P<digits>{DIGITS})\.?"
    rf"(?:[ \u00a0]?(?P<unit>{UNIT}))?[\"']?\s*",
    re.IGNORECASE,
)
_NAMED = {
    axis: re.compile(
        rf"(?<!\w)[dΔ]?{axis}\s{{0,2}}[=:]\s{{0,2}}([{MINUS}+]?\s?{DIGITS}(?:\s?{UNIT})?)(?!\w)",
        re.IGNORECASE,
    )
    for axis in AXES
}
_THOUSANDS = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3}){1,5}(?![0-9])")
_VOID = re.compile(r"\b(?:nan|inf|infinity|none|null|unknown|undefined|n/a)\b|\?", re.IGNORECASE)
_ALTERNATIVE = re.compile(
    r"\W{0,4}\b(?:or|versus|vs)\b\W{0,4}(?:\w{1,12}\W{1,4}){0,2}|\s?/\s?", re.IGNORECASE
)

Component = tuple[float, str]  # value as written, unit word or ""


def components(text: str, count: int) -> list[Component] | None:
    """Split the inside of a tuple into `count` numbers; None where it is not such a tuple.

    Commas separate, unless only reading them as thousands separators leaves `count` numbers.

    >>> components("12 , -3 , 400", 3), components("1,200, 3, 4", 3)
    ([(12.0, ''), (-3.0, ''), (400.0, '')], [(1200.0, ''), (3.0, ''), (4.0, '')])
    """
    text = drop_tolerances(text).strip().removesuffix(",")
    ungrouped = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    for parts in _splits(text, ungrouped):
        if len(parts) == count:
            return _parsed(parts)
    return None


def _splits(text: str, ungrouped: str) -> list[list[str]]:
    if ";" in text:
        return [ungrouped.split(";")]
    if "," in text:
        return [text.split(","), ungrouped.split(",")]
    return [text.split()]


def _parsed(parts: list[str]) -> list[Component] | None:
    parsed = []
    for part, axis in zip(parts, AXES, strict=False):
        match = _COMPONENT.fullmatch(part)
        if not match or (match["axis"] or axis).lower() != axis:
            return None
        parsed.append((numeral(match["sign"], match["digits"]), match["unit"] or ""))
    return parsed


def in_unit(parsed: list[Component], after: str, dimension: str, default: float) -> list[float]:
    """Scale components to metres by their own unit, a unit after the last one or the bracket, or the default.

    Raises:
        Unread: If a unit measures something else, or only some of the components carry one.
    """
    units = [unit for _, unit in parsed]
    if not any(units):
        shared = unit_after(after, dimension) or default
        return [checked(value * shared) for value, _ in parsed]
    if not all(units) and any(units[:-1]):
        raise Unread("units on some of the components")
    scales = [unit_scale(unit or units[-1]) for unit in units]
    if any(found != dimension for found, _ in scales):
        raise Unread(f"a unit that is not of {dimension!r}")
    return [checked(value * scale) for (value, _), (_, scale) in zip(parsed, scales, strict=True)]


def marked_tuple(span: Span, count: int, dimension: str, default: float) -> list[float] | None:
    """Read a back-ticked span as a tuple, with or without brackets; None where it holds something else.

    Raises:
        Unread: If it holds numbers that are no such tuple, or says that there is none.
    """
    found = last_tuple(span.text, count, dimension, default, span.after)
    if found is not None:
        return found
    parsed = components(span.text, count)
    if parsed is not None:
        return in_unit(parsed, span.after, dimension, default)
    if _VOID.search(span.text) or (numbers(span.text) and not _other_tuple(span.text)):
        raise Unread("no tuple of the right length between the backticks")
    return None


def last_tuple(text: str, count: int, dimension: str, default: float, beyond: str = "") -> list[float] | None:
    """Read the last bracketed tuple of `count` numbers, else components named by their axes; None without.

    Raises:
        Unread: If the last bracket says "unknown" or "nan", or two tuples are offered.
    """
    groups = list(_GROUP.finditer(text))
    parsed = [components(group[1], count) for group in groups]
    fitting = [index for index, found in enumerate(parsed) if found is not None]
    if any(_VOID.search(group[1]) for group in groups[fitting[-1] + 1 if fitting else 0 :]):
        raise Unread("a tuple of unknowns")
    if not fitting:
        return _named(text, count, dimension, default)
    last = fitting[-1]
    if len(fitting) > 1 and _alternative(text, groups[fitting[-2]], groups[last]):
        raise Unread("two tuples where one is asked")
    after = text[groups[last].end() : groups[last].end() + 40] or beyond
    return in_unit(parsed[last] or [], after, dimension, default)


def _alternative(text: str, first: re.Match[str], second: re.Match[str]) -> bool:
    gap = text[first.end() : second.start()]
    same = components(first[1], 3) == components(second[1], 3) and first[1].split() == second[1].split()
    return len(gap) <= 40 and _ALTERNATIVE.fullmatch(gap) is not None and not same


def _named(text: str, count: int, dimension: str, default: float) -> list[float] | None:
    found = [_NAMED[axis].findall(text) for axis in AXES[:count]]
    if not all(found):
        return None
    if any(len({value.strip() for value in values}) > 1 for values in found):
        raise Unread("several values for one axis")
    parsed = _parsed([values[-1] for values in found])
    return None if parsed is None else in_unit(parsed, "", dimension, default)


def _other_tuple(text: str) -> bool:
    return any(components(text.strip("[]()<> "), count) is not None for count in (2, 3))


def without_tuples(text: str) -> str:
    """Blank the bracketed tuples of two or three numbers, which are no scalars.

    >>> without_tuples("[ 5 , 7 ] is 30 mm away (1.2 in)")
    '  is 30 mm away (1.2 in)'
    """
    return _GROUP.sub(lambda group: " " if _other_tuple(group[1]) else group[0], text)

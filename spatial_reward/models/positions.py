"""Positions in the text of replies: number pairs, named axes, and the marks that model families use."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product

Pair = tuple[float, float]

_N = r"-?[0-9]{1,5}(?:\.[0-9]{1,6})?"
_TAG = re.compile(r"<points?\b([^<>]{0,2000})")  # Molmo
_XY = re.compile(rf"\bx[0-9]{{0,3}}=[\"']\s?({_N})[\"']\s{{1,3}}y[0-9]{{0,3}}=[\"']\s?({_N})[\"']")
_COORDS = re.compile(r"\bcoords=[\"']([^\"']*)")  # Molmo 2: number of the picture and of the point, x, y
_POINT = re.compile(
    rf"\"point(?:_2d)?\"\s?:\s?\[\s{{0,9}}({_N})\s?,\s{{0,9}}({_N})\s{{0,9}}\]"
)  # Gemini, Qwen
_FOUR = r",\s{0,9}".join([f"({_N})"] * 4)
_BOX = re.compile(
    rf"(?:\"(?:bbox|box)_2d\"\s?:\s?|<box>\s?\[?)\[\s{{0,9}}{_FOUR}\s{{0,9}}\]"
)  # Qwen, InternVL
_MOST_NAMED = 8  # values of an axis that are considered
_NUMBERS = re.compile(rf"(?<![\w.,]){_N}(?:\s{{0,3}}[,;]\s{{0,3}}{_N}|[ ]{{1,3}}{_N})+(?![\w.]*\d)")
_NAMED = re.compile(rf"\b([xyXY])([\"']?\s{{0,2}}[=:]\s{{0,2}})({_N})")
_UNIT = re.compile(r"(?<=[0-9])\s?(?:%|percent\b|pixels?\b|px\b)", re.IGNORECASE)


def native_positions(text: str, y_first: bool) -> list[Pair]:
    """List the different positions that a reply marks in a model family's own way, with x first.

    A box stands for its centre. Several points in one mark count as several.

    >>> native_positions('<point x="45.2" y="32.1" alt="cube">cube</point>', y_first=False)
    [(45.2, 32.1)]
    >>> native_positions('[{"point": [321, 452], "label": "cube"}]', y_first=True)
    [(452.0, 321.0)]
    """
    # Named attributes say themselves which is x; only bare numbers are in the family's order.
    found = [position for tag in _TAG.findall(text) for position in _in_tag(tag)]
    found += [_pair(numbers, y_first) for numbers in _POINT.findall(text)]
    for left, top, right, bottom in _BOX.findall(text):
        centre = (float(left) + float(right)) / 2, (float(top) + float(bottom)) / 2
        found.append(centre[::-1] if y_first else centre)
    return list(dict.fromkeys(found))


def _in_tag(attributes: str) -> list[Pair]:
    """List the positions in Molmo's tag."""
    coords = _COORDS.search(attributes)
    if coords is None:
        return [_pair(numbers) for numbers in _XY.findall(attributes)]
    numbers = re.findall(_N, coords[1])
    if len(numbers) > 4:  # several points: which ones does not matter where one is asked
        return [_pair(pair) for pair in zip(numbers[::2], numbers[1::2], strict=False)]
    return [_pair((numbers[-2], numbers[-1]))] if len(numbers) > 1 else []


def positions(text: str, y_first: bool, convert: Callable[[Pair], Pair]) -> tuple[str, list[Pair]]:
    """Rewrite every position of a text, and list what they became: x before y.

    Args:
        text: A reply.
        y_first: Whether bare pairs are in the order y, x.
        convert: Turns a position, with x first.

    >>> positions("It is at [ 20 , 10 ].", True, lambda position: position)
    ('It is at [ 10.0000 , 20.0000 ].', [(10.0, 20.0)])
    """
    found: list[Pair] = []
    named: dict[str, list[float]] = {"x": [], "y": []}

    def pair(match: re.Match[str]) -> str:
        numbers = re.findall(_N, match[0])
        if len(numbers) != 2:
            return match[0]
        found.append(convert(_pair((numbers[0], numbers[1]), y_first)))
        return "{:.4f} , {:.4f}".format(*found[-1])

    def axis(match: re.Match[str]) -> str:
        value, name = float(match[3]), match[1].lower()
        named[name].append(convert((value, value))["xy".index(name)])
        return f"{match[1]}{match[2]}{named[name][-1]:.4f}"

    text = _NUMBERS.sub(pair, _NAMED.sub(axis, _UNIT.sub("", text)))
    return text, found + list(product(named["x"][-_MOST_NAMED:], named["y"][-_MOST_NAMED:]))


def _pair(numbers: tuple[str, str], swapped: bool = False) -> Pair:
    first, second = float(numbers[0]), float(numbers[1])
    return (second, first) if swapped else (first, second)

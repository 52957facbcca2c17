"""Lengths and names as they stand in goals: `3cm`, `cube`."""

import re

PER_METRE = {"cm": 100.0, "mm": 1000.0, "m": 1.0}
LENGTH = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(mm|cm|m)(?![\w\-:/.])")
NAME = re.compile(r"[\w\-:/.]+")


def metres(match: re.Match[str]) -> float:
    """Return the length [m] of a match of `LENGTH`.

    >>> metres(LENGTH.match("3 cm"))
    0.03
    """
    return float(match[1]) / PER_METRE[match[2]]


def write_length(length: float) -> str:
    """Write a length [m] so that reading it gives the same number.

    >>> write_length(0.03), write_length(0.0025), write_length(1.5), write_length(1 / 3)
    ('3cm', '2.5mm', '1.5m', '0.3333333333333333m')
    """
    units = ("m", "cm", "mm") if abs(length) >= 1 else ("cm", "mm", "m")
    if length and abs(length) < 0.01:
        units = ("mm", "cm", "m")
    for unit in units:
        text = f"{length * PER_METRE[unit]:.6g}"
        if float(text) / PER_METRE[unit] == length:
            return text + unit
    return f"{length!r}m"


def check_name(name: str) -> str:
    """Return a name that goals can hold.

    Raises:
        ValueError: If it holds other signs than letters, digits and `_-:/.`, or reads like a length.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or LENGTH.fullmatch(name):
        raise ValueError(
            f"A name in a goal is made of letters, digits and _-:/. and is no length, got {name!r}."
        )
    return name

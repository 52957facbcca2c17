"""The written form of numbers and vectors as a grammar over a tokenizer's tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9])?")
_SPELT = re.compile(r"[0-9\-., ]*(?:[\]`].*)?", re.DOTALL)  # a token in a number, or with its end in it


class Place(NamedTuple):
    """How far a text has got: which number, and what of it is written.

    `part` is "" before the number, "space" or "minus" at its start, "digits", "point" or "tenth" in it, "gap"
    behind it; `digits` counts those before the point.
    """

    number: int = 0
    part: str = ""
    digits: int = 0


@dataclass(frozen=True)
class Grammar:
    """One number, or several in brackets, from behind the opening mark up to and with the closing one.

    Attributes:
        count: How many numbers; one ends with a backtick, several with a bracket.
        digits: Most digits of a number, before the point.
        minus: Whether numbers may be negative.
        tenths: Whether a point and one digit may follow.
        spaces: Whether a space may stand before and behind a number.
    """

    count: int = 1
    digits: int = 5
    minus: bool = False
    tenths: bool = False
    spaces: bool = False

    def done(self, place: Place) -> bool:
        """Tell whether the closing mark is written."""
        return place.number == self.count

    def follow(self, place: Place, text: str) -> Place | None:
        """Return where a piece of text leads; None where the grammar forbids it.

        >>> Grammar().follow(Place(), "-"), Grammar().done(Grammar().follow(Place(), "12`."))
        (None, True)
        """
        current: Place | None = place
        for letter in text:
            if current is None or self.done(current):
                return current
            current = self._after(current, letter)
        return current

    def _after(self, place: Place, letter: str) -> Place | None:
        number, part, digits = place
        written = part in ("digits", "tenth", "gap")
        if letter.isdecimal():
            return self._digit(place)
        if letter == "-" and self.minus and part in ("", "space"):
            return Place(number, "minus")
        if letter == "." and self.tenths and part == "digits":
            return Place(number, "point", digits)
        if letter == " " and self.spaces and part in ("", "digits", "tenth"):
            return Place(number, "gap" if written else "space")
        end = "," if number + 1 < self.count else "]" if self.count > 1 else "`"
        return Place(number + 1) if letter == end and written else None

    def _digit(self, place: Place) -> Place | None:
        if place.part == "point":
            return Place(place.number, "tenth", place.digits)
        if place.part in ("tenth", "gap") or place.digits == self.digits:
            return None
        return Place(place.number, "digits", place.digits + 1)

    def values(self, text: str) -> tuple[float, ...]:
        """Read the numbers of a finished text.

        >>> Grammar(2, minus=True, spaces=True).values(" 12 , -3 ]")
        (12.0, -3.0)
        """
        return tuple(float(found) for found in _NUMBER.findall(text)[: self.count])

    def fits(self, text: str) -> bool:
        """Tell whether a text is a finished one."""
        place = self.follow(Place(), text)
        return place is not None and self.done(place)


class TokenGrammar:
    """Which tokens of a tokenizer may come next in numbers.

    Raises:
        ValueError: If a digit is no token of its own.
    """

    def __init__(self, tokenizer: Any) -> None:
        """Find the tokens of which numbers can be made."""
        spelling = {token: spelt(tokenizer, token) for token in range(len(tokenizer))}
        special = set(tokenizer.all_special_ids)
        self.pieces = {
            token: text
            for token, text in spelling.items()
            if text and token not in special and _SPELT.fullmatch(text)
        }
        missing = set("0123456789") - set(self.pieces.values())
        if missing:
            raise ValueError(
                f"The tokenizer has no tokens for the digits {sorted(missing)}: use values=text."
            )
        self.tokens = tuple(self.pieces)
        self.columns = {token: column for column, token in enumerate(self.tokens)}
        self.moves = lru_cache(maxsize=None)(self._moves)

    def _moves(self, grammar: Grammar, place: Place) -> tuple[tuple[int, Place], ...]:
        """List the tokens that may come next, and where each leads."""
        steps = ((token, grammar.follow(place, text)) for token, text in self.pieces.items())
        return tuple((token, after) for token, after in steps if after is not None)


def spelt(tokenizer: Any, token: int) -> str:
    """Return the text of a token, with the space before it, where that is ASCII.

    Byte-level tokenizers write a space as "Ġ", SentencePiece ones as "▁" or, as a byte, "<0x20>".
    """
    raw = tokenizer.convert_ids_to_tokens(token) or ""
    return str(raw).replace("Ġ", " ").replace("▁", " ").replace("Ċ", "\n").replace("<0x20>", " ")

"""Read goals from text: `near(cube, pad, within=3cm)`, `then(reach(gripper, cube), lift(cube, by=10cm))`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, NoReturn

from spatial_reward.rewards.composites import AllOf, Then
from spatial_reward.rewards.goal_base import Goal
from spatial_reward.rewards.goals import Keep, Lift, Move, Near, Reach
from spatial_reward.rewards.lengths import LENGTH, NAME, metres

SIMPLE: dict[str, type[Near | Move | Lift | Keep]] = {
    "reach": Reach,
    "near": Near,
    "move": Move,
    "lift": Lift,
    "keep": Keep,
}
COMPOSITE: dict[str, type[AllOf] | type[Then]] = {"all_of": AllOf, "then": Then}
KNOWN = (*SIMPLE, *COMPOSITE)
MAX_DEPTH = 16  # of goals in goals
SPACE, WORD = re.compile(r"\s*"), re.compile(r"[A-Za-z_]+")


def parse_goal(text: str | Goal) -> Goal:
    """Read a goal; `str` of the result reads as the same goal, and a goal is returned as it is.

    Names are made of letters, digits and `_-:/.`; lengths need a unit: mm, cm or m.

    Raises:
        ValueError: Where the text is no goal: shows the text, the position, and what was expected.

    >>> parse_goal("near(cube, pad, within=3cm)")
    Near(a='cube', b='pad', within=0.03)
    """
    if isinstance(text, Goal):
        return text
    if not isinstance(text, str):
        raise TypeError(f"A goal is read from text such as 'near(cube, pad, within=3cm)', got {text!r}.")
    reader = _Reader(text)
    goal = reader.goal(1)
    if not reader.at_end():
        reader.fail("the end")
    return goal


class _Reader:
    """Reads a text from left to right; `position` is where it is."""

    def __init__(self, text: str) -> None:
        self.text, self.position = text, 0

    def goal(self, depth: int) -> Goal:
        """Read a goal, `depth` deep in others."""
        begin = self.skip()
        word = self.take(WORD)
        if word is None or word[0] not in KNOWN:
            self.fail_unknown(word[0] if word else "", begin)
        if depth > MAX_DEPTH:
            self.fail(f"at most {MAX_DEPTH} goals in one another", begin)
        self.expect("(")
        if word[0] in COMPOSITE:
            return COMPOSITE[word[0]](tuple(self.items(lambda: self.goal(depth + 1))))
        return self.simple(word[0], begin)

    def simple(self, word: str, begin: int) -> Goal:
        """Read what stands in the brackets of a goal that holds no other, and make it."""
        kind = SIMPLE[word]
        names = [item.name for item in fields(kind) if item.name in ("a", "b")]
        options = [item.name for item in fields(kind) if item.name not in names]
        found: dict[str, Any] = {}
        self.items(lambda: self.argument(word, names, options, found))
        required = [item.name for item in fields(kind) if item.default is MISSING]
        if missing := [name for name in required if name not in found]:
            needed = f"{len(names)} name(s)" if missing[0] in names else f"{missing[0]}=<length>"
            self.fail(f"{word} with {needed}", begin)
        try:
            return kind(**found)
        except ValueError as error:
            self.refuse(str(error), begin)

    def argument(self, word: str, names: list[str], options: list[str], found: dict[str, Any]) -> None:
        """Read a name, or `option=value`, into `found`."""
        begin = self.skip()
        name = self.name(f"a name or {_one_of(options)}")
        if not self.take(re.compile("=")):
            free = [slot for slot in names if slot not in found]
            if not free:
                self.fail(f"no more than {len(names)} name(s) in {word}, but {_one_of(options)}", begin)
            found[free[0]] = name
        elif name not in options or name in found:
            self.fail(_one_of([option for option in options if option not in found]), begin)
        else:
            found[name] = self.value(name)

    def value(self, option: str) -> Any:
        """Read the value of an option: a length, a vector of lengths, or a name."""
        if option in ("to", "by") and self.take(re.compile(r"\(")):
            begin = self.position
            vector = tuple(self.items(self.length))
            return vector if len(vector) == 3 else self.fail("three lengths", begin)
        return self.name("a name or (x, y, z)") if option == "to" else self.length()

    def length(self) -> float:
        """Read a length [m]."""
        match = self.take(LENGTH)
        return metres(match) if match else self.fail("a length with its unit (mm, cm or m), such as 3cm")

    def name(self, what: str) -> str:
        """Read a name."""
        begin = self.skip()
        match = self.take(NAME)
        if match is None or LENGTH.fullmatch(match[0]):
            self.fail(what, begin)
        return match[0]

    def items(self, read: Callable[[], Any]) -> list[Any]:
        """Read what is separated by commas, up to the closing bracket."""
        found = [read()]
        while self.take(re.compile(",")):
            found.append(read())
        self.expect(")", "',' or ')'")
        return found

    def expect(self, sign: str, what: str = "") -> None:
        """Read a sign that must stand here."""
        if not self.take(re.compile(re.escape(sign))):
            self.fail(what or repr(sign))

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read what matches here, spaces skipped; None, and nothing read, if nothing does."""
        match = pattern.match(self.text, self.skip())
        self.position = match.end() if match else self.position
        return match

    def skip(self) -> int:
        """Skip spaces; return the position."""
        if match := SPACE.match(self.text, self.position):
            self.position = match.end()
        return self.position

    def at_end(self) -> bool:
        """Tell whether all is read."""
        return self.skip() == len(self.text)

    def fail_unknown(self, word: str, begin: int) -> NoReturn:
        """Say which goals there are, and which is near."""
        near = difflib.get_close_matches(word, KNOWN, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        self.fail(f"one of the goals {', '.join(KNOWN)}", begin, hint)

    def fail(self, expected: str, position: int | None = None, hint: str = "") -> NoReturn:
        """Say what was expected where."""
        at = self.skip() if position is None else position
        rest = self.text[at : at + 20]
        self.refuse(f"expected {expected}, found {repr(rest) if rest else 'the end'}.{hint}", at)

    def refuse(self, problem: str, position: int) -> NoReturn:
        """Say what is wrong where."""
        raise ValueError(f"Cannot read goal {self.text[:200]!r} at position {position}: {problem}")


def _one_of(options: list[str]) -> str:
    return " or ".join(f"{option}=" for option in options) if options else "')'"

"""Read replies: the last marked answer, else the last fitting one, else nothing; never a guess.

The order of MultiSPA's suggested parser: the last back-ticked span; for vectors and coordinates the last
bracketed tuple; the last number; a keyword of the closed set if exactly one occurs. Bare lengths are
millimetres, bare coordinates thousandths of the image. Values come back in metres, degrees and pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from spatial_reward.questions.keywords import (
    DIRECTIONS,
    Stillness,
    find_letters,
    find_words,
    only_word,
    refuses,
    says_nothing,
    stands_still,
)
from spatial_reward.questions.markup import Span, Unread, clean, json_answer, split_marks
from spatial_reward.questions.numerals import default_scale, last_number, marked_number
from spatial_reward.questions.tuples import last_tuple, marked_tuple, without_tuples
from spatial_reward.types import Answer, Question, Value

COORDINATE_RANGE = 1000  # coordinates are thousandths of the image's width and height

Reader = Callable[[str, Question], Answer]
Parser = Callable[[str, Question], Value]
_ZERO = re.compile(r"\s*(?:[-+−]?0(?:\.0{1,9})?|zero)(?:\s?\w{1,12})?\s*", re.IGNORECASE)


def reader(unit: str, parse: Parser) -> Reader:
    """Turn a parser that raises Unread into a reader that answers `Answer.unknown`."""

    def read(text: str, question: Question) -> Answer:
        try:
            object_text = json_answer(text)
            value = parse(clean(text) if object_text is None else f"`{clean(object_text)}`", question)
        except Unread:
            return Answer.unknown(text, unit)
        return Answer(value, unit, text=text)

    return read


def magnitude_reader(unit: str, still: Stillness | None = None) -> Reader:
    """Make a reader of lengths ("m") or angles ("deg"); negative ones are unread.

    Args:
        unit: "m" or "deg".
        still: What counts as "did not move", for questions about motion.
    """

    def parse(text: str, question: Question) -> float:
        value = _magnitude(text, unit, still)
        if value < 0:
            raise Unread("a magnitude cannot be negative")
        return value

    return reader(unit, parse)


def _magnitude(text: str, unit: str, still: Stillness | None) -> float:
    spans, plain = split_marks(text)
    default = default_scale(plain, unit)
    for span in reversed(spans):
        value = marked_number(span, unit, default)
        if value is None and _marked_still(span, still):
            return 0.0
        if value is not None:
            return value
    value = last_number(without_tuples(plain), unit, default)
    if still and stands_still(plain, still):
        if value:
            raise Unread("it moved and it did not")
        return 0.0
    if value is None or refuses(plain):
        raise Unread("no number")
    return value


def vector_reader(still: Stillness) -> Reader:
    """Make a reader of three-dimensional displacements."""

    def parse(text: str, question: Question) -> Value:
        spans, plain = split_marks(text)
        default = default_scale(plain, "m")
        for span in reversed(spans):
            if _ZERO.fullmatch(span.text) or _marked_still(span, still):
                return np.zeros(3)
            marked = marked_tuple(span, 3, "m", default)
            if marked is not None:
                return np.array(marked)
        return _plain_vector(plain, still, default)

    return reader("m", parse)


def _plain_vector(plain: str, still: Stillness, default: float) -> Value:
    found = last_tuple(plain, 3, "m", default)
    if found is None and len(plain) <= 100:
        found = marked_tuple(Span(plain, "", ""), 3, "m", default) if not stands_still(plain, still) else None
    if stands_still(plain, still):
        if found is not None and any(found):
            raise Unread("it moved and it did not")
        return np.zeros(3)
    if found is None or refuses(plain):
        raise Unread("no vector")
    return np.array(found)


def _marked_still(span: Span, still: Stillness | None) -> bool:
    """Tell whether a span without numbers says that nothing moved; one that refuses ends the reading."""
    if still and (stands_still(span.text, still) or _ZERO.fullmatch(span.text)):
        return True
    if says_nothing(span):
        raise Unread("marked as unknown")
    return False


def pixel_reader(frame: int) -> Reader:
    """Make a reader of coordinates in frame number `frame`: thousandths of width and height -> [px]."""

    def parse(text: str, question: Question) -> Value:
        picture = question.frames[frame]
        thousandths = np.array(_coordinates(text))
        if ((thousandths < 0) | (thousandths > COORDINATE_RANGE)).any():
            raise Unread("coordinates outside 0 to 1000")
        if (thousandths <= 1).all() and (thousandths % 1 > 0).any():
            raise Unread("coordinates that seem to be scaled to 0..1")
        return thousandths * (picture.width, picture.height) / COORDINATE_RANGE

    return reader("px", parse)


def _coordinates(text: str) -> list[float]:
    spans, plain = split_marks(text)
    for span in reversed(spans):
        marked = marked_tuple(span, 2, "1", 1.0)
        if marked is not None:
            return marked
        _marked_still(span, None)
    found = last_tuple(plain, 2, "1", 1.0)
    if found is None and len(plain) <= 100:
        found = marked_tuple(Span(plain, "", ""), 2, "1", 1.0)
    if found is None or refuses(plain):
        raise Unread("no coordinates")
    return found


def _word(text: str, find: Callable[[str], list[tuple[str, int]]]) -> str:
    spans, plain = split_marks(text)
    for span in reversed(spans):
        word = only_word(span.text, find(span.text), span.before)
        if word is not None:
            return word
        _marked_still(span, None)
    word = only_word(plain, find(plain))
    if word is None or refuses(plain):
        raise Unread("none of the possible words")
    return word


def letter_reader(letters: str) -> Reader:
    """Make a reader of one letter out of a closed set, such as "AB"."""
    return reader("1", lambda text, question: _word(text, lambda part: find_letters(part, letters)))


def direction_reader(*words: str) -> Reader:
    """Make a reader of one of several directions, such as "left" and "right"."""
    patterns = {word: DIRECTIONS[word] for word in words}
    return reader("1", lambda text, question: _word(text, lambda part: find_words(part, patterns)))

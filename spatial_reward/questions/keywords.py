"""Words of a closed set in free text: letters, directions, "did not move", and refusals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from spatial_reward.questions.markup import Span, Unread

_NEGATED = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bneither|\bnor|\bno longer|\brather than|\binstead of|\bthan|\bor)"
    r"(?:\s{1,3}(?!sure|certain|but|because)\w{1,15}){0,3}\s{1,3}[\"'(\[]?$",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:can\s?not|can['’]t|could\snot|couldn['’]t|unable|impossible|not\s(?:possible|visible|sure|clear|enough)|"
    r"insufficient|do(?:n['’]t|\snot)\sknow|no\sidea|unknown|unclear|unsure|undetermined|indeterminate|n/a|"
    r"sorry|nan|none|null|hidden|occluded)\b",
    re.IGNORECASE,
)
_NEVERTHELESS = re.compile(
    r"\b(?:but|however|nevertheless|still|anyway|maybe|perhaps|probably|likely|about|around|approximately|roughly|"
    r"estimated?|guess|answer|would\ssay|i['’]d\ssay)\b",
    re.IGNORECASE,
)

DIRECTIONS: dict[str, re.Pattern[str]] = {
    word: re.compile(rf"(?<![\w-]){stem}(?!-?\w)", re.IGNORECASE)
    for word, stem in {
        "left": "left(?:wards?)?",
        "right": "right(?:wards?)?",
        "up": "up(?:wards?)?",
        "down": "down(?:wards?)?",
        "forward": "forwards?",
        "backward": "backwards?",
    }.items()
}

_LETTER = re.compile(r"(?<!\w)(?<!\w['’])([A-Za-z])(?!['’]?\w)")
_LONE_LETTER = re.compile(
    r"\W*(?:\b(?:the|my|final|correct|answer|is|it|point|option|choice|dot|label|letter|marker)\b\W+){0,8}"
    r"([A-Za-z])\W*",
    re.IGNORECASE,
)
_LETTER_NOUN = re.compile(
    r"\b(?:points?|options?|choices?|dots?|labels?|letters?|answers?|markers?)\W{1,3}(?:is\W{1,3})?$",
    re.IGNORECASE,
)
# After these a capital A is a letter; before any other small word it is the article.
_AFTER_LETTER = re.compile(
    r"\s{1,2}(?!(?:is|was|has|appears|looks|seems|lies|sits|matches|corresponds|and|or|because|since|than|as|in|on"
    r"|marks|shows|from|with|at)\b)[a-z]"
)


class Stillness(NamedTuple):
    """What says that the thing asked about did not move, and which other subjects that can be said of."""

    phrases: re.Pattern[str]
    others: frozenset[str]


def _stillness(verbs: str, nouns: str, adjectives: str, others: Iterable[str]) -> Stillness:
    no = r"(?:\bno|\bzero|\bwithout(?:\sany)?)"
    phrases = (
        rf"(?:\bnot|n['’]t)\s(?:actually\s|really\s|visibly\s)?(?:{verbs})\b"
        rf"|{no}\s(?:\w{{1,12}}\s)?(?:{nouns})\b|\b(?:{adjectives})\b"
    )
    hedge = r"(?!\s(?:much|far|a\slot|very|significantly|more|less|beyond|only|enough|just)\b)"
    return Stillness(re.compile(f"(?:{phrases}){hedge}", re.IGNORECASE), frozenset(others))


_RESTING = (
    r"stationary|static|motionless|unmoved|immobile|at\srest|(?:remain(?:s|ed)?|stay(?:s|ed)?|stood|kept|is|was)\s"
    r"(?:\w{1,12}\s)?(?:still|in\splace|fixed|put|unchanged|where\sit\s(?:was|is))"
)
_MOVES = "mov(?:e|ed|ing)|budged?|shift(?:ed)?|changed?\\s(?:its\\s)?(?:position|place|location)"
_MOTION = "movement|motion|displacement|shift|translation|change\\s(?:in|of)\\s(?:position|place|location)"
POINT_STILL = _stillness(_MOVES, _MOTION, _RESTING, ("camera", "viewpoint", "observer", "background"))
_THINGS = ("point", "object", "scene", "objects", "scenes", "thing", "background")
CAMERA_STILL = _stillness(_MOVES, _MOTION, _RESTING, _THINGS)
CAMERA_UNTURNED = _stillness(
    f"{_MOVES}|rotat(?:e|ed|ing)|turn(?:ed|ing)?|tilt(?:ed|ing)?|pan(?:ned)?",
    f"{_MOTION}|rotation|turn|tilt|(?:yaw|pitch)\\s(?:change|rotation)|change\\s(?:in|of)\\s(?:yaw|pitch|orientation)",
    _RESTING,
    _THINGS,
)

_CLAUSE = re.compile(r"[.;:!?\n,]|\b(?:but|while|whereas|although|though)\b", re.IGNORECASE)
_NOUNS = r"(camera|viewpoint|observer|background|point|objects?|scenes?|dot|it|thing|location|spot|marker)\b"
_SUBJECT = re.compile(rf"\b{_NOUNS}", re.IGNORECASE)
_OF_WHOM = re.compile(rf"\s(?:of|by|in|for)\s(?:the\s)?{_NOUNS}", re.IGNORECASE)
_IF = re.compile(
    r"\b(?:if|whether|unless|assum\w{0,6}|may|might|could|can|unclear|unsure|impossible|sure|hardly|barely|almost|nearly"
    r"|practically|not|no\slonger|never)\b|n['’]t\b",
    re.IGNORECASE,
)


def stands_still(text: str, still: Stillness) -> bool:
    """Tell whether a text says, of the right subject and without a condition, that it did not move."""
    for match in still.phrases.finditer(text):
        clause = _CLAUSE.split(text[max(0, match.start() - 100) : match.start()])[-1]
        subjects = _SUBJECT.findall(clause)
        of_whom = _OF_WHOM.match(text, match.end())
        subject = of_whom[1] if of_whom else (subjects[-1] if subjects else "")
        if subject.lower() not in still.others and not _IF.search(clause):
            return True
    return False


def refuses(text: str) -> bool:
    """Tell whether a text declines to answer, and does not answer after all."""
    refusals = list(_REFUSAL.finditer(text))
    return bool(refusals) and not _NEVERTHELESS.search(text, refusals[-1].end())


def find_letters(text: str, letters: Iterable[str]) -> list[tuple[str, int]]:
    """List the letters of a closed set that a text names, with their places; articles are no letters."""
    allowed = set(letters)
    alone = _LONE_LETTER.fullmatch(text) if len(text) <= 200 else None
    if alone:
        return [(alone[1].upper(), alone.start(1))] if alone[1].upper() in allowed else []
    found = [
        match for match in _LETTER.finditer(text) if match[1].upper() in allowed and _is_name(text, match)
    ]
    return [(match[1].upper(), match.start()) for match in found]


def _is_name(text: str, match: re.Match[str]) -> bool:
    start, end = match.span()
    bracketed = text[max(0, start - 1) : start] in tuple("([\"'“‘") and text[end : end + 1] in tuple(
        ")]\"'”’"
    )
    article = match[1] in "aA" and _AFTER_LETTER.match(text, end) is not None
    if bracketed or (not article and _LETTER_NOUN.search(text[max(0, start - 24) : start])):
        return True
    return match[1].isupper() and not article


def find_words(text: str, words: Mapping[str, re.Pattern[str]]) -> list[tuple[str, int]]:
    """List the words of a closed set that a text holds, with their places."""
    return [(word, match.start()) for word, pattern in words.items() for match in pattern.finditer(text)]


def only_word(text: str, found: list[tuple[str, int]], before: str = "") -> str | None:
    """Return the one distinct word among those found; None without any.

    Raises:
        Unread: If there are several, or the word is negated ("not left", "or left").
    """
    if not found:
        return None
    words = {word for word, _ in found}
    if len(words) > 1:
        raise Unread("several of the possible words")
    if any(_NEGATED.search((before + text[max(0, place - 60) : place])[-60:]) for _, place in found):
        raise Unread("the word is denied, or one of two")
    return words.pop()


def says_nothing(span: Span) -> bool:
    """Tell whether a back-ticked span is itself a refusal, such as `unknown`."""
    return _REFUSAL.search(span.text) is not None

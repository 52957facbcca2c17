r"""The scorer of our own: the final answer of a reply, or none; what cannot be read is wrong, and counted.

Thinking is left out, and a reply that ends inside it is none. What a reply itself marks as its answer goes
first: the last of `<answer>`, `\boxed` and "the answer is ..."; then a reply that is nothing but an answer;
then what its last sentence concludes, or what its first one asserts. Two different letters side by side,
and letters that were not offered, are no answer.
"""

from __future__ import annotations

import re

from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.scored import Scored, mean_relative_accuracy
from spatial_reward.benchmark.harness.strict_numbers import number_in, score_in

_THINK_END = "</think>"
_TAG = re.compile(r"<answer\b[^>]*>(.*?)(?:</answer\s*>|$)", re.I | re.S)
_BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_DECLARED = re.compile(
    r"(?:\b(?:answer|choice|option)\b[*_\s]*(?:is|would be|must be|should be|=|:)"
    r"|\bI(?:['’]d| would)?\s+(?:choose|select|pick|go with)\b)[*_:\s]*"
    r"(?:(?:option|choice|letter|answer)\s+)?(.*)",
    re.I,
)
_MARKS = re.compile(r"\\(?:text|mathrm|mathbf|textbf)|[*_`$#>{}\\\"“”]|(?<!\w)['‘’]|['‘’](?!\w)")
_LEAD = re.compile(
    r"^(?:the\s+|my\s+)?(?:final\s+|correct\s+|best\s+)?(?:answer|option|choice)\s*:?\s*", re.I
)
_LETTER = r"[(\[]?\s*([A-Za-z])\s*"
_ALONE = re.compile(rf"{_LETTER}[)\]]?\s*[.:!]?")
_LABELLED = re.compile(rf"{_LETTER}(?:[)\]][.:]?|[.:])\s+(\S.*)", re.S)
_ASSERTED = re.compile(
    r"([A-Z])[,.:]?\s+(?:because|since|as|is\s+(?:the\s+)?(?:correct|right|best|answer))\b"
)
_CONCLUDED = re.compile(
    r"(?:(?:^|[.!?:;,\n—-])\s*(?i:(?:so|thus|hence|therefore|then|and so)\b[,:]?\s*)?"
    r"(?i:(?:option|choice)\s+)?"
    r"|\b(?i:it is|it['’]s|it must be|say|so|thus|hence|therefore)\s+)[(\[]?([A-Z])[)\]]?\s*[.!]?$"
)
_SECOND = re.compile(r"\s*(?:or|and|/|&|,)\s*[(\[]?([A-Z])\b(?!')")


def strict(item: Item, reply: str) -> Scored:
    """Score the final answer of a reply."""
    said = final_words(reply)
    if item.form == "choice":
        letter = letter_in(said, item)
        return Scored(letter, float(letter == item.answer))
    if item.form == "score":
        score = score_in(said)
        truth = int(item.answer)
        worst = max(truth - 1, 5 - truth)  # so that silence is never the better choice
        return Scored(
            "" if score is None else str(score), float(worst if score is None else abs(score - truth))
        )
    number = number_in(said, item.unit)
    if number is None:
        return Scored("", 0.0)
    return Scored(f"{number:g}", mean_relative_accuracy(number, float(item.answer)))


def final_words(reply: str) -> str:
    r"""Return what a reply marks as its answer, else the whole, without its thinking.

    >>> final_words("<think>A?</think> So <answer>B</answer>"), final_words(r"thus \boxed{C}")
    ('B', 'C')
    """
    _, ended, said = reply.rpartition(_THINK_END)
    if not ended and "<think>" in reply:
        return ""
    marked = [*_TAG.finditer(said), *_BOX.finditer(said)]
    return max(marked, key=lambda match: match.start())[1].strip() if marked else said.strip()


def letter_in(said: str, item: Item) -> str:
    """Read a letter that an item offers; "" where there is none."""
    lines = [_MARKS.sub("", line).strip() for line in said.splitlines()]
    text = "\n".join(line for line in lines if line)
    declared = [match[1] for line in text.splitlines() if (match := _last_declaration(line))]
    if declared:
        return _offered(_declared_letter(declared[-1]), item)
    bare = _LEAD.sub("", text)
    whole = _ALONE.fullmatch(bare)
    if whole:
        return _offered(whole[1].upper(), item)
    if text.casefold().rstrip(".") in (named := _by_text(item)):
        return named[text.casefold().rstrip(".")]
    return _offered(_labelled(bare) or _argued(text), item)


def _last_declaration(line: str) -> re.Match[str] | None:
    """Return the last of several declarations in a line: a later one takes an earlier one back."""
    found = start = None
    while match := _DECLARED.search(line, start or 0):
        found, start = match, match.start() + 1
    return found


def _declared_letter(words: str) -> str:
    """Read the letter with which a declaration goes on."""
    match = re.match(rf"{_LETTER}(?![A-Za-z'’])[)\]]?", words)
    if not match or _second(words[match.end() :], match[1]):
        return ""
    rest = words[match.end() :].strip()
    small = match[1].islower() and rest[:1].isalpha()  # "the answer is a chair"
    return "" if small else match[1].upper()


def _labelled(text: str) -> str:
    """Read "B. the chair", and not a list of options."""
    match = _LABELLED.fullmatch(text)
    if (
        not match
        or re.search(r"(?:^|\s)[(\[]?[B-J](?:[)\]]|[.:])\s", match[2])
        or _second(match[2], match[1])
    ):
        return _asserted(text)
    return match[1].upper()


def _asserted(text: str) -> str:
    match = _ASSERTED.match(text)
    return match[1] if match else ""


def _argued(text: str) -> str:
    """Read the letter that the last line concludes with."""
    last = text.splitlines()[-1] if text else ""
    match = _CONCLUDED.search(last)
    return match[1] if match and not re.search(r"\b(?:or|and|not)\s+[(\[]?\w[)\]]?\s*[.!]?$", last) else ""


def _second(rest: str, letter: str) -> bool:
    """Tell whether another letter stands beside a letter, as in "A or B"."""
    match = _SECOND.match(rest)
    return match is not None and match[1] != letter.upper()


def _by_text(item: Item) -> dict[str, str]:
    """Return the letters of options by their texts, as far as those tell them apart."""
    texts = [option.casefold().rstrip(".") for option in item.options]
    pairs = zip(texts, item.letters, strict=True)
    return {text: letter for text, letter in pairs if text and texts.count(text) == 1}


def _offered(letter: str, item: Item) -> str:
    return letter if letter and letter in item.letters else ""

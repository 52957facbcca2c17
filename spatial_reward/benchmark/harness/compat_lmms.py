"""How lmms-eval scores replies, with its quirks (v0.7.2, 75571cf, of August 2026).

- BLINK and CV-Bench (tasks/blink/utils.py, tasks/cv_bench/utils.py): the first letter of the reply, of any
  word and any case, behind nothing but brackets and spaces. "Answer: B" is A, "The answer is B" is T, and
  what starts with a star, a backtick or a backslash is nothing.
- ERQA (tasks/_task_utils/mcq_extract.py, c228e27): candidates of ten forms, of which the first letter of the
  reply, if it stands alone, outranks the last one, and that any other. So the article "A" wins. A later
  version (00a12d4) was written anew, and abstains where it is in doubt; that one is not followed here.
- VSI-Bench (tasks/vsibench/utils.py, 0ae0b9f): everything up to the first space, without full stops at its
  end, is the letter or the number. A reply of several lines or with a reason in front is wrong.
"""

from __future__ import annotations

import re

from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.scored import Scored, mean_relative_accuracy

_FIRST = re.compile(r"[(\s]*([a-z])", re.IGNORECASE)
_ERQA_LETTERS = "ABCD"  # whatever a question offers
_EDGES = ",.!?;:'\""
_PHRASES = (
    *("the answer is", "answer is", "the correct answer is", "correct answer is", "the best answer is"),
    *("best answer is", "the correct option is", "correct option is", "the best option is"),
    *("best option is", "the choice is", "choice is", "the correct choice is", "correct choice is"),
    *("i choose", "i select", "i pick", "my answer is", "my choice is"),
    *("옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは"),
)
_START, _END, _PHRASE, _ANYWHERE = 10, 9, 7, 0  # ranks
_FORMS = (("({})", 6), ("{}.", 5), ("{}:", 4), ("{})", 3), ("{} ", 2))


def first_letter(item: Item, reply: str) -> Scored:
    """Score as BLINK and CV-Bench are."""
    match = _FIRST.match(reply.strip())
    return _choice(match[1].upper() if match else "", item)


def ranked_letter(item: Item, reply: str) -> Scored:
    """Score as ERQA is."""
    return _choice(_ranked(reply), item)


def first_token(item: Item, reply: str) -> Scored:
    """Score as VSI-Bench is."""
    token = reply.split(" ")[0].rstrip(".").strip()
    if item.form == "choice":
        return Scored(token, float(token.lower() == item.answer.lower()))
    try:
        return Scored(token, mean_relative_accuracy(float(token), float(item.answer)))
    except ValueError:
        return Scored("", 0.0)


def _choice(letter: str, item: Item) -> Scored:
    return Scored(letter, float(letter == item.answer))


def _ranked(reply: str) -> str:
    """Return the letter of the highest rank; of equal ones, the last in the text."""
    text = reply.strip()
    if not text:
        return ""
    for mark in _EDGES:
        text = text.strip(mark)
    candidates = _candidates(f" {text} ")
    return max(candidates, key=lambda one: one[:2])[2] if candidates else ""


def _candidates(text: str) -> list[tuple[int, int, str]]:
    """List rank, place and letter of whatever may be meant."""
    lower, bare, found = text.lower(), text.strip(), []
    for form, rank in _FORMS:
        found += [
            (rank, text.rfind(form.format(one)), one) for one in _ERQA_LETTERS if form.format(one) in text
        ]
    for phrase in _PHRASES:
        start = lower.find(phrase)
        if start >= 0:
            places = [(text.find(one, start + len(phrase)), one) for one in _ERQA_LETTERS]
            found += [(_PHRASE, place, one) for place, one in places if place >= 0]
    for one in _ERQA_LETTERS:
        if bare.startswith(one) and not bare[1:2].isalpha():
            found.append((_START, 0, one))
        if bare.endswith(one) and not bare[-2:-1].isalpha():
            found.append((_END, len(text) - 1, one))
    return found or [(_ANYWHERE, text.rfind(one), one) for one in _ERQA_LETTERS if one in text]

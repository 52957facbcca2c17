"""How VLMEvalKit scores replies by rules, with its quirks (e8e78f0, of August 2026).

- `rules` (dataset/utils/spatial_bench/matching_func.py, 160057c, and cal_scores.py, 159f378; what EASI uses):
  <answer> tags first, then the last six lines, each of which must name one letter of A to F, then "answer:",
  then the one letter of the whole text. Two letters in a line are none. A question whose truth and reply both
  cannot be read counts as right. Letters that a question does not offer are read as well.
- numbers (the same files): the first number in <answer> tags, else the last number of the text, after words
  from zero to twenty have become digits, and a hyphen before it makes it negative: "3-4" is -4.
- `exact` (the class ERQADataset, to which the name ERQA resolves): the whole reply in lower
  case, so that "B." and "(B)" are wrong.
"""

from __future__ import annotations

import ast
import re

from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.scored import Scored, mean_relative_accuracy

_INVISIBLE = re.compile("[\u200b\u200c\u200d\ufeff]")
_LAST_LINES, _WINDOW = 6, 800  # [lines], [characters]
_TAGGED = re.compile(r"<\s*answer\b[^>]*>\s*([A-J])(?:\s*[.．:：)\]】、])?.*?<\s*/\s*answer\s*>", re.I | re.S)
_CLOSED = [
    re.compile(rf"(?<![A-Za-z])[(\[{{（【]?\s*([A-F])\s*[)\]}}）】]?\s*</\s*{tag}\s*>", re.I)
    for tag in ("answer", "think")
]
_OFFERED = re.compile(r"^[*_>\-\s]*(?:option|选项)\s+[A-J]\s*[:：]", re.I)
_ALONE = re.compile(r"\s*[*_`>（）\[\]【】()]*\s*([A-F])\s*[*_`（）\[\]【】()]*\s*", re.I)
_LABEL = re.compile(r"\s*([A-F])\s*[.．:：)\]】、-]\s+", re.I)
_INLINE = re.compile(
    r"(?<![A-Za-z])[*_`（\[{(]*\s*([A-F])\s*[*_`）\]})]*(?=$|[\s.,:;!?)\]】》」』，。；、：）])"
)
_PHRASE = re.compile(
    r"(?:final\s*answer|the\s*answer\s*is|answer(?:\s*is)?|correct\s*answer|"
    r"答案|最终答案|结论|所以|因此|我选(?:择)?|选择|选)"
    r"\s*[:：>＝=]?\s*[(\[{（【]?\s*([A-F])\s*[)\]}）】]?(?:\b|[.)、。])",
    re.I,
)
_ANYWHERE = re.compile(r"(?<![A-Za-z])[(\[{（【]?\s*([A-F])\s*[)\]}）】]?(?![A-Za-z])")
_THINK_END, _THINK_START = re.compile(r"</\s*think\s*>", re.I), re.compile(r"<\s*think\s*>", re.I)
_NUMERIC = r"[-+]?(?:\d*\.\d+|\d+)(?:[eE][-+]?\d+)?"
_NUMBER = re.compile(_NUMERIC)
_TAGGED_NUMBER = re.compile(
    rf"<\s*answer\b[^>]*>\s*({_NUMERIC})(?:[^\d<][^<]*)?<\s*/\s*answer\s*>", re.I | re.S
)
_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b", re.I)


def rules(item: Item, reply: str) -> Scored:
    """Score by the rules for spatial benchmarks."""
    if item.form == "choice":
        read, truth = option(reply), option(item.answer)
        return Scored(read, float(read == truth))  # also where neither was read
    number = last_number(reply)
    if number is None:
        return Scored("", 0.0)
    return Scored(f"{number:g}", mean_relative_accuracy(number, float(item.answer)))


def exact(item: Item, reply: str) -> Scored:
    """Score by the whole reply."""
    words = reply.strip().lower()
    right = words == item.answer.strip().lower()
    return Scored(words.upper() if len(words) == 1 else "", float(right))


def option(reply: str) -> str:
    """Read a letter; "" where there is none, or several."""
    text = _INVISIBLE.sub("", reply.strip())
    tail = text[-_WINDOW:]
    for match in (_TAGGED.search(text), *(pattern.search(tail) for pattern in _CLOSED)):
        if match:
            return match[1].upper()
    picked = _of_lines(after_thinking(text)) or _of_lines(tail)
    if picked:
        return picked
    phrase = _PHRASE.search(text)
    if phrase:
        return phrase[1].upper()
    kept = "\n".join(line for line in text.splitlines() if not _OFFERED.search(line))
    letters = set(_ANYWHERE.findall(kept))
    return letters.pop() if len(letters) == 1 else ""


def _of_lines(text: str) -> str:
    """Return the letter of the last line that names exactly one."""
    lines = [line.strip() for line in text.splitlines()[-_LAST_LINES:]]
    for line in reversed([line for line in lines if line and not _OFFERED.search(line)]):
        whole = _ALONE.fullmatch(line) or _LABEL.match(line)
        if whole:
            return whole[1].upper()
        letters: set[str] = set(_INLINE.findall(line))
        if len(letters) == 1:
            return letters.pop()
    return ""


def after_thinking(text: str) -> str:
    """Return what follows the last closing mark of thinking, else the last opening one."""
    for mark in (_THINK_END, _THINK_START):
        found = list(mark.finditer(text))
        if found:
            return text[found[-1].end() :].strip()
    return text


def last_number(reply: str) -> float | None:
    """Read a number; None where there is none."""
    text = _digits(_INVISIBLE.sub("", _first_of_list(reply).strip()))
    tagged = _TAGGED_NUMBER.search(text)
    if tagged:
        return float(tagged[1])
    numbers = _NUMBER.findall(after_thinking(text)) or _NUMBER.findall(text)
    return float(numbers[-1]) if numbers else None


def _first_of_list(reply: str) -> str:
    """Take the first of a list such as "[3, 4]"; a list that is none has no number at all."""
    if not (reply.strip().startswith("[") and reply.strip().endswith("]")):
        return reply
    try:
        values = ast.literal_eval(reply)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ""
    return str(values[0]) if isinstance(values, list) and values else reply


def _digits(text: str) -> str:
    return _WORD.sub(lambda match: str(_WORDS.index(match[1].lower())), text)

"""ERQA: 400 questions about what a robot sees, with one or more pictures inside the words.

Files: `data/test-*.parquet` (FlagEval/ERQA) with question_id, question, question_type, images,
visual_indices and answer; or the original `data/erqa.tfrecord` (github.com/embodiedreasoning/ERQA), an
example of which has question, answer, question_type, image/encoded and visual_indices. The options are in
the question's words. A visual index is the character before which its picture stands; all 0: pictures first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.harness.items import LETTERS, Item, Source, images_first
from spatial_reward.benchmark.harness.pictures import decoded, from_parquet, shown
from spatial_reward.benchmark.harness.source import found, lacking, parquet_rows
from spatial_reward.benchmark.harness.tfrecord import example, records
from spatial_reward.chat import IMAGE, Picture

SOURCE = Source(
    "erqa",
    "FlagEval/ERQA",
    "6bf393250b0981c3f6dd77eb58b6d6879038633f",
    ("data/test-*.parquet",),
    "CC BY 4.0",
    "test",
)
SEVERAL = "several pictures"
_COLUMNS = ("question_id", "question", "question_type", "images", "answer")
_OPTION = re.compile(r"(?:^|\s)\(?([A-H])[.)]\s+")
_CLOSING = re.compile(r"\s*(?:Please answer|Answer with|Respond with)\b.*", re.DOTALL)
_FEATURES = ("question", "answer", "image/encoded")


def items(folder: Path, config: Mapping[str, Any], subsets: Collection[str] | None) -> Iterator[Item]:
    """Yield the questions; their subsets are the question types.

    Args:
        folder: Of the repository's files.
        config: `erqa_pictures`: "interleaved", as VLMEvalKit's ERQABench has it, or "first", as lmms-eval.
        subsets: Question types; None is all.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not of this format.
    """
    for path in found(folder, "data/test-*.parquet", "test-*.parquet", "data/*.tfrecord", "*.tfrecord"):
        rows = _examples(path) if path.suffix == ".tfrecord" else _rows(path)
        for name, kind, question, places, pictures, answer in rows:
            if subsets is None or kind in subsets:
                yield _item(path, name, kind, question, places, pictures, answer, config["erqa_pictures"])


Loaded = tuple[str, str, str, list[int], Callable[[], list[Picture]], str]


def _rows(path: Path) -> Iterator[Loaded]:
    for row, cells in enumerate(parquet_rows(path, _COLUMNS, ("visual_indices",))):
        count = len(shown(cells["images"]))
        places = list(cells.get("visual_indices") or []) or [0] * count
        pictures = from_parquet(path, row, ("images",))
        yield (
            *(str(cells["question_id"]), str(cells["question_type"]), cells["question"]),
            *(places if len(places) == count else [0] * count, pictures, cells["answer"]),
        )


def _examples(path: Path) -> Iterator[Loaded]:
    for number, (place, data) in enumerate(records(path), start=1):
        features = example(data)
        lacking(path, _FEATURES, features)
        texts = {key: _text(features, key) for key in ("question", "answer", "question_type")}
        count = len(features["image/encoded"])
        places = [int(value) for value in features.get("visual_indices", [])]
        yield (
            *(f"ERQA_{number}", texts["question_type"] or "Other", texts["question"]),
            *(places if len(places) == count else [0] * count, partial(_pictures, path, place)),
            texts["answer"],
        )


def _text(features: Mapping[str, Sequence[Any]], key: str) -> str:
    values = features.get(key) or [b""]
    return values[0].decode() if isinstance(values[0], bytes) else str(values[0])


def _pictures(path: Path, place: int) -> list[Picture]:
    files = example(next(records(path, place))[1])["image/encoded"]
    return decoded([file for file in files if isinstance(file, bytes)])


def _item(
    path: Path,
    name: str,
    kind: str,
    question: str,
    places: Sequence[int],
    pictures: Callable[[], list[Picture]],
    answer: str,
    where: str,
) -> Item:
    options = options_in(question)
    if answer not in LETTERS[: len(options)] or not answer:
        raise ValueError(f"{path} has the answer {answer!r} to {name}, which has {len(options)} options.")
    order = sorted(range(len(places)), key=lambda index: places[index])
    first = where == "first"
    return Item(
        f"erqa/{name}",
        SOURCE.name,
        kind,
        "choice",
        images_first(len(places), question) if first else interleaved(question, sorted(places)),
        answer,
        options,
        pictures if first else partial(_ordered, pictures, order),
        group=SEVERAL if len(places) > 1 else "",
    )


def _ordered(pictures: Callable[[], list[Picture]], order: Sequence[int]) -> list[Picture]:
    found = pictures()
    return [found[index] for index in order]


def interleaved(question: str, places: Sequence[int]) -> str:
    """Put the marks of pictures into a question, each before its character; `places` ascend.

    A picture whose place lies beyond the end stands before what is left of the words.

    >>> interleaved("Here and there?", [0, 4])
    '<image>Here<image> and there?'
    """
    text, last = "", 0
    for place in places:
        if 0 < place <= len(question):
            text, last = text + question[last:place], place
        text += IMAGE
    return text + question[last:]


def options_in(question: str) -> tuple[str, ...]:
    """Return the options that a question's words list; four unknown ones where they cannot be found.

    >>> options_in("Is it open? Choices: A. Yes. B. No. Please answer directly with only the letter.")
    ('Yes.', 'No.')
    """
    parts = _OPTION.split(question)[1:]
    letters, texts = parts[::2], parts[1::2]
    starts = [index for index, letter in enumerate(letters) if letter == "A"]
    if not starts:
        return ("",) * 4
    letters, texts = letters[starts[-1] :], texts[starts[-1] :]
    if len(letters) < 2 or "".join(letters) != LETTERS[: len(letters)]:
        return ("",) * 4
    return tuple(_CLOSING.sub("", text).strip() for text in texts)

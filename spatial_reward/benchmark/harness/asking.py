"""Asking a model the questions of public benchmarks, batch after batch, each written down at once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spatial_reward.benchmark.answer_log import AnswerLog, Line
from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.scorers import scored
from spatial_reward.benchmark.loading import load
from spatial_reward.chat import IMAGE, Picture
from spatial_reward.data.progress import stages
from spatial_reward.models import MODELS
from spatial_reward.types import Frame, Question

KIND = "cam_vec"  # any kind of pictures without marked points; its words are replaced
GREY = 128


class Talker(Protocol):
    """A model that replies in words: `Transformers`, `Endpoint`, or your own."""

    name: str

    def replies(self, questions: Sequence[Question]) -> list[str]:
        """Return the words of the replies, unread."""
        ...


def load_talker(config: Mapping[str, Any]) -> Talker:
    """Load a model that replies in words, without the hints that our own questions come with.

    Raises:
        ValueError: If there is no such model, or it has no `replies`.
    """
    model: Any = load(unhinted(config))
    if not callable(getattr(model, "replies", None)):
        raise ValueError(
            f"The model {config['name']!r} gives no words: use model=transformers, model=endpoint, or "
            "model=own with a class that has `replies(questions) -> list[str]`."
        )
    talker: Talker = model
    return talker


def unhinted(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's configuration in which nothing is added to the words of a question."""
    takes_hint = "format_hint" in config or (config["name"] not in MODELS and Path(config["name"]).is_dir())
    return {**config, "format_hint": False} if takes_hint else dict(config)


def missing(items: Iterable[Item], lines: Mapping[str, Line]) -> list[Item]:
    """Return the items without a line, or with one about other words."""
    return [item for item in items if lines.get(item.id, {}).get("asked") != item.digest]


def ask(items: Sequence[Item], model: Talker, log: AnswerLog, config: Mapping[str, Any]) -> None:
    """Ask what is not in the log yet.

    Args:
        items: Of the run.
        model: To ask.
        log: Gets a line for every item.
        config: `batch`, and `blank`: grey pictures instead of the real ones.
    """
    wanted = missing(items, log.lines)
    with stages(questions=len(items)) as advance:
        advance("questions", len(items) - len(wanted))
        for first in range(0, len(wanted), config["batch"]):
            batch = wanted[first : first + config["batch"]]
            log.append(_answered(batch, model, config["blank"]))
            advance("questions", len(batch))


def _answered(batch: Sequence[Item], model: Talker, blank: bool) -> list[Line]:
    """Ask a batch; return its lines, each with its share of the time [s]."""
    shown = [[_blank(one) if blank else one for one in item.pictures()] for item in batch]
    questions = [question_of(item, pictures) for item, pictures in zip(batch, shown, strict=True)]
    start = time.perf_counter()
    replies = model.replies(questions)
    seconds = round((time.perf_counter() - start) / len(batch), 6)
    return [
        line_of(item, reply, pictures, seconds) | {"source": model.name}
        for item, reply, pictures in zip(batch, replies, shown, strict=True)
    ]


def _blank(picture: Picture) -> Picture:
    return np.full_like(picture, GREY)


def question_of(item: Item, pictures: Sequence[Picture]) -> Question:
    """Put an item as a question of words and pictures; a short video has fewer than its words have marks."""
    words = item.prompt.replace(IMAGE, "", max(0, item.prompt.count(IMAGE) - len(pictures)))
    return Question(KIND, tuple(Frame(picture) for picture in pictures), prompt=words)


def line_of(item: Item, reply: str, pictures: Sequence[Picture], seconds: float) -> Line:
    """Put together what the log keeps of an item."""
    pixels = sha256()
    for picture in pictures:
        pixels.update(f"{picture.shape}".encode() + np.ascontiguousarray(picture).tobytes())
    return {
        **{key: getattr(item, key) for key in ("id", "benchmark", "subset", "group", "prompt", "options")},
        **{"asked": item.digest, "pictures": len(pictures), "pixels": pixels.hexdigest()},
        **{"reply": reply, "answer": item.answer, "seconds": seconds},
        "scores": {name: list(score) for name, score in scored(item, reply).items()},
    }

"""Rows to fine-tune on, read at random from disk: questions of a generated set, and general chat."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spatial_reward.chat import Message, Picture, messages
from spatial_reward.data.prepared import decode
from spatial_reward.data.records import QuestionSet
from spatial_reward.questions import KINDS, SUBTASKS
from spatial_reward.training.row_files import RowFile, row_file
from spatial_reward.types import Frame, PixelPoint, Question

Take = Mapping[str, int | None]  # most questions of a subtask, kind or family; None for all

_FAMILIES = {subtask.name: (subtask.name, subtask.kind, KINDS[subtask.kind].family) for subtask in SUBTASKS}
_ROLES = {"human": "user", "gpt": "assistant", "system": "system"}  # InternVL's names


@dataclass(frozen=True, eq=False)
class Sample:
    """A conversation to learn from.

    Attributes:
        id: For error messages.
        messages: Blocks of content, in the form of `chat.messages`, with the replies.
        pictures: (H, W, 3) uint8 for each picture block, in order, without dots.
        question: What is asked, where it is a question of this package.
    """

    id: str
    messages: list[Message]
    pictures: tuple[Picture, ...]
    question: Question | None = None


class Rows(Protocol):
    """Samples by number."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, number: int) -> Sample:
        """Return one, with its pictures decoded."""
        ...


class QuestionRows:
    """The questions of a generated set in any order, read from memory-mapped rows; pictures are stored once.

    On first use, the rows of the set's parquet shards are laid out uncompressed in `<set>/rows/`.

    Args:
        folder: Of the set.
        take: Most questions of each subtask, kind or family that are used; None for all questions. A smaller
            choice is always part of a larger one.
        count: Most questions in all; None for all.
        seed: Of the choice.

    Raises:
        FileNotFoundError: If there is no finished set.
        OSError: If the rows cannot be laid out.
        ValueError: If a name in `take` is unknown, or no question is left.
    """

    def __init__(
        self, folder: Path | str, *, take: Take | None = None, count: int | None = None, seed: int = 0
    ) -> None:
        """Lay the rows out where that has not been done, and choose among them."""
        self.folder = Path(folder)
        self._files = [row_file(path) for path in QuestionSet(self.folder).shards]
        self._ends = np.cumsum([len(RowFile.of(path)) for path in self._files])
        self._chosen = self._choose(take, count, seed)

    def __len__(self) -> int:
        """Return how many questions are used."""
        return int(self._ends[-1]) if self._chosen is None else len(self._chosen)

    def __getitem__(self, number: int) -> Sample:
        """Return a question.

        Raises:
            FileNotFoundError: If one of its pictures is missing.
        """
        return _sample(self._row(number), self.folder)

    def id_of(self, number: int) -> str:
        """Return the id of a question."""
        return str(self._row(number)["id"])

    def _row(self, number: int) -> dict[str, Any]:
        place = number if self._chosen is None else int(self._chosen[number])
        file = int(np.searchsorted(self._ends, place, side="right"))
        return RowFile.of(self._files[file])[place - (int(self._ends[file - 1]) if file else 0)]

    def _choose(self, take: Take | None, count: int | None, seed: int) -> NDArray[np.int64] | None:
        """Return the numbers of the rows that are used, None for all."""
        if take is None and (count is None or count >= self._ends[-1]):
            return None
        total = int(self._ends[-1])
        places = np.random.default_rng(seed).permutation(total)
        if take is not None:
            places = places[_taken(self._subtasks()[places], take)]
        places = np.sort(places[:count])
        if not len(places):
            raise ValueError(f"No question of {self.folder} is left: take={dict(take or {})}, count={count}.")
        return places

    def _subtasks(self) -> NDArray[np.object_]:
        return np.concatenate([RowFile.of(path).column("subtask") for path in self._files])


class ChatRows:
    """General conversations in JSON lines, one object a line, memory-mapped.

    Either of `{"messages": [{"role", "content"}], "images": [...]}` and InternVL's
    `{"conversations": [{"from", "value"}], "image": ...}`; `<image>` in a text stands for the next picture.

    Args:
        path: The file; paths of pictures in it are relative to its folder.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is empty.
    """

    def __init__(self, path: Path | str) -> None:
        """Find where the lines begin."""
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no file {self.path} of general instruction data.")
        content = np.memmap(self.path, np.uint8, "r") if self.path.stat().st_size else np.zeros(0, np.uint8)
        ends = np.append(np.flatnonzero(content == ord("\n")), len(content))
        starts = np.concatenate([[0], ends[:-1] + 1])
        full = ends - starts > 1  # `{}` at the least
        self._spans = np.stack([starts[full], ends[full]], 1)
        if not len(self._spans):
            raise ValueError(f"{self.path} holds no conversation.")

    def __len__(self) -> int:
        """Return the number of conversations."""
        return len(self._spans)

    def __getitem__(self, number: int) -> Sample:
        """Return a conversation.

        Raises:
            FileNotFoundError: If one of its pictures is missing.
            ValueError: If the line is not of either form.
        """
        start, end = (int(place) for place in self._spans[number])
        name = f"{self.path.name}:{number}"
        try:
            row = json.loads(_mapped(self.path)[start:end])
            talk = [_turn(turn) for turn in row.get("messages") or row["conversations"]]
            images = row.get("images") or row.get("image") or []
            paths = [_path_of(image) for image in ([images] if isinstance(images, str) else images)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"{name} is no conversation: {reason}. Write messages with role and content."
            ) from error
        _check_talk(name, talk, len(paths))
        return Sample(name, talk, tuple(_picture(self.path.parent / path) for path in paths))


def _taken(subtasks: NDArray[np.object_], take: Take) -> NDArray[np.bool_]:
    """Mark the first so many of each name; a question counts for every name that fits it."""
    taken = np.zeros(len(subtasks), bool)
    for name, most in take.items():
        fitting = [subtask for subtask, names in _FAMILIES.items() if name in names]
        if not fitting:
            known = sorted({one for names in _FAMILIES.values() for one in names})
            raise ValueError(
                f"`take` names {name!r}, which is no subtask, kind or family: {', '.join(known)}."
            )
        taken[np.flatnonzero(np.isin(subtasks, fitting))[:most]] = True
    return taken


def _sample(row: Mapping[str, Any], folder: Path) -> Sample:
    pictures = [
        _picture(folder / image["path"]) if image["bytes"] is None else decode(image["bytes"])
        for image in row["images"]
    ]
    points = tuple(PixelPoint(point["x"], point["y"], point["frame"]) for point in row["points"])
    question = Question(row["kind"], tuple(map(Frame, pictures)), points, tuple(row["labels"]))
    return Sample(row["id"], messages(question, row["prompt"], row["reply"]), tuple(pictures), question)


def _picture(path: Path) -> Picture:
    if not path.is_file():
        raise FileNotFoundError(f"The picture {path} is missing: make the data again, or copy it whole.")
    return decode(path.read_bytes())


@lru_cache(16)
def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _turn(turn: Mapping[str, Any]) -> Message:
    """Return a turn in blocks of content."""
    role = turn["role"] if "role" in turn else _ROLES[turn["from"]]
    content = turn["content"] if "role" in turn else turn["value"]
    blocks = list(_blocks(content)) if isinstance(content, str) else [_block(block) for block in content]
    return {"role": role, "content": blocks}


def _blocks(text: str) -> Iterator[Message]:
    for number, words in enumerate(text.split("<image>")):
        if number:
            yield {"type": "image"}
            words = words.removeprefix("\n")  # templates put their own
        if words:
            yield {"type": "text", "text": words}


def _block(block: Mapping[str, Any]) -> Message:
    return {"type": "text", "text": block["text"]} if block["type"] == "text" else {"type": "image"}


def _path_of(image: Any) -> str:
    return str(image if isinstance(image, str) else image["path"])


def _check_talk(name: str, talk: Sequence[Message], pictures: int) -> None:
    """Refuse a conversation that cannot be learnt from."""
    marks = sum(block["type"] == "image" for turn in talk for block in turn["content"])
    if marks != pictures:
        raise ValueError(f"{name} names {pictures} pictures, but has {marks} places for them.")
    if [turn["role"] for turn in talk[-2:]] != ["user", "assistant"]:
        raise ValueError(f"{name} must end with a user's turn and the assistant's reply.")

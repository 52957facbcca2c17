"""What a question set holds, counted shard by shard in memory that does not grow with the questions."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from spatial_reward.data.drawing import key_of
from spatial_reward.data.prepared import PreparedScene, folder_name
from spatial_reward.data.records import QuestionSet
from spatial_reward.data.sources import unread
from spatial_reward.types import Answer, Frame, PixelPoint, Question

LENGTHS = np.geomspace(0.001, 100, 41)  # [m] edges of the bins of lengths: eight per decade
ANGLES = np.linspace(0, 180, 37)  # [deg]
SHARES = np.linspace(0, 1, 21)  # of width or height
OVERLAPS = np.linspace(0, 100, 51)  # [%]
EDGES = {"m": LENGTHS, "deg": ANGLES, "px": SHARES}
BLIND_SAMPLE = 600  # questions of each subtask
OVERLAP_SAMPLE = 20_000  # questions
_COLUMNS = (
    *("subtask", "kind", "source", "scene", "twin", "frames", "width", "height", "points", "labels", "unit"),
    *("answer_number", "answer_vector", "answer_word"),
)
_BATCH = 4096  # rows in memory

Row = Mapping[str, Any]


@dataclass
class Counts:
    """Counters of a question set; all but the marks of the questions (8 bytes each) stay small.

    Attributes:
        subtasks: Questions of each.
        sources: Questions of each.
        scenes: Questions of each.
        twins: Questions of each subtask that are a "reversed" or "swapped" twin.
        words: Answers in words of each subtask; "still" where nothing moved; the place of a chosen point.
        numbers: Histogram of each subtask's numbers: of the length of a vector, of x and then y of a pixel.
        overlaps: Histogram of the overlap [%] of the frames of a sample of the questions about two.
        sample: Some questions of each subtask, evenly over the set, without pictures.
    """

    subtasks: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    scenes: Counter[str] = field(default_factory=Counter)
    twins: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    words: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    numbers: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    overlaps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(OVERLAPS) - 1, np.int64))
    sample: dict[str, list[Question]] = field(default_factory=lambda: defaultdict(list))
    marks: dict[str, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("Q")))

    def duplicates(self) -> dict[str, int]:
        """Count by subtask the questions that ask what another one asks: same scene, frames and points."""
        table = {name: len(marks) - len(np.unique(np.asarray(marks))) for name, marks in self.marks.items()}
        return {name: count for name, count in table.items() if count}


def count(questions: QuestionSet) -> Counts:
    """Count what a question set holds.

    Raises:
        ValueError: If a shard is damaged.
    """
    counts, overlap = Counts(), _Overlap(questions)
    for row in _rows(questions):
        _add(counts, row, int(questions.manifest["counts"].get(row["subtask"], 0)))
        share = overlap(row)
        if share is not None:
            counts.overlaps[min(int(share / 100 * len(counts.overlaps)), len(counts.overlaps) - 1)] += 1
    return counts


def _rows(questions: QuestionSet) -> Iterator[Row]:
    for path in questions.shards:
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_BATCH, columns=list(_COLUMNS)):
                    yield from batch.to_pylist()
        except (ValueError, OSError) as error:
            raise ValueError(
                f"{path} is no shard of a question set: {' '.join(str(error).split())}"
            ) from error


def _add(counts: Counts, row: Row, expected: int) -> None:
    name = row["subtask"]
    index = counts.subtasks[name]
    counts.subtasks[name] += 1
    counts.sources[row["source"]] += 1
    counts.scenes[row["scene"]] += 1
    if row["twin"]:
        counts.twins[name][row["twin"]] += 1
    points = [(point["x"], point["y"], point["frame"]) for point in row["points"]]
    key = key_of(row["frames"], points, [row["scene"], *row["labels"]])
    counts.marks[name].append(int.from_bytes(key, "big"))
    _add_answer(counts, name, row)
    # Evenly over the set: of n questions, those at which another of the wanted ones falls due.
    wanted = min(BLIND_SAMPLE, expected)
    if expected and (index + 1) * wanted // expected > index * wanted // expected:
        counts.sample[name].append(_question(row))


def _add_answer(counts: Counts, name: str, row: Row) -> None:
    if row["answer_word"] is not None:
        counts.words[name][row["answer_word"]] += 1
    elif row["kind"] == "depth_cmp_coord":
        gaps = [
            np.hypot(p["x"] - row["answer_vector"][0], p["y"] - row["answer_vector"][1])
            for p in row["points"]
        ]
        counts.words[name][("first", "second")[int(np.argmin(gaps))]] += 1
    elif row["unit"] == "px":
        size = (row["width"][-1], row["height"][-1])
        for axis in (0, 1):
            _bin(counts, name, row["answer_vector"][axis] / size[axis], SHARES, axis * (len(SHARES) - 1), 2)
    else:
        vector = [row["answer_number"]] if row["answer_vector"] is None else row["answer_vector"]
        length = float(np.sqrt(sum(number * number for number in vector)))
        if length == 0:
            counts.words[name]["still"] += 1
        else:
            _bin(counts, name, length, EDGES[row["unit"]])


def _bin(
    counts: Counts, name: str, value: float, edges: NDArray[np.float64], first: int = 0, times: int = 1
) -> None:
    """Count a value; one beyond the ends counts in the outermost bin."""
    bins = counts.numbers.setdefault(name, np.zeros(times * (len(edges) - 1), np.int64))
    place = int(np.searchsorted(edges, value, side="right")) - 1
    bins[first + min(max(place, 0), len(edges) - 2)] += 1


def _question(row: Row) -> Question:
    """Make a question of which nothing but the pictures' sizes is known of the frames."""
    sizes = zip(row["width"], row["height"], strict=True)
    frames = tuple(Frame(unread(width, height)) for width, height in sizes)
    points = tuple(PixelPoint(point["x"], point["y"], point["frame"]) for point in row["points"])
    number, vector, word = row["answer_number"], row["answer_vector"], row["answer_word"]
    value = np.array(vector) if vector is not None else word if number is None else number
    return Question(row["kind"], frames, points, tuple(row["labels"]), answer=Answer(value, row["unit"]))


class _Overlap:
    """Finds how much two frames share, for a sample of the questions: of what either sees, what both see."""

    def __init__(self, questions: QuestionSet) -> None:
        self._folder = questions.folder
        self._every = max(1, len(questions) // OVERLAP_SAMPLE)
        self._seen: tuple[str, NDArray[np.bool_] | None] = ("", None)
        self._number = 0

    def __call__(self, row: Row) -> float | None:
        """Return the overlap [%]; None where it is not asked for, or the scene is not there."""
        self._number += 1
        if len(row["frames"]) < 2 or self._number % self._every:
            return None
        if self._seen[0] != row["scene"]:
            self._seen = row["scene"], self._visible(row["scene"])
        visible = self._seen[1]
        if visible is None:
            return None
        first, second = visible[row["frames"][0]], visible[row["frames"][-1]]
        either = int(np.count_nonzero(first | second))
        return 100 * int(np.count_nonzero(first & second)) / either if either else 0.0

    def _visible(self, scene: str) -> NDArray[np.bool_] | None:
        folder: Path = self._folder / "scenes" / folder_name(scene)
        return PreparedScene(folder).scene.visible if (folder / "scene.json").is_file() else None

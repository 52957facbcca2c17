"""BLINK: 14 tasks of visual perception as multiple choice; the val split, whose answers are public.

Files: `<Task>/val-*.parquet` with idx, sub_task, question, prompt, image_1 ... image_4 (empty ones null),
choices and answer such as "(B)". The prompt is that of lmms-eval (tasks/blink/utils.py and
_default_template_yaml, 205d72d and 2bb5e98): a line that asks for the letter alone, then the set's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.harness.items import LETTERS, Item, Source, images_first
from spatial_reward.benchmark.harness.pictures import from_parquet, shown
from spatial_reward.benchmark.harness.source import found, parquet_rows

# The four that the MultiSPA paper and embodied models report as "BLINK".
SPATIAL = ("Visual_Correspondence", "Relative_Depth", "Multi-view_Reasoning", "Spatial_Relation")
COUNTS = {  # questions of the val split, 1,901 in all
    "Art_Style": 117,
    "Counting": 120,
    "Forensic_Detection": 132,
    "Functional_Correspondence": 130,
    "IQ_Test": 150,
    "Jigsaw": 150,
    "Multi-view_Reasoning": 133,
    "Object_Localization": 122,
    "Relative_Depth": 124,
    "Relative_Reflectance": 134,
    "Semantic_Correspondence": 139,
    "Spatial_Relation": 143,
    "Visual_Correspondence": 172,
    "Visual_Similarity": 135,
}
SOURCE = Source(
    "blink",
    "BLINK-Benchmark/BLINK",
    "a3666eb249237ba3d5eca8db21176cc47967e040",
    ("*/val-*.parquet",),
    "Apache-2.0",
    "val",
)
ONLY_LETTERS = "Note: You only need to respond with {} without providing any additional information.\n"
_TEXTS = ("idx", "prompt", "choices", "answer")
_IMAGES = ("image_1", "image_2", "image_3", "image_4")


def items(folder: Path, config: Mapping[str, Any], subsets: Collection[str] | None) -> Iterator[Item]:
    """Yield the questions, task by task.

    Args:
        folder: Of the repository's files.
        config: Not used.
        subsets: Tasks; None is those that are there.

    Raises:
        FileNotFoundError: If the files of a task are missing.
        ValueError: If a file is not of this format.
    """
    there = {path.parent.name for path in found(folder, "*/val-*.parquet")}
    for task in COUNTS:
        if task in (there if subsets is None else subsets):
            for path in found(folder, f"{task}/val-*.parquet"):
                yield from _items(path, task)


def _items(path: Path, task: str) -> Iterator[Item]:
    for row, cells in enumerate(parquet_rows(path, (*_TEXTS, _IMAGES[0]), _IMAGES[1:])):
        columns = tuple(name for name in _IMAGES if shown(cells.get(name)))
        options = tuple(map(str, cells["choices"]))
        letters = ", ".join(LETTERS[: len(options)])
        yield Item(
            f"blink/{cells['idx']}",
            SOURCE.name,
            task,
            "choice",
            images_first(len(columns), ONLY_LETTERS.format(letters) + cells["prompt"]),
            letter_of(cells["answer"], options, path),
            options,
            from_parquet(path, row, columns),
        )


def letter_of(answer: str, options: tuple[str, ...], path: Path) -> str:
    """Return the letter in an answer such as "(B)".

    Raises:
        ValueError: If it is none of the options, as in splits whose answers are hidden.
    """
    letter = str(answer).strip("()")
    if len(letter) != 1 or letter not in LETTERS[: len(options)]:
        raise ValueError(f"{path} has the answer {answer!r} to a question with {len(options)} options.")
    return letter

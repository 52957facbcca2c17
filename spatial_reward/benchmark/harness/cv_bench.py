"""CV-Bench: counting, spatial relation, depth order and relative distance in single pictures.

Files: `test_2d.parquet` and `test_3d.parquet` (or one `test.parquet`, as before the split) with idx, type,
task, image, question, choices, answer such as "(B)", prompt, filename and source (ADE20K, COCO, Omni3D). The
prompt is that of lmms-eval (tasks/cv_bench/utils.py, 9328c2f).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.harness.blink import ONLY_LETTERS, letter_of
from spatial_reward.benchmark.harness.items import LETTERS, Item, Source, images_first
from spatial_reward.benchmark.harness.pictures import from_parquet
from spatial_reward.benchmark.harness.source import found, parquet_rows

SOURCES = ("ADE20K", "COCO", "Omni3D")
SOURCE = Source(
    "cv_bench",
    "nyu-visionx/CV-Bench",
    "bc284db50d036958861cb60cdd7b77612052ce0d",
    ("test*.parquet",),
    "Apache-2.0",
    "test",
)
_COLUMNS = ("idx", "task", "choices", "answer", "prompt", "source", "image")


def items(folder: Path, config: Mapping[str, Any], subsets: Collection[str] | None) -> Iterator[Item]:
    """Yield the questions; their subsets are the four tasks, their groups the sources of the pictures.

    Raises:
        FileNotFoundError: If the files are missing.
        ValueError: If a file is not of this format.
    """
    for path in found(folder, "test_[23]d.parquet", "test*.parquet"):
        for row, cells in enumerate(parquet_rows(path, _COLUMNS)):
            if subsets is None or cells["task"] in subsets:
                yield _item(path, row, cells)


def _item(path: Path, row: int, cells: Mapping[str, Any]) -> Item:
    if cells["source"] not in SOURCES:
        raise ValueError(f"{path} has the source {cells['source']!r}: it must be one of {SOURCES}.")
    options = tuple(map(str, cells["choices"]))
    words = ONLY_LETTERS.format(", ".join(LETTERS[: len(options)])) + "\n" + cells["prompt"]
    return Item(
        f"cv_bench/{path.stem}/{cells['idx']}",
        SOURCE.name,
        cells["task"],
        "choice",
        images_first(1, words),
        letter_of(cells["answer"], options, path),
        options,
        from_parquet(path, row, ("image",)),
        group=cells["source"],
    )

"""VSI-Bench: spatial questions about videos of rooms, with letters or numbers as answers.

Files: `test.jsonl` (or `test-*.parquet`) with id, dataset, scene_name, question_type, question, ground_truth
and options (null for numbers); `test_debiased.parquet` and `test_pruned.parquet` in the same form; videos
`<dataset>/<scene_name>.mp4` from the archives arkitscenes.zip, scannet.zip and scannetpp.zip. The prompt is
that of lmms-eval (tasks/vsibench/utils.py, 0ae0b9f); VLMEvalKit ends numeric questions otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.harness.items import LETTERS, Item, Source, images_first
from spatial_reward.benchmark.harness.pictures import from_video
from spatial_reward.benchmark.harness.source import Row, found, json_rows, parquet_rows

CHOICES = (
    "object_rel_direction_easy",
    "object_rel_direction_medium",
    "object_rel_direction_hard",
    "object_rel_distance",
    "route_planning",
    "obj_appearance_order",
)
DIRECTIONS = CHOICES[:3]  # count as one in the overall mean
UNITS = {  # of the numeric types
    "object_abs_distance": "m",
    "object_counting": "",
    "object_size_estimation": "cm",
    "room_size_estimation": "m2",
}
SOURCE = Source(
    "vsi_bench",
    "nyu-visionx/VSI-Bench",
    "d7cb1a3960b79dd3e20d4990b83005e96e1bcd9d",
    ("test*", "*.zip"),
    "Apache-2.0; the videos under the terms of ScanNet, ScanNet++ and ARKitScenes",
    "test",
)
SUFFIXES = {
    "lmms_eval": "Please answer the question using a single word or phrase.",
    "vlmevalkit": "Answer briefly and directly in one float number.",
}
_FILES = {
    "full": ("test.jsonl", "test-*.parquet"),
    "debiased": ("test_debiased.parquet",),
    "pruned": ("test_pruned.parquet",),
}
_COLUMNS = ("id", "dataset", "scene_name", "question_type", "question", "ground_truth", "options")
_PREFIX = re.compile(r"^\(?[A-J][.):]\s*")


def items(folder: Path, config: Mapping[str, Any], subsets: Collection[str] | None) -> Iterator[Item]:
    """Yield the questions; their subsets are the ten question types.

    Args:
        folder: Of the repository's files, with the archives of videos unpacked.
        config: `frames` of a video; `vsi_config`: "full", "debiased" or "pruned"; `vsi_suffix`: of SUFFIXES.
        subsets: Question types; None is all.

    Raises:
        FileNotFoundError: If the questions are missing.
        ValueError: If a file is not of this format.
    """
    for path in found(folder, *_FILES[config["vsi_config"]]):
        read = parquet_rows if path.suffix == ".parquet" else json_rows
        for row in read(path, _COLUMNS):
            if subsets is None or row["question_type"] in subsets:
                yield _item(folder, row, config)


def _item(folder: Path, row: Row, config: Mapping[str, Any]) -> Item:
    kind, video = row["question_type"], folder / row["dataset"] / f"{row['scene_name']}.mp4"
    if kind not in CHOICES and kind not in UNITS:
        raise ValueError(f"VSI-Bench has no question type {kind!r}: {', '.join((*CHOICES, *UNITS))}.")
    options = tuple(_PREFIX.sub("", str(one)) for one in row["options"] or ()) if kind in CHOICES else ()
    words = ["These are frames of a video.", row["question"]]
    if options:
        words += ["Options:", *map(str, row["options"])]
        words += ["Answer with the option's letter from the given choices directly."]
    else:
        words.append(SUFFIXES[config["vsi_suffix"]])
    answer = str(row["ground_truth"])
    if (kind in CHOICES and answer not in LETTERS[: len(options)]) or (kind in UNITS and not _number(answer)):
        raise ValueError(f"VSI-Bench question {row['id']} ({kind}) has the answer {answer!r}.")
    return Item(
        f"vsi_bench/{row['id']}",
        SOURCE.name,
        kind,
        "choice" if kind in CHOICES else "number",
        images_first(config["frames"], "\n".join(words)),
        answer,
        options,
        from_video(video, config["frames"]),
        UNITS.get(kind, ""),
        "directions" if kind in DIRECTIONS else kind,
    )


def _number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False

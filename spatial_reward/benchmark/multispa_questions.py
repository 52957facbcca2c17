"""The questions of a run: which ones, and what the model may know of them."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np

from spatial_reward.benchmark.multispa_sim import NAME, Split, load_multispa_sim
from spatial_reward.camera import Array, Camera
from spatial_reward.data.draw import subtask
from spatial_reward.data.records import QuestionSet, Record
from spatial_reward.questions import KINDS
from spatial_reward.types import Question

Poses = Literal["hidden", "calibrated", "given"]


class Records(Protocol):
    """A set of questions: frozen, or as `generate` writes it."""

    @property
    def manifest(self) -> Mapping[str, object]:
        """What it is."""
        ...

    def records(self, pictures: bool = False, subtasks: Sequence[str] | None = None) -> Iterator[Record]:
        """Yield the records."""
        ...


def open_set(name: str, split: Split, data: Path | str | None = None) -> Records:
    """Open the frozen benchmark, or the question set in a folder.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is damaged, or there is no such split.
    """
    if name == NAME and not Path(name).is_dir():
        return load_multispa_sim(split, data=data)
    return QuestionSet(name)


def digest(records: Iterable[Record]) -> str:
    """Return the SHA-256 of questions and truths, which two runs must share to be compared."""
    sums = hashlib.sha256()
    for record in sorted(records, key=lambda record: record.id):
        question = record.question
        truth = None if question.answer is None else np.asarray(question.answer.value).tolist()
        content = [record.id, record.scene, record.frames, question.points, question.labels, truth]
        sums.update(json.dumps([*content, record.prompt]).encode())
    return sums.hexdigest()


def choose(
    opened: Records, count: int | None = None, subtasks: Sequence[str] | None = None, seed: int = 0
) -> list[Record]:
    """Choose `count` questions of each subtask at random, in the order of the set; without pictures.

    More of them are chosen by a larger count, never others.

    Raises:
        ValueError: If a subtask is unknown, `count` is less than 1, or nothing is left.
    """
    if count is not None and count < 1:
        raise ValueError(f"`count` must be at least 1, or null for all questions, got {count}.")
    names = None if subtasks is None else [subtask(name).name for name in subtasks]
    records = [record for record in opened.records(subtasks=names) if record.question.answer is not None]
    by_subtask: dict[str, list[str]] = defaultdict(list)
    for record in records:
        by_subtask[record.subtask].append(record.id)
    chosen = {one for name, ids in by_subtask.items() for one in _drawn(ids, count, name, seed)}
    if not chosen:
        raise ValueError(
            f"The set {opened.manifest.get('name')!r} holds no question of {names or 'any kind'}."
        )
    return [record for record in records if record.id in chosen]


def _drawn(ids: Sequence[str], count: int | None, name: str, seed: int) -> list[str]:
    order = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(ids))
    return [ids[index] for index in order[:count]]


def poses_known(kind: str, poses: Poses) -> bool:
    """Tell whether a model may know where the camera was in every frame of a question of that kind.

    Raises:
        ValueError: If `poses` is unknown.
    """
    if poses not in get_args(Poses):
        raise ValueError(f"`poses` must be one of {', '.join(get_args(Poses))}, got {poses!r}.")
    return poses == "given" or (poses == "calibrated" and KINDS[kind].family != "camera_motion")


def as_asked(record: Record, needs: Collection[str], *, depth: bool = False, known: bool = False) -> Question:
    """Return the question as a model gets it: in the frozen words, without truth unless the model needs it.

    Args:
        record: With its pictures, where the model sees any.
        needs: Of the model.
        depth: Whether it gets the measured depth.
        known: Whether every frame has its camera's pose; if not, all have that of the first one, so that
            the motion of the camera is for the model to find.

    Raises:
        ValueError: If depth is wanted and there is none.
    """
    question = record.question
    if depth and any(frame.depth is None for frame in question.frames):
        raise ValueError(
            f"depth=true, but the pictures of {record.scene!r} have none: give another pictures=FOLDER, or "
            "make the set with depth=true."
        )
    cameras = [frame.camera for frame in question.frames]
    if not known and cameras[0] is not None:
        cameras = [_posed(camera, cameras[0].world_from_camera) for camera in cameras]
    frames = [
        replace(frame, camera=camera, depth=frame.depth if depth else None, bodies=None)
        for frame, camera in zip(question.frames, cameras, strict=True)
    ]
    truth = question.answer if "truth" in needs else None
    return replace(question, frames=tuple(frames), prompt=record.prompt, answer=truth)


def _posed(camera: Camera | None, pose: Array) -> Camera | None:
    return None if camera is None else replace(camera, world_from_camera=pose)

"""The judged steps of an annotated episode again, from its part and its pictures, for viewers and reports."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from spatial_reward.annotate.columns import REWARD, TRUTH, answers_of
from spatial_reward.annotate.engine import Frames, scored_steps
from spatial_reward.annotate.parts import Part
from spatial_reward.data.episodes import EpisodeReader
from spatial_reward.data.sources.base import unread
from spatial_reward.types import Frame, Signal
from spatial_reward.viz.step import Step


def steps_of(
    part: Part, reader: EpisodeReader, pictures: Collection[int] | None = None, every: int = 1
) -> Iterator[Step]:
    """Yield the scored steps of an episode, reading its pictures again.

    Args:
        part: The finished episode.
        reader: Of its dataset.
        pictures: Numbers of scored steps whose pictures are wanted; the others are black and take no memory.
            None for all.
        every: Yield every n-th of the scored steps.

    Raises:
        BadEpisode: If the pictures cannot be read any more.
    """
    table = part.columns()
    camera, model = str(part.about["camera"]), str(part.about["model"]["name"])
    steps = scored_steps(part.job.episode.length, int(part.about["stride"]))[::every]
    names = [name for name, reference in part.job.references.items() if reference.pixel is not None]
    rewards = _column(reader, part)
    depth = bool(part.about["depth"]) and reader.has_depth(camera)
    frames = Frames(reader, part.job, camera, depth)
    first = next(frames([0]))
    before = float("nan")
    for number, frame in enumerate(_shown(frames, steps, pictures, first, table["timestamp"])):
        row = steps[number]
        signal = _signal(table, row, names, model)
        change = signal.potential - before
        before = signal.potential
        yield Step(
            index=row,
            frame=frame,
            reference_frame=first,
            references=part.job.references,
            signal=signal,
            reward=0.0 if number == 0 else change,
            env_reward=float(rewards[row]) if rewards is not None else float("nan"),
            truth=float(table[TRUTH][row]) if TRUTH in table else float("nan"),
            latency=float("nan"),
        )


def _shown(
    frames: Frames, steps: Sequence[int], pictures: Collection[int] | None, first: Frame, times: Any
) -> Iterator[Frame]:
    """Yield the frames of all steps, blank where no picture is wanted."""
    if pictures is None:
        yield from frames(steps)
        return
    wanted = sorted(set(pictures))
    coming = frames([steps[number] for number in wanted])
    blank = unread(first.width, first.height)
    for number, step in enumerate(steps):
        if number in wanted:
            yield next(coming)
        else:
            yield Frame(blank, float(times[step]), first.view, first.camera)


def _signal(table: dict[str, Any], row: int, names: Sequence[str], source: str) -> Signal:
    return Signal(
        potential=float(table[f"{REWARD}potential_m"][row]),
        progress=float(table[f"{REWARD}progress"][row]),
        success=float(table[f"{REWARD}success_prob"][row]),
        std=float(table[f"{REWARD}std"][row]),
        valid=bool(table[f"{REWARD}valid"][row]),
        answers=answers_of(table, names, row, source),
    )


def _column(reader: EpisodeReader, part: Part) -> Any:
    """Return the rewards that the dataset holds, under the name of its format."""
    for name in ("next.reward", "rewards"):
        found = reader.column(part.job.episode, name)
        if found is not None and len(found) >= part.job.episode.length:
            return np.asarray(found, float).reshape(-1)
    return None

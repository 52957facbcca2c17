"""Annotate a dataset: groups of episodes, on all cores, each written as soon as it is finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from spatial_reward.annotate.columns import TRUTH
from spatial_reward.annotate.engine import Scored, score
from spatial_reward.annotate.jobs import Job, chosen_camera, make_jobs, open_source
from spatial_reward.annotate.parts import Part, is_done, parts_of, write_part
from spatial_reward.annotate.settings import Settings
from spatial_reward.data.episodes import EpisodeReader
from spatial_reward.data.workers import cores, peak_memory, run
from spatial_reward.models import load_model
from spatial_reward.types import Model

SMALL = ("rgbd", "spatialnet")  # models of which each core may have its own


@dataclass(frozen=True, eq=False)
class Annotated:
    """What came of a run.

    Attributes:
        parts: Finished episodes, from this run and earlier ones.
        failed: Why the others are not, by their names.
        frames: Frames that were scored in this run.
        seconds: That scoring took.
        peak_memory: Of the process that used most [bytes].
    """

    parts: Sequence[Part]
    failed: dict[str, str] = field(default_factory=dict)
    frames: int = 0
    seconds: float = 0.0
    peak_memory: int = 0


@dataclass(frozen=True)
class _Done:
    """What a worker tells of an episode."""

    name: str
    frames: int
    fault: str
    peak_memory: int


def annotate(settings: Settings, folder: Path, model: Model | None = None, progress: Any = None) -> Annotated:
    """Score the episodes that are not finished yet; write each to `folder/parts/`.

    Episodes that are asked about together stay together, so that a resumed run repeats what was interrupted
    number by number; finished files are not touched.

    Args:
        settings: What to annotate, and how.
        folder: Of the results, with a folder `parts`.
        model: Use this one, in this process, instead of loading the one of the settings.
        progress: Called with (name, fault) after each episode.

    Raises:
        ValueError: If something is missing without which nothing may be scored.
    """
    reader, asked = open_source(settings), model or load_model(**settings.options)
    jobs = make_jobs(reader, settings, asked)
    groups = [jobs[first : first + settings.batch] for first in range(0, len(jobs), settings.batch)]
    tasks = [
        [job.episode.index for job in group]
        for group in groups
        if not all(is_done(folder, job, settings) for job in group)
    ]
    begin, done = perf_counter(), list[_Done]()
    worker = _Worker(settings, reader, asked)
    for result in _results(settings, folder, worker, model is not None, tasks):
        for one in result:
            done.append(one)
            if progress is not None:
                progress(one.name, one.fault)
    return Annotated(
        parts_of(folder, jobs, settings),
        {one.name: one.fault for one in done if one.fault},
        sum(one.frames for one in done),
        perf_counter() - begin,
        max([peak_memory(), *(one.peak_memory for one in done)]),
    )


@dataclass(frozen=True, eq=False)
class _Worker:
    """What a process needs to score episodes, opened once."""

    settings: Settings
    reader: EpisodeReader
    model: Model

    def score(self, group: Sequence[int], folder: Path) -> list[_Done]:
        """Score the episodes of a group together, and write those that are not finished."""
        camera = chosen_camera(self.reader, self.settings)
        jobs = make_jobs(self.reader, self.settings, self.model, group)
        results = score(jobs, self.reader, camera, self.model, self.settings)
        return [_keep(result, self.reader, camera, self.settings, folder) for result in results]


_OPENED: dict[str, _Worker] = {}  # of this process


def _work(settings: Settings, folder: Path, group: Sequence[int]) -> list[_Done]:
    """Score a group in a process that keeps the dataset open and the model loaded."""
    key = repr(settings)
    if key not in _OPENED:
        _OPENED.clear()
        _OPENED[key] = _Worker(settings, open_source(settings), load_model(**settings.options))
    return _OPENED[key].score(group, folder)


def _results(
    settings: Settings, folder: Path, worker: _Worker, own: bool, tasks: Sequence[list[int]]
) -> Iterator[list[_Done]]:
    small = settings.model["name"] in SMALL
    workers = 1 if own else settings.workers or (min(cores(), len(tasks)) if small else 1)
    if workers <= 1:
        return (worker.score(group, folder) for group in tasks)
    return run(partial(_work, settings, folder), tasks, workers=workers)


def _keep(result: Any, reader: EpisodeReader, camera: str, settings: Settings, folder: Path) -> _Done:
    if not isinstance(result, Scored):
        failed, fault = result
        return _Done(failed.episode.name, 0, str(fault), peak_memory())
    job: Job = result.job
    if not is_done(folder, job, settings):
        write_part(folder, result, camera, settings, reader.column(job.episode, TRUTH))
    return _Done(job.episode.name, len(result.steps), "", peak_memory())

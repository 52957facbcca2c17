"""The two stages of generating over all workers: preparing scenes, drawing parts; what is done is skipped."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from spatial_reward.data.draw import Rules
from spatial_reward.data.drawing import Done, Job, Work, draw_part, finished
from spatial_reward.data.plan import Part, plan_parts
from spatial_reward.data.prepared import PreparedScene, folder_name, prepare
from spatial_reward.data.shards import remove_strays
from spatial_reward.data.sources import BadScene, Source, load_source
from spatial_reward.data.workers import peak_memory, run

Manifests = list[dict[str, Any]]


@dataclass
class Effort:
    """What a stage took.

    Attributes:
        items: Frames or questions that were made.
        wall: Seconds on the clock.
        core: Seconds of computing, of all workers together.
        peak: Most memory of a process [bytes].
    """

    items: int = 0
    wall: float = 0.0
    core: float = 0.0
    peak: int = 0

    def add(self, items: int, seconds: float, peak: int) -> None:
        """Count what one task took."""
        self.items += items
        self.core += seconds
        self.peak = max(self.peak, peak)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Count the time inside."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.wall += time.perf_counter() - begun


class Found(NamedTuple):
    """A scene that is prepared, or the reason why it is not.

    Attributes:
        scene: Its id.
        digest: Of its content.
        unsupported: Why it does not support some subtasks.
        reason: Why it is skipped; "" if it is not.
        detail: The same with names and numbers.
        frames: Number of frames.
        seconds: Of computing that it took.
        peak: Memory of the process [bytes].
    """

    scene: str
    digest: str = ""
    unsupported: Mapping[str, str] = {}
    reason: str = ""
    detail: str = ""
    frames: int = 0
    seconds: float = 0.0
    peak: int = 0


@dataclass
class Crew:
    """Who works, and who is told.

    Attributes:
        workers: Processes; None for one per core.
        cluster: None, "local" or the address of a Ray cluster.
        advance: Called with the number of scenes or questions that are done.
    """

    workers: int | None
    cluster: str | None
    advance: Callable[[str, int], None] = field(default=lambda stage, count: None)

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        """Yield the results over tasks, in their order."""
        if tasks:
            workers = None if self.workers is None else min(self.workers, max(1, len(tasks)))
            yield from run(function, tasks, workers=workers, cluster=self.cluster)


def prepare_all(
    source: Mapping[str, Any], names: Sequence[str], folder: Path, crew: Crew, *, depth: bool, rules: Rules
) -> tuple[list[Found], Effort]:
    """Prepare the named scenes of a source that are not yet; return all, in order."""
    effort, found = Effort(), {name: _prepared(folder / "scenes", name) for name in names}
    crew.advance("scenes", sum(one is not None for one in found.values()))
    task = partial(prepare_one, json.dumps(source), folder / "scenes", depth=depth, rules=rules)
    with effort.clock():
        for one in crew.run(task, [name for name, there in found.items() if there is None]):
            found[one.scene] = one
            effort.add(one.frames, one.seconds, one.peak)
            crew.advance("scenes", 1)
    _source.cache_clear()  # its files may be others next time
    return [one for one in found.values() if one is not None], effort


def prepare_one(source: str, folder: Path, scene: str, *, depth: bool, rules: Rules) -> Found:
    """Prepare one scene of a source, given as JSON of its options."""
    begun = time.process_time()
    try:
        prepared = PreparedScene(prepare(_source(source), scene, folder, depth=depth, rules=rules))
    except BadScene as error:
        return Found(scene, reason=error.reason, detail=str(error), peak=peak_memory())
    seconds, frames = time.process_time() - begun, len(prepared.pictures)
    return Found(
        scene, prepared.digest, prepared.unsupported, frames=frames, seconds=seconds, peak=peak_memory()
    )


@lru_cache(maxsize=1)
def _source(options: str) -> Source:
    """Make the source once in each process."""
    return load_source(**json.loads(options))


def _prepared(folder: Path, scene: str) -> Found | None:
    """Return a scene that is prepared already; a damaged one is removed."""
    try:
        place = folder / folder_name(scene)
        prepared = PreparedScene(place)
        return Found(scene, prepared.digest, prepared.unsupported)
    except (FileNotFoundError, BadScene):
        return None
    except ValueError:
        shutil.rmtree(place)
        return None


def draw_all(
    count: int, wanted: Sequence[str], scenes: Sequence[Found], job: Job, crew: Crew
) -> tuple[Manifests, Effort]:
    """Draw `count` questions; return the manifests of all shards, in order.

    What some scenes lack is drawn in further turns from those scenes and subtasks that have plenty.
    """
    digests = {one.scene: one.digest for one in scenes}
    asked = {one.scene: [name for name in wanted if name not in one.unsupported] for one in scenes}
    manifests: Manifests = []
    effort, turn, first, owed = Effort(), 0, 0, count
    with effort.clock():
        while owed > 0 and any(asked.values()):
            parts = plan_parts(owed, asked, job.per_shard, first=first, turn=turn)
            new = _draw_turn([_work(part, digests, job, manifests) for part in parts], job, crew, effort)
            drawn = sum(manifest["rows"] for manifest in new)
            asked = _plentiful(new)
            manifests, owed, first, turn = manifests + new, owed - drawn, first + len(parts), turn + 1
        remove_strays(job.shards, {manifest["shard"] for manifest in manifests})
    return manifests, effort


def _work(part: Part, digests: Mapping[str, str], job: Job, manifests: Manifests) -> Work:
    about = [one["shard"] for one in manifests if not one["scenes"].keys().isdisjoint(part.shares)]
    return Work(
        part, {scene: digests[scene] for scene in part.shares}, tuple(job.shards / name for name in about)
    )


def _draw_turn(works: Sequence[Work], job: Job, crew: Crew, effort: Effort) -> Manifests:
    """Draw the parts that are not yet, and return the manifests of all."""
    there = {work.part.number: finished(job, work) for work in works}
    missing = [work for work in works if not there[work.part.number]]
    crew.advance("questions", sum(one["rows"] for manifests in there.values() for one in manifests))
    if missing:
        (job.folder / "manifest.json").unlink(missing_ok=True)  # until the set is whole again
    for work, done in zip(missing, crew.run(partial(draw_part, job), missing), strict=True):
        _count(done, effort, crew)
        there[work.part.number] = finished(job, work)
    return [manifest for manifests in there.values() for manifest in manifests]


def _count(done: Done, effort: Effort, crew: Crew) -> None:
    effort.add(done.questions, done.seconds, done.peak)
    crew.advance("questions", done.questions)


def _plentiful(manifests: Manifests) -> dict[str, list[str]]:
    """Return the subtasks by scene of which there was as much as was wanted."""
    asked: dict[str, list[str]] = {}
    for manifest in manifests:
        for scene, subtask in manifest.get("plentiful", ()):
            asked.setdefault(scene, []).append(subtask)
    return asked

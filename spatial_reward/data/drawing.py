"""Drawing a part: questions, words and rows, scene by scene, and what to do where a scene lacks some."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spatial_reward import __version__
from spatial_reward.data.draw import Drawn, Rules, draw
from spatial_reward.data.plan import ORDER, Part
from spatial_reward.data.prepared import KEPT, PreparedScene, folder_name
from spatial_reward.data.shards import ShardWriter, read_part
from spatial_reward.data.workers import peak_memory
from spatial_reward.questions import KINDS

AT_ONCE = 4096  # questions of one call, which bounds the memory
_LEAST_NEW = 0.1  # share of a call that must be new, or the scene holds no more
_LACKS = "the scene holds no more different questions"

Keys = set[bytes]


@dataclass(frozen=True)
class Job:
    """How parts are drawn.

    Attributes:
        folder: Of the set.
        seed: Of all randomness.
        rules: Of drawing.
        per_shard: Rows of a shard.
        embed: Store pictures and cameras in the rows.
    """

    folder: Path
    seed: int
    rules: Rules
    per_shard: int
    embed: bool

    @property
    def shards(self) -> Path:
        """Folder of the shards."""
        return self.folder / "questions"

    def scene(self, scene: str) -> PreparedScene:
        """Open a prepared scene."""
        return PreparedScene(self.folder / "scenes" / folder_name(scene))

    def common(self, part: Part, digests: Mapping[str, str]) -> dict[str, Any]:
        """Return what every manifest of a part says; where it differs, the part is drawn anew."""
        scenes = {scene: digests[scene] for scene in part.shares}
        return {"version": __version__, "seed": self.seed, "part": part.as_json(), "scenes": scenes}


class Work(NamedTuple):
    """A part, the digests of its scenes, and the shards of earlier turns about the same scenes."""

    part: Part
    digests: Mapping[str, str]
    earlier: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Done:
    """What a part took: its questions, and seconds of computing."""

    number: int
    questions: int
    seconds: float
    peak: int  # [bytes]


@dataclass
class Tally:
    """What a part got of each subtask of each scene, and what it still owes.

    Attributes:
        drawn: Number of questions.
        plentiful: Scenes and subtasks that gave all that was wanted.
        shortfalls: Those that did not give their quota, and why.
        owed: Questions that nothing has made up for yet.
    """

    drawn: int = 0
    plentiful: list[tuple[str, str]] = field(default_factory=list)
    shortfalls: list[dict[str, Any]] = field(default_factory=list)
    owed: int = 0

    def count(self, scene: str, subtask: str, quota: int, wanted: int, drawn: int) -> None:
        """Count what was drawn of a subtask of a scene."""
        self.drawn += drawn
        self.owed += quota - drawn
        if drawn >= wanted:
            self.plentiful.append((scene, subtask))
        if drawn < quota:
            short = {"scene": scene, "subtask": subtask, "wanted": quota, "drawn": drawn, "reason": _LACKS}
            self.shortfalls.append(short)


def draw_part(job: Job, work: Work) -> Done:
    """Draw a part and write its shards."""
    begun, part = time.process_time(), work.part
    common = job.common(part, work.digests)
    tally = Tally()
    with ShardWriter(job.shards, part.number, job.per_shard, embed=job.embed, common=common) as writer:
        for scene in part.shares:
            _draw_scene(job, work, job.scene(scene), writer, tally)
        writer.finish(owed=tally.owed, plentiful=tally.plentiful, shortfalls=tally.shortfalls)
    return Done(part.number, tally.drawn, time.process_time() - begun, peak_memory())


def _draw_scene(job: Job, work: Work, prepared: PreparedScene, writer: ShardWriter, tally: Tally) -> None:
    """Draw the questions about a scene; what is owed is spread over its remaining subtasks."""
    quotas, earlier = work.part.shares[prepared.id], _earlier(work.earlier, prepared.id)
    add = _adder(job, prepared, writer)
    for index, (subtask, quota) in enumerate(quotas.items()):
        extra = -(-tally.owed // (len(quotas) - index))
        wanted, count = quota + extra, 0
        rng = _generator(job.seed, prepared.id, subtask, work.part.turn)
        for drawn in _different(prepared, subtask, wanted, rng, job.rules, earlier.get(subtask, set())):
            add(subtask, drawn, rng)
            count += 1
        tally.count(prepared.id, subtask, quota, wanted, count)


def _generator(seed: int, scene: str, subtask: str, turn: int) -> np.random.Generator:
    """Return a stream of its own for each subtask of each scene."""
    digest = hashlib.sha256(scene.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big"), ORDER.index(subtask), turn])


def _different(
    prepared: PreparedScene, subtask: str, count: int, rng: np.random.Generator, rules: Rules, keys: Keys
) -> Iterator[Drawn]:
    """Yield up to `count` questions, none of them in `keys` or twice, a few thousand at a time."""
    asked = left = count
    while left > 0:
        asked = min(AT_ONCE, asked)
        fresh = list(_fresh(draw(prepared.scene, subtask, asked, rng, rules), keys))
        yield from fresh[:left]
        left -= len(fresh)
        if len(fresh) <= _LEAST_NEW * asked:
            return
        asked = 2 * left + 8  # some of them were there before


def _fresh(drawn: Sequence[Drawn], keys: Keys) -> Iterator[Drawn]:
    """Pass on what is new, without the twins of what is not."""
    new = True
    for one in drawn:
        if one.twin and not new:
            continue
        key = key_of(one.frames, one.question.points, one.question.labels)
        new = key not in keys
        if new:
            keys.add(key)
            yield one


def key_of(frames: Sequence[int], points: Sequence[tuple[float, float, int]], labels: Sequence[str]) -> bytes:
    """Return a short mark of what a question of a subtask asks about a scene."""
    asked = (frames[0], frames[-1], [tuple(point) for point in points], list(labels))
    return hashlib.blake2b(repr(asked).encode(), digest_size=8).digest()


def _earlier(shards: Sequence[Path], scene: str) -> dict[str, Keys]:
    """Return the marks of the questions about a scene that earlier turns asked, by subtask."""
    keys: dict[str, Keys] = {}
    for path in shards:
        table = pq.read_table(path, columns=["scene", "subtask", "frames", "points", "labels"])
        for row in table.filter(pc.equal(table["scene"], scene)).to_pylist():
            points = [(point["x"], point["y"], point["frame"]) for point in row["points"]]
            keys.setdefault(row["subtask"], set()).add(key_of(row["frames"], points, row["labels"]))
    return keys


def _adder(job: Job, prepared: PreparedScene, writer: ShardWriter) -> Any:
    """Return the function that puts a question about a scene into words and into a shard."""
    place = f"scenes/{prepared.folder.name}"
    paths = [f"{place}/{picture}" for picture in prepared.pictures]
    read = lru_cache(KEPT)(prepared.picture)
    mode = job.rules.mode

    def add(subtask: str, drawn: Drawn, rng: np.random.Generator) -> None:
        kind = KINDS[drawn.question.kind]
        writer.add(
            drawn,
            tuple(paths[frame] for frame in drawn.frames),
            [read(frame) for frame in drawn.frames] if job.embed else [],
            subtask=subtask,
            source=prepared.source,
            scene=prepared.id,
            mode=mode,
            prompt=kind.phrase(drawn.question, rng, False),
            reply=kind.reply(drawn.question, rng, mode),
        )

    return add


def finished(job: Job, work: Work) -> list[dict[str, Any]]:
    """Return the manifests of a part's shards if all are there and sound, else none."""
    return read_part(job.shards, work.part.number, job.common(work.part, work.digests))

"""multispa-sim-v1: 7,800 frozen questions, 300 of each of the 26 subtasks; reading, building, verifying.

`python -m spatial_reward.benchmark.multispa_sim build out=FOLDER` draws the pictures; without arguments it
lists what else it does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

from spatial_reward.benchmark.multispa_sim_pictures import (
    Difference,
    FrozenSource,
    Picture,
    compare,
    read_committed,
)
from spatial_reward.benchmark.multispa_sim_rows import Row, frames_of, question_of, read_rows
from spatial_reward.benchmark.multispa_sim_scenes import Scenes, read_scenes
from spatial_reward.data.draw import subtask
from spatial_reward.data.prepared import PreparedScene, prepare
from spatial_reward.data.records import Record
from spatial_reward.data.workers import run
from spatial_reward.types import Frame

NAME = "multispa-sim-v1"
SOURCE = FrozenSource.name
Split = Literal["full", "mini"]


def load_multispa_sim(
    split: Split = "full", pictures: Path | str | None = None, data: Path | str | None = None
) -> MultiSpaSim:
    """Open the benchmark.

    Args:
        split: "full", 300 questions of each subtask, or "mini", 20 of them.
        pictures: Folder that `build` has made; None for questions with cameras but `unread` pictures.
        data: The committed folder; None to look for it in a checkout.

    Raises:
        FileNotFoundError: If the data or the pictures are not there.
        ValueError: If there is no such split.
    """
    return MultiSpaSim(split, None if pictures is None else Path(pictures), find_data(data))


def find_data(data: Path | str | None = None) -> Path:
    """Return the committed folder: the one given, or that of the checkout around the package or here.

    Raises:
        FileNotFoundError: If there is none.
    """
    checkout = Path(__file__).parents[2]
    places = [Path(data)] if data is not None else [root / "benchmark" / NAME for root in (checkout, Path())]
    for place in places:
        if (place / "recipe.json").is_file():
            return place
    raise FileNotFoundError(
        f"{NAME} is not in {' or '.join(map(str, places))}: say with data=FOLDER where the repository's "
        f"benchmark/{NAME} is."
    )


class MultiSpaSim:
    """The frozen questions, read like a `QuestionSet`.

    Attributes:
        manifest: Name, version, seed, source, mode, counts per subtask, digests of the scenes.
    """

    def __init__(self, split: Split, pictures: Path | None, data: Path) -> None:
        """Read the questions."""
        self.split, self.pictures, self.data = split, pictures, data
        self.scenes = read_scenes(data)
        self.rows = _split(read_rows(data), split, data)
        self.manifest = _manifest(self)
        self._frames = lru_cache(maxsize=2)(self._frames_of)
        self._prepared = lru_cache(maxsize=2)(self._open)

    def __len__(self) -> int:
        """Return the number of questions."""
        return len(self.rows)

    def records(self, pictures: bool = False, subtasks: Sequence[str] | None = None) -> Iterator[Record]:
        """Yield the questions, those of a scene together.

        Args:
            pictures: Decode the pictures, with depth where it was built.
            subtasks: Names of those wanted; None for all.

        Raises:
            FileNotFoundError: If pictures are wanted and have not been built.
            ValueError: If a subtask is unknown.
        """
        wanted = None if subtasks is None else {subtask(name).name for name in subtasks}
        for row in self.rows:
            if wanted is None or row["subtask"] in wanted:
                yield self._record(row, pictures)

    def clips(self) -> list[str]:
        """List the scenes that the questions are about, in order."""
        return list(dict.fromkeys(row["clip"] for row in self.rows))

    def _record(self, row: Row, pictures: bool) -> Record:
        frames = self._frames(row["clip"])
        if pictures:
            shown = {index: self._shown(row["clip"], index) for index in row["frames"]}
            frames = tuple(shown.get(index, frame) for index, frame in enumerate(frames))
        return Record(
            id=row["id"],
            source=SOURCE,
            scene=row["clip"],
            subtask=row["subtask"],
            mode="strict",
            twin="",
            frames=tuple(row["frames"]),
            pictures=tuple(picture_path(row["clip"], index) for index in row["frames"]),
            question=question_of(row, frames),
            prompt=row["prompt"],
            reply=row["reply"],
        )

    def _frames_of(self, clip: str) -> tuple[Frame, ...]:
        return frames_of(self.scenes.clips[clip])

    def _shown(self, clip: str, index: int) -> Frame:
        return replace(self._prepared(clip).frame(index), camera=self._frames(clip)[index].camera)

    def _open(self, clip: str) -> PreparedScene:
        if self.pictures is None:
            raise FileNotFoundError(
                f"{NAME} was opened without pictures: give the folder that `build` has made."
            )
        return PreparedScene(self.pictures / "scenes" / clip)


def picture_path(clip: str, frame: int) -> str:
    """Return where `build` puts a picture in its folder."""
    return f"scenes/{clip}/pictures/{frame:06d}.png"


def _split(rows: list[Row], split: Split, data: Path) -> list[Row]:
    if split == "full":
        return rows
    if split != "mini":
        raise ValueError(f"`split` must be 'full' or 'mini', got {split!r}.")
    chosen = set(json.loads((data / "mini.json").read_text()))
    return [row for row in rows if row["id"] in chosen]


def _manifest(opened: MultiSpaSim) -> dict[str, Any]:
    recipe = json.loads((opened.data / "recipe.json").read_text())
    counts = dict.fromkeys(recipe["subtasks"], 0)
    for row in opened.rows:
        counts[row["subtask"]] += 1
    return {
        "name": NAME if opened.split == "full" else f"{NAME} ({opened.split})",
        "version": recipe["name"].rpartition("-")[2],
        "seed": recipe["seed"],
        "source": SOURCE,
        "mode": "strict",
        "wanted": sum(counts.values()),
        "questions": len(opened.rows),
        "counts": counts,
        "skipped": {},
        "unsupported": {},
        "shortfalls": {},
        "scenes": {clip: _digest(opened.scenes, clip) for clip in opened.clips()},
    }


def _digest(scenes: Scenes, clip: str) -> str:
    """Return the SHA-256 of what a scene was made of."""
    made = scenes.clips[clip]
    return hashlib.sha256(repr((scenes.models[made.model], made)).encode()).hexdigest()


def build(
    out: Path,
    split: Split = "full",
    *,
    depth: bool = False,
    data: Path | str | None = None,
    workers: int | None = None,
) -> list[Difference]:
    """Draw the pictures of a split into `out`/scenes, as `generate` does; return how they compare.

    What is there already is kept, so that a run that was cut off goes on.

    Args:
        out: Folder for the pictures; `load_multispa_sim(pictures=out)` reads them.
        split: Of the benchmark.
        depth: Also keep depth and the bodies that pixels show, for models that measure.
        data: The committed folder.
        workers: Processes; None for one per core.

    Raises:
        ImportError: If the package of a robot is missing.
    """
    folder = find_data(data)
    clips = load_multispa_sim(split, data=folder).clips()
    missing = [clip for clip in clips if not (out / "scenes" / clip / "scene.json").exists()]
    for _ in run(partial(_prepare, out, folder, depth), missing, workers=workers):
        pass
    return verify_pictures(out, split, data=folder)


def _prepare(out: Path, data: Path, depth: bool, clip: str) -> Path:
    (out / "scenes").mkdir(parents=True, exist_ok=True)
    return prepare(FrozenSource(read_scenes(data)), clip, out / "scenes", depth=depth)


def verify_pictures(out: Path, split: Split = "full", *, data: Path | str | None = None) -> list[Difference]:
    """Compare built pictures with what was committed of them.

    Raises:
        FileNotFoundError: If pictures are missing.
    """
    opened = load_multispa_sim(split, out, data)
    committed = read_committed(opened.scenes)
    differences = []
    for clip in opened.clips():
        prepared = PreparedScene(out / "scenes" / clip)
        pictures: list[Picture] = [(clip, frame) for frame in range(len(prepared.pictures))]
        differences += [compare(one, prepared.frame(one[1]).rgb, committed[one]) for one in pictures]
    return differences


def damaged_files(data: Path) -> list[str]:
    """List the committed files that are not what their checksums say."""
    sums = json.loads((data / "checksums.json").read_text())
    return [name for name, expected in sums.items() if _sha256(data / name) != expected]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"


if __name__ == "__main__":
    from spatial_reward.benchmark.multispa_sim_commands import main

    main()

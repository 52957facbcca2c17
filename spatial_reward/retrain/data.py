"""What a model is retrained on and judged by: the user's scenes, and general ones lest it forget."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from spatial_reward.data.consistent_scenes import ConsistentScenes
from spatial_reward.data.dense import write_rendered, write_shards
from spatial_reward.data.own_scenes import OwnScenes
from spatial_reward.data.recorded_scenes import RecordedScenes
from spatial_reward.rewards import parse_goal

FRAMES = 12  # of a scene
GENERAL = 256  # [px] side of the pictures of general scenes
PER_SHARD = 5  # scenes: clips are drawn evenly from shards
COLLECTING = 1 / 6  # share of the time
FEWEST, MOST = 10, 240  # scenes to train on
PARTS = (1.0, 0.2, 0.4)  # of the scenes: to train on, as many again to validate on, and to judge by
SHARES = (0.0, 0.6, 0.8, 1.0)  # where recorded episodes are parted
_BYTES = 6.1  # of a pixel: colours, depth, body
OWN = "own_"


class Data(NamedTuple):
    """Where the scenes of a run are, and how they are made.

    Attributes:
        folder: With `train`, `validation`, `test` (the user's scenes) and `general` (random ones).
        config: Of `retrain`.
        workers: Processes that render.
    """

    folder: Path
    config: Mapping[str, Any]
    workers: int

    @property
    def train(self) -> Path:
        """Scenes to train on, the user's and general ones."""
        return self.folder / "train"

    @property
    def validation(self) -> Path:
        """The user's scenes and general ones, to choose the best weights by and to calibrate on."""
        return self.folder / "validation"

    @property
    def test(self) -> Path:
        """The user's scenes, in states and from places that nothing was chosen by."""
        return self.folder / "test"

    @property
    def general(self) -> Path:
        """Random scenes with looks that training never sees."""
        return self.folder / "general"

    def scenes(self, part: int) -> OwnScenes | RecordedScenes:
        """Return the user's scenes of a part: 0 to train on, 1 to validate on, 2 to judge by."""
        config = self.config
        seed = 3 * config["seed"] + part
        if config["episodes"] is not None:
            return recorded(config, part, seed)
        names = tuple(parse_goal(config["goal"]).names)
        return OwnScenes(
            config["env"], config["camera"], config["size"], FRAMES, seed, config["recorded"], names
        )


def recorded(config: Mapping[str, Any], part: int, seed: int = 0) -> RecordedScenes:
    """Return the scenes of a part of the user's recorded episodes."""
    path, camera, size = (config[key] for key in ("episodes", "camera", "size"))
    given = (path, camera, size, FRAMES, seed, (SHARES[part], SHARES[part + 1]))
    if config["consistency"]:
        return ConsistentScenes(*given, config["weights"], config["fov"])
    return RecordedScenes(*given)


def planned_scenes(data: Data) -> int:
    """Return how many scenes to train on, having said how much room they take.

    Raises:
        OSError: If the disk has less.
    """
    scenes = int(data.config["scenes"] or _most_scenes(data))
    _announce(data, sum(parted(scenes)), sum(_general_parts(data, scenes)))
    return scenes


def _most_scenes(data: Data) -> int:
    """Return how many scenes can be rendered in their share of the time, as long as one takes."""
    render = data.scenes(0)
    render(0)  # opens the simulation
    begun = time.perf_counter()
    render(1)
    lasts = time.perf_counter() - begun
    each = lasts * (sum(PARTS) + data.config["replay"] / (1 - data.config["replay"]))
    return int(min(max(COLLECTING * 60 * data.config["minutes"] * data.workers / each, FEWEST), MOST))


def collect(data: Data, scenes: int) -> None:
    """Render what is not there yet.

    Raises:
        OSError: If the disk has no room for it.
    """
    for claim in data.folder.glob("*/*.claim"):  # of an interrupted run: the folder is ours alone
        claim.unlink()
    try:
        folders = (data.train, data.validation, data.test)
        for part, (folder, count) in enumerate(zip(folders, parted(scenes), strict=True)):
            write_rendered(
                folder, data.scenes(part), count, per_shard=PER_SHARD, prefix=OWN, workers=data.workers
            )
        _collect_general(data, scenes)
    except OSError as error:
        raise OSError(
            f"Cannot write {data.folder} ({error.strerror}): make room and run it again; "
            "what is finished is kept."
        ) from error


def _collect_general(data: Data, scenes: int) -> None:
    seed, meshes = data.config["seed"], find_spec("gymnasium_robotics") is not None
    how: dict[str, Any] = {"size": GENERAL, "frames": FRAMES, "meshes": meshes, "workers": data.workers}
    how["per_shard"] = PER_SHARD
    trained, validated, judged = _general_parts(data, scenes)
    write_shards(data.train, scenes=trained, seed=1000 + seed, **how)  # not the seeds of the shipped model
    write_shards(data.validation, scenes=validated, seed=2000 + seed, held_out=True, **how)
    write_shards(data.general, scenes=judged, seed=3000 + seed, held_out=True, **how)


def _general_parts(data: Data, scenes: int) -> tuple[int, ...]:
    return (general_scenes(scenes, data.config["replay"]), *parted(scenes)[1:])


def general_scenes(scenes: int, replay: float) -> int:
    """Return how many general scenes make their share."""
    return PER_SHARD * round(scenes / PER_SHARD * replay / (1 - replay))


def parted(scenes: int) -> tuple[int, ...]:
    """Return how many scenes to train on, to validate on, and to judge by."""
    return tuple(max(PER_SHARD, round(part * scenes)) for part in PARTS)


def _announce(data: Data, own: int, general: int) -> None:
    """Say how much room it takes.

    Raises:
        OSError: If there is less.
    """
    needed = int(FRAMES * _BYTES * (own * data.config["size"] ** 2 + general * GENERAL**2))
    free = shutil.disk_usage(data.folder).free
    line = f"{needed / 1e9:.1f} GB of pictures in {data.folder}, of {free / 1e9:.1f} GB free"
    print(line, file=sys.stderr)
    if needed > 0.95 * free:
        raise OSError(f"There is no room for {line}: choose another out, a smaller size or fewer scenes.")

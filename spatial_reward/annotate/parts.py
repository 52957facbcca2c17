"""Finished episodes on disk: a Parquet file each, which says what it was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from spatial_reward.annotate.columns import table_of
from spatial_reward.annotate.engine import Scored
from spatial_reward.annotate.jobs import Job
from spatial_reward.annotate.settings import Settings, fingerprint
from spatial_reward.camera import Array
from spatial_reward.viz.files import partial_file

FOLDER = "parts"
KEY = b"spatial_reward"


def part_path(folder: Path, job: Job) -> Path:
    """Return where the result of an episode is kept."""
    return folder / FOLDER / f"episode_{job.episode.index:06d}.parquet"


def provenance(job: Job, settings: Settings) -> str:
    """Return the digest of all that decides the result of an episode."""
    return fingerprint(settings.identity(), job.identity())


def is_done(folder: Path, job: Job, settings: Settings) -> bool:
    """Tell whether an episode was finished with the same inputs."""
    path = part_path(folder, job)
    if not path.is_file():
        return False
    try:
        return about(path).get("provenance") == provenance(job, settings)
    except (OSError, ValueError):  # not a whole file
        return False


def about(path: Path) -> dict[str, Any]:
    """Return what a part says about itself."""
    metadata = pq.read_schema(path).metadata or {}
    said: dict[str, Any] = json.loads(metadata.get(KEY, b"{}"))
    return said


def write_part(folder: Path, scored: Scored, camera: str, settings: Settings, truth: Array | None) -> Path:
    """Write the result of an episode, whole or not at all."""
    path = part_path(folder, scored.job)
    words = json.dumps(_about(scored, camera, settings), sort_keys=True).encode()
    table = table_of(scored, settings.impute if settings.stride > 1 else "none", truth, {KEY: words})
    partial = partial_file(path)
    try:
        pq.write_table(table, partial, compression="zstd")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _about(scored: Scored, camera: str, settings: Settings) -> dict[str, Any]:
    job = scored.job
    identity = job.identity()
    calibration = job.calibration
    return {
        "provenance": provenance(job, settings),
        "version": settings.identity()["version"],
        "model": dict(settings.options),
        "weights": settings.weights,
        "episode": job.episode.name,
        "task": job.episode.task,
        "goal": str(job.goal),
        "references": identity["references"],
        "camera": camera,
        "camera_source": None if calibration is None else calibration.source,
        "assumed_fov_deg": job.assumed,
        "static_camera": settings.static_camera,
        "depth": settings.depth,
        "mode": settings.mode,
        "stride": settings.stride,
        "impute": settings.impute if settings.stride > 1 else "none",
        "looked_again": scored.looked_again,
    }


@dataclass(frozen=True, eq=False)
class Part:
    """A finished episode.

    Attributes:
        path: Its file.
        job: What was to be done.
        about: What the file says about itself.
    """

    path: Path
    job: Job
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the episode."""
        return self.job.episode.name

    def columns(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Read columns as NumPy arrays; all of them without `names`."""
        table = pq.read_table(self.path)
        wanted = (
            table.column_names if names is None else [name for name in names if name in table.column_names]
        )
        return {name: table[name].to_numpy() for name in wanted}


def parts_of(folder: Path, jobs: Sequence[Job], settings: Settings) -> list[Part]:
    """Return the finished ones of the episodes, in their order."""
    found = [job for job in jobs if is_done(folder, job, settings)]
    return [Part(part_path(folder, job), job, about(part_path(folder, job))) for job in found]

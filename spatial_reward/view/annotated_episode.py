"""An annotated episode, shown as an online recording is: its pictures with what was measured in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.annotate.jobs import make_jobs, open_source
from spatial_reward.annotate.parts import Part, about, part_path
from spatial_reward.annotate.report import key_steps, rate
from spatial_reward.annotate.settings import Settings
from spatial_reward.annotate.steps import steps_of
from spatial_reward.types import Answer, Question
from spatial_reward.viz.recording import Recorder
from spatial_reward.viz.report import write_report

SUMMARY = "summary.json"
Config = Mapping[str, Any]


def show_annotated(path: Path, folder: Path, config: Config) -> tuple[dict[str, float], dict[str, Any]]:
    """Write a recording and a report of one episode of a folder that `annotate` wrote.

    Raises:
        FileNotFoundError: If the folder is unfinished, or its dataset is no longer where it was.
        ValueError: If there is no such episode.
    """
    settings = _settings(path)
    reader = open_source(settings)
    parts = [
        Part(part_path(path, job), job, about(part_path(path, job)))
        for job in make_jobs(reader, settings, _Asleep())
        if part_path(path, job).is_file()
    ]
    part = chosen_part(parts, config["episode"])
    title = f"{part.name}: {part.job.episode.task or part.job.goal}"
    if config["rrd"] or config["open"] or config["screenshot"]:
        with Recorder(folder / f"{part.name}.rrd", str(part.job.goal), title=title) as recorder:
            for step in steps_of(part, reader):
                recorder.log(step)
    if config["png"]:
        count = int(
            np.sum(part.columns(["reward.spatial.is_inference_frame"])["reward.spatial.is_inference_frame"])
        )
        write_report(list(steps_of(part, reader, key_steps(count))), folder / f"{part.name}.png", title)
    rated = rate(part)
    metrics = {"episodes": len(parts), "episode": part.job.episode.index, "valid_share": rated.valid_share}
    return metrics, {"episode": part.name, "goal": str(part.job.goal)}


def chosen_part(parts: Sequence[Part], wanted: int | None) -> Part:
    """Return the episode of that number, or the worst one.

    Raises:
        ValueError: If there is none.
    """
    by_number = {part.job.episode.index: part for part in parts}
    if wanted is not None and wanted not in by_number:
        known = ", ".join(map(str, sorted(by_number)))
        raise ValueError(f"There is no annotated episode {wanted}; there are {known or 'none'}.")
    if not parts:
        raise ValueError("No episode has been annotated yet.")
    return by_number[wanted] if wanted is not None else max(parts, key=lambda part: rate(part).badness)


def _settings(path: Path) -> Settings:
    """Return how the episodes were annotated."""
    summary = path / SUMMARY
    if not summary.is_file():
        raise FileNotFoundError(f"{path} is unfinished: run `annotate` again with the same out.")
    said = json.loads(summary.read_text())
    if said.get("command") != "annotate":
        raise ValueError(f"{path} was written by {said.get('command')!r}, not by annotate.")
    config = said["config"]
    if config.get("points") == "pick":  # what was picked lies beside the folder
        config = {**config, "points": str(path.with_name(f"{path.name}.points.json"))}
    return Settings.of(config)


class _Asleep:
    """A model that is not asked anything: everything was measured before."""

    name, needs = "annotated", frozenset[str]()

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Refuse."""
        raise RuntimeError("An annotated episode is shown as it was measured; nothing is asked again.")

"""The command `annotate`: rewards for recorded episodes, and everything that shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.annotate.jobs import chosen_episodes, open_source
from spatial_reward.annotate.parts import FOLDER, Part
from spatial_reward.annotate.report import Rated, key_steps, rate, write_page
from spatial_reward.annotate.run import Annotated, annotate
from spatial_reward.annotate.settings import Settings
from spatial_reward.annotate.sidecar import PROGRESS, SIDECAR, write_progress, write_sidecar
from spatial_reward.annotate.steps import steps_of
from spatial_reward.benchmark.metrics import summarise
from spatial_reward.data.episodes import BadEpisode, EpisodeReader
from spatial_reward.data.run_folder import run_folder
from spatial_reward.outputs import default_folder, write_summary
from spatial_reward.types import Model

Config = Mapping[str, Any]
PICK = "pick"  # value of `points`
BEGUN = "annotate.json"
LONGEST = 1000  # steps of a recording
KEYS = ("dataset", "model", "points", "copy", "recordings", "overlays", "reports", "out")


def named(words: Sequence[str]) -> list[str]:
    """Return the words of a command with the dataset by its key; it may come first without, or as `source=`.

    >>> named(["episodes_folder", "stride=2"]), named(["source=a.hdf5"])
    (['dataset=episodes_folder', 'stride=2'], ['dataset=a.hdf5'])
    """
    first = [f"dataset={words[0]}"] if words and "=" not in words[0] else list(words[:1])
    return [
        f"dataset={word.partition('=')[2]}" if word.startswith("source=") else word
        for word in [*first, *words[1:]]
    ]


def run_annotate(config: Config, model: Model | None = None) -> Path:
    """Annotate what `conf/annotate.yaml` describes; return the folder of results.

    Args:
        config: The settings of `Settings`, and what is to be written.
        model: Use this one instead of loading the one that the configuration names.

    Raises:
        ValueError: If a setting makes no sense, or nothing may be scored; says what would help.
        FileExistsError: If the folder was begun with other settings.
        RuntimeError: If no episode could be annotated.
    """
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: let its YAML start from `defaults: [annotate]`."
        )
    final = Path(config["out"]) if config["out"] else default_folder("annotate")
    picking = config["points"] == PICK
    settings = Settings.of({**config, "points": None} if picking else config)
    _check_artefacts(config)
    reader = open_source(settings)
    if config["copy"]:
        from spatial_reward.annotate.dataset_copy import check_copy

        check_copy(reader)
    if picking:
        settings = replace(settings, points=str(_picked(reader, settings, final)))
    with run_folder(final, settings.identity(), file=BEGUN, parts=(FOLDER,)) as folder:
        done = _annotated(settings, folder, model, len(chosen_episodes(reader, settings)))
        if not done.parts:
            raise RuntimeError(f"No episode could be annotated: {'; '.join(_lines(done.failed))}.")
        _write(done, reader, folder, config)
    return final


def _check_artefacts(config: Config) -> None:
    """Refuse wrong words before hours of scoring, not after them."""
    for name in ("reports", "overlays", "recordings"):
        count = config[name]
        if count != "all" and (not isinstance(count, int) or isinstance(count, bool) or count < 0):
            raise ValueError(f"`{name}` must be a whole number from 0 on, or all, got {count!r}.")
    if not isinstance(config["copy"], bool):
        raise ValueError(f"`copy` must be true or false, got {config['copy']!r}.")


def _picked(reader: EpisodeReader, settings: Settings, final: Path) -> Path:
    """Let somebody pick the points; they lie beside the folder of results."""
    from rich.console import Console

    from spatial_reward.annotate.pick import Picker

    path = final.with_name(f"{final.name}.points.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        picker = Picker(reader, settings, path)
    except ValueError as error:
        if path.is_file() and "nothing to pick" in str(error):
            return path
        raise
    Console(stderr=True).print(f"Open {picker.url} and click where the things are.", soft_wrap=True)
    return picker.wait()


def _annotated(settings: Settings, folder: Path, model: Model | None, total: int) -> Annotated:
    """Score, with a bar, and a line for each episode that fails."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console) as bar:
        task = bar.add_task("annotating", total=total)

        def advance(name: str, fault: str) -> None:
            bar.advance(task)
            if fault:
                console.print(
                    f"{name}: {fault}", style="yellow", markup=False, highlight=False, soft_wrap=True
                )

        done = annotate(settings, folder, model, advance)
        bar.update(task, completed=total)  # with those that were finished before
    return done


def _write(done: Annotated, reader: EpisodeReader, folder: Path, config: Config) -> None:
    """Write the files about all episodes, the pictures of the worst, and the summary."""
    write_sidecar(done.parts, folder)
    write_progress(done.parts, folder)
    rated = sorted(map(rate, done.parts), key=lambda one: one.badness, reverse=True)
    artefacts = _artefacts(rated, reader, folder, config)
    write_page(rated, folder / "report.html", _title(config), done.failed, artefacts)
    _write_overview(rated, folder, config)
    if config["copy"]:
        _copy(done.parts, reader, folder / "dataset")
    metrics = _metrics(done, rated)
    episodes = [
        {"name": one.part.name, "index": one.part.job.episode.index, "valid_share": one.valid_share}
        for one in sorted(rated, key=lambda one: one.part.job.episode.index)
    ]
    assumed = {str(one.part.about["assumed_fov_deg"]) for one in rated if one.part.about["assumed_fov_deg"]}
    write_summary(
        folder,
        command="annotate",
        seed=0,
        config=config,
        metrics=metrics,
        episodes=episodes,
        failed=done.failed,
        assumed_fov_deg=sorted(assumed),
    )
    _print(done, metrics, config)


def _artefacts(
    rated: Sequence[Rated], reader: EpisodeReader, folder: Path, config: Config
) -> dict[str, list[str]]:
    """Write reports, overlays and recordings of the worst episodes; return their paths by episode."""
    wanted = {"reports": _report, "overlays": _overlay, "recordings": _recording}
    made: dict[str, list[str]] = {}
    for kind, writer in wanted.items():
        count = len(rated) if config[kind] == "all" else int(config[kind])
        for one in rated[:count]:
            (folder / kind).mkdir(exist_ok=True)
            try:
                path = writer(one.part, reader, folder / kind, _title(config))
            except BadEpisode:  # its pictures are gone since it was scored
                continue
            made.setdefault(one.part.name, []).append(str(path.relative_to(folder)))
    return made


def _report(part: Part, reader: EpisodeReader, folder: Path, title: str) -> Path:
    from spatial_reward.annotate.engine import scored_steps
    from spatial_reward.viz.report import write_report

    count = len(scored_steps(part.job.episode.length, int(part.about["stride"])))
    steps = list(steps_of(part, reader, key_steps(count)))
    return write_report(steps, folder / f"{part.name}.png", f"{part.name}: {part.job.goal}")


def _overlay(part: Part, reader: EpisodeReader, folder: Path, title: str) -> Path:
    from spatial_reward.annotate.overlay import write_overlay

    return write_overlay(part, reader, folder / f"{part.name}.mp4")


def _recording(part: Part, reader: EpisodeReader, folder: Path, title: str) -> Path:
    from spatial_reward.viz.recording import Recorder

    path = folder / f"{part.name}.rrd"
    # A viewer draws the way taken so far in every step: long episodes are thinned out.
    every = 1 + part.job.episode.length // int(part.about["stride"]) // LONGEST
    with Recorder(path, str(part.job.goal), title=f"{part.name}: {part.job.episode.task}") as recorder:
        for step in steps_of(part, reader, every=every):
            recorder.log(step)
    return path


def _write_overview(rated: Sequence[Rated], folder: Path, config: Config) -> None:
    """Write the scatter of predicted against true distances, where there are several episodes with truth."""
    from spatial_reward.viz.overview import EpisodeRow, write_overview

    rows = [
        EpisodeRow(one.part.name, one.errors.predicted, one.errors.truth, one.errors.valid.astype(float))
        for one in rated
        if np.isfinite(one.errors.truth).any()
    ]
    if len(rows) > 1:
        write_overview(rows, folder / "overview.png", _title(config))


def _copy(parts: Sequence[Part], reader: EpisodeReader, folder: Path) -> None:
    import shutil

    from spatial_reward.annotate.dataset_copy import write_copy

    shutil.rmtree(folder, ignore_errors=True)  # ours, from an earlier run
    write_copy(parts, reader, folder)


def _metrics(done: Annotated, rated: Sequence[Rated]) -> dict[str, float]:
    """Return the numbers of the summary; those that need the truth only where there is one."""
    summary = summarise([one.errors for one in rated])
    known = any(np.isfinite(one.errors.truth).any() for one in rated)
    unmeasured = ("latency_ms_p50", "latency_ms_p95", "false_motion_rate")
    kept = [name for name in summary if name not in unmeasured] if known else ["episodes", "valid_share"]
    return {
        **{name: summary[name] for name in kept},
        "failed": len(done.failed),
        "frames": done.frames,
        "frames_per_s": done.frames / done.seconds if done.frames else float("nan"),
        "peak_memory_mb": done.peak_memory / 1e6,
    }


def _title(config: Config) -> str:
    return f"{Path(config['dataset']).name}, measured by {config['model']['name']}"


def _lines(failed: Mapping[str, str]) -> list[str]:
    return [f"{name}: {why}" for name, why in failed.items()]


def _print(done: Annotated, metrics: Mapping[str, float], config: Config) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("metric", "value", title=_title(config))
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4g}")
    console = Console()
    console.print(table)
    console.print(f"{SIDECAR}, {PROGRESS} and report.html, of {len(done.parts)} episodes")

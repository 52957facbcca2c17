"""Make a set of questions from a source: prepare its scenes, draw, export, report. Resumable."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spatial_reward import __version__
from spatial_reward.data.drawing import Job
from spatial_reward.data.generate_settings import Config, Settings, checked
from spatial_reward.data.records import FORMAT
from spatial_reward.data.run_folder import abandon, run_folder
from spatial_reward.data.shards import write_json
from spatial_reward.data.sources import load_source
from spatial_reward.data.stages import Crew, Effort, Found, Manifests, draw_all, prepare_all
from spatial_reward.data.workers import connected, peak_memory

_SHOWN = 3  # reasons in an error


def generate(config: Config) -> Path:
    """Make the question set that `conf/generate.yaml` describes; return its folder.

    The same configuration gives the same bytes, for any number of workers, in one go or resumed.

    Raises:
        FileExistsError: If `out` holds something else, or was begun with other settings.
        ImportError: If the source, an export or Ray needs a package that is missing.
        OSError: If `out` cannot be written.
        RuntimeError: If a worker dies, or another run is writing to `out`.
        ValueError: If the configuration cannot be used, or no scene can.
    """
    settings = checked(config)
    names = _scene_names(settings)
    cluster = connected(config["cluster"], config["workers"])
    with cluster, run_folder(settings.out, settings.content) as folder, _crew(settings, len(names)) as crew:
        found, preparing = _prepare(settings, names, folder, crew)
        scenes = [one for one in found if not one.reason]
        job = Job(folder, config["seed"], settings.rules, config["per_shard"], config["embed"])
        manifests, drawing = draw_all(config["count"], settings.subtasks, scenes, job, crew)
        manifest = _set_manifest(settings, found, manifests)
        write_json(folder / "manifest.json", manifest)
        _export(settings, folder, anew=drawing.items > 0)
        if config["report"]:
            importlib.import_module("spatial_reward.data.report").write_report(folder)
        _write_summary(settings, folder, manifest, preparing, drawing)
    _say_what_is_missing(manifest)
    return settings.out


def _scene_names(settings: Settings) -> list[str]:
    """List the scenes of the source, each once."""
    names = list(load_source(**settings.config["source"]).scenes())
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice or not names:
        what = f"lists the scene {twice[0]!r} twice" if twice else "has no scenes"
        raise ValueError(f"The source {settings.config['source']['name']!r} {what}.")
    return names[: settings.config["scenes"]]


@contextmanager
def _crew(settings: Settings, scenes: int) -> Iterator[Crew]:
    """Show the progress of both stages on standard error."""
    from spatial_reward.data.progress import stages

    with stages(scenes=scenes, questions=settings.config["count"]) as advance:
        yield Crew(settings.config["workers"], settings.config["cluster"], advance)


def _prepare(
    settings: Settings, names: Sequence[str], folder: Path, crew: Crew
) -> tuple[list[Found], Effort]:
    """Prepare the scenes, keep the record of those skipped, and refuse to go on without any."""
    config = settings.config
    found, effort = prepare_all(
        config["source"], names, folder, crew, depth=config["depth"], rules=settings.rules
    )
    skipped = {one.scene: {"reason": one.reason, "detail": one.detail} for one in found if one.reason}
    write_json(folder / "skipped.json", skipped)
    problem = _problem(settings, found)
    if problem:
        abandon(folder)
        raise ValueError(problem)
    return found, effort


def _problem(settings: Settings, found: Sequence[Found]) -> str:
    """Say why no question can be asked; "" if some can."""
    name, scenes = settings.config["source"]["name"], [one for one in found if not one.reason]
    if not scenes:
        reasons = _most_common(Counter(one.reason for one in found))
        return (
            f"None of the {len(found)} scenes of source {name!r} can be used ({reasons}): {found[0].detail}."
        )
    if any(subtask not in one.unsupported for one in scenes for subtask in settings.subtasks):
        return ""
    table = _unsupported(settings.subtasks, scenes)
    reasons = _most_common(
        Counter({f"{key}: {next(iter(why))}": sum(why.values()) for key, why in table.items()})
    )
    return f"No scene of source {name!r} supports any of the subtasks asked for ({reasons})."


def _most_common(counts: Counter[str]) -> str:
    shown = [f"{reason} ({count})" for reason, count in counts.most_common(_SHOWN)]
    return ", ".join(shown) + (", and others" if len(counts) > _SHOWN else "")


def _unsupported(subtasks: Sequence[str], scenes: Sequence[Found]) -> dict[str, dict[str, int]]:
    """Count by subtask and reason the scenes that do not support it."""
    table: dict[str, Counter[str]] = {name: Counter() for name in subtasks}
    for one in scenes:
        for name in set(subtasks) & one.unsupported.keys():
            table[name][one.unsupported[name]] += 1
    return {name: dict(sorted(reasons.items())) for name, reasons in table.items() if reasons}


def _set_manifest(settings: Settings, found: Sequence[Found], manifests: Manifests) -> dict[str, Any]:
    """Describe the set: what is in it, what it was made of, and what it lacks."""
    counts: Counter[str] = Counter()
    for one in manifests:
        counts.update(one["counts"])
    scenes = [one for one in found if not one.reason]
    name = settings.config["source"]["name"]
    return {
        "format": FORMAT,
        "name": f"{name} ({settings.rules.mode})",
        "version": __version__,
        "seed": settings.config["seed"],
        "source": name,
        "mode": settings.rules.mode,
        "wanted": settings.config["count"],
        "questions": sum(one["rows"] for one in manifests),
        "counts": {subtask: counts[subtask] for subtask in settings.subtasks},
        "unsupported": _unsupported(settings.subtasks, scenes),
        "shortfalls": _shortfalls(manifests),
        "scenes": {one.scene: one.digest for one in scenes},
        "skipped": dict(sorted(Counter(one.reason for one in found if one.reason).items())),
        "shards": {one["shard"]: {"rows": one["rows"], "sha256": one["sha256"]} for one in manifests},
    }


def _shortfalls(manifests: Manifests) -> dict[str, dict[str, int]]:
    """Count by subtask and reason the questions that were planned at first and not drawn."""
    table: dict[str, Counter[str]] = {}
    for one in manifests:
        for short in one.get("shortfalls", ()) if one["part"]["turn"] == 0 else ():
            reasons = table.setdefault(short["subtask"], Counter())
            reasons[short["reason"]] += short["wanted"] - short["drawn"]
    return {name: dict(sorted(reasons.items())) for name, reasons in sorted(table.items())}


def _export(settings: Settings, folder: Path, *, anew: bool) -> None:
    """Write the exports that are not there, all of them `anew` where questions were."""
    if anew:
        shutil.rmtree(folder / "exports", ignore_errors=True)
    for name in settings.config["exports"]:
        if not (folder / "exports" / name).exists():
            importlib.import_module(f"spatial_reward.data.export.{name}").export(folder)


def _write_summary(
    settings: Settings, folder: Path, manifest: Mapping[str, Any], preparing: Effort, drawing: Effort
) -> None:
    """Write `summary.json`; the pictures of the scenes are not listed one by one."""
    shown = [path for path in folder.iterdir() if path.is_file() and path.name != "summary.json"]
    shown += [path for name in ("questions", "exports") for path in (folder / name).glob("*")]
    summary = {
        "command": "generate",
        "version": __version__,
        "seed": settings.config["seed"],
        "config": settings.config,
        "artefacts": [*sorted(str(path.relative_to(folder)) for path in shown), "scenes", "summary.json"],
        "metrics": _metrics(manifest, preparing, drawing),
    }
    write_json(folder / "summary.json", summary)


def _metrics(manifest: Mapping[str, Any], preparing: Effort, drawing: Effort) -> dict[str, float | None]:
    """Return flat numbers; rates are null where nothing was left to do."""
    peak = max(peak_memory(), preparing.peak, drawing.peak)
    return {
        "questions": manifest["questions"],
        "questions_missing": manifest["wanted"] - manifest["questions"],
        "questions_per_s": _rate(drawing.items, drawing.wall),
        "questions_per_s_per_core": _rate(drawing.items, drawing.core),
        "frames": preparing.items,
        "frames_per_s": _rate(preparing.items, preparing.wall),
        "frames_per_s_per_core": _rate(preparing.items, preparing.core),
        "peak_memory_mb": round(peak / 1e6, 1),
        "scenes": len(manifest["scenes"]),
        "scenes_skipped": sum(manifest["skipped"].values()),
        "subtasks": sum(count > 0 for count in manifest["counts"].values()),
        "shards": len(manifest["shards"]),
    }


def _rate(items: int, seconds: float) -> float | None:
    return round(items / seconds, 1) if items else None


def _say_what_is_missing(manifest: Mapping[str, Any]) -> None:
    missing = manifest["wanted"] - manifest["questions"]
    if missing:
        reason = "the scenes hold no more different questions of these subtasks"
        print(f"{missing} of {manifest['wanted']} questions are missing: {reason}.", file=sys.stderr)

"""The suite of speed: what everything takes, beside a named baseline measured in turns with it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.speed_parts import PARTS
from spatial_reward.benchmark.speed_turns import Speed
from spatial_reward.envs.catalogue import RECIPES
from spatial_reward.outputs import default_folder, jsonable, output_folder, write_summary

Config = Mapping[str, Any]


def run(config: Config) -> Path:
    """Measure what `conf/benchmark_speed.yaml` describes; return the folder of results.

    A part whose libraries are missing is skipped, and the table says so.

    Raises:
        ValueError: If a part or a number makes no sense.
        RuntimeError: If a part fails; the others are measured and written before.
    """
    _check(config)
    final = Path(config["out"]) if config["out"] else default_folder("benchmark")
    with output_folder(final) as folder:
        rows, skipped, failed = measured(config)
        text = page(rows, skipped, failed, config)
        (folder / "speed.md").write_text(text)
        (folder / "speed.json").write_text(json.dumps([jsonable(row._asdict()) for row in rows], indent=1))
        metrics = {f"{row.part}: {row.what}": row.ratio for row in rows}
        write_summary(folder, command="benchmark", seed=config["seed"], config=config, metrics=metrics)
    print(text)
    if failed:
        told = "; ".join(f"{part}: {error!r}" for part, error in failed.items())
        first = next(iter(failed.values()))
        raise RuntimeError(f"Some parts failed ({told}); what was measured is in {final}.") from first
    return final


def _check(config: Config) -> None:
    unknown = [part for part in config["parts"] if part not in PARTS]
    if unknown or not config["parts"]:
        raise ValueError(f"`parts` must be of {', '.join(PARTS)}, got {', '.join(unknown) or 'none'}.")
    if config["env"] not in RECIPES:
        raise ValueError(f"`env` must be one of the catalogue, {', '.join(RECIPES)}; got {config['env']!r}.")
    for key, least in {"rounds": 1, "size": 32, "threads": 1, "seed": 0}.items():
        if not (key == "threads" and config[key] is None) and not _is(config[key], int, least):
            raise ValueError(f"`{key}` must be a whole number from {least} on, got {config[key]!r}.")
    if not _is(config["seconds"], int | float, 0.01):
        raise ValueError(f"`seconds` must be at least 0.01, got {config['seconds']!r}.")


def _is(value: object, kind: Any, least: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and least <= value < float("inf")


def measured(config: Config) -> tuple[list[Speed], dict[str, str], dict[str, Exception]]:
    """Return the lines of all parts, why some were skipped, and the errors of those that failed."""
    full = {**config, "threads": config["threads"] or min(2, len(os.sched_getaffinity(0)))}
    rows: list[Speed] = []
    skipped: dict[str, str] = {}
    failed: dict[str, Exception] = {}
    for part in config["parts"]:
        try:
            for row in PARTS[part](full):
                rows.append(row)
                print(_line(row), flush=True)
        except ImportError as error:
            skipped[part] = str(error)
        except Exception as error:
            failed[part] = error
    return rows, skipped, failed


def page(
    rows: Sequence[Speed], skipped: Mapping[str, str], failed: Mapping[str, Exception], config: Config
) -> str:
    """Write the table, with what it was measured on and how."""
    cores = len(os.sched_getaffinity(0))
    lines = [
        "# Speed",
        "",
        f"`spatial-reward benchmark suite=speed env={config['env']} size={config['size']}`, Python "
        f"{platform.python_version()}, {cores} cores. Both of a line were measured in turns, "
        f"{config['rounds']} rounds of {config['seconds']:g} s each; medians. The ratio says how many times "
        "as fast ours is; it holds on other machines better than the times do.",
        "",
        "| part | what | ours | p95 | baseline | its | ratio |",
        "|---|---|---:|---:|---|---:|---:|",
        *map(_line, rows),
        "",
        *(f"Not measured: {part}. {why}" for part, why in skipped.items()),
        *(f"Incomplete: {part}. {error!r}" for part, error in failed.items()),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _line(row: Speed) -> str:
    p95 = "-" if row.p95 is None else f"{row.p95:.1f}"
    ours, theirs = (f"{value:.3g} {row.unit}" for value in (row.ours, row.theirs))
    return f"| {row.part} | {row.what} | {ours} | {p95} | {row.baseline} | {theirs} | {row.ratio:.2f} |"

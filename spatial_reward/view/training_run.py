"""The curves of a training run, from its log: a JSON object with a step and numbers in every line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatial_reward.viz.curves import Curves, write_curves_picture, write_curves_recording

LOG = "log.jsonl"
STEP = "step"


def show_training(
    path: Path, folder: Path, config: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Write a recording and a picture of every number of a log; return metrics and details."""
    log = path / LOG if path.is_dir() else path
    curves, damaged = read_curves(log)
    title = f"{log.resolve().parent.name}: {len(curves)} curves"
    if config["rrd"] or config["open"] or config["screenshot"]:
        write_curves_recording(curves, folder / "training.rrd", title)
    if config["png"]:
        write_curves_picture(curves, folder / "training.png", title)
    last = max(steps[-1] for steps, _ in curves.values())
    return {"curves": len(curves), "last_step": last, "damaged_lines": damaged}, {}


def read_curves(log: Path) -> tuple[Curves, int]:
    """Return the steps and values of every number in a log, and how many lines could not be read.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If no line has a step and a number.
    """
    if not log.is_file():
        raise FileNotFoundError(f"There is no training log {log}.")
    curves: Curves = {}
    damaged = 0
    for raw in log.read_text().splitlines():
        line = _read(raw)
        damaged += line is None
        for name, value in (line or {}).items():
            if name != STEP and isinstance(value, int | float) and not isinstance(value, bool):
                steps, values = curves.setdefault(name, ([], []))
                steps.append(int((line or {})[STEP]))
                values.append(float(value))
    if not curves:
        raise ValueError(f'{log} holds no curve: its lines must look like {{"step": 50, "loss": 1.2}}.')
    return curves, damaged


def _read(raw: str) -> dict[str, Any] | None:
    """Return a line; None if it is cut off or has no step, as the last one of a run that was killed."""
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get(STEP), int | float) else None

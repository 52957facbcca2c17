"""Audit a retrained model in the scene that it was retrained for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatial_reward.config import compose

EPISODES = 2  # layouts; the command `audit` plays more, and searches
FRAMES = 16


def audited(folder: Path, config: Mapping[str, Any]) -> dict[str, float]:
    """Play the controls of `audit` against the model in a folder; return how many gates it passes.

    The table and pictures are written to `audit/`. Where the audit has nothing to go by, as no attempt
    reaches the goal, that is `audit_possible: 0`.
    """
    from spatial_reward.benchmark.audit import run

    shutil.rmtree(folder / "audit", ignore_errors=True)  # of an interrupted run
    chosen = {key: config[key] for key in ("env", "goal", "camera", "size", "seed")}
    quick = {
        "episodes": EPISODES,
        "frames": FRAMES,
        "search": None,
        "best_of": 0,
        "out": str(folder / "audit"),
    }
    model = {**compose("audit", [])["model"], "weights": str(folder / "model"), "depth": "predicted"}
    try:
        result = run({**compose("audit", []), **chosen, **quick, "model": model})
    except ValueError as error:
        print(f"No audit: {error}")
        return {"audit_possible": 0.0}
    return {"audit_possible": 1.0, "audit_passed": float(result.passed)}

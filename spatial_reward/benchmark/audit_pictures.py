"""What an audit found, as a table and as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.benchmark.audit_controls import CONTROLS
from spatial_reward.benchmark.audit_gates import Gate, Results, Scored
from spatial_reward.benchmark.audit_search import Attempt

VERDICTS = {True: "passed", False: "FAILED", None: "does not apply"}


def write_table(gates: Sequence[Gate], path: Path, title: str) -> None:
    """Write the gates as a Markdown table, with what each control shows."""
    lines = [f"# Audit: {title}", "", "| gate | measured | limit | |", "|---|---|---|---|"]
    lines += [f"| {g.metric} | {_number(g)} | {g.limit} | {VERDICTS[g.passed]} |" for g in gates]
    lines += ["", "| control | shows |", "|---|---|"]
    lines += [f"| {control.name} | {control.shows} |" for control in CONTROLS]
    path.write_text("\n".join([*lines, ""]))


def print_table(gates: Sequence[Gate], title: str) -> None:
    """Print the gates, those that failed in red."""
    from rich.console import Console
    from rich.table import Table

    table = Table("gate", "measured", "limit", "", title=title)
    for gate in gates:
        style = {True: "green", False: "bold red", None: "dim"}[gate.passed]
        table.add_row(gate.metric, _number(gate), gate.limit, f"[{style}]{VERDICTS[gate.passed]}[/]")
    Console().print(table)


def _number(gate: Gate) -> str:
    if gate.passed is None:
        return "-"
    return f"{gate.value:.3f}" if np.isfinite(gate.value) else "undefined"


def write_pictures(
    results: Results, searched: Mapping[str, Attempt], gates: Sequence[Gate], path: Path, title: str
) -> None:
    """Draw a line for each clip of the first layout: pictures of it, and progress as said and as it was."""
    require("matplotlib", "viz", "reports")
    from matplotlib.figure import Figure

    failed = {gate.metric for gate in gates if gate.passed is False}
    first = min(one.seed for scored in results.values() for one in scored)
    clips = [(name, one) for name, scored in results.items() for one in scored if one.seed == first]
    figure = Figure((10.5, 1.12 * (len(clips) + len(searched)) + 0.6), layout="constrained")
    figure.suptitle(title, fontsize=10)
    lines = figure.subplots(
        len(clips) + len(searched), 2, squeeze=False, gridspec_kw={"width_ratios": [5, 3]}
    )
    for axes, (name, one) in zip(lines, clips, strict=False):
        shown = one.goal if name == "wrong_goal" else one.behaviour
        _draw_glimpses(axes[0], name, shown, one.pictures, f"{name}_unearned" in failed)
        _draw_progress(axes[1], one)
    for axes, (name, attempt) in zip(lines[len(clips) :], searched.items(), strict=True):
        bad = f"{name}_unearned" in failed or f"{name}_regret" in failed
        _draw_glimpses(axes[0], name, "the best by the reward", attempt.pictures, bad)
        _draw_attempt(axes[1], attempt)
    figure.savefig(path, dpi=100)


def _draw_glimpses(axis: Any, name: str, shown: str, pictures: Sequence[Any], failed: bool) -> None:
    axis.imshow(np.concatenate(pictures, axis=1))
    axis.set(xticks=[], yticks=[], anchor="W")
    label = name if shown in (name, "") else f"{name}:\n{shown}"
    axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=7, color="r" if failed else "k")


def _draw_progress(axis: Any, one: Scored) -> None:
    axis.plot(one.truth.progress, "k", lw=3, alpha=0.3, label="truth")
    said = np.where(one.curve.valid, one.curve.progress, np.nan)
    axis.plot(said, "C3.-", lw=1, ms=3, label="reward")
    _finish(axis)


def _draw_attempt(axis: Any, attempt: Attempt) -> None:
    axis.barh([1, 0], [np.nan_to_num(attempt.predicted), attempt.true], color=["C3", "0.7"])
    axis.set(yticks=[1, 0], xlim=(0, 1.05))
    axis.set_yticklabels(["reward", "truth"], fontsize=6)
    axis.tick_params(labelsize=6)


def _finish(axis: Any) -> None:
    axis.set(ylim=(-0.05, 1.05))
    axis.tick_params(labelsize=6)
    axis.legend(fontsize=5, loc="upper left")

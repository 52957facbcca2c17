"""Pictures and a page of the reinforcement learning suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.benchmark.rl_statistics import estimate, iqm
from spatial_reward.benchmark.rl_table import Curve, over_optimism, slug

COLOURS = {
    "dense": "black",
    "shaping": "tab:blue",
    "model": "tab:cyan",
    "sparse": "tab:orange",
    "clock": "tab:red",
}


def write_report(curves: Sequence[Curve], metrics: Mapping[str, float], folder: Path, about: str) -> None:
    """Write `rl.md`, `curves.png` and `over_optimisation.png`; the pictures where matplotlib is installed."""
    (folder / "rl.md").write_text(as_markdown(curves, metrics, about))
    try:
        require("matplotlib", "viz", "curves")
    except ImportError:
        return
    _draw(curves, _draw_success, folder / "curves.png", about)
    measured = [curve for curve in curves if np.isfinite(curve.predicted).any()]
    if measured:
        _draw(measured, _draw_potentials, folder / "over_optimisation.png", about)


def as_markdown(curves: Sequence[Curve], metrics: Mapping[str, float], about: str) -> str:
    """Return the page: a table for all trainings, and one for how shaping compares."""
    lines = [
        "# Agents that learn from each reward",
        "",
        f"{about}. {_HOW}",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        f"|---|---|{'---:|' * (len(_COLUMNS) - 2)}",
        *[_row(curve) for curve in curves],
        "",
    ]
    return "\n".join(lines + _comparison(curves, metrics))


def _row(curve: Curve) -> str:
    mean, low, high = (100 * value for value in estimate([curve.final]))
    cells: list[Any] = [curve.env_id, curve.reward, len(curve.seeds), f"{curve.steps[-1]:.0f}"]
    interval = f"{low:.0f} to {high:.0f}" if np.isfinite(low) else "too few seeds"
    cells += [f"{mean:.0f}", interval, f"{float(iqm(curve.areas)):.2f}"]
    cells += [
        f"{np.median(curve.seconds):.0f}",
        _known(100 * float(np.mean(curve.held))),
        _known(over_optimism(curve)),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _known(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else ""


def _comparison(curves: Sequence[Curve], metrics: Mapping[str, float]) -> list[str]:
    lines = [
        "| environment | share of dense [%] | beats sparse | beats clock | not below sparse | slowdown |",
        "|---|---:|---|---|---|---:|",
    ]
    for env_id in dict.fromkeys(curve.env_id for curve in curves):
        key, words = slug(env_id), {1.0: "yes", 0.0: "no"}
        if f"slowdown_{key}" not in metrics:
            continue
        share = metrics.get(f"share_of_dense_{key}", float("nan"))
        told = [words.get(metrics.get(f"{name}_{key}", -1.0), "") for name in _VERDICTS]
        slower = metrics[f"slowdown_{key}"]
        lines.append(f"| {env_id} | {_known(100 * share)} | {' | '.join(told)} | {slower:.2f} |")
    return [*lines, ""] if len(lines) > 2 else []


_HOW = (
    "Final success is the mean of the last three evaluations; interquartile means over seeds, with 95 % "
    "intervals of a stratified bootstrap. The environment counts successes, at the end of an episode. "
    "Optimism is by how much measured minus true potential has grown since the beginning."
)
_COLUMNS = (
    *("environment", "reward", "seeds", "steps", "success [%]", "interval"),
    *("AUC", "seconds", "held [%]", "optimism [mm]"),
)
_VERDICTS = ("beats_sparse", "beats_clock", "not_below_sparse")


def _draw(curves: Sequence[Curve], draw: Any, path: Path, title: str) -> None:
    """Draw a panel for each environment."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(curve.env_id for curve in curves))
    figure = Figure(figsize=(4 * len(names), 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for curve in curves:
            if curve.env_id == name:
                draw(axes, curve)
        axes.set_title(name, fontsize=9)
        axes.legend(fontsize=7)
    figure.suptitle(title, fontsize=9)
    figure.savefig(path, dpi=130)


def _draw_success(axes: Any, curve: Curve) -> None:
    mean, low, high = curve.band
    axes.plot(curve.steps, 100 * mean, color=COLOURS[curve.reward], label=curve.reward)
    axes.fill_between(curve.steps, 100 * low, 100 * high, color=COLOURS[curve.reward], alpha=0.15, lw=0)
    axes.set(xlabel="steps", ylabel="success [%]", ylim=(-3, 103))


def _draw_potentials(axes: Any, curve: Curve) -> None:
    """Draw what the model measured over what was true, evaluation by evaluation; on the line they agree."""
    predicted, true = 1000 * curve.predicted, 1000 * curve.true
    known = np.isfinite(predicted) & np.isfinite(true)
    when = np.broadcast_to(curve.steps / curve.steps[-1], predicted.shape)
    mark = "o" if curve.reward == "shaping" else "^"
    axes.scatter(
        true[known], predicted[known], 12, when[known], marker=mark, cmap="viridis", label=curve.reward
    )
    low = float(min(true[known].min(), predicted[known].min()))
    axes.plot([low, 0], [low, 0], color="grey", lw=0.8)
    axes.set(xlabel="true potential [mm], late in training yellow", ylabel="measured potential [mm]")

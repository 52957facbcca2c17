"""A picture of an episode: what was seen, what was measured, how right it was, what it was rewarded with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.camera import Array
from spatial_reward.viz.blueprint import CURVES, Curve
from spatial_reward.viz.files import partial_file
from spatial_reward.viz.pictures import current_picture, reference_picture
from spatial_reward.viz.step import Step

KEY_FRAMES = 4
DPI = 100
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 1.8,
}


def write_report(steps: Sequence[Step], path: Path | str, title: str = "") -> Path:
    """Write a PNG, 1400 px wide: the reference frame and key frames, and the curves below; return its path.

    Raises:
        ValueError: If there is no step.
        ImportError: If matplotlib is not installed.
        OSError: If `path` cannot be written.
    """
    if not steps:
        raise ValueError("A report needs at least one step, got none.")

    frame = steps[0].frame
    height = 2.72 * frame.height / frame.width + 0.35  # of a fifth of the width, and a line of title

    def draw(figure: Any) -> None:
        pictures, curves = figure.subfigures(2, 1, height_ratios=[height, 6.4])
        keys = np.unique(np.linspace(0, len(steps) - 1, KEY_FRAMES + 1).round().astype(int)[1:])
        _draw_pictures(pictures, steps, keys)
        _draw_curves(curves, steps, keys)

    return save_figure(draw, path, title, size=(14.0, height + 6.4 + 0.4 * bool(title)))


def save_figure(draw: Callable[[Any], None], path: Path | str, title: str, size: tuple[float, float]) -> Path:
    """Write the figure that `draw` fills as a PNG, whole or not at all; `size` in units of 100 px."""
    matplotlib = require("matplotlib", extra="viz", purpose="reports")
    figures = require("matplotlib.figure", extra="viz", purpose="reports")
    require("matplotlib.backends.backend_agg", extra="viz", purpose="reports")
    path = Path(path)
    partial = partial_file(path)
    try:
        with matplotlib.rc_context(STYLE):
            figure = figures.Figure(figsize=size, dpi=DPI, layout="constrained")
            if title:
                figure.suptitle(title, fontsize=15, fontweight="bold")
            draw(figure)
            figure.savefig(partial, format="png")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _draw_pictures(figure: Any, steps: Sequence[Step], keys: Array) -> None:
    axes = figure.subplots(1, 1 + KEY_FRAMES)
    shown = [(reference_picture(steps[0]), "Reference frame")]
    for number, key in enumerate(keys, start=1):
        step = steps[key]
        shown.append((current_picture(step), f"{number}: step {step.index}, {step.frame.time:.2f} s"))
    for axis in axes:
        axis.axis("off")
    for axis, (picture, title) in zip(axes, shown, strict=False):
        axis.imshow(picture, interpolation="antialiased")
        axis.set_title(title, fontsize=11)


def _draw_curves(figure: Any, steps: Sequence[Step], keys: Array) -> None:
    (distance, judgement), (error, reward) = figure.subplots(2, 2, sharex=True)
    index = np.array([step.index for step in steps])
    invalid = ~np.array([step.signal.valid for step in steps])
    _band(distance, steps, _values(steps, CURVES["distance/predicted"].read))
    _lines(distance, steps, "distance/true", "distance/predicted")
    distance.set(title="Distance to the goal", ylabel="distance [m]")
    distance.set_ylim(bottom=min(0.0, distance.get_ylim()[0]))
    _lines(judgement, steps, "judgement/progress", "judgement/success")
    judgement.set(title="Progress and success", ylabel="share, probability [1]", ylim=(-0.05, 1.05))
    _band(error, steps, np.zeros(len(steps)))
    _lines(error, steps, "error/error")
    error.axhline(0, color="0.4", linewidth=0.8)
    error.set(title="Error of the distance", ylabel="predicted - true [m]", xlabel="step")
    _lines(reward, steps, "reward/reward", "reward/env_reward")
    reward.set(title="Reward", ylabel="reward [1]", xlabel="step")
    for axis in (distance, judgement, error, reward):
        _shade(axis, index, invalid)
        axis.set_xlim(index[0] - 0.5, index[-1] + 0.5)
        axis.legend(loc="best")
    for number, key in enumerate(keys, start=1):
        distance.axvline(index[key], color="0.4", linestyle=":", linewidth=1)
        place = dict(xycoords=("data", "axes fraction"), xytext=(-4, 0), textcoords="offset points")
        distance.annotate(str(number), (index[key], 0.04), ha="right", color="0.3", **place)


def _lines(axis: Any, steps: Sequence[Step], *names: str) -> None:
    """Plot curves against the step; a lone value between unknown ones is a dot, where a line would vanish."""
    index = [step.index for step in steps]
    for curve in (CURVES[name] for name in names):
        values, shade = _values(steps, curve.read), _shade_of(curve)
        known = np.pad(np.isfinite(values), 1)
        alone = known[1:-1] & ~known[:-2] & ~known[2:]
        axis.plot(index, values, color=shade, label=curve.name.removesuffix(" [m]"))
        axis.plot(np.array(index)[alone], values[alone], ".", color=shade)


def _band(axis: Any, steps: Sequence[Step], middle: Array) -> None:
    """Fill two stated standard deviations on both sides of the middle."""
    spread = 2 * _values(steps, CURVES["error/std"].read)
    index = [step.index for step in steps]
    blue = _shade_of(CURVES["distance/predicted"])
    axis.fill_between(
        index, middle - spread, middle + spread, color=blue, alpha=0.18, lw=0, label="±2 std stated"
    )


def _shade(axis: Any, index: Array, invalid: Array) -> None:
    """Shade the stretches without a valid measurement."""
    edges = np.flatnonzero(np.diff(np.pad(invalid.astype(int), 1)))
    for number, (first, after) in enumerate(edges.reshape(-1, 2)):
        label = "not valid" if number == 0 else None
        axis.axvspan(index[first] - 0.5, index[after - 1] + 0.5, color="0.5", alpha=0.2, lw=0, label=label)


def _values(steps: Sequence[Step], read: Callable[[Step], float]) -> Array:
    return np.array([read(step) for step in steps], float)


def _shade_of(curve: Curve) -> tuple[float, ...]:
    return tuple(channel / 255 for channel in curve.colour)

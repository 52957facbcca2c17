"""Pictures of a report: histograms of answers and of overlaps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.viz.report import save_figure

_ACROSS = 5  # histograms side by side
_LABELS = {"m": "length [m]", "deg": "angle [deg]", "px": "share of width (height: light)"}


def draw_answers(content: Mapping[str, Any], path: Path) -> Path:
    """Draw the answers of every subtask.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    names = list(content["answers"])
    rows = max(1, -(-len(names) // _ACROSS))

    def draw(figure: Any) -> None:
        axes = figure.subplots(rows, _ACROSS, squeeze=False).ravel()
        for axis in axes[len(names) :]:
            axis.set_axis_off()
        for name, axis in zip(names, axes, strict=False):
            _draw(axis, content["answers"][name])
            axis.set_title(name, fontsize=9)
            axis.tick_params(labelsize=7)

    return save_figure(draw, path, f"Answers of {content['name']}", size=(14.0, 0.6 + 1.9 * rows))


def draw_overlaps(content: Mapping[str, Any], path: Path) -> Path:
    """Draw the overlaps of the frames.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    overlaps = content["overlaps"]

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        axis.stairs(overlaps["counts"], overlaps["edges_percent"], fill=True)
        axis.set_xlabel("points that both frames see, of those that either sees [%]")
        axis.set_ylabel("questions")

    return save_figure(draw, path, f"Overlaps of {content['name']}", size=(7.0, 4.0))


def _draw(axis: Any, answers: Mapping[str, Any]) -> None:
    if "counts" not in answers:
        words = sorted(answers["words"].items())
        axis.bar([word for word, _ in words], [count for _, count in words])
        return
    edges, counts = np.array(answers["edges"]), np.array(answers["counts"])
    for part, alpha in zip(counts.reshape(-1, len(edges) - 1), (1.0, 0.45), strict=False):
        axis.stairs(part, edges, fill=True, alpha=alpha, color="C0" if alpha == 1 else "C1")
    if answers["unit"] == "m":
        used = np.flatnonzero(counts)
        low, high = np.floor(np.log10(edges[used[0]])), np.ceil(np.log10(edges[used[-1] + 1]))
        axis.set_xscale("log")
        axis.set_xlim(10**low, 10**high)
        axis.set_xticks([], minor=True)
        powers = range(int(low), int(high) + 1)
        axis.set_xticks([10.0**power for power in powers], [f"{10.0**power:g}" for power in powers])
    axis.set_xlabel(_LABELS[answers["unit"]], fontsize=7)
    still = answers["words"].get("still", 0)
    if still:
        axis.text(0.02, 0.9, f"still: {still}", transform=axis.transAxes, fontsize=7)

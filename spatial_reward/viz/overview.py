"""A picture of several episodes: predicted against true distances, and a table of their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.viz import draw
from spatial_reward.viz.report import save_figure
from spatial_reward.viz.step import Step

TABLE_ROWS = 24  # more episodes are in the scatter only


@dataclass(frozen=True, eq=False)
class EpisodeRow:
    """The distances of an episode, and numbers about it.

    Attributes:
        name: What the table calls it.
        predicted: (T,) predicted distances to the goal [m]; NaN = unknown.
        truth: (T,) true distances [m]; NaN = unknown.
        valid: (T,) whether the prediction may be used.
        numbers: Further columns of the table, by heading with its unit, such as {"spearman": 0.98}.
    """

    name: str
    predicted: Array
    truth: Array
    valid: Array
    numbers: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, steps: Sequence[Step], **numbers: float) -> EpisodeRow:
        """Make the row of recorded steps."""
        predicted = np.array([step.predicted for step in steps])
        truth = np.array([step.truth for step in steps])
        return cls(name, predicted, truth, np.array([step.signal.valid for step in steps], bool), numbers)

    @property
    def compared(self) -> tuple[Array, Array]:
        """Predicted and true distances [m] where both are known and the prediction may be used."""
        known = np.asarray(self.valid, bool) & np.isfinite(self.predicted) & np.isfinite(self.truth)
        return self.predicted[known], self.truth[known]


def write_overview(rows: Sequence[EpisodeRow], path: Path | str, title: str = "") -> Path:
    """Write a PNG, 1400 px wide: a scatter of predicted against true distances beside a table of episodes.

    Raises:
        ValueError: If there is no row.
        ImportError: If matplotlib is not installed.
        OSError: If `path` cannot be written.
    """
    if not rows:
        raise ValueError("An overview needs at least one episode, got none.")

    def fill(figure: Any) -> None:
        scatter, table = figure.subplots(1, 2, width_ratios=[0.9, 1])
        _draw_scatter(scatter, rows)
        _draw_table(table, rows[:TABLE_ROWS])

    return save_figure(fill, path, title, size=(14.0, 6.6))


def _draw_scatter(axis: Any, rows: Sequence[EpisodeRow]) -> None:
    for index, row in enumerate(rows):
        predicted, truth = row.compared
        axis.plot(truth, predicted, ".", color=_shade(index), alpha=0.6, markersize=7, label=row.name)
    limit = max((float(np.max(both, initial=0.0)) for row in rows for both in row.compared), default=0.0)
    limit = 1.05 * limit or 1.0
    axis.plot([0, limit], [0, limit], color="0.4", linewidth=1, zorder=0)
    axis.set(xlim=(0, limit), ylim=(0, limit), title="Distance to the goal")
    axis.set(xlabel="true [m]", ylabel="predicted [m]")
    if len(rows) <= 8:
        axis.legend(loc="upper left")


def _draw_table(axis: Any, rows: Sequence[EpisodeRow]) -> None:
    axis.axis("off")
    further = list(dict.fromkeys(key for row in rows for key in row.numbers))
    headings = ["episode", "steps", "valid", "error [mm]", "true start, end [m]", *further]
    table = axis.table([_cells(row, further) for row in rows], colLabels=headings, loc="upper center")
    table.auto_set_font_size(False)
    table.set_fontsize(10)
    table.scale(1, 1.6)
    table.auto_set_column_width(range(len(headings)))
    for (line, _), cell in table.get_celld().items():
        cell.set(edgecolor="0.85", facecolor="0.95" if line == 0 else "white")
        if line == 0:
            cell.set_text_props(fontweight="bold")


def _cells(row: EpisodeRow, further: Sequence[str]) -> list[str]:
    predicted, truth = row.compared
    error = f"{1000 * np.abs(predicted - truth).mean():.1f}" if len(truth) else "unknown"
    ends = f"{row.truth[0]:.3f}, {row.truth[-1]:.3f}" if len(row.truth) else "unknown"
    valid = f"{np.mean(row.valid):.0%}" if len(row.valid) else "unknown"
    numbers = [f"{row.numbers.get(key, float('nan')):.3g}" for key in further]
    return [row.name, str(len(row.truth)), valid, error, ends, *numbers]


def _shade(index: int) -> tuple[float, ...]:
    return tuple(channel / 255 for channel in draw.colour(index))

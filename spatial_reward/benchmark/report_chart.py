"""A run as one picture: the accuracy of every subtask beside what needs no picture, and some answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.benchmark.report_cases import Case, truth_words
from spatial_reward.viz.draw import Picture
from spatial_reward.viz.report import save_figure

SHOWN = 6  # pictures
COLUMNS = 3  # of them
WIDTH, BARS, ROW = 14.0, 5.2, 2.4  # of the figure, its bars and a row of pictures, in units of 100 px
_BAR, _BLIND = "#2a78b8", "#d1495b"


def write_chart(
    path: Path, results: Mapping[str, Any], cases: Sequence[Case], pictures: Sequence[Picture]
) -> Path:
    """Write a PNG: bars with 95 % intervals, blind and random marks, and the worst answers below.

    Raises:
        ImportError: If matplotlib is not installed.
        OSError: If `path` cannot be written.
    """
    shown = _worst_first(cases, pictures)[:SHOWN]
    rows = -(-len(shown) // COLUMNS)

    def draw(figure: Any) -> None:
        above, below = figure.subfigures(2, 1, height_ratios=[BARS, max(ROW * rows, 0.01)])
        _draw_bars(above.subplots(), results["subtasks"])
        if rows:
            _draw_cases(below, shown, rows)

    return save_figure(draw, path, _title(results), (WIDTH, BARS + ROW * rows + 0.4))


def _title(results: Mapping[str, Any]) -> str:
    name, found = next((name, row) for name, row in results["means"].items() if name.startswith("mean"))
    scores = ", ".join(f"{found[mode]['accuracy']:.2f} % ({mode})" for mode in ("paper", "strict"))
    return f"{results['title']}: {name.replace('_', ' ')} {scores}"


def _worst_first(cases: Sequence[Case], pictures: Sequence[Picture]) -> list[tuple[Case, Picture]]:
    pairs = list(zip(cases, pictures, strict=True))
    return sorted(pairs, key=lambda pair: pair[0].which != "worst")


def _draw_bars(axis: Any, subtasks: Mapping[str, Mapping[str, Any]]) -> None:
    places = np.arange(len(subtasks))
    found = [row["paper"] for row in subtasks.values()]
    values, low, high = (np.array([row[key] for row in found]) for key in ("accuracy", "low", "high"))
    spread = np.maximum([values - low, high - values], 0)
    axis.bar(places, values, yerr=spread, color=_BAR, ecolor="#333", width=0.7, label="paper scoring, 95 %")
    axis.scatter(
        places, [row["blind"] for row in found], marker="_", s=260, color=_BLIND, zorder=3, label="blind"
    )
    axis.scatter(
        places, [row["random"] for row in found], marker=".", color="black", zorder=3, label="random"
    )
    axis.scatter(
        places,
        [row["strict"]["accuracy"] for row in subtasks.values()],
        marker="x",
        color="#f2a900",
        zorder=3,
        label="strict scoring",
    )
    axis.set_xticks(places, list(subtasks), rotation=55, ha="right", fontsize=9)
    axis.set(ylim=(0, 105), ylabel="right answers [%]")
    axis.legend(loc="upper center", ncols=4, bbox_to_anchor=(0.5, 1.14))


def _draw_cases(figure: Any, shown: Sequence[tuple[Case, Picture]], rows: int) -> None:
    for axis in np.ravel(figure.subplots(rows, COLUMNS)):
        axis.axis("off")
    for axis, (case, picture) in zip(figure.axes, shown, strict=False):
        axis.imshow(picture)
        axis.set_title(f"{case.which}: {case.line['id']}, truth {truth_words(case.line)}", fontsize=8.5)

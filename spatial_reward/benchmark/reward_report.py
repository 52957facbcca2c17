"""The table and the pictures of the reward suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward._require import require
from spatial_reward.benchmark.reward_metrics import risk_coverage
from spatial_reward.benchmark.reward_rows import Row, columns
from spatial_reward.benchmark.reward_table import matrix_of

Table = Mapping[str, Mapping[str, float]]
Sure = Mapping[str, Mapping[str, tuple[float, float]]]

SHOWN = {  # metric -> heading, digits after the point, factor
    "voc": ("VOC", 2, 1),
    "voc_frozen": ("VOC frozen", 2, 1),
    "voc_gap": ("VOC gap", 2, 1),
    "voc_reversed": ("VOC reversed", 2, 1),
    "voc_shuffled": ("VOC shuffled", 2, 1),
    "kendall_tau_b": ("Kendall tau-b", 2, 1),
    "preference_accuracy": ("preference [%]", 1, 100),
    "success_roc_auc": ("ROC-AUC", 3, 1),
    "success_auprc": ("AUPRC", 3, 1),
    "success_fpr_at_95_tpr": ("FPR at 95 % TPR [%]", 1, 100),
    "progress_mae": ("progress MAE", 3, 1),
    "mae_mm": ("error [mm]", 1, 1),
    "error_mm_p90": ("error p90 [mm]", 1, 1),
    "coverage_90": ("90 % interval covers [%]", 1, 100),
    "success_ece": ("success ECE", 3, 1),
    "risk_coverage_mm": ("risk-coverage [mm]", 1, 1),
    "instruction_margin": ("instruction margin", 2, 1),
    "push_not_lift_called_lift": ("push called lift [%]", 1, 100),
    "false_motion_rate": ("false motion [%]", 1, 100),
    "valid_share": ("valid [%]", 1, 100),
    "latency_ms_p50": ("latency [ms]", 1, 1),
}


def write_markdown(table: Table, sure: Sure, path: Path, about: str) -> None:
    """Write the table: a line per metric, a column per model; 95 % intervals in brackets, "-" undefined."""
    lines = ["# Reward suite", "", about, "", f"| | {' | '.join(table)} |", f"|---|{'---|' * len(table)}"]
    for key, (heading, digits, factor) in SHOWN.items():
        cells = [
            _cell(numbers[key], digits, factor)
            + _bracket(sure.get(model, {}).get(key), digits, factor)
            + _count(numbers.get(f"{key}_undefined", 0), numbers["successes"])
            for model, numbers in table.items()
        ]
        lines.append(f"| {heading} | {' | '.join(cells)} |")
    notes = (
        "VOC is Spearman's rank correlation of the value with time while the goal is worked at, the median "
        "over successes; the other VOCs are over the whole control clip. `undefined` counts those without: "
        "a level line has no order. The VOC gap takes a level frozen line as 0. Brackets hold 95 % "
        "intervals, by a bootstrap over layouts."
    )
    path.write_text("\n".join([*lines, "", notes, ""]))


def _cell(value: float, digits: int, factor: float) -> str:
    return f"{factor * value:.{digits}f}" if np.isfinite(value) else "-"


def _bracket(pair: tuple[float, float] | None, digits: int, factor: float) -> str:
    if pair is None or not np.isfinite(pair).all():
        return ""
    return f" [{_cell(pair[0], digits, factor)}, {_cell(pair[1], digits, factor)}]"


def _count(undefined: float, successes: float) -> str:
    return f" ({int(undefined)} of {int(successes)} undefined)" if undefined else ""


def write_pictures(rows: Sequence[Row], folder: Path) -> None:
    """Draw the curves of one layout, and how sure and how literal the rewards are."""
    require("matplotlib", "viz", "reports")
    _write_curves(rows, folder / "curves.png")
    _write_trust(rows, folder / "trust.png")


def _write_curves(rows: Sequence[Row], path: Path) -> None:
    """Draw progress over time: an environment per line, a behaviour per column, a line per model."""
    from matplotlib.figure import Figure

    clips = [row for row in rows if row["row"] == "clip"]
    first = min(row["seed"] for row in clips)
    clips = [row for row in clips if row["seed"] == first]
    envs, plays = _distinct(clips, "env"), _distinct(clips, "behaviour")
    figure = Figure((2.3 * len(plays), 1.7 * len(envs) + 0.6), layout="constrained")
    axes = figure.subplots(len(envs), len(plays), squeeze=False, sharey=True)
    for line, env in enumerate(envs):
        for column, play in enumerate(plays):
            here = [row for row in clips if row["env"] == env and row["behaviour"] == play]
            _draw_progress(axes[line, column], here)
            if line == 0:
                axes[line, column].set_title(play, fontsize=8)
        axes[line, 0].set_ylabel(f"{env}\nprogress", fontsize=7)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=8, fontsize=7)
    figure.savefig(path, dpi=110)


def _draw_progress(axis: Any, rows: Sequence[Row]) -> None:
    axis.set_ylim(-0.05, 1.05)
    axis.tick_params(labelsize=6)
    if not rows:
        axis.set_axis_off()
        return
    axis.plot(rows[0]["time_s"], rows[0]["true_progress"], "k", lw=3, alpha=0.3, label="truth")
    for row in rows:
        progress = np.where(row["valid"], np.array(row["progress"], float), np.nan)
        axis.plot(row["time_s"], progress, lw=1, label=row["model"])


def _write_trust(rows: Sequence[Row], path: Path) -> None:
    """Draw risk against coverage, the reliability of success, and the instruction matrices."""
    from matplotlib.figure import Figure

    models = _distinct(rows, "model")
    figure = Figure((11, 6.2), layout="constrained")
    above, below = np.ravel(np.asarray(figure.subfigures(2, 1, height_ratios=[3, 2])))
    risk, reliability = above.subplots(1, 2)
    for model in models:
        clips = [row for row in rows if row["model"] == model and row["row"] == "clip"]
        _draw_risk(risk, clips, model)
        _draw_reliability(reliability, clips, model)
    risk.set(
        xlabel="coverage: share of frames, surest first", ylabel="mean error [mm]", title="risk-coverage"
    )
    reliability.plot([0, 1], [0, 1], "k:", lw=1)
    reliability.set(xlabel="predicted success", ylabel="true share", title="reliability of success")
    if risk.get_legend_handles_labels()[0]:
        risk.legend(fontsize=7)
    for axis, model in zip(below.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        _draw_matrix(
            axis, [row for row in rows if row["model"] == model and row["row"] == "instruction"], model
        )
    figure.savefig(path, dpi=110)


def _draw_risk(axis: Any, clips: Sequence[Row], model: str) -> None:
    valid = columns(clips, "valid") > 0.5
    errors = 1000 * (columns(clips, "potential_m") + columns(clips, "true_distance_m"))[valid]
    share, risk = risk_coverage(errors, columns(clips, "std_m")[valid])
    if len(share):
        axis.plot(share, risk, label=model)


def _draw_reliability(axis: Any, clips: Sequence[Row], model: str) -> None:
    valid = columns(clips, "valid") > 0.5
    success, label = columns(clips, "success")[valid], columns(clips, "true_success")[valid]
    known = np.isfinite(success)
    bins = np.minimum((success[known] * 10).astype(int), 9)
    filled = [number for number in range(10) if (bins == number).any()]
    if filled:
        predicted = [success[known][bins == number].mean() for number in filled]
        axis.plot(
            predicted,
            [label[known][bins == number].mean() for number in filled],
            "o-",
            ms=3,
            lw=1,
            label=model,
        )


def _draw_matrix(axis: Any, rows: Sequence[Row], model: str) -> None:
    axis.set_title(f"{model}\ninstruction", fontsize=7)
    axis.set_xticks([0, 1], ["goal thing", "other"], fontsize=6)
    axis.set_yticks([0, 1], ["goal thing\nmoved", "other\nmoved"], fontsize=6)
    if not rows:
        return
    mean = np.nanmean([matrix_of(row, "progress") for row in rows], axis=0)
    axis.imshow(mean, vmin=0, vmax=1, cmap="viridis")
    for (line, column), value in np.ndenumerate(mean):
        axis.text(
            column,
            line,
            f"{value:.2f}",
            ha="center",
            va="center",
            fontsize=8,
            color="w" if value < 0.6 else "k",
        )


def _distinct(rows: Sequence[Row], key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))

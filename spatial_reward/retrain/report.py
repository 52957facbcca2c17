"""What retraining has brought: figures before and after, as a table that goes with the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatial_reward import __version__

Figures = Mapping[str, Any]

# Part and name of a figure, what it says, and by how much it is multiplied to be shown.
ROWS: tuple[tuple[str, str, str, float], ...] = (
    ("pairs", "object_median_mm", "motion of things that moved 3 to 30 cm, median error [mm]", 1),
    ("pairs", "object_within_20", "within 20 % of the true motion [%]", 100),
    ("pairs", "depth_median", "depth on things, median error [%]", 100),
    ("pairs", "match_median_width", "match, median error [% of the width]", 100),
    ("pairs", "match_p90_width", "match, 90th percentile [% of the width]", 100),
    ("pairs", "false_motion_static_camera", "false motion, still camera [%]", 100),
    ("pairs", "false_motion_moving_camera", "false motion, moved camera [%]", 100),
    ("pairs", "seen_valid", "seen and valid [%]", 100),
    ("pairs", "hidden_invalid", "hidden and not valid [%]", 100),
    ("pairs", "coverage_object", "motion within stated 90 % intervals [%]", 100),
    ("episodes", "spearman", "episodes: rank of the distance to the goal (Spearman), median", 1),
    ("episodes", "spearman_worst", "episodes: the worst", 1),
    ("episodes", "mae_mm", "episodes: error of the distance, median [mm]", 1),
    ("episodes", "false_motion_rate", "episodes: false motion [%]", 100),
    ("episodes", "valid_share", "episodes: valid steps [%]", 100),
    ("general", "score", "general scenes: what training is validated by", 1),
)


def verdict(before: Figures, after: Figures) -> dict[str, float]:
    """Return the figures flat, with what became of the three that count."""
    flat = {
        f"{part}_{name}_{when}": _known(figures, part, name)
        for part, name, _, _ in ROWS
        if part in before
        for when, figures in (("before", before), ("after", after))
    }

    def ratio(name: str) -> float:
        return flat[f"{name}_after"] / flat[f"{name}_before"] if flat[f"{name}_before"] else float("nan")

    flat["object_error_falls_by"] = 1 - ratio("pairs_object_median_mm")
    flat["depth_error_falls_by"] = 1 - ratio("pairs_depth_median")
    flat["general_error_rises_by"] = ratio("general_score") - 1
    return flat


def _known(figures: Figures, part: str, name: str) -> float:
    value = figures[part].get(name)
    return float("nan") if value is None else float(value)


def write_report(
    folder: Path, config: Mapping[str, Any], before: Figures, after: Figures, metrics: Mapping[str, float]
) -> None:
    """Write `report.md`, and the same beside the weights as the card of the model."""
    text = _text(config, before, after, metrics)
    for path in (folder / "report.md", folder / "model" / "README.md"):
        path.write_text(text)
    print(text)


def _text(config: Mapping[str, Any], before: Figures, after: Figures, metrics: Mapping[str, float]) -> str:
    lines = [
        f"# SpatialNet for {_source(config)}",
        "",
        f"Retrained by spatial-reward {__version__} on {int(metrics['scenes'])} scenes of {_source(config)} "
        f"({config['size']} px, around camera {config['camera']!r}) and general ones "
        f"({100 * config['replay']:.0f} %), {int(metrics['steps'])} steps, seed {config['seed']}.",
        "",
        "From colours alone (`model.depth=predicted`), the plane under things guessed as at a reset; "
        f"{config['trials']} pairs of frames that were not trained on{_judged(config)}.",
        "",
        "| figure | before | after |",
        "|---|---|---|",
        *(_row(row, before, after) for row in ROWS if row[0] in before),
        "",
        f"The error of motion fell by {100 * metrics['object_error_falls_by']:.0f} %, that of depth by "
        f"{100 * metrics['depth_error_falls_by']:.0f} %; in general scenes the error changed by "
        f"{100 * metrics['general_error_rises_by']:+.0f} %. {_audit(metrics)}",
        "",
        "Use it: `model.weights=FOLDER/model model.depth=predicted` in any command, or "
        '`load_model("spatialnet", weights="FOLDER/model")`.',
        "",
    ]
    return "\n".join(lines)


def _source(config: Mapping[str, Any]) -> str:
    return str(config["episodes"] or config["env"])


def _judged(config: Mapping[str, Any]) -> str:
    """Say how episodes were judged, where there is a truth to judge by."""
    if config["consistency"]:
        return (
            " of episodes that were held out. **No truth is known: figures compare it with what the model "
            "said before, where that was consistent: they tell whether it is steadier, not that it is right**"
        )
    if config["episodes"] is not None:
        return ", of episodes that were held out; what moves is not known, and not judged"
    return f", in other states and from other places; {config['judged']} episodes, goal `{config['goal']}`"


def _row(row: tuple[str, str, str, float], before: Figures, after: Figures) -> str:
    part, name, said, scale = row
    shown = (_shown(_known(figures, part, name), scale) for figures in (before, after))
    return f"| {said} | {' | '.join(shown)} |"


def _shown(value: float, scale: float) -> str:
    return "-" if value != value else f"{scale * value:.3g}"


def _audit(metrics: Mapping[str, float]) -> str:
    if not metrics.get("audit_possible"):
        return "It was not audited."
    return f"It {'passes' if metrics['audit_passed'] else 'does not pass'} the gates of `audit` (audit/)."

"""What a run amounts to: subtasks, rows, means, the comparison with another run; all from the log's lines."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from spatial_reward import __version__
from spatial_reward.benchmark.answer_log import LOG, Line, read_log, read_settings
from spatial_reward.benchmark.intervals import Sums, mean_interval, sums, weights
from spatial_reward.benchmark.loading import BASELINES
from spatial_reward.benchmark.multispa_asking import Run
from spatial_reward.benchmark.multispa_questions import digest
from spatial_reward.benchmark.multispa_scores import subtask_row
from spatial_reward.benchmark.tables import BENCHMARK, FINE_TUNING, Column
from spatial_reward.data.blind import MODES, blind_table
from spatial_reward.data.records import Record
from spatial_reward.data.workers import peak_memory
from spatial_reward.models import MODELS
from spatial_reward.questions import SUBTASKS, TABLE_ROWS
from spatial_reward.types import Question

GUESSING = "if_made_to_guess"
PACKAGES = ("numpy", "opencv-python-headless", "mujoco", "torch", "transformers", "scipy")
COLUMNS = ("accuracy", GUESSING, "random", "blind")  # that are averaged

Table = dict[str, dict[str, Any]]


def results_of(run: Run, lines: Sequence[Line]) -> dict[str, Any]:
    """Put results.json together; two runs with the same settings differ in `time` only."""
    config, questions = run.config, questions_by_subtask(run.records)
    subtasks = subtask_table(lines, questions)
    rows = row_table(subtasks)
    name = run.opened.manifest.get("name")
    return {
        "title": f"{lines[0]['source'] or config['model']['name']} on {name}",
        "set": {"name": name, "questions": len(lines), "sha256": digest(run.records)},
        "count": config["count"],
        "command": f"spatial-reward benchmark {_words(config)}",
        **environment(),
        "pictures": dict(sorted(Counter(line["pictures"] for line in lines).items())),
        "means": means(lines, subtasks, rows, config["seed"]),
        "rows": rows,
        "subtasks": subtasks,
        "published": published(),
        "comparison": _compared(config, lines),
        "time": {"answering_s": sum(line["seconds"] for line in lines)},
    }


def questions_by_subtask(records: Iterable[Record]) -> dict[str, list[Question]]:
    """Group questions by subtask."""
    found: dict[str, list[Question]] = {}
    for record in records:
        found.setdefault(record.subtask, []).append(record.question)
    return found


def _words(config: Mapping[str, Any]) -> str:
    """Return the words of the command that matter to the result."""
    named = {f"model.{key}": value for key, value in config["model"].items() if key != "name"}
    name = config["model"]["name"]
    model = {"model": name} if name in (*MODELS, *BASELINES) else {"model": "own", "model.name": name}
    words = {"suite": config["suite"], **model, **named}
    words |= {key: config[key] for key in ("set", "split", "subtasks", "count", "depth", "poses", "seed")}
    return " ".join(f"{key}={_word(value)}" for key, value in words.items() if value is not None)


def _word(value: Any) -> str:
    word = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{word}'" if " " in word else word


def _compared(config: Mapping[str, Any], lines: Sequence[Line]) -> dict[str, Any] | None:
    if not config["compare"]:
        return None
    other = Path(config["compare"])
    settings, (theirs, _) = read_settings(other), read_log(other / LOG)
    about = {"with": settings["model"], "depth": settings["depth"], "poses": settings["poses"]}
    return about | comparison(lines, theirs, config["seed"])


def metrics_of(results: Mapping[str, Any], lines: Sequence[Line]) -> dict[str, float]:
    """Return the numbers of summary.json; shares are of 1, accuracies and means in percent."""
    metrics: dict[str, float] = {"questions": len(lines)}
    for mean in (name for name in results["means"] if name.startswith("mean")):
        for mode in MODES:
            found = results["means"][mean][mode]
            metrics[f"{mode}_{mean}"] = found["accuracy"]
            metrics |= {f"{mode}_{mean}_{key}": found[key] for key in ("low", "high", "random", "blind")}
            metrics[f"{mode}_{mean}_guessing"] = found[GUESSING]
    seconds = results["time"]["answering_s"]
    return metrics | {
        "mean_26": metrics.get("paper_mean_26", float("nan")),
        "unread_share": fmean(line["value"] is None for line in lines),
        "invalid_share": fmean(line["value"] is not None and not line["valid"] for line in lines),
        "questions_per_s": len(lines) / seconds if seconds else float("nan"),
        "peak_memory_mb": peak_memory() / 1e6,
    }


def subtask_table(lines: Sequence[Line], questions: Mapping[str, Sequence[Question]]) -> Table:
    """Sum up a run by subtask, in the published order.

    Args:
        lines: Of the log.
        questions: Of the run with their truths, by subtask; what the blind baselines answer.
    """
    several = {name: asked for name, asked in questions.items() if len(asked) > 1}
    blind = {(row.subtask, row.mode): row for row in blind_table(several)}
    table = {}
    for name in [one.name for one in SUBTASKS if one.name in questions]:
        own = [line for line in lines if line["subtask"] == name]
        table[name] = subtask_row(own, {mode: blind.get((name, mode)) for mode in MODES})
    return table


def row_table(subtasks: Table) -> Table:
    """Average subtasks to the published rows, in both scorings; rows without any subtask are left out."""
    table: Table = {}
    for row, names in TABLE_ROWS.items():
        there = [name for name in names if name in subtasks]
        if there:
            table[row] = {"n": sum(subtasks[name]["n"] for name in there)} | {
                mode: {key: fmean(subtasks[name][mode][key] for name in there) for key in COLUMNS}
                for mode in MODES
            }
    return table


def means(lines: Sequence[Line], subtasks: Table, rows: Table, seed: int) -> dict[str, Any]:
    """Return the mean of the rows and of the subtasks in both scorings, with intervals.

    The names say 12 and 26 only where all are there; else `rows` and `subtasks`.
    """
    complete = len(subtasks) == len(SUBTASKS)
    found: dict[str, Any] = {"complete": complete}
    for by_row, table, name in ((True, rows, "mean_12"), (False, subtasks, "mean_26")):
        name = name if complete else f"mean_of_{len(table)}_{'rows' if by_row else 'subtasks'}"
        found[name] = {
            mode: {key: fmean(row[mode][key] for row in table.values()) for key in COLUMNS}
            | _interval(sums(lines, mode), by_row, seed)
            for mode in MODES
        }
    return found


def _interval(table: Sums, by_row: bool, seed: int) -> dict[str, float]:
    _, low, high = mean_interval(table, weights(table.subtasks, by_row), seed)
    return {"low": low, "high": high}


def comparison(lines: Sequence[Line], others: Mapping[str, Line], seed: int) -> dict[str, Any]:
    """Compare two models on the questions that both answered: differences in points, paired by question.

    Positive where the first one is better; the interval is a bootstrap over scenes.

    Raises:
        ValueError: If no question was answered by both.
    """
    shared = [line for line in lines if line["id"] in others]
    same = [all(line[key] == others[line["id"]][key] for key in ("scene", "truth")) for line in shared]
    if not shared or not all(same):
        raise ValueError(
            f"The two runs share {sum(same)} questions of {len(lines)}, and {len(same) - sum(same)} differ: "
            "compare runs about the same set, with the same seed."
        )
    found: dict[str, Any] = {"questions": len(shared)}
    for mode in MODES:
        table = sums(shared, mode, others)
        means = {
            "mean_of_rows": weights(table.subtasks, True),
            "mean_of_subtasks": weights(table.subtasks, False),
        }
        wanted = means | {row: _only(table.subtasks, names) for row, names in TABLE_ROWS.items()}
        found[mode] = {
            name: dict(zip(("difference", "low", "high"), mean_interval(table, weight, seed), strict=True))
            for name, weight in wanted.items()
            if weight.any()
        }
    return found


def _only(subtasks: Sequence[str], names: Sequence[str]) -> Any:
    there = np.array([name in names for name in subtasks], float)
    return there / max(there.sum(), 1)


def published() -> dict[str, Any]:
    """Return the published rows: different data, and so no like for like."""
    return {
        "note": "MultiSPA, arXiv 2505.17015v2; different data: these questions were not released",
        "benchmark": {name: _column(column) for name, column in BENCHMARK.items()},
        "fine_tuning": {name: _column(column) for name, column in FINE_TUNING.items()},
    }


def _column(column: Column) -> dict[str, Any]:
    found = {"mean_12": round(column.average, 2), "rows": dict(column.scores)}
    return found | ({"printed_mean_12": column.printed_average} if column.misprinted else {})


def environment() -> dict[str, Any]:
    """Return the versions that answers may depend on."""
    versions = {"spatial-reward": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {"versions": versions, "machine": platform.machine()}

"""The answers of a benchmark run beside what was asked and what is true."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.benchmark.answer_log import LOG, Line, read_log, read_settings
from spatial_reward.benchmark.multispa_gallery import gallery_of, with_pictures
from spatial_reward.benchmark.multispa_questions import open_set
from spatial_reward.data.records import Record
from spatial_reward.types import Answer
from spatial_reward.view.question_set import write_shown
from spatial_reward.viz.question_recording import Shown

PICKS = ("random", "worst", "best")
GAP = 1e-3  # [m], [deg] or [px]: a smaller truth does not make an error larger
Config = Mapping[str, Any]


def show_answers(path: Path, folder: Path, config: Config) -> tuple[dict[str, float], dict[str, Any]]:
    """Write a recording and a contact sheet of some answers of a log; return metrics and details.

    Raises:
        FileNotFoundError: If the questions or their pictures are not where the run had them.
        ValueError: If there is no such line, or a setting is unknown.
    """
    run = path if path.is_dir() else path.parent
    lines, damaged = read_log(run / LOG)
    picked = picked_lines(list(lines.values()), config)
    shown = [_shown(record, lines[record.id]) for record in _records(run, picked)]
    strict = float(np.mean([line["strict"] for line in lines.values()]))
    title = f"{run.resolve().name}: {len(shown)} of {len(lines)} answers, {strict:.0%} correct"
    write_shown(shown, folder, "answers", title, config)
    metrics = {"records_shown": len(shown), "records": len(lines), "strict_mean": 100 * strict}
    records = [{"id": line["id"], "kind": line["kind"], "strict": line["strict"]} for line in picked]
    return {**metrics, "damaged_lines": len(damaged)}, {"records": records}


def picked_lines(lines: Sequence[Line], config: Config) -> list[Line]:
    """Return the lines that the configuration names, or so many random, worst or best ones.

    Raises:
        ValueError: If there is no such line, or a setting is unknown.
    """
    if config["pick"] not in PICKS:
        raise ValueError(f"`pick` must be one of {', '.join(PICKS)}, got {config['pick']!r}.")
    if not isinstance(config["count"], int) or config["count"] < 1:
        raise ValueError(f"`count` must be at least 1, got {config['count']!r}.")
    wanted, subtask = config["record"], config["subtask"]
    if isinstance(wanted, int):
        lines = [line for number, line in enumerate(lines) if number == wanted]
    elif wanted is not None:
        lines = [line for line in lines if line["id"] == wanted]
    lines = [line for line in lines if subtask in (None, line["subtask"])]
    if not lines:
        raise ValueError(f"There is no answer with record={wanted} and subtask={subtask} in the log.")
    if config["pick"] == "random":
        order = np.random.default_rng(config["seed"]).permutation(len(lines))[: config["count"]]
        return [lines[index] for index in sorted(order)]
    ordered = sorted(lines, key=badness, reverse=config["pick"] == "worst")
    return ordered[: config["count"]]


def badness(line: Line) -> tuple[bool, float]:
    """Return how wrong an answer is: first whether at all, then its error as a share of the truth."""
    if line["error"] is None:
        return not line["strict"], 0.0 if line["strict"] else math.inf
    size = 1.0 if line["unit"] == "px" else math.hypot(*np.atleast_1d(line["truth"]))
    return not line["strict"], float(line["error"]) / max(size, GAP)


def _records(run: Path, lines: Sequence[Line]) -> list[Record]:
    """Return the records of lines with their pictures, in the order of the lines."""
    summary = run / "summary.json"
    if not summary.is_file():
        raise FileNotFoundError(
            f"{run} is unfinished: it has no summary.json, which says where its questions are. "
            f"It was begun with {read_settings(run)}."
        )
    config = json.loads(summary.read_text())["config"]
    opened = open_set(config["set"], config["split"], config["data"])
    ids = [line["id"] for line in lines]
    found = {record.id: record for record in opened.records() if record.id in set(ids)}
    lost = [one for one in ids if one not in found]
    if lost:
        raise FileNotFoundError(f"The set {config['set']} no longer holds question {lost[0]} of this run.")
    where = config["pictures"] or Path("outputs") / f"{config['set']}{'-depth' if config['depth'] else ''}"
    gallery = gallery_of(opened, Path(where), bool(config["depth"]))
    pictured = {record.id: record for record in with_pictures([found[one] for one in ids], opened, gallery)}
    return [pictured[one] for one in ids]


def _shown(record: Record, line: Line) -> Shown:
    about = ", ".join(part for part in (record.subtask, record.source, record.scene) if part)
    score = "correct" if line["strict"] else "wrong"
    return Shown(
        record.id, about, record.question, record.prompt, record.reply, answer_of(line, record), score
    )


def answer_of(line: Line, record: Record) -> Answer:
    """Return the answer that a line of the log tells of."""
    value, std = line["value"], line["std"]
    if value is not None and not isinstance(value, str):
        value = float(value) if not isinstance(value, list) else np.array(value, float)
    std = float("nan") if std is None else np.array(std, float) if isinstance(std, list) else float(std)
    answer = Answer(value, line["unit"], std, line["valid"], line["text"], line["source"])
    is_pixel = line["unit"] == "px" and isinstance(value, np.ndarray) and record.question.kind == "vc_coord"
    return replace(answer, match=(float(value[0]), float(value[1]))) if is_pixel else answer

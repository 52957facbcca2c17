"""The report of a question set: what is in it, what it lacks, and what of it needs no picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.data.blind import BlindRow, blind_table
from spatial_reward.data.records import QuestionSet
from spatial_reward.data.report_counts import EDGES, OVERLAPS, Counts, count
from spatial_reward.data.report_text import markdown
from spatial_reward.data.shards import partial_path, write_json
from spatial_reward.questions import KINDS, SUBTASKS

NAME = "report"
FEWEST = 50  # questions of a subtask, below which its blind rows say nothing
_SHOWN = 10  # names in a flag


def write_report(folder: Path | str, against: Path | str | None = None) -> Path:
    """Write report.md, report.json and, where matplotlib is installed, two PNG; return the Markdown's path.

    Reads the shards one after the other; memory grows by 8 bytes a question.

    Args:
        folder: Of the question set, where the report is written.
        against: Folder of another set (the one trained on) that must share no scene with this one.

    Raises:
        FileNotFoundError: If there is no finished question set.
        ValueError: If a manifest or shard is damaged.
    """
    questions = QuestionSet(folder)
    counts = count(questions)
    content = _content(questions, counts, None if against is None else QuestionSet(against))
    content["pictures"] = _draw(questions.folder, content) if find_spec("matplotlib") else []
    write_json(questions.folder / f"{NAME}.json", content)
    path = questions.folder / f"{NAME}.md"
    partial = partial_path(path)
    partial.write_text(markdown(content))
    return partial.replace(path)


def _content(questions: QuestionSet, counts: Counts, other: QuestionSet | None) -> dict[str, Any]:
    """Put everything that the report says into JSON."""
    manifest = questions.manifest
    blind = blind_table(dict(_ordered(counts.sample)))
    content = {
        "name": manifest["name"],
        "questions": len(questions),
        "wanted": manifest.get("wanted", len(questions)),
        "seed": manifest["seed"],
        "mode": manifest["mode"],
        "subtasks": dict(_ordered(counts.subtasks)),
        "sources": dict(counts.sources),
        "scenes": _scenes(counts, manifest),
        "skipped": manifest.get("skipped", {}),
        "unsupported": manifest.get("unsupported", {}),
        "shortfalls": manifest.get("shortfalls", {}),
        "twins": {name: dict(table) for name, table in counts.twins.items()},
        "duplicates": counts.duplicates(),
        "answers": {name: _answers(name, counts) for name, _ in _ordered(counts.subtasks)},
        "overlaps": {"edges_percent": OVERLAPS.tolist(), "counts": counts.overlaps.tolist()},
        "blind": [_blind_row(row) for row in blind],
        "shared_scenes": None if other is None else _shared(questions, other),
    }
    return content | {"flags": list(_flags(content))}


def _ordered(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the items in the order of the published subtasks."""
    return [(subtask.name, table[subtask.name]) for subtask in SUBTASKS if subtask.name in table]


def _scenes(counts: Counts, manifest: Mapping[str, Any]) -> dict[str, Any]:
    numbers = list(counts.scenes.values()) or [0]
    return {
        "count": len(manifest["scenes"]),
        "asked_about": len(counts.scenes),
        "fewest_questions": min(numbers),
        "median_questions": float(np.median(numbers)),
        "most_questions": max(numbers),
        "questions": dict(counts.scenes),
    }


def _answers(name: str, counts: Counts) -> dict[str, Any]:
    """Describe the answers of a subtask: words with their numbers, and a histogram of numbers."""
    kind = KINDS[next(subtask.kind for subtask in SUBTASKS if subtask.name == name)]
    answers: dict[str, Any] = {"unit": kind.unit, "words": dict(counts.words.get(name, {}))}
    if name in counts.numbers:
        histogram: NDArray[np.int64] = counts.numbers[name]
        answers |= {"edges": EDGES[kind.unit].tolist(), "counts": histogram.tolist()}
    return answers


def _blind_row(row: BlindRow) -> dict[str, Any]:
    return {
        "subtask": row.subtask,
        "mode": row.mode,
        "n": row.n,
        "chance": row.chance,
        "scores": dict(row.scores),
        "best": row.best,
        "margin": row.margin,
        "flagged": row.flagged and row.n >= FEWEST,
    }


def _shared(questions: QuestionSet, other: QuestionSet) -> dict[str, Any]:
    """List the scenes of this set whose content, or whose id in the same source, is in the other as well."""
    here, there = questions.manifest["scenes"], other.manifest["scenes"]
    digests = set(there.values())
    same_source = questions.manifest["source"] == other.manifest["source"]
    shared = [
        scene for scene, digest in here.items() if digest in digests or (same_source and scene in there)
    ]
    return {"against": str(other.folder), "scenes": sorted(shared)}


def _flags(content: Mapping[str, Any]) -> Iterator[str]:
    """Say what a user of the set should know before using it."""
    missing = content["wanted"] - content["questions"]
    if missing > 0:
        yield f"{missing} of {content['wanted']} questions are missing"
    if content["duplicates"]:
        yield f"{sum(content['duplicates'].values())} questions ask what another one asks"
    blind = sorted({row["subtask"] for row in content["blind"] if row["flagged"]})
    if blind:
        yield f"answered without pictures more than 10 points above chance: {', '.join(blind)}"
    shared = (content["shared_scenes"] or {}).get("scenes", [])
    if shared:
        more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
        yield f"{len(shared)} scenes are in the other set as well: {', '.join(shared[:_SHOWN])}{more}"
    if content["skipped"]:
        yield f"{sum(content['skipped'].values())} scenes were skipped"


def _draw(folder: Path, content: Mapping[str, Any]) -> list[str]:
    from spatial_reward.data.report_pictures import draw_answers, draw_overlaps

    drawn = [draw_answers(content, folder / f"{NAME}_answers.png")]
    if sum(content["overlaps"]["counts"]):
        drawn.append(draw_overlaps(content, folder / f"{NAME}_overlaps.png"))
    return [path.name for path in drawn]

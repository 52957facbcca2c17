"""The report of a question set in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MOST_ROWS = 30  # of a table that has one row for each scene


def markdown(content: Mapping[str, Any]) -> str:
    """Return the report as text."""
    parts = (_head, _subtasks, _lacks, _scenes, _blind, _repeats, _pictures)
    return "\n".join(line for part in parts for line in part(content)) + "\n"


def _head(content: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {content['name']}"
    yield ""
    yield (
        f"{content['questions']} questions, mode `{content['mode']}`, seed {content['seed']}, about "
        f"{content['scenes']['asked_about']} scenes."
    )
    yield ""
    if content["flags"]:
        yield from (f"- **{flag}**" for flag in content["flags"])
    else:
        yield "Nothing to object to."


def _subtasks(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _title("Questions")
    rows = []
    for name, number in content["subtasks"].items():
        answers = content["answers"][name]
        words = ", ".join(f"{word} {count}" for word, count in sorted(answers["words"].items()))
        twins = ", ".join(f"{twin} {count}" for twin, count in sorted(content["twins"].get(name, {}).items()))
        rows.append((name, number, _middle(answers), words, twins))
    yield from _table(("subtask", "questions", "middle half of the numbers", "words", "twins"), rows)
    yield ""
    yield (
        "Sources: "
        + ", ".join(f"{name} {number}" for name, number in sorted(content["sources"].items()))
        + "."
    )


def _middle(answers: Mapping[str, Any]) -> str:
    """Return between which edges the middle half of the numbers lies."""
    if "counts" not in answers or len(answers["counts"]) != len(answers["edges"]) - 1:
        return ""
    total, running, ends = sum(answers["counts"]), 0, []
    for place, count in enumerate(answers["counts"]):
        before, running = running, running + count
        ends += [answers["edges"][place]] if before < 0.25 * total <= running else []
        ends += [answers["edges"][place + 1]] if before < 0.75 * total <= running else []
    return f"{ends[0]:.3g} to {ends[-1]:.3g} {answers['unit']}"


def _lacks(content: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (name, what, reason, count)
        for what, key in (("questions missing", "shortfalls"), ("scenes without", "unsupported"))
        for name, reasons in content[key].items()
        for reason, count in reasons.items()
    ]
    if rows:
        yield from _title("What it lacks")
        yield from _table(("subtask", "what", "why", "how many"), rows)
    if content["skipped"]:
        yield from _title("Skipped scenes")
        yield from _table(("why", "scenes"), sorted(content["skipped"].items()))


def _scenes(content: Mapping[str, Any]) -> Iterator[str]:
    scenes = content["scenes"]
    yield from _title("Scenes")
    yield (
        f"{scenes['count']} scenes; questions about one: {scenes['fewest_questions']} to "
        f"{scenes['most_questions']}, median {scenes['median_questions']:.0f}."
    )
    yield ""
    rows = sorted(scenes["questions"].items(), key=lambda row: -row[1])
    yield from _table(("scene", "questions"), rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        yield f"\n{len(rows) - _MOST_ROWS} more are in report.json."
    if content["shared_scenes"] is not None:
        shared = content["shared_scenes"]
        yield from _title("Overlap with another set")
        names = ", ".join(shared["scenes"]) or "none"
        yield f"Scenes that are in `{shared['against']}` as well: {names}."


def _blind(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _title("Without pictures")
    yield (
        "Chance: one of the options, or the answer of another question. The best constant is chosen on the "
        "questions themselves; fits and medians by name come from the other half."
    )
    yield ""
    rows = [
        (
            row["subtask"],
            row["mode"],
            row["n"],
            _percent(row["chance"]),
            ", ".join(f"{name} {_percent(score)}" for name, score in row["scores"].items()),
            f"{_percent(row['scores'][row['best']])} ({row['best']})",
            f"{100 * row['margin']:+.1f}" + (" **flagged**" if row["flagged"] else ""),
        )
        for row in content["blind"]
    ]
    yield from _table(("subtask", "scoring", "n", "chance %", "baselines %", "best %", "margin"), rows)


def _repeats(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _title("Duplicates")
    rows = sorted(content["duplicates"].items())
    if rows:
        yield from _table(("subtask", "questions that ask what another one asks"), rows)
    else:
        yield "None: no two questions of a subtask have scene, frames, points and object in common."


def _pictures(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _title("Answers and overlaps")
    for name in content["pictures"]:
        yield f"![{name}]({name})\n"
    if not content["pictures"]:
        yield 'Histograms are in report.json; `pip install "spatial-reward[viz]"` draws them.'


def _title(text: str) -> Iterator[str]:
    yield from ("", f"## {text}", "")


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"

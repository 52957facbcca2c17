"""The report of a run as one HTML file, pictures inside, and as a picture."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2

from spatial_reward.benchmark.multispa_results import GUESSING
from spatial_reward.benchmark.report_cases import Case, answer_words, case_picture, chosen_cases, truth_words
from spatial_reward.types import Question
from spatial_reward.viz.draw import Picture
from spatial_reward.viz.files import partial_file

__all__ = ["chosen_cases", "write_report"]

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 74em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums }
th, td { padding: .2em .7em; text-align: right; border-bottom: 1px solid #e4e4e4 }
th:first-child, td:first-child { text-align: left } thead th { border-bottom: 2px solid #888 }
tr.mean td { font-weight: 600 } .no { color: #b00020 } .muted { color: #777 }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(33em, 1fr)); gap: 1.2em }
figure { margin: 0 } figure img { max-width: 100% } figcaption { font-size: 13px }
code { background: #f3f3f3; padding: .1em .3em }
"""


def write_report(
    folder: Path, results: Mapping[str, Any], cases: Sequence[Case], questions: Mapping[str, Question]
) -> Path:
    """Write report.html and, where matplotlib is installed, report.png; return the HTML's path.

    Args:
        folder: Of the run.
        results: As in results.json.
        cases: Answers to show.
        questions: With pictures and truths, by id.
    """
    pictures = [case_picture(case, questions[case.line["id"]]) for case in cases]
    path = folder / "report.html"
    partial = partial_file(path)
    partial.write_text("\n".join(_page(results, cases, pictures)) + "\n")
    partial.replace(path)
    if find_spec("matplotlib"):
        from spatial_reward.benchmark.report_chart import write_chart

        write_chart(folder / "report.png", results, cases, pictures)
    return path


def _page(results: Mapping[str, Any], cases: Sequence[Case], pictures: Sequence[Picture]) -> Iterator[str]:
    title = escape(results["title"])
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{STYLE}</style></head><body><h1>{title}</h1>"
    yield from _head(results)
    yield "<h2>Rows of the published table</h2>"
    yield from _rows(results)
    yield "<h2>Subtasks</h2>"
    yield from _subtasks(results)
    if results["comparison"]:
        yield from _comparison(results["comparison"])
    yield "<h2>Best and worst answers</h2>"
    yield '<p>Green: the truth. Amber: the answer.</p><div class="cases">'
    for case, picture in zip(cases, pictures, strict=True):
        yield from _figure(case, picture)
    yield "</div></body></html>"


def _head(results: Mapping[str, Any]) -> Iterator[str]:
    asked = results["set"]
    yield f"<p><code>{escape(results['command'])}</code></p>"
    yield f"<p>{asked['questions']} questions, SHA-256 {asked['sha256'][:16]}. Pictures: " + ", ".join(
        f"{count} {escape(how)}" for how, count in results["pictures"].items()
    )
    yield (
        ". An invalid answer counts as wrong; <i>guessing</i> counts its value as if the model were made to "
        "guess. Intervals: 95 %, Wilson's for a subtask, a bootstrap over scenes for a mean. <i>Random</i>: "
        "one of the options, or the answer of another question. <i>Blind</i>: the best baseline that sees no "
        "picture, chosen on these questions.</p>"
    )
    if not results["means"]["complete"]:
        yield '<p class="no">Not all 26 subtasks are there, so the means are not those of the paper.</p>'
    if results["pictures"].get("different"):
        yield '<p class="no">Pictures differ from those that were committed: this renderer draws others.</p>'


def _rows(results: Mapping[str, Any]) -> Iterator[str]:
    published = results["published"]["benchmark"]
    heads = ["row", "n", "paper %", "guessing %", "strict %", "random %", "blind %"]
    yield _line("th", [*heads, *published], "<table><thead>") + "</thead><tbody>"
    for row, found in results["rows"].items():
        others = [f"{column['rows'][row]:.2f}" for column in published.values()]
        yield _line("td", [row, found["n"], *_scores(found), *others])
    for name, found in results["means"].items():
        if name.startswith("mean"):
            paper = found["paper"]
            words = f"{name.replace('_', ' ')} ({paper['low']:.1f} to {paper['high']:.1f})"
            others = [f"{one['mean_12']:.2f}" if name == "mean_12" else "" for one in published.values()]
            yield _line("td", [words, "", *_scores(found), *others], '<tr class="mean">')
    yield f'</tbody></table><p class="muted">Named models: {escape(results["published"]["note"])}.</p>'


def _scores(found: Mapping[str, Any]) -> list[str]:
    paper, strict = found["paper"], found["strict"]
    numbers = (paper["accuracy"], paper[GUESSING], strict["accuracy"], paper["random"], paper["blind"])
    return [f"{number:.2f}" for number in numbers]


def _subtasks(results: Mapping[str, Any]) -> Iterator[str]:
    heads = ["subtask", "n", "paper %", "95 %", "strict %", "95 %", "unread %", "invalid %", "median error"]
    yield (
        _line("th", [*heads, "random %", "blind %", "better than blind"], "<table><thead>")
        + "</thead><tbody>"
    )
    for name, found in results["subtasks"].items():
        paper, strict = found["paper"], found["strict"]
        error = found["median_error"]
        yield _line(
            "td",
            [
                *(name, found["n"], f"{paper['accuracy']:.1f}", _between(paper)),
                *(f"{strict['accuracy']:.1f}", _between(strict)),
                *(f"{100 * found['unread']:.1f}", f"{100 * found['invalid']:.1f}"),
                "" if error is None else f"{error:.3g} {found['error_unit']}",
                *(f"{paper['random']:.1f}", f"{paper['blind']:.1f} ({paper['blind_by']})"),
                "yes" if paper["over_blind"] else "NO",
            ],
        )
    yield "</tbody></table>"


def _between(found: Mapping[str, Any]) -> str:
    return f"{found['low']:.1f} to {found['high']:.1f}"


def _comparison(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2>Against {escape(str(found['with'].get('name')))}</h2>"
    yield (
        f"<p>Differences in points on {found['questions']} questions that both were asked (there depth="
        f"{str(found['depth']).lower()}, poses={escape(found['poses'])}); positive where this model is "
        "better.</p>"
    )
    yield _line("th", ["", "paper", "95 %", "strict", "95 %"], "<table><thead>") + "</thead><tbody>"
    for name, paper in found["paper"].items():
        strict = found["strict"][name]
        cells = [
            f"{paper['difference']:+.2f}",
            _between(paper),
            f"{strict['difference']:+.2f}",
            _between(strict),
        ]
        yield _line("td", [name.replace("_", " "), *cells])
    yield "</tbody></table>"


def _line(tag: str, cells: Sequence[object], before: str = "<tr>") -> str:
    start = before if before.startswith("<tr") else f"{before}<tr>"
    return start + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"


def _figure(case: Case, picture: Picture) -> Iterator[str]:
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    image = base64.b64encode(coded.tobytes()).decode()
    line = case.line
    yield f'<figure><img alt="{escape(line["id"])}" src="data:image/jpeg;base64,{image}"><figcaption>'
    yield f"<b>{case.which}</b> of {escape(case.row)} ({escape(line['id'])}): {escape(line['prompt'])}<br>"
    yield f"truth {escape(truth_words(line))}; answer {escape(answer_words(line))}"
    yield (f"<br><span class='muted'>{escape(line['text'][:300])}</span>" if line["text"] else "")
    yield "</figcaption></figure>"

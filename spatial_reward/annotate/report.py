"""One page about all episodes, the worst first, with a picture of each of the worst."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.annotate.columns import REWARD, TRUTH
from spatial_reward.annotate.parts import Part
from spatial_reward.benchmark.metrics import EpisodeErrors, mae_mm, spearman
from spatial_reward.camera import Array
from spatial_reward.viz.files import partial_file
from spatial_reward.viz.report import KEY_FRAMES

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px;
padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ padding: .3rem .6rem; border-bottom: 1px solid #ddd;
text-align: right }} td:first-child, th:first-child, td.words, th.words {{ text-align: left }}
img, video {{ max-width: 100% }} .bad {{ color: #b00 }} code {{ background: #f3f3f3 }}
</style></head><body>
<h1>{title}</h1>
{about}
{failed}
<h2>Episodes, the worst first</h2>
<table><tr>{headings}</tr>
{rows}
</table>
{pictures}
</body></html>
"""


@dataclass(frozen=True, eq=False)
class Rated:
    """An episode and its numbers.

    Attributes:
        part: The episode.
        errors: Predictions beside the truth, where the dataset holds it.
        valid_share: Share of its frames with a usable measurement.
        std: Median stated standard deviation [m].
        ends: Distance to the goal at the first and the last known frame [m].
        progress: At the last known frame.
        success: Probability at the last known frame.
    """

    part: Part
    errors: EpisodeErrors
    valid_share: float
    std: float
    ends: tuple[float, float]
    progress: float
    success: float

    @property
    def badness(self) -> tuple[float, float]:
        """Order of the report: unseen frames and errors in metres; without truth, the stated deviation."""
        error = mae_mm(self.errors.predicted, self.errors.truth, self.errors.valid) / 1000
        doubt = error if np.isfinite(error) else np.nan_to_num(self.std, nan=1.0)
        return (1 - self.valid_share) + float(doubt) / 0.1, -self.part.job.episode.index


def rate(part: Part) -> Rated:
    """Read the numbers of an episode."""
    table = part.columns([f"{REWARD}{name}" for name in ("potential_m", "progress", "success_prob", "std")])
    more = part.columns([f"{REWARD}valid", f"{REWARD}is_inference_frame", TRUTH])
    scored = np.asarray(more[f"{REWARD}is_inference_frame"], bool)
    predicted = -np.asarray(table[f"{REWARD}potential_m"], float)
    valid = np.asarray(more[f"{REWARD}valid"], bool)
    truth = np.asarray(more.get(TRUTH, np.full(len(valid), np.nan)), float)
    unknown = np.full(int(scored.sum()), np.nan)
    errors = EpisodeErrors(predicted[scored], truth[scored], valid[scored], unknown)
    known = np.flatnonzero(scored & np.isfinite(predicted))
    return Rated(
        part,
        errors,
        float(valid[scored].mean()),
        float(np.nanmedian(table[f"{REWARD}std"][known])) if len(known) else np.nan,
        (float(predicted[known[0]]), float(predicted[known[-1]])) if len(known) else (np.nan, np.nan),
        _last(table[f"{REWARD}progress"], known),
        _last(table[f"{REWARD}success_prob"], known),
    )


def _last(values: Array, known: Any) -> float:
    return float(values[known[-1]]) if len(known) else float("nan")


def key_steps(count: int) -> set[int]:
    """Return the numbers of the steps whose pictures a report shows."""
    return {0, *np.linspace(0, count - 1, KEY_FRAMES + 1).round().astype(int).tolist()}


def write_page(
    rated: Sequence[Rated],
    path: Path,
    title: str,
    failed: Mapping[str, str],
    artefacts: Mapping[str, Sequence[str]],
) -> Path:
    """Write the HTML page.

    Args:
        rated: Episodes, in the order of the page.
        path: Of the file.
        title: Of the page.
        failed: Why others could not be annotated, by name.
        artefacts: Paths of pictures, videos and recordings, relative to the page, by episode.
    """
    truth = any(np.isfinite(one.errors.truth).any() for one in rated)
    headings = [*HEADINGS, *(TRUE_HEADINGS if truth else {})]
    rows = [_row(one, truth, artefacts.get(one.part.name, ())) for one in rated]
    pictures = [_figure(one.part, artefacts.get(one.part.name, ())) for one in rated]
    text = PAGE.format(
        title=html.escape(title),
        about=_about(rated),
        failed=_failures(failed),
        headings="".join(f"<th{WORDS if name in LEFT else ''}>{name}</th>" for name in headings),
        rows="\n".join(rows),
        pictures="\n".join(pictures),
    )
    partial = partial_file(path)
    partial.write_text(text)
    partial.replace(path)
    return path


HEADINGS = ("episode", "task", "frames", "valid", "distance [m]", "progress", "success", "std [mm]")
TRUE_HEADINGS = ("error [mm]", "rank")
LEFT, WORDS = ("episode", "task"), ' class="words"'


def _row(one: Rated, truth: bool, artefacts: Sequence[str]) -> str:
    part = one.part
    links = " ".join(f'<a href="{path}">{Path(path).suffix[1:]}</a>' for path in artefacts)
    mark = ' class="bad"' if one.valid_share < 0.5 else ""
    cells = [
        str(part.job.episode.length),
        f"<span{mark}>{one.valid_share:.0%}</span>",
        f"{one.ends[0]:.3f} &rarr; {one.ends[1]:.3f}",
        f"{one.progress:.0%}",
        f"{one.success:.0%}",
        f"{1000 * one.std:.1f}",
    ]
    if truth:
        columns = (one.errors.predicted, one.errors.truth, one.errors.valid)
        cells += [f"{mae_mm(*columns):.1f}", f"{spearman(*columns):.3f}"]
    words = html.escape(part.job.episode.task or str(part.job.goal))
    head = f"<td>{html.escape(part.name)} {links}</td><td{WORDS}>{words}</td>"
    numbers = "".join(f"<td>{cell}</td>" for cell in cells).replace("nan%", "-").replace("nan", "-")
    return f"<tr>{head}{numbers}</tr>"


def _figure(part: Part, artefacts: Sequence[str]) -> str:
    shown = [path for path in artefacts if path.endswith(".png")]
    words = html.escape(f"{part.name}: {part.job.goal}")
    return "".join(f'<h3>{words}</h3><img loading="lazy" src="{path}" alt="{words}">' for path in shown)


def _failures(failed: Mapping[str, str]) -> str:
    if not failed:
        return ""
    lines = "".join(f"<li>{html.escape(name)}: {html.escape(why)}</li>" for name, why in failed.items())
    return f'<h2 class="bad">{len(failed)} episodes could not be annotated</h2><ul>{lines}</ul>'


def _about(rated: Sequence[Rated]) -> str:
    said: Mapping[str, Any] = rated[0].part.about if rated else {}
    words = [f"Model <code>{html.escape(str(said.get('model', {}).get('name', '')))}</code>"]
    words.append(f"camera <code>{html.escape(str(said.get('camera', '')))}</code>")
    words.append(
        f"{said.get('mode', '')}, every {said.get('stride', 1)}. frame scored".replace(
            "every 1. frame", "every frame"
        )
    )
    if said.get("assumed_fov_deg") is not None:
        words.append(
            f'<b class="bad">no calibration: a field of view of {said["assumed_fov_deg"]:g} degrees '
            "is assumed, so lengths may be wrong by a common factor</b>"
        )
    return f"<p>{', '.join(words)}. Version {html.escape(str(said.get('version', '')))}.</p>"

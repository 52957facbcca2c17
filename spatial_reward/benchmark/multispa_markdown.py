"""Several runs beside each other as Markdown: what is published of them.

`python -m spatial_reward.benchmark.multispa_markdown RUN [RUN ...] > benchmark/results/multispa.md`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.multispa_results import GUESSING
from spatial_reward.questions import SUBTASKS, TABLE_ROWS

Results = Mapping[str, Any]
HEAD = """# suite=multispa

Right answers in percent, `paper` scoring. In brackets: if the answers count that the model itself marks as
invalid, as for a model that is made to guess. Random: one of the options, or the answer of another question.
Blind: the best baseline that sees no picture, chosen on the questions of the run with the most of them.
Intervals of means: 95 %, bootstrap over scenes. Measured depth is the simulator's, without noise. With poses
hidden a model knows where the first picture was taken and has to find the motion of the camera.
What else to know of these rows: [benchmark/README.md](../README.md).
"""


def markdown(runs: Sequence[Results]) -> str:
    """Lay the results of runs about one set side by side.

    Raises:
        ValueError: If there is no run, or they are about different sets.
    """
    sets = sorted({str(run["set"]["name"]) for run in runs})
    if len(sets) != 1:
        raise ValueError(f"Give runs about one set, got {len(runs)} runs about {sets}.")
    return "\n".join([HEAD, *_commands(runs), *_rows(runs), *_subtasks(runs), *_published(runs[0])]) + "\n"


def _commands(runs: Sequence[Results]) -> Iterator[str]:
    yield f"Set: {runs[0]['set']['name']}. The commands:\n"
    yield "```bash"
    for run in runs:
        asked, seconds = run["set"]["questions"], run["time"]["answering_s"]
        yield f"{run['command']}  # {_name(run)}: {asked} questions, {seconds:.0f} s"
    yield "```"


def _name(run: Results) -> str:
    """Name a run by its model and what it was given."""
    name = str(run["title"]).rpartition(" on ")[0]
    given = [f"depth, poses {run['poses']}" if run["depth"] else f"poses {run['poses']}"]
    sees = set(run["pictures"]) != {"unseen"}
    return f"{name} ({given[0]})" if sees else name


def _rows(runs: Sequence[Results]) -> Iterator[str]:
    full = max(runs, key=lambda run: run["set"]["questions"])
    yield "\n## Rows\n"
    yield from _head(["row", *map(_name, runs), "random", "blind"])
    for row in TABLE_ROWS:
        yield _line(
            [row, *(_score(run["rows"].get(row)) for run in runs), *_baselines(full["rows"].get(row))]
        )
    for mean, name in (("mean_12", "**mean of the 12 rows**"), ("mean_26", "mean of the 26 subtasks")):
        for mode in ("paper", "strict"):
            found = [run["means"].get(mean) for run in runs]
            scores = [_score(one, mode) + _between(one, mode) for one in found]
            yield _line([f"{name}, {mode}", *scores, *_baselines(full["means"].get(mean), mode)])


def _score(found: Results | None, mode: str = "paper") -> str:
    if found is None:
        return ""
    score, guessing = found[mode]["accuracy"], found[mode][GUESSING]
    return f"{score:.2f}" if abs(score - guessing) < 0.005 else f"{score:.2f} ({guessing:.2f})"


def _between(found: Results | None, mode: str) -> str:
    return "" if found is None else f" [{found[mode]['low']:.1f}, {found[mode]['high']:.1f}]"


def _baselines(found: Results | None, mode: str = "paper") -> list[str]:
    return ["", ""] if found is None else [f"{found[mode][key]:.2f}" for key in ("random", "blind")]


def _subtasks(runs: Sequence[Results]) -> Iterator[str]:
    for run in runs:
        if set(run["pictures"]) == {"unseen"}:
            continue
        yield f"\n## Subtasks: {_name(run)}\n"
        yield from _head(
            [
                "subtask",
                "n",
                "paper %",
                "95 %",
                "strict %",
                "unread %",
                "invalid %",
                "median error",
                "over blind",
            ]
        )
        for name in (one.name for one in SUBTASKS if one.name in run["subtasks"]):
            found = run["subtasks"][name]
            error, paper = found["median_error"], found["paper"]
            cells = [name, found["n"], _score(found), f"{paper['low']:.0f} to {paper['high']:.0f}"]
            cells += [f"{found['strict']['accuracy']:.1f}"]
            cells += [f"{100 * found[key]:.1f}" for key in ("unread", "invalid")]
            cells += ["" if error is None else f"{error:.2g} {found['error_unit']}"]
            yield _line([*cells, "yes" if paper["over_blind"] else "no"])


def _published(run: Results) -> Iterator[str]:
    columns = run["published"]["benchmark"] | run["published"]["fine_tuning"]
    yield f"\n## Published, on different data\n\n{run['published']['note'].capitalize()}.\n"
    yield from _head(["row", *columns])
    for row in TABLE_ROWS:
        yield _line([row, *(f"{column['rows'][row]:.2f}" for column in columns.values())])
    yield _line(["mean of the 12 rows", *(f"{column['mean_12']:.2f}" for column in columns.values())])


def _head(cells: Sequence[str]) -> list[str]:
    return [_line(cells), _line(["---", *["---:"] * (len(cells) - 1)])]


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main(folders: Sequence[str]) -> None:
    """Print the runs in some folders."""
    if not folders:
        sys.exit(__doc__)
    try:
        runs = [json.loads((Path(folder) / "results.json").read_text()) for folder in folders]
    except (OSError, ValueError) as error:
        sys.exit(f"multispa_markdown: {error}: give folders that `benchmark suite=multispa` has written.")
    print(markdown(runs), end="")


if __name__ == "__main__":
    main(sys.argv[1:])

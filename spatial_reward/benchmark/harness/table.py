"""The results of public benchmarks as a table: on the screen, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spatial_reward.benchmark.harness.chance import NAMES
from spatial_reward.benchmark.harness.scorers import COMPAT, STRICT

HEADS = (
    *("benchmark", "row", "n", "compat", "strict", "95 %", "unread %"),
    *("random", "first option", "best constant"),
)
NOTE = (
    "Percent, but for roboreward: mean absolute error, where less is better. Compat: what harnesses would "
    "print. Random, first option and the best constant reply see nothing; their scoring is strict."
)
Row = tuple[str, ...]


def rows(results: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the rows: the means of each benchmark, then its subsets."""
    for benchmark, found in results.items():
        for name, row in {**found["means"], **found["subsets"]}.items():
            yield _row(benchmark, name, row)


def _row(benchmark: str, name: str, row: Mapping[str, Any]) -> Row:
    compat = " / ".join(f"{scorer} {_number(row[scorer]['score'])}" for scorer in COMPAT[benchmark])
    own = row[STRICT]
    sure = f"[{_number(own['low'])}, {_number(own['high'])}]" if own["low"] is not None else "-"
    return (
        *(benchmark, name, str(row["n"]), compat, _number(own["score"]), sure, _number(own["unread"])),
        *(_number(value) for value in row["chance"].values()),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def show(results: Mapping[str, Any], title: str) -> None:
    """Print a table for each benchmark, with a column for each scorer."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(title, style="bold", highlight=False)
    for benchmark, found in results.items():
        names = [*COMPAT[benchmark], STRICT]
        columns = [name.replace("_", " ") for name in (*names, "unread_%", *NAMES)]
        table = Table("", "n", *columns, title=f"{benchmark}: {found['metric']}")
        for name, row in {**found["means"], **found["subsets"]}.items():
            numbers = [row[scorer]["score"] for scorer in names] + [row[STRICT]["unread"]]
            table.add_row(name, str(row["n"]), *map(_number, [*numbers, *row["chance"].values()]))
        console.print(table)


def markdown(results: Mapping[str, Any], title: str, command: str) -> str:
    """Return the table as Markdown, with the command that made it."""
    lines = [HEADS, ("---",) * len(HEADS), *rows(results)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# {title}\n\n`{command}`\n\n{body}\n\n{NOTE}\n"

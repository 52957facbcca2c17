"""Progress of the two stages of generating, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.text import Text


class _Rate(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        """Show the rate, once it is known."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f}/s")


@contextmanager
def stages(**totals: int) -> Iterator[Callable[[str, int], None]]:
    """Show a bar for each stage; give the function that moves a stage on by a number of items."""
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), _Rate(), Remaining())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {stage: progress.add_task(stage, total=total, start=False) for stage, total in totals.items()}

        def advance(stage: str, count: int) -> None:
            if not progress.tasks[bars[stage]].started:
                progress.start_task(bars[stage])
            progress.advance(bars[stage], count)

        yield advance

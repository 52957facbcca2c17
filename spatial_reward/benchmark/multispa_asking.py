"""Asking a model the questions of a run, batch after batch, each written down before the next is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spatial_reward.benchmark.answer_log import AnswerLog, Line
from spatial_reward.benchmark.multispa_gallery import UNSEEN, Gallery, with_pictures
from spatial_reward.benchmark.multispa_questions import Records, as_asked, poses_known
from spatial_reward.benchmark.multispa_scores import line_of
from spatial_reward.data.progress import stages
from spatial_reward.data.records import Record
from spatial_reward.types import Model


class Run(NamedTuple):
    """What is asked: the configuration, the set, the chosen questions without pictures, and the pictures."""

    config: Mapping[str, Any]
    opened: Records
    records: Sequence[Record]
    gallery: Gallery


def ask(run: Run, model: Model, log: AnswerLog) -> None:
    """Ask what is not in the log yet."""
    missing = [record for record in run.records if record.id not in log.lines]
    shown = with_pictures(missing, run.opened, run.gallery) if sees(model) else iter(missing)
    with stages(questions=len(run.records)) as advance:
        advance("questions", len(run.records) - len(missing))
        for known, batch in _batches(shown, run.config):
            log.append(_answered(run, model, batch, known))
            advance("questions", len(batch))


def sees(model: Model) -> bool:
    """Tell whether a model looks at pictures: not one that is told the truth, nor a blind one."""
    return "truth" not in model.needs and not getattr(model, "blind", False)


def _batches(records: Iterator[Record], config: Mapping[str, Any]) -> Iterator[tuple[bool, list[Record]]]:
    """Yield batches, with whether the model may know the poses of their cameras."""
    waiting: dict[bool, list[Record]] = {True: [], False: []}
    for record in records:
        known = poses_known(record.question.kind, config["poses"])
        waiting[known].append(record)
        if len(waiting[known]) == config["batch"]:
            yield known, waiting[known]
            waiting[known] = []
    yield from ((known, batch) for known, batch in waiting.items() if batch)


def _answered(run: Run, model: Model, batch: Sequence[Record], known: bool) -> list[Line]:
    """Ask a batch; return its lines, each with its share of the time [s]."""
    depth = run.config["depth"] and sees(model)
    questions = [as_asked(record, model.needs, depth=depth, known=known) for record in batch]
    if hasattr(model, "pose"):  # a model that would trust poses must not where they are hidden
        setattr(model, "pose", "auto" if known else "estimated")  # noqa: B010  # not every model has it
    start = time.perf_counter()
    answers = model.answer(questions)
    seconds = round((time.perf_counter() - start) / len(batch), 6)
    return [
        line_of(
            record, answer, pictures=run.gallery.compared(record) if sees(model) else UNSEEN, seconds=seconds
        )
        for record, answer in zip(batch, answers, strict=True)
    ]

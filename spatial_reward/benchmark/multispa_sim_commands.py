"""What `python -m spatial_reward.benchmark.multispa_sim` does, one function a command."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from spatial_reward.benchmark.label_check import check_labels, summary
from spatial_reward.benchmark.multispa_sim import (
    NAME,
    MultiSpaSim,
    Split,
    build,
    damaged_files,
    find_data,
    load_multispa_sim,
    verify_pictures,
)
from spatial_reward.benchmark.multispa_sim_pictures import MEAN_TOLERANCE, MOST_TOLERANCE, Difference
from spatial_reward.benchmark.multispa_sim_shards import write_question_set
from spatial_reward.benchmark.tables import row_mean, row_means, subtask_mean
from spatial_reward.data.blind import MODES, blind_table
from spatial_reward.models import load_model
from spatial_reward.questions import KINDS, SUBTASKS
from spatial_reward.types import Model, Question

USAGE = f"""usage: python -m spatial_reward.benchmark.multispa_sim COMMAND [key=value ...]
  build out=FOLDER [depth=true]  draw the pictures of {NAME} and verify them; FOLDER then is a question set
  verify out=FOLDER              compare checksums of the data, and pictures with their thumbnails
  check                          compare every label with a second opinion from the simulator's state
  oracle                         score the truth: 100 % everywhere
  blind                          score baselines that see no picture
all: [split=full|mini] [data=FOLDER] [workers=N]"""
_KEYS = {"out", "depth", "split", "data", "workers"}


def main(words: Sequence[str] | None = None) -> None:
    """Run a command; exit with 2 on wrong words, with 1 if something does not hold."""
    name, *rest = (sys.argv[1:] if words is None else list(words)) or [""]
    options = dict(word.partition("=")[::2] for word in rest)
    if (
        name not in COMMANDS
        or not options.keys() <= _KEYS
        or (name in ("build", "verify") and "out" not in options)
    ):
        print(USAGE, file=sys.stderr)
        sys.exit(2)
    try:
        holds = COMMANDS[name](options)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        print(f"multispa_sim: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0 if holds else 1)


def _build(options: Mapping[str, str]) -> bool:
    workers = int(options["workers"]) if "workers" in options else None
    depth = options.get("depth", "false") == "true"
    out = Path(options["out"])
    compared = build(out, _split(options), depth=depth, data=options.get("data"), workers=workers)
    write_question_set(_opened(options), out)
    return _show_pictures(compared)


def _verify(options: Mapping[str, str]) -> bool:
    damaged = damaged_files(find_data(options.get("data")))
    print("data: as committed" if not damaged else f"data: DAMAGED {damaged}")
    compared = verify_pictures(Path(options["out"]), _split(options), data=options.get("data"))
    return _show_pictures(compared) and not damaged


def _show_pictures(compared: Sequence[Difference]) -> bool:
    wrong = [one for one in compared if not one.fits]
    identical = sum(one.identical for one in compared)
    mean, most = max(one.mean for one in compared), max(one.most for one in compared)
    print(
        f"pictures: {len(compared)}, identical {identical}, within tolerance {len(compared) - len(wrong)}\n"
        f"thumbnails: largest mean difference {mean:.2f} (allowed {MEAN_TOLERANCE}), largest difference "
        f"{most:.0f} (allowed {MOST_TOLERANCE:.0f}) grey levels"
    )
    for one in wrong[:10]:
        print(f"  WRONG {one.picture[0]} frame {one.picture[1]}: mean {one.mean:.2f}, largest {one.most:.0f}")
    return not wrong


def _check(options: Mapping[str, str]) -> bool:
    opened = _opened(options)
    checks = check_labels(opened.rows, opened.scenes)
    table = summary(checks)
    for subtask in SUBTASKS:
        row, unit = table[subtask.name], KINDS[subtask.kind].unit
        digits = f"{row['largest']:.2g} {unit}" if unit != "1" else "-"
        print(f"{subtask.name:24} n {row['n']:4.0f}  agree {row['agree']:4.0f}  largest deviation {digits}")
    wrong = [check for check in checks if not check.agrees]
    for check in wrong[:10]:
        print(f"  WRONG {check.id}: {check.why}, {check.deviation:.3g}")
    print(f"labels: {len(checks)}, agree {len(checks) - len(wrong)}")
    return not wrong


def _oracle(options: Mapping[str, str]) -> bool:
    table = accuracies(load_model("oracle"), _questions(_opened(options)))
    for name, row in table.items():
        print(f"{name:24} " + "  ".join(f"{mode} {100 * row[mode]:6.2f}" for mode in MODES))
    for mode in MODES:
        scores = {name: 100 * row[mode] for name, row in table.items()}
        rows = row_mean(row_means(scores))
        print(f"{mode}: mean of the 12 rows {rows:.2f}, mean of the 26 subtasks {subtask_mean(scores):.2f}")
    return all(fmean(row.values()) == 1.0 for row in table.values())


def _blind(options: Mapping[str, str]) -> bool:
    table = blind_table(_questions(_opened(options)))
    for row in table:
        flag = "  ANSWERABLE BLIND" if row.flagged else ""
        print(
            f"{row.subtask:24} {row.mode:6} n {row.n:4}  chance {100 * row.chance:5.1f}  best "
            f"{100 * row.scores[row.best]:5.1f} ({row.best})  margin {100 * row.margin:5.1f}{flag}"
        )
    flagged = sum(row.flagged for row in table)
    print(f"blind: {flagged} of {len(table)} rows more than 10 points above chance")
    return not flagged


def accuracies(model: Model, questions: Mapping[str, Sequence[Question]]) -> dict[str, dict[str, float]]:
    """Score a model on questions by subtask, in both modes, as shares of right answers."""
    table: dict[str, dict[str, float]] = {}
    for name, asked in questions.items():
        pairs = list(zip(model.answer(asked), asked, strict=True))
        score = KINDS[asked[0].kind].score
        table[name] = {mode: fmean(score(answer, one, mode) for answer, one in pairs) for mode in MODES}
    return table


def _questions(opened: MultiSpaSim) -> dict[str, list[Question]]:
    """Return the questions by subtask, in the order of the published table."""
    found: dict[str, list[Question]] = defaultdict(list)
    for record in opened.records():
        found[record.subtask].append(record.question)
    return {subtask.name: found[subtask.name] for subtask in SUBTASKS}


def _opened(options: Mapping[str, str]) -> MultiSpaSim:
    return load_multispa_sim(_split(options), data=options.get("data"))


def _split(options: Mapping[str, str]) -> Split:
    split: Iterable[Split] = ("full", "mini")
    given = options.get("split", "full")
    for one in split:
        if one == given:
            return one
    raise ValueError(f"`split` must be 'full' or 'mini', got {given!r}.")


COMMANDS: Mapping[str, Callable[[Mapping[str, str]], bool]] = {
    "build": _build,
    "verify": _verify,
    "check": _check,
    "oracle": _oracle,
    "blind": _blind,
}

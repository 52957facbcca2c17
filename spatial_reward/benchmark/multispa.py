"""`benchmark suite=multispa`: any model on any set of questions; scores, intervals, baselines, a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.answer_log import AnswerLog, Line
from spatial_reward.benchmark.loading import load, weights_of
from spatial_reward.benchmark.multispa_asking import Run, ask
from spatial_reward.benchmark.multispa_gallery import gallery_of, with_pictures
from spatial_reward.benchmark.multispa_questions import choose, open_set, poses_known
from spatial_reward.benchmark.multispa_results import metrics_of, results_of
from spatial_reward.data.shards import write_json
from spatial_reward.outputs import default_folder, write_summary
from spatial_reward.types import Model

Config = Mapping[str, Any]
KEYS = (
    *("suite", "set", "split", "data", "pictures", "subtasks", "count", "depth", "poses", "batch"),
    *("compare", "report", "seed", "out", "model"),
)
RESULTS = "results.json"


def run(config: Config) -> Path:
    """Measure a model as `conf/benchmark.yaml` describes; return the folder of the run.

    A run that was cut off goes on where it is called again with the same `out`.

    Raises:
        FileExistsError: If `out` holds something else, or was begun with other settings.
        FileNotFoundError: If the set, its pictures, or the run to compare with is not there.
        RuntimeError: If another run is writing to `out`.
        ValueError: If the configuration cannot be used.
    """
    _check(config)
    opened = open_set(config["set"], config["split"], config["data"])
    records = choose(opened, config["count"], config["subtasks"], config["seed"])
    model = load(config["model"], (record.question for record in records))
    config = {**config, "depth": _depth(config["depth"], model)}
    one = Run(config, opened, records, gallery_of(opened, _pictures(config), config["depth"]))
    folder = Path(config["out"]) if config["out"] else default_folder("benchmark")
    with AnswerLog(folder, _settings(one)) as log:
        ask(one, model, log)
        lines = [log.lines[record.id] for record in records]
        results = _settings(one) | results_of(one, lines)
        write_json(folder / RESULTS, results)
        if config["report"]:
            _report(folder, results, lines, one)
        (folder / "summary.json").unlink(missing_ok=True)  # of an earlier part of this run
        metrics = metrics_of(results, lines) | {"damaged_lines": len(log.damaged)}
        write_summary(folder, command="benchmark", seed=config["seed"], config=config, metrics=metrics)
    _print(results)
    return folder


def _check(config: Config) -> None:
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: let its YAML start from `defaults: [benchmark]`."
        )
    if not isinstance(config["batch"], int) or config["batch"] < 1:
        raise ValueError(f"`batch` must be at least 1, got {config['batch']!r}.")
    poses_known("cam_dist", config["poses"])


def _depth(wanted: bool | None, model: Model) -> bool:
    """Tell whether the model gets measured depth; null is yes where it cannot do without."""
    needed = "depth" in model.needs
    if needed and wanted is False:
        raise ValueError(f"The model {model.name!r} measures with depth: say depth=true.")
    return needed if wanted is None else bool(wanted)


def _pictures(config: Config) -> Path:
    """Return where the pictures of the frozen set are kept."""
    if config["pictures"]:
        return Path(config["pictures"])
    return Path("outputs") / f"{config['set']}{'-depth' if config['depth'] else ''}"


def _settings(one: Run) -> dict[str, Any]:
    """Return what the answers depend on, beside the questions."""
    config = one.config
    return {
        "suite": config["suite"],
        "set": one.opened.manifest.get("name"),
        "model": config["model"],
        "weights": weights_of(config["model"]),
        **{key: config[key] for key in ("depth", "poses", "seed")},
    }


def _report(folder: Path, results: Mapping[str, Any], lines: Sequence[Line], one: Run) -> None:
    """Write the report, with the pictures of the best and the worst answers."""
    from spatial_reward.benchmark.report_multispa import chosen_cases, write_report

    cases = chosen_cases(lines)
    wanted = {case.line["id"] for case in cases}
    records = [record for record in one.records if record.id in wanted]
    shown = {one.id: one.question for one in with_pictures(records, one.opened, one.gallery)}
    write_report(folder, results, cases, shown)


def _print(results: Mapping[str, Any]) -> None:
    """Print the table of one screen."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "row", "n", "paper %", "strict %", "guessing %", "random %", "blind %", title=results["title"]
    )
    means = {name: row for name, row in results["means"].items() if name.startswith("mean")}
    for name, row in {**results["rows"], **means}.items():
        paper, strict = row["paper"], row["strict"]
        numbers = (
            paper["accuracy"],
            strict["accuracy"],
            paper["if_made_to_guess"],
            paper["random"],
            paper["blind"],
        )
        table.add_row(name, str(row.get("n", "")), *(f"{number:.2f}" for number in numbers))
    Console().print(table)

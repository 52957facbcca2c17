"""`benchmark suite=public`: public benchmarks, scored as harnesses do, and strictly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from spatial_reward.benchmark.answer_log import AnswerLog, Line
from spatial_reward.benchmark.harness.asking import ask, load_talker, unhinted
from spatial_reward.benchmark.harness.items import Item, Source
from spatial_reward.benchmark.harness.results import benchmark_results, metrics_of
from spatial_reward.benchmark.harness.source import located
from spatial_reward.benchmark.harness.table import markdown, show
from spatial_reward.benchmark.loading import weights_of
from spatial_reward.benchmark.multispa_results import environment
from spatial_reward.data.shards import write_json
from spatial_reward.outputs import default_folder, write_summary

Config = Mapping[str, Any]
Loader = Callable[[Path, Config, Collection[str] | None], Iterator[Item]]

BENCHMARKS = ("blink", "cv_bench", "erqa", "vsi_bench", "roboreward")
RESULTS, TABLE = "results.json", "public.md"
_ASKED = ("frames", "vsi_config", "vsi_suffix", "erqa_pictures", "blank", "seed")  # what replies depend on
KEYS = (*("suite", "benchmarks", "data", "download", "subsets", "count", "batch", "out", "model"), *_ASKED)
_CHOICES = {
    "vsi_config": ("full", "debiased", "pruned"),
    "vsi_suffix": ("lmms_eval", "vlmevalkit"),
    "erqa_pictures": ("interleaved", "first"),
}


def run(config: Config) -> Path:
    """Measure a model as `conf/benchmark_public.yaml` describes; return the folder of the run.

    A run that was cut off goes on where it is called again with the same `out`.

    Raises:
        FileExistsError: If `out` holds something else, or was begun with other settings.
        FileNotFoundError: If a benchmark's files are not there, or cannot be downloaded.
        ImportError: If what a model, or downloading, needs is not installed.
        RuntimeError: If another run is writing to `out`, or a server gives no replies.
        ValueError: If the configuration or a file cannot be used.
    """
    _check(config)
    items = chosen_items(config)
    model = load_talker(config["model"])
    folder = Path(config["out"]) if config["out"] else default_folder("benchmark")
    with AnswerLog(folder, _settings(config)) as log:
        ask(items, model, log, config)
        results = results_of(items, log.lines, config)
        title, command = results["title"], results["command"]
        write_json(folder / RESULTS, results)
        (folder / TABLE).write_text(markdown(results["benchmarks"], title, command))
        (folder / "summary.json").unlink(missing_ok=True)  # of an earlier part of this run
        metrics = metrics_of(results["benchmarks"]) | {"damaged_lines": len(log.damaged)}
        write_summary(folder, command="benchmark", seed=config["seed"], config=config, metrics=metrics)
    show(results["benchmarks"], title)
    return folder


def _check(config: Config) -> None:
    absent = [key for key in KEYS if key not in config]
    if absent:
        raise ValueError(
            f"The configuration lacks {', '.join(absent)}: start from `defaults: [benchmark_public]`."
        )
    unknown = [name for name in config["benchmarks"] if name not in BENCHMARKS]
    if unknown or not config["benchmarks"]:
        raise ValueError(f"`benchmarks` must be some of {', '.join(BENCHMARKS)}, got {config['benchmarks']}.")
    for key, least in (("batch", 1), ("frames", 1)):
        if not isinstance(config[key], int) or config[key] < least:
            raise ValueError(f"`{key}` must be at least {least}, got {config[key]!r}.")
    for key, choices in _CHOICES.items():
        if config[key] not in choices:
            raise ValueError(f"`{key}` must be one of {', '.join(choices)}, got {config[key]!r}.")


def source_of(name: str) -> Source:
    """Return where a benchmark is published."""
    return cast(Source, _module(name).SOURCE)


def _module(name: str) -> Any:
    return import_module(f"spatial_reward.benchmark.harness.{name}")


def chosen_items(config: Config) -> list[Item]:
    """Load the questions of all benchmarks: those of the wanted subsets, `count` of each, drawn by the seed.

    Raises:
        FileNotFoundError: If a benchmark's files are not there.
        ValueError: If a file is not of its format, or there are no such subsets.
    """
    items: list[Item] = []
    for name in config["benchmarks"]:
        folder = located(source_of(name), Path(config["data"]), config["download"])
        loader: Loader = _module(name).items
        items += loader(folder, config, config["subsets"])
    there = {item.subset for item in items}
    unknown = [name for name in config["subsets"] or () if name not in there]
    if unknown or not items:
        raise ValueError(f"There are no questions of the subsets {', '.join(unknown) or 'asked for'}.")
    if len({item.id for item in items}) < len(items):
        raise ValueError("Two questions have one id: is a file there twice?")
    return _drawn(items, config["count"], config["seed"])


def _drawn(items: Sequence[Item], count: int | None, seed: int) -> list[Item]:
    """Take the first `count` of each subset in an order that a larger count only adds to."""
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        places[item.benchmark, item.subset].append(index)
    kept: list[int] = []
    for found in places.values():
        order = np.random.default_rng(seed).permutation(len(found))
        kept += [found[place] for place in (order if count is None else order[:count])]
    return [items[index] for index in sorted(kept)]


def _settings(config: Config) -> dict[str, Any]:
    """Return what the replies depend on, beside the questions."""
    return {
        "suite": config["suite"],
        "model": unhinted(config["model"]),
        "weights": weights_of(config["model"]),
        **{key: config[key] for key in _ASKED},
    }


def results_of(items: Sequence[Item], lines: Mapping[str, Line], config: Config) -> dict[str, Any]:
    """Put results.json together; two runs with the same settings differ in `time` only."""
    name = config["model"].get("model") or config["model"]["name"]
    asked = {one: [item for item in items if item.benchmark == one] for one in config["benchmarks"]}
    asked = {one: found for one, found in asked.items() if found}
    return {
        "title": f"{name} on public benchmarks{' with grey pictures' if config['blank'] else ''}",
        "command": command_of(config),
        **_settings(config),
        "subsets": config["subsets"],
        "count": config["count"],
        **environment(),
        "sources": {
            one: source_of(one)._asdict() | {"questions": len(found), "sha256": _digest(found, lines)}
            for one, found in asked.items()
        },
        "benchmarks": {
            one: benchmark_results(found, [lines[item.id]["reply"] for item in found])
            for one, found in asked.items()
        },
        "time": {"answering_s": sum(lines[item.id]["seconds"] for item in items)},
    }


def _digest(items: Sequence[Item], lines: Mapping[str, Line]) -> str:
    """Return the SHA-256 of questions and the pictures that were shown with them."""
    parts = sorted(f"{item.digest} {lines[item.id]['pixels']}" for item in items)
    return sha256("\n".join(parts).encode()).hexdigest()


def command_of(config: Config) -> str:
    """Return the command that repeats a run."""
    words = {"suite": config["suite"], "benchmarks": f"[{','.join(config['benchmarks'])}]"}
    words |= {f"model.{key}": value for key, value in config["model"].items() if key != "name"}
    if config["subsets"]:
        words["subsets"] = f"[{','.join(config['subsets'])}]"
    words |= {key: config[key] for key in ("count", *_ASKED)}
    shown = [f"{key}={_word(value)}" for key, value in words.items() if value is not None]
    return f"spatial-reward benchmark {shown[0]} model={_word(config['model']['name'])} {' '.join(shown[1:])}"


def _word(value: Any) -> str:
    word = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{word}'" if " " in word else word

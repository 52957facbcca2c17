"""The suite of reinforcement learning: agents learn from rewards, the environment counts successes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spatial_reward._require import require
from spatial_reward.benchmark.loading import load
from spatial_reward.benchmark.rl_demonstrations import check_demonstrations
from spatial_reward.benchmark.rl_report import write_report
from spatial_reward.benchmark.rl_rewards import ALGORITHMS, MEASURED, REWARDS, Plan, goals_known
from spatial_reward.benchmark.rl_table import Curve, curves_of, metrics_of, read_record
from spatial_reward.data import workers
from spatial_reward.envs.catalogue import make
from spatial_reward.outputs import default_folder, tell_interrupted, write_summary

Config = Mapping[str, Any]
NUMBERS = {"seeds": 1, "seed": 0, "evaluations": 1, "episodes": 1, "jobs": 1, "weight": 0}
KEYS = (
    *NUMBERS,
    *("envs", "rewards", "steps", "plans", "algorithm", "schedule", "every", "size", "subprocesses"),
    *("model", "out"),
)
_SAME = ("algorithm", "schedule", "every", "size", "model", "weight", "evaluations", "episodes")


def run(config: Config) -> Path:
    """Train and evaluate as `conf/benchmark_rl.yaml` describes; return the folder of results.

    Each training leaves a record in `runs/`; a complete one is not trained again, so the same command with
    the same `out` goes on after an interruption, and with more seeds or environments adds to it.

    Raises:
        ValueError: If a name or number of the configuration makes no sense, or does not fit the records.
        ImportError: If stable-baselines3 or sb3-contrib is missing.
    """
    require("stable_baselines3", "sb3", "training agents")
    require("sb3_contrib", "sb3", "training agents")
    _check(config)
    for env_id in config["envs"]:
        check_demonstrations(plan_of(env_id, config), config)
        make(env_id).close()  # what is unknown is told before anything is written
    if set(config["rewards"]) & set(MEASURED):
        goals_known(config["envs"])
        load(config["model"])
    folder = Path(config["out"]) if config["out"] else default_folder("benchmark")
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    _keep_settings(config, folder)
    try:
        _train_all(config, folder)
    except KeyboardInterrupt:
        tell_interrupted(folder)
        raise
    curves = curves_of(folder / "runs")
    metrics = metrics_of(curves, config["seed"])
    write_report(curves, metrics, folder, _about(config))
    write_summary(folder, command="benchmark", seed=config["seed"], config=config, metrics=metrics)
    _print(metrics)
    return folder


def plan_of(env_id: str, config: Config) -> Plan:
    """Return how agents are trained in an environment.

    Raises:
        ValueError: If its plan lacks something, or has what no plan has.
    """
    told = {**config["plans"]["default"], **config["plans"].get(env_id, {})}
    if config["steps"] is not None:
        told["steps"] = config["steps"]
    if set(told) - set(Plan._fields) or not {"algorithm", "steps", "gamma", "n_envs"} <= set(told):
        raise ValueError(f"A plan has {', '.join(Plan._fields)}; that of {env_id} is {told}.")
    for key in ("steps", "n_envs", "demonstrations"):
        least, value = int(key != "demonstrations"), told.get(key, 0)
        if not isinstance(value, int) or value < least:
            raise ValueError(
                f"`{key}` of {env_id} must be a whole number of at least {least}, got {value!r}."
            )
    if told["algorithm"] not in ALGORITHMS:
        raise ValueError(f"`algorithm` must be one of {', '.join(ALGORITHMS)}, got {told['algorithm']!r}.")
    return Plan(**told)


def _check(config: Config) -> None:
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: start from `defaults: [benchmark_rl]`."
        )
    for key, least in NUMBERS.items():
        kinds, words = ((int, float), "a number") if key == "weight" else (int, "a whole number")
        if not isinstance(config[key], kinds) or not config[key] >= least:
            raise ValueError(f"`{key}` must be {words} of at least {least}, got {config[key]!r}.")
    unknown = [reward for reward in config["rewards"] if reward not in REWARDS]
    if unknown or not config["rewards"]:
        raise ValueError(f"`rewards` must be some of {', '.join(REWARDS)}, got {config['rewards']!r}.")


def _keep_settings(config: Config, folder: Path) -> None:
    """Write down what all records depend on, besides their plans; refuse to mix them with others."""
    path, now = folder / "settings.json", {key: config[key] for key in _SAME}
    if not path.is_file():
        path.write_text(json.dumps(now, indent=1) + "\n")
    try:
        before = dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): choose another out=FOLDER, or restore it.") from error
    changed = [key for key in now if before.get(key) != json.loads(json.dumps(now[key]))]
    if changed:
        raise ValueError(f"{folder} was trained with other {', '.join(changed)}: choose another out=FOLDER.")


def _train_all(config: Config, folder: Path) -> None:
    from rich.progress import track

    todo = list(_missing(config, folder))
    trained = workers.run(_train, todo, workers=config["jobs"])
    for _ in track(trained, description="trainings", total=len(todo), disable=not todo):
        pass


def _missing(config: Config, folder: Path) -> Iterator[tuple[Any, Plan, dict[str, Any], Path]]:
    """Yield the trainings that have no complete record, seed by seed, so that every reward gets its share."""
    from spatial_reward.benchmark.rl_runs import Run

    for seed in range(config["seed"], config["seed"] + config["seeds"]):
        for env_id in config["envs"]:
            for reward in config["rewards"]:
                run, plan = Run(env_id, reward, seed), plan_of(env_id, config)
                path = folder / "runs" / run.file
                if not path.is_file():
                    yield run, plan, dict(config), path
                elif (before := Plan(**read_record(path)[0]["plan"])) != plan:
                    raise ValueError(
                        f"{path} was trained by {before}, not {plan}: choose another out=FOLDER."
                    )


def _train(training: tuple[Any, Plan, Config, Path]) -> None:
    from spatial_reward.benchmark.rl_runs import record

    record(*training)


def _about(config: Config) -> str:
    return f"{config['model']['name']}, schedule {config['schedule']}, weight {config['weight']:g} per metre"


def _print(metrics: Mapping[str, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("metric", "value", title="suite=rl")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.3g}")
    Console().print(table)


__all__ = ["Curve", "plan_of", "run"]

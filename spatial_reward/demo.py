"""The main job: roll episodes of an environment, reward them with a model, measure, record, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_reward.benchmark.metrics import EpisodeErrors, spearman, summarise
from spatial_reward.outputs import default_folder, output_folder, write_summary
from spatial_reward.viz.step import Step

Config = Mapping[str, Any]
KEYS = (
    *("env", "goal", "camera", "size", "policy", "noise", "episodes", "steps", "recordings", "seed", "out"),
    *("model", "reward"),
)


class StepList(list[Step]):
    """A recorder that keeps the steps in memory."""

    def log(self, step: Step) -> None:
        """Keep a step."""
        self.append(step)


def run_demo(config: Config) -> Path:
    """Run the demo as `conf/demo.yaml` describes; return the folder of results.

    Raises:
        ValueError: If a name in the configuration is unknown, or a thing of the goal cannot be seen.
        FileExistsError: If the output folder already holds something.
    """
    from rich.progress import track

    config = completed(config)
    final = Path(config["out"]) if config["out"] else default_folder("demo")
    with output_folder(final) as folder:
        measured, rows = [], []
        for number in track(range(config["episodes"]), description=config["env"]):
            steps = roll_episode(config, config["seed"] + number)
            measured.append(errors_of(steps))
            rows.append(_row(f"seed {config['seed'] + number}", steps, measured[-1]))
            if number < config["recordings"]:
                _write_episode(steps, folder, f"_{number}" if number else "", config)
        if len(rows) > 1:
            _write_overview(rows, folder / "overview.png", config)
        metrics = summarise(measured)
        episodes = [errors.as_columns() for errors in measured]
        write_summary(
            folder, command="demo", seed=config["seed"], config=config, metrics=metrics, episodes=episodes
        )
    _print(config, metrics)
    return final


def completed(config: Config) -> Config:
    """Fill in what the catalogue knows about the environment."""
    from spatial_reward.envs.catalogue import RECIPES, Recipe, make

    _check(config)
    recipe = RECIPES.get(config["env"]) or Recipe(config["env"], goal="")
    names = ("goal", "camera", "size", "steps")
    filled = {name: getattr(recipe, name) if config[name] is None else config[name] for name in names}
    if not filled["goal"]:
        make(config["env"]).close()  # an unknown environment is the better reason
        raise ValueError(
            f"{config['env']!r} has no goal in the catalogue: give goal='near(a, b, within=3cm)'."
        )
    return {**config, **filled}


def _check(config: Config) -> None:
    """Refuse a configuration without its keys, and numbers that are none."""
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: let its YAML start from `defaults: [demo]`."
        )
    for key, least in (("episodes", 1), ("recordings", 0), ("noise", 0)):
        if not isinstance(config[key], int | float) or not least <= config[key] < np.inf:
            raise ValueError(f"`{key}` must be at least {least}, got {config[key]!r}.")


def roll_episode(config: Config, seed: int) -> StepList:
    """Roll one episode and return its judged steps, with the truth beside the prediction."""
    from spatial_reward.envs.catalogue import make
    from spatial_reward.envs.rollout import rollout
    from spatial_reward.envs.wrappers import SpatialReward
    from spatial_reward.models import load_model

    steps, policy = StepList(), _policy(config, seed)
    env = SpatialReward(
        make(config["env"]),
        config["goal"],
        load_model(**config["model"]),
        camera=config["camera"],
        size=config["size"],
        truth=True,
        recorder=steps,
        **config["reward"],
    )
    try:
        for _ in rollout(env, policy, config["steps"], seed):
            pass
    finally:
        env.close()
    return steps


def _policy(config: Config, seed: int) -> Any:
    """Return the policy that the configuration names."""
    from spatial_reward.envs import experts
    from spatial_reward.envs.tabletop_experts import failure

    name, env_id, noise = config["policy"], config["env"], config["noise"]
    if name == "expert":
        return experts.expert(env_id, seed=seed, noise=noise)
    if name == "idle":
        return experts.idle
    if name == "random":
        return experts.random(seed)
    if name == "wander":
        return experts.wander(seed)
    return failure(env_id, name, seed=seed, noise=noise)


def errors_of(steps: Sequence[Step]) -> EpisodeErrors:
    """Collect predictions and truths of the steps after the reset, in whose frame nothing has moved yet."""
    judged = steps[1:]
    return EpisodeErrors(
        predicted=np.array([step.predicted for step in judged]),
        truth=np.array([step.truth for step in judged]),
        valid=np.array([step.signal.valid for step in judged], bool),
        latency=np.array([step.latency for step in judged]),
        displacement_predicted=np.array([_motion(step)[0] for step in judged]),
        displacement_true=np.array([_motion(step)[1] for step in judged]),
    )


def _motion(step: Step) -> tuple[float, float]:
    """Return the predicted and true motion [m] of the first followed thing; NaN where unknown."""
    for name, answer in step.signal.answers.items():
        if name in step.motion and answer.unit == "m":
            value = answer.value
            predicted = float(np.linalg.norm(value)) if isinstance(value, np.ndarray) else float("nan")
            return predicted, float(np.linalg.norm(step.motion[name]))
    return float("nan"), float("nan")


def _write_episode(steps: Sequence[Step], folder: Path, suffix: str, config: Config) -> None:
    """Write the Rerun recording and the report of an episode."""
    from spatial_reward.viz.recording import Recorder
    from spatial_reward.viz.report import write_report

    with Recorder(folder / f"episode{suffix}.rrd", config["goal"], title=_title(config)) as recorder:
        for step in steps:
            recorder.log(step)
    write_report(steps, folder / f"report{suffix}.png", _title(config))


def _title(config: Config) -> str:
    return f"{config['env']}: {config['goal']}, measured by {config['model']['name']}"


def _row(name: str, steps: Sequence[Step], errors: EpisodeErrors) -> Any:
    from spatial_reward.viz.overview import EpisodeRow

    rank = spearman(errors.predicted, errors.truth, errors.valid)
    return EpisodeRow.of(name, steps, spearman=rank)


def _write_overview(rows: Sequence[Any], path: Path, config: Config) -> None:
    from spatial_reward.viz.overview import write_overview

    write_overview(rows, path, _title(config))


def _print(config: Config, metrics: Mapping[str, float]) -> None:
    """Print the numbers as a table of one screen."""
    from rich.console import Console
    from rich.table import Table

    table = Table("metric", "value", title=_title(config))
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)

"""The reward suite: attempts that succeed and fail in known ways, scored against the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from spatial_reward.benchmark.reward_clips import Clip
from spatial_reward.benchmark.reward_episodes import Stage, recipe_of
from spatial_reward.benchmark.reward_recordings import clip_path, layouts, load_clip, save_clip
from spatial_reward.benchmark.reward_report import write_markdown, write_pictures
from spatial_reward.benchmark.reward_rows import Row, clip_row, instruction_row
from spatial_reward.benchmark.reward_scorers import Scorer, load_scorer
from spatial_reward.benchmark.reward_table import intervals, summarise
from spatial_reward.envs.camera_path import CameraPath, orbit
from spatial_reward.envs.experts import idle
from spatial_reward.envs.outcomes import outcome, outcomes
from spatial_reward.outputs import default_folder, output_folder, write_summary

Config = Mapping[str, Any]
CAMERA_ONLY = "camera_only"  # the camera swings, nothing else moves
KEYS = (
    "envs",
    "behaviours",
    "episodes",
    "frames",
    "noise",
    "model",
    "baselines",
    "recorded",
    "record",
    "seed",
    "out",
)
SURE = (
    "voc",
    "voc_frozen",
    "kendall_tau_b",
    "preference_accuracy",
    "success_roc_auc",
    "mae_mm",
    "coverage_90",
)


def run(config: Config) -> Path:
    """Run the suite as `conf/benchmark_reward.yaml` describes; return the folder of results.

    Raises:
        ValueError: If a name in the configuration is unknown, or a thing of a goal cannot be seen.
        FileExistsError: If the output folder already holds something.
    """
    _check(config)
    scorers = scorers_of(config)
    final = Path(config["out"]) if config["out"] else default_folder("benchmark")
    with output_folder(final) as folder:
        rows: list[Row] = []
        with (folder / "rows.jsonl").open("w") as log:
            for clips in filmed(config):
                _keep(clips, folder, config["record"])
                new = list(rows_of(clips, scorers))
                rows += new
                log.writelines(json.dumps(row, allow_nan=False) + "\n" for row in new)
                log.flush()
        table = {scorer.name: summarise(_of(rows, scorer.name)) for scorer in scorers}
        sure = {scorer.name: intervals(_of(rows, scorer.name), SURE) for scorer in scorers}
        write_markdown(table, sure, folder / "reward.md", _about(config))
        write_pictures(rows, folder)
        write_summary(
            folder,
            command="benchmark",
            seed=config["seed"],
            config=config,
            metrics=table[scorers[0].name],
            models=table,
            intervals=sure,
        )
    _print(table)
    return final


def _check(config: Config) -> None:
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: start from `defaults: [benchmark_reward]`."
        )
    for key, least in (("episodes", 1), ("frames", 8), ("noise", 0)):
        if not isinstance(config[key], int | float) or config[key] < least:
            raise ValueError(f"`{key}` must be at least {least}, got {config[key]!r}.")


def scorers_of(config: Config) -> list[Scorer]:
    """Load the model and the baselines, each name once.

    Raises:
        ValueError: If one of them is unknown.
    """
    found: dict[str, Scorer] = {}
    for one in [config["model"], *(config["baselines"] or [])]:
        scorer = load_scorer({"name": one} if isinstance(one, str) else one)
        found.setdefault(scorer.name, scorer)
    return list(found.values())


def filmed(config: Config) -> Iterator[list[Clip]]:
    """Yield the clips of one layout after the other, fresh or recorded."""
    from rich.progress import track

    if config["recorded"]:
        yield from ([load_clip(path) for path in paths] for paths in layouts(config["recorded"]))
        return
    for env_id in config["envs"]:
        stage = Stage.of(env_id, None, None, None)
        try:
            for number in track(range(config["episodes"]), description=env_id):
                yield [
                    film(stage, behaviour, config, config["seed"] + number)
                    for behaviour in behaviours_of(env_id, config["behaviours"])
                ]
        finally:
            stage.close()


def behaviours_of(env_id: str, wanted: Sequence[str] | None) -> list[str]:
    """Return the behaviours to film: all that an environment can play, or those of them that are wanted.

    Raises:
        ValueError: If there is no expert for it.
    """
    there = outcomes(env_id)
    if not there:
        raise ValueError(
            f"There is no expert for {env_id!r}, so nothing can be played. Use `audit policy=...`."
        )
    played = [*there, CAMERA_ONLY]
    return [name for name in played if wanted is None or name in wanted]


def film(stage: Stage, behaviour: str, config: Config, seed: int) -> Clip:
    """Play and film one behaviour."""
    recipe = recipe_of(stage.name)
    options: dict[str, Any] = {"frames": config["frames"], "behaviour": behaviour, "seed": seed}
    if behaviour == CAMERA_ONLY:
        with stage.filmed_by(cast(CameraPath, orbit(recipe.camera))):
            return stage.play(idle, recipe.steps, whole=True, **options).clip
    policy = outcome(stage.name, behaviour, seed=seed, noise=config["noise"])
    return stage.play(policy, recipe.steps, whole=behaviour != "success", **options).clip


def rows_of(clips: Sequence[Clip], scorers: Sequence[Scorer]) -> Iterator[Row]:
    """Score the clips of one layout by every reward."""
    pair = [clip for clip in clips if clip.behaviour in ("success", "wrong_object")]
    for scorer in scorers:
        yield from (clip_row(clip, scorer) for clip in clips)
        if len(pair) == 2 and (row := instruction_row(pair, scorer)) is not None:
            yield row


def _keep(clips: Sequence[Clip], folder: Path, record: bool) -> None:
    if record:
        (folder / "clips").mkdir(exist_ok=True)
        for clip in clips:
            save_clip(clip, clip_path(folder / "clips", clip))


def _of(rows: Sequence[Row], model: str) -> list[Row]:
    return [row for row in rows if row["model"] == model]


def _about(config: Config) -> str:
    if config["recorded"]:
        return f"Recorded clips in `{config['recorded']}`."
    seeds = f"seeds {config['seed']} to {config['seed'] + config['episodes'] - 1}"
    return f"{', '.join(config['envs'])}; {seeds}; {config['frames']} frames per clip."


def _print(table: Mapping[str, Mapping[str, float]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table("metric", *table)
    for key in next(iter(table.values())):
        shown.add_row(key, *(f"{numbers[key]:.3g}" for numbers in table.values()))
    Console().print(shown)

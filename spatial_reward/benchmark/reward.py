"""The reward suite: attempts that succeed and fail in known ways, scored against the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, cast
from zlib import crc32

from spatial_reward.benchmark.answer_log import AnswerLog
from spatial_reward.benchmark.loading import weights_of
from spatial_reward.benchmark.reward_clips import Clip
from spatial_reward.benchmark.reward_episodes import Stage, recipe_of
from spatial_reward.benchmark.reward_recordings import clip_path, load_clip, recorded_layouts, save_clip
from spatial_reward.benchmark.reward_report import write_markdown, write_pictures
from spatial_reward.benchmark.reward_rows import Row, clip_row, instruction_row
from spatial_reward.benchmark.reward_scorers import Judged, Scorer, load_scorer
from spatial_reward.benchmark.reward_table import intervals, summarise
from spatial_reward.envs.camera_path import CameraPath, orbit
from spatial_reward.envs.experts import idle
from spatial_reward.envs.outcomes import outcome, outcomes
from spatial_reward.outputs import default_folder, write_summary

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
ROWS = "rows.jsonl"  # the log, a layout a line
SURE = (
    "voc",
    "voc_frozen",
    "kendall_tau_b",
    "preference_accuracy",
    "success_roc_auc",
    "mae_mm",
    "coverage_90",
)


class Layout(NamedTuple):
    """What is filmed in several behaviours: an environment and a seed; `recorded` clips where there are."""

    env: str
    seed: int
    recorded: Sequence[Path] = ()

    @property
    def name(self) -> str:
        """Name of its line in the log; recorded clips that are added make it another."""
        return f"{self.env} {self.seed}" + (f" ({len(self.recorded)} clips)" if self.recorded else "")


def run(config: Config) -> Path:
    """Run the suite as `conf/benchmark_reward.yaml` describes; return the folder of results.

    A run that was cut off goes on, layout by layout, where it is called again with the same `out`.

    Raises:
        FileExistsError: If `out` holds something else, or was begun with other settings.
        RuntimeError: If another run is writing to `out`.
        ValueError: If a name in the configuration is unknown, or a thing of a goal cannot be seen.
    """
    _check(config)
    scorers = scorers_of(config)
    layouts = layouts_of(config)
    folder = Path(config["out"]) if config["out"] else default_folder("benchmark")
    with AnswerLog(folder, _settings(config), ROWS) as log:
        _score_all([layout for layout in layouts if layout.name not in log.lines], scorers, config, log)
        rows = [row for layout in layouts for row in log.lines[layout.name]["rows"]]
        table = {scorer.name: summarise(_of(rows, scorer.name)) for scorer in scorers}
        sure = {scorer.name: intervals(_of(rows, scorer.name), SURE) for scorer in scorers}
        write_markdown(table, sure, folder / "reward.md", _about(config))
        write_pictures(rows, folder)
        write_summary(
            folder,
            command="benchmark",
            seed=config["seed"],
            config=config,
            metrics=table[scorers[0].name] | {"damaged_lines": len(log.damaged)},
            models=table,
            intervals=sure,
        )
    _print(table)
    return folder


def _check(config: Config) -> None:
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: start from `defaults: [benchmark_reward]`."
        )
    for key, least in (("episodes", 1), ("frames", 8), ("noise", 0)):
        if not isinstance(config[key], int | float) or config[key] < least:
            raise ValueError(f"`{key}` must be at least {least}, got {config[key]!r}.")


def _settings(config: Config) -> dict[str, Any]:
    """Return what a layout's rows depend on."""
    models = [config["model"], *(config["baselines"] or [])]
    weights = [weights_of({"name": one} if isinstance(one, str) else one) for one in models]
    kept = ("behaviours", "frames", "noise", "model", "baselines", "recorded", "record")
    return {"suite": "reward", "weights": weights, **{key: config[key] for key in kept}}


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


def layouts_of(config: Config) -> list[Layout]:
    """List what is to be scored: every seed of every environment, or what was recorded.

    Raises:
        FileNotFoundError: If there are no recorded clips.
        ValueError: If there is no expert for an environment.
    """
    if config["recorded"]:
        return [
            Layout(env, seed, paths) for (env, seed), paths in recorded_layouts(config["recorded"]).items()
        ]
    for env_id in config["envs"]:
        behaviours_of(env_id, config["behaviours"])
    seeds = range(config["seed"], config["seed"] + config["episodes"])
    return [Layout(env_id, seed) for env_id in config["envs"] for seed in seeds]


def _score_all(todo: Sequence[Layout], scorers: Sequence[Scorer], config: Config, log: AnswerLog) -> None:
    from rich.progress import track

    for layout, clips in track(filmed(todo, config), description="layouts", total=len(todo)):
        for scorer in scorers:
            if isinstance(scorer, Judged):
                scorer.reseed([layout.seed, crc32(layout.env.encode())])
        _keep(clips, log.path.parent, config["record"])
        log.append([{"id": layout.name, "rows": list(rows_of(clips, scorers))}])


def filmed(todo: Sequence[Layout], config: Config) -> Iterator[tuple[Layout, list[Clip]]]:
    """Yield the layouts with their clips, fresh or recorded."""
    for env_id, layouts in groupby(todo, key=attrgetter("env")):
        if config["recorded"]:
            yield from ((layout, [load_clip(path) for path in layout.recorded]) for layout in layouts)
            continue
        behaviours = behaviours_of(env_id, config["behaviours"])
        with closing(Stage.of(env_id, None, None, None)) as stage:
            for layout in layouts:
                yield layout, [film(stage, name, config, layout.seed) for name in behaviours]


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

"""Audit a reward before an optimiser meets it: controls, searches against it, gates, and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from spatial_reward.benchmark.audit_controls import clips_of
from spatial_reward.benchmark.audit_gates import Gate, Scored, judge, measure
from spatial_reward.benchmark.audit_pictures import print_table, write_pictures, write_table
from spatial_reward.benchmark.audit_search import (
    Attempt,
    best_of_n,
    noisy_attempts,
    predicted_by,
    search_actions,
    search_placements,
    search_policy,
    true_reward,
)
from spatial_reward.benchmark.reward_episodes import Stage, recipe_of
from spatial_reward.benchmark.reward_scorers import Scorer, load_scorer
from spatial_reward.envs.experts import expert
from spatial_reward.envs.outcomes import outcome, outcomes
from spatial_reward.envs.rollout import Policy
from spatial_reward.outputs import default_folder, output_folder, write_summary

Config = Mapping[str, Any]
KEYS = (
    *(
        "env",
        "goal",
        "camera",
        "size",
        "policy",
        "steps",
        "episodes",
        "frames",
        "failures",
        "best_of",
        "search",
    ),
    *("seed", "out", "least", "most", "model"),
)
LEAST_PROGRESS = 0.3  # that an attempt must make for its controls to prove something
LONGEST_SEARCHED = 60  # steps of an attempt of the search
SEARCHED = ("best_of_n_regret", "search_actions_unearned", "search_placements_unearned")


class Audit(NamedTuple):
    """What an audit leaves: the folder of results, and whether every gate was passed."""

    folder: Path
    passed: bool


def run(config: Config) -> Audit:
    """Audit a model in an environment as `conf/audit.yaml` describes.

    Raises:
        ValueError: If a name in the configuration is unknown, or nothing reaches the goal in the environment.
        FileExistsError: If the output folder already holds something.
    """
    _check(config)
    scorer = load_scorer(config["model"])
    stage = Stage.of(config["env"], config["goal"], config["camera"], config["size"])
    final = Path(config["out"]) if config["out"] else default_folder("audit")
    title = f"{scorer.name} in {config['env']}: {stage.goal}"
    try:
        with output_folder(final) as folder:
            results, searched, metrics = examine(stage, scorer, config)
            gates = judge(metrics, config["least"], config["most"])
            passed = all(gate.passed is not False for gate in gates)
            write_table(gates, folder / "audit.md", title)
            write_pictures(results, searched, gates, folder / "audit.png", title)
            _write_summary(folder, config, metrics, gates, passed)
    finally:
        stage.close()
    print_table(gates, title)
    return Audit(final, passed)


def examine(
    stage: Stage, scorer: Scorer, config: Config
) -> tuple[dict[str, list[Scored]], dict[str, Attempt], dict[str, float | None]]:
    """Film the controls, search against the reward; return what was seen, found and measured."""
    from rich.progress import track

    results: dict[str, list[Scored]] = {}
    policy = policy_of(stage, config)
    for number in track(range(config["episodes"]), description="controls"):
        seed = config["seed"] + number
        for name, scored in controls(stage, scorer, policy, config, seed):
            results.setdefault(name, []).append(scored)
    if config["failures"]:
        results["failures"] = failures(stage, scorer, config)
    searched, found = search(stage, scorer, policy, config)
    return results, searched, measure(results) | found


def policy_of(stage: Stage, config: Config) -> Callable[[int], Policy]:
    """Return what makes a policy for a layout that reaches the goal: named, scripted, or searched for.

    Raises:
        ValueError: If a named one does not exist.
    """
    if config["policy"]:
        own = _named(str(config["policy"]))
        return lambda seed: own
    if recipe_of(stage.name).expert:
        return lambda seed: expert(stage.name, seed=seed)
    found = cache(lambda seed: search_policy(stage, true_reward, steps_of(stage, config), seed))
    return lambda seed: found(seed)()


def _named(name: str) -> Policy:
    module, _, function = name.rpartition(":")
    try:
        policy: Policy = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"There is no policy {name!r} (module:function): {error}.") from error
    return policy


def controls(
    stage: Stage, scorer: Scorer, policy: Callable[[int], Policy], config: Config, seed: int
) -> list[tuple[str, Scored]]:
    """Play the attempt in one layout, and score all controls made of it.

    Raises:
        ValueError: If the attempt does not come nearer to the goal: it would prove nothing.
    """
    act = policy(seed)
    take = stage.play(act, steps_of(stage, config), seed, config["frames"], "success")
    reached = float(take.clip.truth().progress.max())
    if reached < LEAST_PROGRESS:
        raise ValueError(
            f"The policy makes {reached:.2f} of the way to {stage.goal} in layout {seed}; an audit needs "
            f"{LEAST_PROGRESS:g}: give policy=module:function(env, obs) -> action, or more steps=..."
        )
    made = clips_of(stage, take, seed)
    return [(name, Scored.of(clip, scorer)) for name, clips in made for clip in clips]


def failures(stage: Stage, scorer: Scorer, config: Config) -> list[Scored]:
    """Play and score the scripted failures of the environment."""
    scored, seed = [], config["seed"]
    for name in outcomes(stage.name)[1:]:
        act = outcome(stage.name, name, seed=seed)
        take = stage.play(act, steps_of(stage, config), seed, config["frames"], name, whole=True)
        scored.append(Scored.of(take.clip, scorer))
    return scored


def search(
    stage: Stage, scorer: Scorer, policy: Callable[[int], Policy], config: Config
) -> tuple[dict[str, Attempt], dict[str, float | None]]:
    """Let the reward choose, and optimise against it; return the best attempts, and the metrics."""
    reward, seed, steps = predicted_by(scorer), config["seed"], steps_of(stage, config)
    best: dict[str, Attempt] = {}
    found: dict[str, float | None] = dict.fromkeys(SEARCHED)
    if config["best_of"]:
        tried = noisy_attempts(stage, lambda: policy(seed), scorer, config["best_of"], steps, seed)
        best["best_of_n"], found["best_of_n_regret"] = best_of_n(tried)
    if config["search"]:
        options = dict(config["search"])
        take = stage.play(policy(seed), steps, seed, config["frames"])
        placements = search_placements(stage, take, reward, **options)
        actions = search_actions(stage, reward, min(steps, LONGEST_SEARCHED), seed, **options)
        best |= {"search_actions": actions[0]}
        best |= {"search_placements": placements[0]} if placements else {}
    for name, attempt in best.items():
        found[f"{name}_predicted"], found[f"{name}_true"] = attempt.predicted, attempt.true
        if name != "best_of_n":
            found[f"{name}_unearned"] = attempt.unearned
    return best, found


def steps_of(stage: Stage, config: Config) -> int:
    """Return the length of an attempt."""
    return int(config["steps"] or recipe_of(stage.name).steps)


def _check(config: Config) -> None:
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: let its YAML start from `defaults: [audit]`."
        )
    for key, least in (("episodes", 1), ("frames", 8), ("best_of", 0)):
        if not isinstance(config[key], int) or config[key] < least:
            raise ValueError(f"`{key}` must be a whole number of at least {least}, got {config[key]!r}.")
    search = config["search"]
    if search and not (set(search) == {"population", "rounds"} and min(search.values()) >= 1):
        raise ValueError(
            f"`search` needs a `population` and `rounds` of at least 1, or null; got {search!r}."
        )


def _write_summary(
    folder: Path, config: Config, metrics: Mapping[str, float | None], gates: list[Gate], passed: bool
) -> None:
    failed = [gate.metric for gate in gates if gate.passed is False]
    counts = {"gates": len(gates), "gates_failed": len(failed)}
    known = {name: float("nan") if value is None else value for name, value in metrics.items()}
    write_summary(
        folder,
        command="audit",
        seed=config["seed"],
        config=config,
        metrics=known | counts,
        passed=passed,
        failed=failed,
        gates=[gate._asdict() for gate in gates],
    )

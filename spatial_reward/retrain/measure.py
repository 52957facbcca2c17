"""What a model gets right in a user's scene and in general, from pictures alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.metrics import summarise
from spatial_reward.data.pairs import ClipRecipe, shard_paths
from spatial_reward.data.workers import run
from spatial_reward.models.spatialnet_weights import load_network
from spatial_reward.retrain.data import Data
from spatial_reward.retrain.tuning import SEEN
from spatial_reward.training.evaluate_spatialnet import maker, measure, summary_of_things
from spatial_reward.training.spatialnet import score_of
from spatial_reward.training.spatialnet_trials import draw_trials
from spatial_reward.training.spatialnet_validation import validate

CLIPS = 120  # of general scenes
FIRST_SEED = 50_000  # of the episodes: far from what was collected


def figures(model: Path, data: Data) -> dict[str, Any]:
    """Measure a model in states and from places that it was not trained on, each part in its own process.

    Returns:
        pairs: figures of `evaluate_spatialnet` about what the goal names, the plane guessed as at a reset;
        episodes: those of `demo` with `depth=predicted`, in a simulation; general: what training is validated
        by, on random scenes.
    """
    parts = {"pairs": _pairs, "episodes": _episodes, "general": _general}
    if data.config["episodes"] is not None:  # recordings, which cannot be rolled anew
        del parts["episodes"]
    workers = min(data.workers, len(parts))
    return dict(zip(parts, run(partial(_figures, model, data), parts.values(), workers=workers), strict=True))


def _figures(model: Path, data: Data, part: Callable[[Path, Data], dict[str, Any]]) -> dict[str, Any]:
    return part(model, data)


def _pairs(model: Path, data: Data) -> dict[str, Any]:
    trials = draw_trials(data.test, data.config["trials"], followed=data.config["episodes"] is None)
    return summary_of_things(measure(maker(model, "predicted", "auto"), trials, depth=False, support=True))


def _general(model: Path, data: Data) -> dict[str, Any]:
    errors = validate(load_network(model), shard_paths(data.general), ClipRecipe(size=SEEN), clips=CLIPS)
    return {"score": score_of(errors), **errors}


def _episodes(model: Path, data: Data) -> dict[str, Any]:
    """Judge episodes, such as `demo` does, through the very camera of the user."""
    from spatial_reward.demo import completed, errors_of, roll_episode

    config = data.config
    options = {"name": "spatialnet", "weights": str(model), "depth": "predicted"}
    rolled = {"policy": _policy(config["env"]), "noise": 0.1, "recordings": 0, "steps": None}
    rolled |= {"episodes": config["judged"]}
    full = completed({**config, **rolled, "model": options})
    seeds = range(FIRST_SEED + config["seed"], FIRST_SEED + config["seed"] + config["judged"])
    return summarise([errors_of(roll_episode(full, seed)) for seed in seeds])


def _policy(env_id: str) -> str:
    from spatial_reward.envs.experts import expert

    try:
        expert(env_id)
    except ValueError:
        return "wander"
    return "expert"

"""Fine-tune the embedded model on a user's scenes, as fast as the machine allows."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from spatial_reward.data.pairs import ClipRecipe
from spatial_reward.models.spatialnet_weights import load_network
from spatial_reward.retrain.data import Data
from spatial_reward.training.spatialnet import LOG, Recipe, train
from spatial_reward.training.spatialnet_processes import train_together

SEEN = 128  # [px] side of the pictures that the network is trained on
WARMUP = 50  # steps
FEW_CORES = 4  # where processes that draw clips take more from those that train than they give
VALIDATIONS = 5  # of a training, at most,
APART = 100  # steps or more
TRIED = 24  # steps that are timed, after as many that warm up


def tune(data: Data, source: Path, out: Path, steps: int) -> None:
    """Train from the model in `source` on; `out` gets the checkpoint and the best weights."""
    _run(data, source, out, _recipe(data, steps), validation=data.validation)


def seconds_per_step(data: Data, source: Path) -> float:
    """Return how long a step takes here."""
    recipe = replace(_recipe(data, 2 * TRIED), log_every=TRIED)
    with tempfile.TemporaryDirectory() as folder:
        _run(data, source, Path(folder), recipe)
        last = json.loads((Path(folder) / LOG).read_text().splitlines()[-1])
    return recipe.clips * recipe.clip.pairs / float(last["pairs_per_s"])


def _recipe(data: Data, steps: int) -> Recipe:
    clip = ClipRecipe(size=SEEN, measured=0.1, support=0.7)
    return Recipe(
        steps=steps,
        clip=clip,
        rate=data.config["rate"],
        warmup=WARMUP,
        average=0.998,
        seed=data.config["seed"],
        validate_every=max(APART, steps // VALIDATIONS),
        save_every=APART,
        workers=int(data.workers > FEW_CORES),  # draws the next clips meanwhile
        keep=True,
    )


def _run(data: Data, source: Path, out: Path, recipe: Recipe, validation: Path | None = None) -> None:
    config = load_network(source).config
    how = partial(train, data.train, out, recipe, config, validation=validation, start=source)
    train_together(how, recipe.clips, data.workers)

"""SpatialNet from nothing to calibrated weights: render, train, calibrate; what was interrupted goes on."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from spatial_reward.data.dense import write_shards
from spatial_reward.data.pairs import ClipRecipe
from spatial_reward.data.workers import cores
from spatial_reward.models.spatialnet_network import NetworkConfig
from spatial_reward.outputs import default_folder, write_summary
from spatial_reward.training.calibrate_spatialnet import calibrate, export
from spatial_reward.training.spatialnet import BEST, Recipe, train
from spatial_reward.training.spatialnet_start import starting_network
from spatial_reward.training.spatialnet_trials import draw_trials

WEIGHTS = "model"


def train_spatialnet(config: dict[str, Any]) -> Path:
    """Carry out `conf/train_spatialnet.yaml`; return the folder with weights, log and summary.

    Any number of processes may do so together, as torchrun and accelerate start them.

    Raises:
        ValueError: If an option is out of range, or what is there to start from is of another network.
        FileNotFoundError: If there is no checkpoint to start from.
        ImportError: If meshes are wanted and gymnasium-robotics is missing, or accelerate is.
    """
    out = Path(config["out"] or default_folder("train_spatialnet"))
    data = Path(config["data"] or out / "data")
    recipe = Recipe(**config["recipe"], clip=ClipRecipe(size=config["seen"]), seed=config["seed"])
    start = None if config["start"] is None else Path(config["start"])
    network = NetworkConfig(**config["network"])
    starting_network(network, start)  # before anything is rendered for it
    render(data, config)
    errors = train(
        data / "train",
        out,
        recipe,
        network,
        validation=data / "validation",
        start=start,
    )
    if int(os.environ.get("RANK", "0")):  # of many processes the first does the rest
        return out
    export(out / BEST, out / WEIGHTS, {"seed": config["seed"], "scenes": config["scenes"]})
    scales = calibrate(out / WEIGHTS, partial(draw_trials, data / "validation", config["trials"]), cores())
    metrics = {**errors, **{f"calibration_{name}": value for name, value in scales.items()}}
    write_summary(out, command="train_spatialnet", seed=config["seed"], config=config, metrics=metrics)
    return out


def render(data: Path, config: dict[str, Any]) -> None:
    """Write the shards that are not there yet: those to train on, and held-out ones to validate with."""
    how = {key: config[key] for key in ("size", "frames", "meshes", "workers")}
    seed = config["seed"]
    write_shards(data / "train", scenes=config["scenes"], seed=seed, **how)
    write_shards(data / "validation", scenes=config["validation_scenes"], seed=seed + 1, held_out=True, **how)

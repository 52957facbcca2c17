"""Fit SpatialNet's standard deviations to a user's environment, whose simulator knows the truth."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.demo import StepList, completed, roll_episode
from spatial_reward.models.spatialnet_weights import SHIPPED, read_card, save_calibration
from spatial_reward.outputs import default_folder, output_folder, write_summary

TWO_SIDED = 1.645  # standard deviations that hold 90 % of a normal law
FEWEST = 30  # errors that a factor is fitted to
_EXACT = 1e-9  # [m]; a motion told without error, such as of the reference frame itself

Config = Mapping[str, Any]


class Errors(NamedTuple):
    """Errors of motion and their stated standard deviations, of each axis of every valid answer [m]."""

    off: Array
    std: Array


def run_calibrate(config: Config) -> Path:
    """Calibrate as `conf/calibrate.yaml` describes; return the folder of results.

    The factor of the motion of objects is changed so that 90 % of its errors lie in stated 90 % intervals;
    the others, which need truths that a goal does not ask for, stay.

    Raises:
        ValueError: If the model has no factors, a number is out of range, or too little is valid.
        FileExistsError: If the output folder already holds something.
    """
    _check(config)
    from rich.progress import track

    config = completed({**config, "recordings": 0})
    final = Path(config["out"]) if config["out"] else default_folder("calibrate")
    source = Path(config["model"].get("weights") or SHIPPED)
    before = read_card(source)["calibration"]
    with output_folder(final) as folder:
        seeds = range(config["seed"], config["seed"] + config["episodes"])
        rolled = [errors_of(roll_episode(config, seed)) for seed in track(seeds, description=config["env"])]
        checked = max(1, round(config["held_out"] * len(rolled)))
        fitted, held_out = joined(rolled[:-checked]), joined(rolled[-checked:])
        factor = fit(fitted, config)
        shutil.copytree(source, folder / "model")
        about = {"calibrated_in": config["env"], "calibrated_on": len(fitted.off)}
        save_calibration(folder / "model", {**before, "object": factor * before["object"]}, about)
        metrics = {
            "object_factor_before": before["object"],
            "object_factor": factor * before["object"],
            "coverage_90_before": coverage(held_out),
            "coverage_90": coverage(held_out, factor),
            "errors": float(len(fitted.off)),
        }
        write_summary(folder, command="calibrate", seed=config["seed"], config=config, metrics=metrics)
    print({name: round(value, 3) for name, value in metrics.items()})
    return final


def errors_of(steps: StepList) -> Errors:
    """Collect the errors of the valid motions of an episode, in the reference camera's axes."""
    off, std = [], []
    for step in steps:
        camera = step.reference_frame.camera
        for name, answer in step.signal.answers.items():
            stated = np.broadcast_to(np.asarray(answer.std, float), 3)
            if camera is not None and answer.valid and name in step.motion and stated.max() > _EXACT:
                truth = camera.camera_from_world[:3, :3] @ step.motion[name]
                off.append(np.asarray(answer.value, float) - truth)
                std.append(stated)
    return Errors(np.array(off).reshape(-1), np.array(std).reshape(-1))


def joined(parts: Sequence[Errors]) -> Errors:
    """Put the errors of several episodes together."""
    return Errors(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def fit(errors: Errors, config: Config) -> float:
    """Return the factor that makes 90 % of the errors lie in stated 90 % intervals.

    Raises:
        ValueError: If there are too few errors.
    """
    if len(errors.off) < 3 * FEWEST:
        raise ValueError(
            f"Only {len(errors.off) // 3} valid answers in {config['env']}, and a factor takes {FEWEST}: "
            "take more episodes, another camera or a larger size."
        )
    return float(np.quantile(np.abs(errors.off) / errors.std, 0.9) / TWO_SIDED)


def coverage(errors: Errors, factor: float = 1.0) -> float:
    """Return which share of the errors lies in stated 90 % intervals; NaN where there are none."""
    if not len(errors.off):
        return float("nan")
    return float((np.abs(errors.off) <= TWO_SIDED * factor * errors.std).mean())


def _check(config: Config) -> None:
    name = config["model"].get("name")
    if name != "spatialnet":
        raise ValueError(f"Only spatialnet carries factors that can be fitted, not model={name!r}.")
    if not 0 < config["held_out"] < 1:
        raise ValueError(f"`held_out` must lie between 0 and 1, got {config['held_out']!r}.")
    if config["episodes"] < 2:
        raise ValueError(f"`episodes` must be at least 2, to check the result, got {config['episodes']}.")

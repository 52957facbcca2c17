"""Turn a training checkpoint into weights that know how wrong they are.

python -m spatial_reward.training.calibrate_spatialnet --checkpoint RUN/best.pt --data VALIDATION_SHARDS
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spatial_reward.camera import Array
from spatial_reward.data.workers import cores, run
from spatial_reward.models.spatialnet import SpatialNet
from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork
from spatial_reward.models.spatialnet_sliding import LIFTED
from spatial_reward.models.spatialnet_weights import SHIPPED, UNCALIBRATED, save_calibration, save_weights
from spatial_reward.training.evaluate_spatialnet import MOTION, TWO_SIDED, maker, measure
from spatial_reward.training.spatialnet_trials import Trial, draw_trials

Trials = Sequence[Trial]
Draw = Callable[[], Trials]
Scales = dict[str, float]

PRIORS = (0.5, 0.2, 0.08, 0.03)  # that are tried of a thing's sliding
LEVEL = 0.005  # [m] of height that a thing may gain or lose and be said to have slid


def export(checkpoint: Path, weights: Path, about: Mapping[str, object]) -> None:
    """Write the averaged weights of a checkpoint, not calibrated yet.

    Raises:
        FileNotFoundError: If there is no checkpoint.
    """
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    network = SpatialNetwork(NetworkConfig(**state["config"]))
    network.load_state_dict(state["average"])
    save_weights(weights, network, UNCALIBRATED, {"steps": state["step"], **about})


def calibrate(weights: Path, draw: Draw, workers: int = 1) -> dict[str, float]:
    """Fit one factor per quantity, so that 90 % of the errors of valid answers lie in stated 90 % intervals.

    First what the network says (depth, match, change of depth); then how readily a thing is believed to
    slide, so that its motion is told best; then what geometry makes of it. All is written into the model's
    card.

    Args:
        weights: Folder of the model.
        draw: Draws the trials, in each process anew; importable from a module, or a `partial` of such a one.
        workers: Processes; more than four bring nothing.
    """
    each = partial(_each, weights, draw, workers)
    scales = dict(UNCALIBRATED)
    for found in each(scales, [_fit_looks, _fit_ratio]):
        scales |= found
    errors = list(each(scales, [partial(_error_of_motion, prior) for prior in PRIORS]))
    scales["slides"] = PRIORS[int(np.argmin(errors))]
    for found in each(scales, [_fit_object, _fit_camera]):
        scales |= found
    save_calibration(weights, scales, {"calibrated_on": len(draw())})
    return scales


def _each(
    weights: Path, draw: Draw, workers: int, scales: Scales, fits: Sequence[Callable[[Path, Trials], Any]]
) -> Iterator[Any]:
    """Yield what is found of the model as it is calibrated so far."""
    save_calibration(weights, scales, {})
    return run(partial(_found, weights, draw), fits, workers=min(workers, len(fits)))


def _found(weights: Path, draw: Draw, fit: Callable[[Path, Trials], Any]) -> Any:
    return fit(weights, draw())


def _error_of_motion(prior: float, weights: Path, trials: Trials) -> float:
    """Return the median error of motion [m] where things are believed to slide with this probability."""
    moved = [trial for trial in trials if trial.visible and np.linalg.norm(trial.displacement) > MOTION]
    if not moved:
        return float("inf")
    make = maker(weights, "predicted", "auto", {"slides": prior})
    errors = measure(make, moved, depth=False, support=True)["object_error"]
    return float(np.median(np.where(np.isfinite(errors), errors, np.inf)))


def _fit_looks(weights: Path, trials: Trials) -> Scales:
    columns = measure(maker(weights, "predicted", "auto"), trials, depth=False, support=True)
    placed = columns["match_valid"] > 0
    return {
        "lifts": typical_lift(trials),
        "depth": _factor(columns["depth_error"], columns["depth_std"]),
        "match": _factor(columns["match_x"][placed], columns["match_std"][placed]),
    }


def _fit_ratio(weights: Path, trials: Trials) -> Scales:
    return {"ratio": _factor(*_ratios(weights, trials))}


def _fit_object(weights: Path, trials: Trials) -> Scales:
    columns = measure(maker(weights, "predicted", "auto"), trials, depth=False, support=True)
    placed = columns["match_valid"] > 0
    off, spread = (
        np.concatenate([columns[f"object_{what}{axis}"][placed] for axis in "xyz"]) for what in ("", "std_")
    )
    return {"object": _factor(off, spread)}


def _fit_camera(weights: Path, trials: Trials) -> Scales:
    moved = [trial for trial in trials if trial.camera_moved]
    if not moved:
        return {}
    model = maker(weights, "predicted", "estimated")
    columns = measure(model, moved, depth=False, support=True, camera=True)
    told = (columns["camera_distance"] > MOTION) & (columns["camera_valid"] > 0)
    return {
        "camera": _factor(columns["camera_x"][told], columns["camera_std_x"][told]),
        "angle": _factor(columns["yaw_error"][told], columns["yaw_std"][told]),
    }


def typical_lift(trials: Trials) -> float:
    """Return how far things that did not keep their height were lifted or lowered, in the quadratic mean [m].

    One by `LIFTED` is counted with them, so that few say little, and none nothing.
    """
    lifts = np.abs([_lifted(trial) for trial in trials])
    return float(np.sqrt(np.mean(np.append(lifts[lifts >= LEVEL], LIFTED) ** 2)))


def _lifted(trial: Trial) -> float:
    """Return by how much the height of a trial's point changed [m]."""
    camera = trial.frames[0].camera
    assert camera is not None
    return float(camera.world_from_camera[2, :3] @ trial.displacement)


def _ratios(weights: Path, trials: Trials) -> tuple[Array, Array]:
    """Return errors and standard deviations of the log change of depth of what is seen."""
    errors, stds = [], []
    seen = sorted((trial for trial in trials if trial.visible), key=lambda trial: trial.told or 0.0)
    for height, alike in groupby(seen, key=lambda trial: trial.told):
        model = SpatialNet(weights, depth="predicted", support=height)
        for trial in alike:
            question = trial.question("vc_coord", depth=False)
            pixel = np.array([trial.pixel[:2]])
            [found] = model.eyes.match([(*question.frames, pixel)])  # type: ignore[list-item]
            errors.append(found.log_ratio[0] - np.log(trial.target_depth / trial.depth))
            stds.append(found.ratio_std[0])
    return np.array(errors), np.array(stds)


def _factor(error: Array, std: Array) -> float:
    known = np.isfinite(error) & np.isfinite(std) & (std > 0)
    if not known.any():
        return 1.0
    return float(np.quantile(np.abs(error[known]) / std[known], 0.9) / TWO_SIDED)


def main() -> None:
    """Export, calibrate, and say the factors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of validation shards")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="default: the model of the package")
    parser.add_argument("--count", type=int, default=400, help="trials")
    given = parser.parse_args()
    draw = partial(draw_trials, given.data, given.count)
    try:
        draw()  # before a model is written over
        export(given.checkpoint, given.out, {})
        scales = calibrate(given.out, draw, workers=cores())
    except (OSError, ValueError) as error:
        sys.exit(f"calibrate_spatialnet: {error}")
    print(given.out, {name: round(value, 3) for name, value in scales.items()})


if __name__ == "__main__":
    main()

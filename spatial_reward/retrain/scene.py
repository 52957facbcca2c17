"""Retrain the embedded model on a user's own scene: collect, fine-tune, calibrate, audit, and prove it.

Each stage leaves a file, and a stage whose file is there is not done again, so the same command goes on after
an interruption.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatial_reward.data.run_folder import run_folder
from spatial_reward.data.shards import write_json
from spatial_reward.models.spatialnet_weights import CARD, SHIPPED, read_card, save_calibration
from spatial_reward.outputs import default_folder, jsonable, write_summary
from spatial_reward.retrain.audit import audited
from spatial_reward.retrain.data import Data, collect, planned_scenes, recorded
from spatial_reward.retrain.measure import figures
from spatial_reward.retrain.report import verdict, write_report

Config = Mapping[str, Any]
PARTS = ("data", "train")
MODEL, FILE = "model", "retrain.json"
MEASURING = 2.7  # times the first measurement takes, in which calibration and the last one are done
AUDITING = 0.12  # share of the time that an audit is given
TRAINING = 0.4  # share of the time that training is given whatever the rest took
FEWEST = 50  # steps
SOURCES = ("env", "scene", "episodes")
RECORDED_SIZE = 224  # [px]

_LEAST = {"minutes": 0.1, "trials": 20, "judged": 1, "rate": 0, "replay": 0}


def retrain(config: Config) -> Path:
    """Carry out `conf/retrain.yaml`; return the folder, whose `model` is the new one.

    Raises:
        ValueError: If the environment, its goal or a number is not usable.
        FileNotFoundError: If there is no model to start from, or no such file.
        FileExistsError: If the folder belongs to a run with other settings.
        OSError: If there is not enough room on the disk.
        ImportError: If torch or accelerate is missing.
    """
    begun = time.monotonic()
    config = completed(config)
    source = Path(config["weights"] or SHIPPED)
    read_card(source)
    out = Path(config["out"] or default_folder("retrain"))
    settings = {key: value for key, value in config.items() if key not in ("out", "workers")}
    with run_folder(out, settings, file=FILE, parts=PARTS) as folder:
        data = Data(folder / "data", config, _processes(config))
        scenes = remembered(folder / "scenes.json", lambda: {"scenes": planned_scenes(data)})
        collect(data, int(scenes["scenes"]))
        before = remembered(folder / "before.json", lambda: _timed(lambda: figures(source, data)))
        planned = remembered(
            folder / "steps.json", lambda: {"steps": config["steps"] or _steps(begun, before, data, source)}
        )
        _fine_tune(folder, data, source, int(planned["steps"]))
        after = remembered(folder / "after.json", lambda: figures(folder / MODEL, data))
        audit = remembered(folder / "audit.json", lambda: audited(folder, config)) if config["audit"] else {}
        metrics = verdict(before, after) | {**scenes, **planned} | audit
        write_report(folder, config, before, after, metrics)
        write_summary(folder, command="retrain", seed=config["seed"], config=config, metrics=metrics)
    return out


def completed(config: Config) -> dict[str, Any]:
    """Fill in what the catalogue knows, and refuse what makes no sense.

    Raises:
        ValueError: If a number is out of range, or not just one of `env`, `scene`, `episodes` is given.
    """
    for key, least in _LEAST.items():
        if not isinstance(config[key], int | float) or not least <= config[key] < float("inf"):
            raise ValueError(f"`{key}` must be at least {least}, got {config[key]!r}.")
    if config["replay"] >= 1:
        raise ValueError(f"`replay` must be a share under 1, got {config['replay']!r}.")
    given = {key: config[key] for key in SOURCES if config[key] is not None}
    if len(given) != 1:
        raise ValueError(
            "Give one of env=ID, scene=FILE.xml and episodes=DATASET, got "
            f"{', '.join(f'{key}={value}' for key, value in given.items()) or 'none'}."
        )
    if "episodes" in given:
        return _of_recordings(config)
    if config["consistency"] or config["fov"] is not None:
        raise ValueError(
            "`consistency` and `fov` are for recordings: a simulation knows its camera and the truth."
        )
    return _of_simulation(config)


def _of_recordings(config: Config) -> dict[str, Any]:
    fov = config["fov"]
    if not isinstance(config["consistency"], bool):
        raise ValueError(f"`consistency` must be true or false, got {config['consistency']!r}.")
    usable = config["consistency"] and isinstance(fov, int | float) and 0 < fov < 180
    if fov is not None and not usable:
        raise ValueError(f"`fov` takes consistency=true and is under 180 degrees, got {fov!r}.")
    full = {**config, "size": config["size"] or RECORDED_SIZE, "audit": False}
    cameras = [recorded(full, part).check() for part in (0, 1, 2)]
    return {**full, "camera": cameras[0]}


def _of_simulation(config: Config) -> dict[str, Any]:
    from spatial_reward.demo import completed as with_recipe

    if config["scene"] is not None and not str(config["scene"]).endswith(".xml"):
        raise ValueError(f"`scene` must be the path of an MJCF file (.xml), got {config['scene']!r}.")
    model = {"name": "spatialnet", "depth": "predicted"}
    rolled = {"policy": "expert", "noise": 0.1, "recordings": 0, "steps": None, "model": model}
    rolled["episodes"] = config["judged"]
    full = with_recipe({**config, **rolled, "env": config["env"] or str(config["scene"])})
    return {**config, **{key: full[key] for key in ("env", "goal", "camera", "size")}}


def remembered(path: Path, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a stage found, from its file if it is there."""
    if not path.is_file():
        write_json(path, jsonable(make()))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _timed(make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    begun = time.monotonic()
    found = dict(make())
    return {**found, "seconds": time.monotonic() - begun}


def _processes(config: Config) -> int:
    return int(config["workers"] or len(os.sched_getaffinity(0)))


def _steps(begun: float, before: Mapping[str, Any], data: Data, source: Path) -> int:
    """Return how many steps the time that is left allows, as fast as a few are on this machine."""
    from spatial_reward.retrain.tuning import seconds_per_step

    whole = 60.0 * data.config["minutes"]
    reserved = MEASURING * before["seconds"] + AUDITING * whole * bool(data.config["audit"])
    left = max(whole - (time.monotonic() - begun) - reserved, TRAINING * whole)
    return max(FEWEST, int(left / seconds_per_step(data, source)))


def _fine_tune(folder: Path, data: Data, source: Path, steps: int) -> None:
    """Train from the source model on, and calibrate; nothing if that has been done."""
    if (folder / MODEL / CARD).is_file():
        return
    from spatial_reward.retrain.tuning import tune
    from spatial_reward.training.calibrate_spatialnet import calibrate, export
    from spatial_reward.training.spatialnet import BEST
    from spatial_reward.training.spatialnet_trials import draw_trials

    tune(data, source, folder / "train", steps)
    about = {
        "retrained_in": data.config["episodes"] or data.config["env"],
        "camera": data.config["camera"],
        "from": _name(source),
    }
    if data.config["consistency"]:
        about["labels"] = "its own, where they were consistent"
    making = folder / "train" / MODEL
    shutil.rmtree(making, ignore_errors=True)
    export(folder / "train" / BEST, making, {**about, "seed": data.config["seed"]})
    known = data.config["episodes"] is None  # what the goal names, else all things, of general scenes too
    draw = partial(draw_trials, data.validation, data.config["trials"], followed=known)
    scales = calibrate(making, draw, data.workers)
    save_calibration(making, scales, {"calibrated_in": about["retrained_in"]})
    making.replace(folder / MODEL)


def _name(source: Path) -> str:
    return "the model of the package" if source == SHIPPED else str(source)

"""Retrain a vision-language model on a user's own scene: questions, LoRA, and an exam before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from spatial_reward.config import compose
from spatial_reward.outputs import default_folder, write_summary

Config = Mapping[str, Any]
ADAPTER_FILE = "adapter_config.json"


def retrain_vlm(config: Config) -> Path:
    """Carry out `conf/retrain_vlm.yaml`; return the folder, whose `train/model` is the adapter or the model.

    Every part (`questions`, `held_out`, `before`, `train`, `after`) goes on by itself after an interruption.

    Raises:
        ValueError: If not just one of `env` and `scene` is given, or a setting of a part makes no sense.
    """
    from spatial_reward.benchmark.multispa import run as benchmark
    from spatial_reward.data.generate import generate
    from spatial_reward.training.vlm import train_vlm

    if (config["env"] is None) == (config["scene"] is None):
        raise ValueError(f"Give one of env=ID and scene=FILE.xml, got {config['env']}, {config['scene']}.")
    out = Path(config["out"] or default_folder("retrain"))
    questions = generate(_source(config, out / "questions", config["count"], config["seed"]))
    held_out = generate(_source(config, out / "held_out", config["held_out"], config["seed"] + 1))
    asked = {"name": "transformers", "model": str(config["base"])}
    before = benchmark(_exam(config, held_out, out / "before", asked))
    train = compose("train_vlm", [f"data={questions}", f"base={config['base']}", f"seed={config['seed']}"])
    trained = train_vlm({**train, **config["train"], "out": str(out / "train")}) / "model"
    after = benchmark(_exam(config, held_out, out / "after", {**asked, **_trained(trained)}))
    metrics = {
        f"{name}_{when}": value
        for when, folder in (("before", before), ("after", after))
        for name, value in _accuracies(folder).items()
    }
    write_summary(out, command="retrain", seed=config["seed"], config=config, metrics=metrics)
    print({name: round(value, 4) for name, value in metrics.items()})
    return out


def _source(config: Config, out: Path, count: int, seed: int) -> dict[str, Any]:
    """Return the configuration of `generate` for the user's scene."""
    full = compose("generate", ["source=mujoco"])
    source = {**full["source"], "env": config["env"], "xml": config["scene"], "seed": seed}
    source |= {"cameras": config["cameras"], "size": config["size"]}
    given = {"count": count, "subtasks": config["subtasks"], "workers": config["workers"], "seed": seed}
    return {**full, **given, "source": source, "report": False, "out": str(out)}


def _exam(config: Config, questions: Path, out: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    full = compose("benchmark", ["model=transformers"])
    model = {**full["model"], **asked, **config["asked"]}
    given = {"set": str(questions), "seed": config["seed"], "report": False, "out": str(out)}
    return {**full, **given, "model": model}


def _trained(model: Path) -> dict[str, str]:
    """Return what makes `model=transformers` load an adapter, or a whole model."""
    return {"adapter": str(model)} if (model / ADAPTER_FILE).is_file() else {"model": str(model)}


def _accuracies(folder: Path) -> dict[str, float]:
    """Return the accuracy [%] of each subtask that was asked, and their mean, in `paper` scoring."""
    results = json.loads((folder / "results.json").read_text())
    found = {name: float(row["paper"]["accuracy"]) for name, row in results["subtasks"].items()}
    return {"accuracy": fmean(found.values()), **found}

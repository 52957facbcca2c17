"""What the command `train` trains: the small network, or a vision-language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

# Imported only when asked for: each brings its own libraries. Their settings are in conf/train_<name>.yaml.
MODELS = {
    "spatialnet": "train_spatialnet.train_spatialnet",
    "vlm": "vlm.train_vlm",
}


def chosen(words: Sequence[str]) -> tuple[str, list[str]]:
    """Take the word `model=...` out of the words of a command; "spatialnet" where there is none.

    Raises:
        ValueError: If there is no such model to train.

    >>> chosen(["model=vlm", "rank=8"])
    ('vlm', ['rank=8'])
    """
    names = [word.partition("=")[2] for word in words if word.startswith("model=")]
    name = names[-1] if names else "spatialnet"
    if name not in MODELS:
        raise ValueError(f"`model` must be one of {', '.join(MODELS)} to be trained, got {name!r}.")
    return name, [word for word in words if not word.startswith("model=")]


def run(model: str, config: Mapping[str, Any]) -> Path:
    """Train `model` as its configuration says; return the folder of the run.

    Raises:
        ValueError: If a setting that has no default is not given.
    """
    missing = [key for key, value in config.items() if value == "???"]
    if missing:
        raise ValueError(f"Training {model!r} needs {', '.join(f'{key}=...' for key in missing)}.")
    module, _, function = MODELS[model].partition(".")
    folder: Path = getattr(import_module(f"spatial_reward.training.{module}"), function)(config)
    return folder

"""What the command `train` trains: the small network, or a vision-language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

# Imported only when asked for: each brings its own libraries. Their settings are in conf/train_<name>.yaml.
MODELS = {
    "spatialnet": "spatial_reward.training.train_spatialnet.train_spatialnet",
    "vlm": "spatial_reward.training.vlm.train_vlm",
}


def chosen(words: Sequence[str], models: Mapping[str, str] = MODELS) -> tuple[str, list[str]]:
    """Take the word `model=...` out of the words of a command; "spatialnet" where there is none.

    Raises:
        ValueError: If there is no such model to train.

    >>> chosen(["model=vlm", "rank=8"])
    ('vlm', ['rank=8'])
    """
    names = [word.partition("=")[2] for word in words if word.startswith("model=")]
    name = names[-1] if names else "spatialnet"
    if name not in models:
        raise ValueError(f"`model` must be one of {', '.join(models)} to be trained, got {name!r}.")
    return name, [word for word in words if not word.startswith("model=")]


def run(model: str, config: Mapping[str, Any], models: Mapping[str, str] = MODELS) -> Path:
    """Train `model` as its configuration says; return the folder of the run.

    Raises:
        ValueError: If a setting that has no default is not given.
    """
    missing = [key for key, value in config.items() if value == "???"]
    if missing:
        raise ValueError(f"Training {model!r} needs {', '.join(f'{key}=...' for key in missing)}.")
    module, _, function = models[model].rpartition(".")
    folder: Path = getattr(import_module(module), function)(config)
    return folder

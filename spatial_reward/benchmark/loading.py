"""The model that a benchmark measures: by name, by file, or your own; and what tells its weights apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from spatial_reward.benchmark.baselines import Biased, Random, answer_pool
from spatial_reward.data.shards import sha256
from spatial_reward.models import MODELS, load_model
from spatial_reward.models.spatialnet_weights import CARD
from spatial_reward.types import Model, Question

BASELINES = ("random", "biased")
_WEIGHTS = ("*.safetensors", "*.onnx", "*.bin", "*.json")


def load(config: Mapping[str, Any], questions: Iterable[Question] = ()) -> Model:
    """Load the model that a configuration describes.

    Args:
        config: `name`, and the model's options. The name is one of `models.load_model`, a baseline, a
            folder of SpatialNet or of a vision-language model, or "module:Class".
        questions: With truths; what random answers are drawn from.

    Raises:
        ValueError: If there is no such model.
        TypeError: If it does not take an option.
    """
    name, options = str(config["name"]), {key: value for key, value in config.items() if key != "name"}
    if name == "random":
        return Random(answer_pool(questions), **options)
    if name == "biased":
        return Biased(**options)
    if name in MODELS:
        return load_model(name, **options)
    if (Path(name) / CARD).is_file():
        return load_model("spatialnet", weights=name, **options)
    if Path(name).is_dir():
        return load_model("transformers", model=name, **options)
    if ":" in name:
        return _own(name, options)
    known = ", ".join([*MODELS, *BASELINES])
    raise ValueError(f"Unknown model {name!r}: neither a folder, nor one of {known}, nor module:Class.")


def _own(name: str, options: Mapping[str, Any]) -> Model:
    module, _, attribute = name.partition(":")
    try:
        made: Any = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"There is no model {name!r}: {error}.") from error
    model: Model = made(**options)
    return model


def weights_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of the files that a model is made of, by option: its weights, where it has any."""
    files = {key: Path(value) for key, value in config.items() if isinstance(value, str) and value}
    if config["name"] == "spatialnet" and not config.get("weights"):
        from spatial_reward.models.spatialnet_weights import SHIPPED

        files["weights"] = SHIPPED
    return {key: digest for key, path in sorted(files.items()) if (digest := _digest(path))}


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of those of a folder that hold a model; "" for anything else."""
    if path.is_file():
        return sha256(path)
    if not path.is_dir():
        return ""
    parts = sorted(part for pattern in _WEIGHTS for part in path.glob(pattern))
    return " ".join(f"{part.name}:{sha256(part)}" for part in parts)

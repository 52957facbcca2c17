"""Everything that answers questions, by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from spatial_reward.types import Model

# Imported only when asked for: each brings its own libraries.
MODELS = {
    "oracle": "oracle.Oracle",
    "rgbd": "rgbd.RGBD",
    "spatialnet": "spatialnet.SpatialNet",
    "endpoint": "endpoint.Endpoint",
    "remote": "remote.RemoteModel",
    "transformers": "transformers.Transformers",
}


def load_model(name: str, **options: Any) -> Model:
    """Load the model called `name`.

    Raises:
        ValueError: If there is no such model.
        TypeError: If the model does not take an option.
    """
    if name not in MODELS:
        raise ValueError(f"Unknown model {name!r}. Known models: {', '.join(MODELS)}.")
    module, _, cls = MODELS[name].partition(".")
    model: Model = getattr(import_module(f"spatial_reward.models.{module}"), cls)(**options)
    return model

"""SpatialNet's weights on disk: one safetensors file with the network's sizes and its calibration inside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork

SHIPPED = Path(__file__).parent / "weights" / "spatialnet.safetensors"
_FORMAT = "spatialnet-3"

# By what factor each stated standard deviation must be multiplied to be honest.
UNCALIBRATED = {"depth": 1.0, "match": 1.0, "ratio": 1.0, "object": 1.0, "camera": 1.0, "angle": 1.0}


def save_weights(
    path: Path, network: SpatialNetwork, calibration: Mapping[str, float], about: Mapping[str, object]
) -> None:
    """Write a network with its calibration and facts about its training, whole or not at all."""
    header = {
        "format": _FORMAT,
        "config": json.dumps(asdict(network.config)),
        "calibration": json.dumps({**UNCALIBRATED, **calibration}),
        "about": json.dumps(dict(about)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, partial, metadata=header)
    partial.chmod(0o644)  # safetensors makes files that only their owner may read
    os.replace(partial, path)


def load_weights(path: Path) -> tuple[SpatialNetwork, dict[str, float]]:
    """Read a network, ready to measure, and its calibration.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, not SpatialNet's, or of other sizes than it says.
    """
    if not path.is_file():
        raise FileNotFoundError(f"No SpatialNet weights at {path}: give `weights=` a .safetensors file.")
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error}): get it again.") from error
    if header.get("format") != _FORMAT:
        raise ValueError(
            f"{path} does not hold SpatialNet weights of format {_FORMAT!r} but {header.get('format')!r}: "
            "train or export them with this version."
        )
    network = SpatialNetwork(NetworkConfig(**json.loads(header["config"])))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit the network that it describes: {error}") from error
    bad = [name for name, value in weights.items() if not value.isfinite().all()]
    if bad:
        raise ValueError(f"{path} holds weights that are not finite ({', '.join(bad[:3])}): train again.")
    calibration: dict[str, float] = json.loads(header["calibration"])
    return network.eval(), calibration

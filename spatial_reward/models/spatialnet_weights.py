"""SpatialNet on disk: a folder with the network, its exported graphs, and how wrong it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_reward.models.spatialnet_runtime import OnnxRuntime, Runtime, TorchRuntime
from spatial_reward.models.spatialnet_sliding import LIFTED

if TYPE_CHECKING:
    from spatial_reward.models.spatialnet_network import SpatialNetwork

SHIPPED = Path(__file__).parent / "weights" / "spatialnet"
CARD, NETWORK, ENCODER, MATCHER = "spatialnet.json", "network.safetensors", "encoder.onnx", "matcher.onnx"
FORMAT = "spatialnet-4"

# By what factor each stated standard deviation must be multiplied to be honest; how likely a thing that
# moves keeps its height, before the network is asked; and how far one that does not is lifted or lowered [m].
UNCALIBRATED = {
    **{"depth": 1.0, "match": 1.0, "ratio": 1.0, "object": 1.0, "camera": 1.0, "angle": 1.0},
    "slides": 0.5,
    "lifts": LIFTED,
}


def save_weights(
    folder: Path, network: SpatialNetwork, calibration: Mapping[str, float], about: Mapping[str, object]
) -> None:
    """Write a network, its graphs, its calibration and facts about its training.

    The card, which knows the checksums of the other files, is written last, so that a folder that was left
    half-written is not taken for a model.
    """
    from safetensors.torch import save_file

    from spatial_reward.models.spatialnet_graphs import export_graphs

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, _partial(folder, NETWORK), metadata={"config": json.dumps(asdict(network.config))})
    export_graphs(network, _partial(folder, ENCODER), _partial(folder, MATCHER))
    for name in (NETWORK, ENCODER, MATCHER):
        _partial(folder, name).chmod(0o644)  # safetensors makes files that only their owner may read
        os.replace(_partial(folder, name), folder / name)
    card = {"format": FORMAT, "files": {name: _digest(folder / name) for name in (NETWORK, ENCODER, MATCHER)}}
    _write(folder, card | {"calibration": {**UNCALIBRATED, **calibration}, "about": dict(about)})


def save_calibration(folder: Path, calibration: Mapping[str, float], about: Mapping[str, object]) -> None:
    """Change the factors of a model's standard deviations, and add facts."""
    card = read_card(folder)
    card["calibration"] = {**UNCALIBRATED, **calibration}
    card["about"] |= dict(about)
    _write(folder, card)


def read_card(folder: Path) -> dict[str, Any]:
    """Return what a model says about itself: "format", "files", "calibration" and "about".

    Raises:
        FileNotFoundError: If there is no model, or part of it is missing.
        ValueError: If it is damaged or of another format.
    """
    path = folder / CARD
    if not path.is_file():
        raise FileNotFoundError(
            f"No SpatialNet model at {folder} (it has no {CARD}): give `weights=` the folder of a model, "
            "such as `spatial-reward train model=spatialnet` writes."
        )
    try:
        card: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): get the model again.") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        kind = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise ValueError(
            f"{path} is not of format {FORMAT!r} but {kind!r}: train or export the model with this version."
        )
    for name, digest in card["files"].items():
        _check(folder / name, digest)
    return card


def load_runtime(folder: Path, device: str = "cpu") -> tuple[Runtime, dict[str, float]]:
    """Return a network that is ready to run, and the factors of its standard deviations.

    Raises:
        FileNotFoundError: If there is no model, or part of it is missing.
        ValueError: If it is damaged or of another format.
    """
    calibration = {**UNCALIBRATED, **read_card(folder)["calibration"]}
    if device == "cpu":
        return OnnxRuntime(folder / ENCODER, folder / MATCHER), calibration
    return TorchRuntime(load_network(folder), device), calibration


def load_network(folder: Path) -> SpatialNetwork:
    """Read the network itself, such as to train it on.

    Raises:
        FileNotFoundError: If there is no model, or part of it is missing.
        ValueError: If it is damaged, or of other sizes than it says.
    """
    from safetensors import safe_open

    from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork

    read_card(folder)
    with safe_open(folder / NETWORK, "pt") as file:
        config = json.loads(file.metadata()["config"])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    network = SpatialNetwork(NetworkConfig(**config))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{folder / NETWORK} does not fit the network that it describes: {error}") from error
    bad = [name for name, value in weights.items() if not value.isfinite().all()]
    if bad:
        raise ValueError(f"{folder / NETWORK} holds weights that are not finite ({', '.join(bad[:3])}).")
    return network.eval()


def _check(path: Path, digest: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing from the model's folder: get the model again.")
    if _digest(path) != digest:
        raise ValueError(f"{path} is damaged or of another model (its checksum differs): get it again.")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _partial(folder: Path, name: str) -> Path:
    return folder / f"{name}.partial"


def _write(folder: Path, card: Mapping[str, Any]) -> None:
    _partial(folder, CARD).write_text(json.dumps(card, indent=1) + "\n")
    os.replace(_partial(folder, CARD), folder / CARD)

"""What a training of SpatialNet starts from, or goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork
from spatial_reward.models.spatialnet_weights import load_network

# What torch says of what is damaged, or of another network.
_UNREADABLE = (OSError, RuntimeError, KeyError, TypeError, EOFError, UnpicklingError)


def starting_network(config: NetworkConfig, start: Path | None) -> SpatialNetwork:
    """Return a network of these sizes with random weights, or those that training is to start from.

    Args:
        config: Sizes of the network.
        start: Checkpoint or `best.pt` of a run, whose averaged weights are taken, or the folder of a model.

    Raises:
        FileNotFoundError: If there is nothing at `start`.
        ValueError: If that is damaged, or of a network of other sizes or of another version.
    """
    network = SpatialNetwork(config)
    if start is None:
        return network
    if not start.exists():
        raise FileNotFoundError(
            f"There is nothing at start={start}: give the best.pt of a run, the folder of a model, or null."
        )
    try:
        network.load_state_dict(_weights_of(start))
    except _UNREADABLE as error:
        raise ValueError(
            f"start={start} cannot be read, or is of a network of other sizes or another version: give the "
            "best.pt of a run with these `network` options, the folder of a model, or null."
        ) from error
    return network


def read_checkpoint(path: Path, network: SpatialNetwork) -> dict[str, Any]:
    """Put a checkpoint's weights into a network; return all of the checkpoint.

    Raises:
        ValueError: If it is damaged, or of a network of other sizes or of another version.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        network.load_state_dict(state["network"])
    except _UNREADABLE as error:
        raise ValueError(
            f"{path} cannot be read, or is of a network of other sizes or another version: remove it to "
            "begin anew, or give another `out`."
        ) from error
    return state


def _weights_of(start: Path) -> Mapping[str, Tensor]:
    if start.is_dir():
        return load_network(start).state_dict()
    state: Mapping[str, Tensor] = torch.load(start, weights_only=True, map_location="cpu")["average"]
    return state

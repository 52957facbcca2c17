"""What runs SpatialNet's network: ONNX Runtime on a CPU, which needs no torch; or torch, on any device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
MOST_THREADS = 2  # more do not pay for pictures this small


class Pictures(NamedTuple):
    """What the network is given of B pictures of one size."""

    rgb: NDArray[np.uint8]  # (B, H, W, 3)
    intrinsics: Floats  # (B, 3, 3) [px]
    world_from_camera: Floats  # (B, 4, 4)
    support: Floats  # (B,) height of the plane that things stand on [m], NaN = not known
    measured: Floats  # (B, H, W) depth [m], NaN = not measured


class Views(NamedTuple):
    """What the network says of B pictures alone, on grids of stride 4."""

    match: Floats
    body: Floats
    mask: Floats
    log_depth: Floats  # (B, h, w)
    log_depth_scale: Floats  # (B, h, w)
    context: Floats
    given: Floats
    fine: Floats  # on the grid of stride 2


class Found(NamedTuple):
    """What the network says of Q pixels of B pairs of pictures."""

    pixel: Floats  # (B, Q, 2) [px]
    log_scale: Floats  # (B, Q)
    visible: Floats  # (B, Q) logit
    log_ratio: Floats  # (B, Q)
    log_ratio_scale: Floats  # (B, Q)


class Runtime(Protocol):
    """Runs the two halves of the network."""

    def encode(self, pictures: Pictures) -> Views:
        """Return what pictures say alone."""

    def match(self, reference: Views, current: Views, pixels: Floats) -> Found:
        """Find pixels (B, Q, 2) of the reference pictures in the current ones."""


class OnnxRuntime:
    """Run exported graphs on the CPU.

    Args:
        encoder: An .onnx file.
        matcher: Another.

    Raises:
        ValueError: If a file is not a graph that ONNX Runtime can run.
    """

    def __init__(self, encoder: Path, matcher: Path) -> None:
        """Load the graphs."""
        self._encoder, self._matcher = _session(encoder), _session(matcher)
        self._asked = [given.name for given in self._matcher.get_inputs()]

    def encode(self, pictures: Pictures) -> Views:
        """Return what pictures say alone."""
        return Views(*self._encoder.run(None, pictures._asdict()))

    def match(self, reference: Views, current: Views, pixels: Floats) -> Found:
        """Find pixels (B, Q, 2) of the reference pictures in the current ones."""
        given = {f"reference_{name}": value for name, value in reference._asdict().items()}
        given |= {f"current_{name}": value for name, value in current._asdict().items()}
        given["pixels"] = pixels
        return Found(*self._matcher.run(None, {name: given[name] for name in self._asked}))


class TorchRuntime:
    """Run the network itself, on any device of torch.

    Args:
        network: A `SpatialNetwork`.
        device: Such as "cuda".
    """

    def __init__(self, network: Any, device: str) -> None:
        """Move the network there."""
        import torch

        from spatial_reward.models.spatialnet_graphs import Encoding, Matching

        network = network.to(device).to(memory_format=torch.channels_last)  # a fifth faster on a CPU
        self._encoding, self._matching = Encoding(network).eval(), Matching(network).eval()
        self._device = device

    def encode(self, pictures: Pictures) -> Views:
        """Return what pictures say alone."""
        return Views(*self._run(self._encoding, *pictures))

    def match(self, reference: Views, current: Views, pixels: Floats) -> Found:
        """Find pixels (B, Q, 2) of the reference pictures in the current ones."""
        return Found(*self._run(self._matching, *reference, *current, pixels))

    def _run(self, module: Any, *arrays: NDArray[Any]) -> list[NDArray[Any]]:
        import torch

        with torch.inference_mode():
            given = [torch.from_numpy(np.ascontiguousarray(array)).to(self._device) for array in arrays]
            return [value.float().cpu().numpy() for value in module(*given)]


def threads() -> int:
    """Return how many threads a picture may use: OMP_NUM_THREADS, else two of the cores there are."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) else min(MOST_THREADS, os.cpu_count() or 1)


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads(), 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leave the cores to the env
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a class of its own for each kind of damage
        raise ValueError(f"{path} is damaged or no graph that ONNX Runtime can run: get it again.") from error

"""The two halves of SpatialNet as functions of plain arrays: what is exported to ONNX, and its export."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spatial_reward.models.spatialnet_input import network_input, ray_map, support_maps
from spatial_reward.models.spatialnet_matching import Features, chosen
from spatial_reward.models.spatialnet_network import SpatialNetwork
from spatial_reward.models.spatialnet_runtime import Found, Pictures, Views

OPSET = 17
_SIDE = 96  # [px] of the picture that the graphs are traced with; they take any
_DYNAMIC = {
    "rgb": "bhwc",
    "measured": "bhw",
    "pixels": "bq",
    "log_depth": "bij",
    "log_depth_scale": "bij",
    "fine": "bcmn",
}


class Encoding(nn.Module):
    """From `Pictures` to `Views`."""

    def __init__(self, network: SpatialNetwork) -> None:
        """Wrap a network."""
        super().__init__()
        self.network = network

    def forward(
        self, rgb: Tensor, intrinsics: Tensor, world_from_camera: Tensor, support: Tensor, measured: Tensor
    ) -> tuple[Tensor, ...]:
        """Encode pictures (B, H, W, 3)."""
        colours = rgb.permute(0, 3, 1, 2).float() / 255
        rays = ray_map(intrinsics, colours.shape[2], colours.shape[3])
        plane = support_maps(rays, world_from_camera, support)
        return tuple(self.network.encode(network_input(colours, rays, measured, plane)))


class Matching(nn.Module):
    """From `Views` of both pictures and pixels to `Found`."""

    def __init__(self, network: SpatialNetwork) -> None:
        """Wrap a network."""
        super().__init__()
        self.network = network

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Match pixels, and look closely at the first of each pair, which is asked about."""
        count = len(Features._fields)
        reference, current, pixels = Features(*given[:count]), Features(*given[count:-1]), given[-1]
        found = self.network.match(reference, current, pixels)
        closely = self.network.refine(reference, current, pixels[:, :1], chosen(found, slice(1)))
        last = {name: part[-1] for name, part in closely._asdict().items()}
        better = {name: torch.cat([part, getattr(found, name)[:, 1:]], 1) for name, part in last.items()}
        found = found._replace(**better)
        return tuple(getattr(found, name) for name in Found._fields)


def export_graphs(network: SpatialNetwork, encoder: Path, matcher: Path) -> None:
    """Write both halves as .onnx files for pictures of any size and number."""
    network = network.cpu().eval()
    pictures = Pictures(
        torch.zeros(2, _SIDE, _SIDE, 3, dtype=torch.uint8),  # type: ignore[arg-type]
        torch.eye(3).repeat(2, 1, 1) * _SIDE,  # type: ignore[arg-type]
        torch.eye(4).repeat(2, 1, 1),  # type: ignore[arg-type]
        torch.full((2,), 0.5),  # type: ignore[arg-type]
        torch.ones(2, _SIDE, _SIDE),  # type: ignore[arg-type]
    )
    views = Encoding(network)(*pictures)
    _export(Encoding(network), tuple(pictures), encoder, Pictures._fields, Views._fields)
    names = [f"{picture}_{name}" for picture in ("reference", "current") for name in Views._fields]
    given = (*views, *views, torch.full((2, 3, 2), 40.0))
    _export(Matching(network), given, matcher, (*names, "pixels"), Found._fields)


def _export(
    module: nn.Module, given: Any, path: Path, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    axes = {name: _axes(name) for name in inputs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing sizes, which the parity test covers, and of the exporter
        torch.onnx.export(
            module,
            given,
            path,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


def _axes(name: str) -> dict[int, str]:
    """Return which axes of an input may have any length."""
    plain = name.removeprefix("reference_").removeprefix("current_")
    if plain in ("intrinsics", "world_from_camera", "support"):
        return {0: "b"}
    letters = _DYNAMIC.get(plain, "bcij")
    picture = name.removesuffix(plain)  # whose two sides may differ from the other's
    return {
        axis: letter if letter == "b" else picture + letter
        for axis, letter in enumerate(letters)
        if letter != "c"
    }

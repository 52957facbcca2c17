"""Train SpatialNet from scratch on shards of random scenes."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spatial_reward.data.pairs import SKY, stream_pairs
from spatial_reward.models.spatialnet_network import (
    STRIDE,
    Features,
    Matches,
    NetworkConfig,
    SpatialNetwork,
)

_NEAR = 2.5 * STRIDE  # [px]; a match further off than the window teaches the uncertainty only


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        steps: Optimiser steps of the whole schedule.
        batch: Pairs a step.
        queries: Query pixels a pair.
        rate: Peak learning rate.
        warmup: Steps of linear warm-up.
        decay: Weight decay.
        average: Decay of the exponential moving average of the weights.
        measured: Share of pairs that are given measured depth.
        seed: Of weights, pairs and augmentation.
    """

    steps: int = 20000
    batch: int = 8
    queries: int = 64
    rate: float = 1.5e-3
    warmup: int = 300
    decay: float = 1e-4
    average: float = 0.999
    measured: float = 0.4
    seed: int = 0


def pictures(batch: Mapping[str, Tensor], measured: Tensor) -> Tensor:
    """Build the network's input (2B, 7, H, W): all first frames, then all second frames.

    Args:
        batch: rgb (B, 2, H, W, 3) in [0, 1], depth (B, 2, H, W) [m], intrinsics (B, 2, 3, 3).
        measured: (B,) whether the pair is given its depth.
    """
    rgb = batch["rgb"].transpose(0, 1).flatten(0, 1).permute(0, 3, 1, 2)
    depth = batch["depth"].transpose(0, 1).flatten(0, 1)
    intrinsics = batch["intrinsics"].transpose(0, 1).flatten(0, 1)
    known = depth.isfinite() & measured.repeat(2)[:, None, None]
    log_depth = torch.where(known, depth.clamp_min(0.01).log(), 0.0)
    return torch.cat(
        [rgb * 2 - 1, ray_map(intrinsics, *depth.shape[1:]), log_depth[:, None], known[:, None]], 1
    )


def ray_map(intrinsics: Tensor, height: int, width: int) -> Tensor:
    """Return the directions (B, 2, H, W) of the pixels' rays: x / z and y / z."""
    x = (torch.arange(width, device=intrinsics.device) + 0.5 - intrinsics[:, 0, 2, None]) / intrinsics[
        :, 0, 0, None
    ]
    y = (torch.arange(height, device=intrinsics.device) + 0.5 - intrinsics[:, 1, 2, None]) / intrinsics[
        :, 1, 1, None
    ]
    shape = (len(intrinsics), height, width)
    return torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], 1)


def losses(network: SpatialNetwork, batch: Mapping[str, Tensor], measured: Tensor) -> dict[str, Tensor]:
    """Compute every loss of a batch: depth, match, place, visible, mask."""
    features = network.encode(pictures(batch, measured))
    size = len(measured)
    reference = Features(*(f[:size] for f in features))
    current = Features(*(f[size:] for f in features))
    matches = network.match(reference, current, batch["pixel"])
    visible = batch["visible"]
    error = (matches.pixel - batch["target"]).abs().sum(-1)
    return {
        "depth": _depth_loss(features, batch),
        "match": _match_loss(matches, batch, current.match.shape[2:]),
        "place": _place_loss(error, matches.log_scale.float(), visible),
        "visible": F.binary_cross_entropy_with_logits(matches.visible.float(), visible.float()),
        "mask": _mask_loss(network, reference, batch),
    }


WEIGHTS = {"depth": 1.0, "match": 1.0, "place": 0.3, "visible": 0.5, "mask": 0.5}


def _cells(image: Tensor) -> Tensor:
    """Read a picture (..., H, W) at the pixels next to the centres of the stride-4 cells."""
    return image[..., STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]


def _depth_loss(features: Features, batch: Mapping[str, Tensor]) -> Tensor:
    """Laplace negative log-likelihood of log depth, heavier on things than on the room."""
    depth = _cells(batch["depth"].transpose(0, 1).flatten(0, 1))
    body = _cells(batch["body"].transpose(0, 1).flatten(0, 1))
    known = depth.isfinite()
    weight = known * torch.where((body > 0) & (body != SKY), 4.0, 1.0)
    error = (features.log_depth.float() - torch.where(known, depth, 1.0).log()).abs()
    log_scale = features.log_depth_scale.float()
    return ((error * (-log_scale).exp() + log_scale) * weight).sum() / weight.sum()


def _match_loss(matches: Matches, batch: Mapping[str, Tensor], grid: torch.Size) -> Tensor:
    """Cross-entropy against the four cells around the true place, by bilinear shares."""
    height, width = grid
    cell = (torch.nan_to_num(batch["target"]) / STRIDE - 0.5).clamp(min=0)
    x, y = cell[..., 0].clamp(max=width - 1), cell[..., 1].clamp(max=height - 1)
    left, top = x.floor().clamp(max=width - 2), y.floor().clamp(max=height - 2)
    log_shares = matches.logits.float().log_softmax(-1)
    total = torch.zeros_like(x)
    for right in (0, 1):
        for below in (0, 1):
            share = (1 - (x - left - right).abs()) * (1 - (y - top - below).abs())
            index = ((top + below) * width + left + right).long()
            total = total - share * log_shares.gather(-1, index[..., None])[..., 0]
    return _mean(total, batch["visible"])


def _place_loss(error: Tensor, log_scale: Tensor, visible: Tensor) -> Tensor:
    error = torch.where(error < _NEAR, error, error.detach())
    return _mean(torch.nan_to_num(error) * (-log_scale).exp() + log_scale, visible)


def _mask_loss(network: SpatialNetwork, reference: Features, batch: Mapping[str, Tensor]) -> Tensor:
    """Balanced cross-entropy of which cells ride on the same body as a query."""
    pixel = batch["pixel"][:, :16]
    column, row = pixel.floor().long().unbind(-1)
    body = batch["body"][:, 0]
    own = body[torch.arange(len(body))[:, None], row, column]
    same = (_cells(body)[:, None] == own[..., None, None]).float()
    loss = F.binary_cross_entropy_with_logits(
        network.same_body(reference, pixel).float(), same, reduction="none"
    ).flatten(2)
    same = same.flatten(2)
    inside = (loss * same).sum(-1) / same.sum(-1).clamp_min(1)
    outside = (loss * (1 - same)).sum(-1) / (1 - same).sum(-1).clamp_min(1)
    return (inside + outside).mean()


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp_min(1)


def augmented(batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Change exposure, colour, sharpness and noise, for each picture alone; mirror pairs together."""
    rgb = batch["rgb"]
    size = len(rgb)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    gain = (0.25 * normal(size, 1, 1, 1, 1) + 0.08 * normal(size, 2, 1, 1, 1)).exp()
    tint = (0.1 * normal(size, 1, 1, 1, 3) + 0.04 * normal(size, 2, 1, 1, 3)).exp()
    rgb = (rgb * gain * tint).clamp(0, 1) ** (0.2 * normal(size, 1, 1, 1, 1)).exp()
    noise = 0.02 * torch.rand(size, 2, 1, 1, 1, generator=generator) * normal(*rgb.shape)
    changed = {**batch, "rgb": (rgb + noise).clamp(0, 1)}
    return _mirrored(changed) if torch.rand((), generator=generator) < 0.5 else changed


def _mirrored(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    width = batch["rgb"].shape[3]
    flip = torch.tensor([-1.0, 1.0])
    shift = torch.tensor([float(width), 0.0])
    return {
        **batch,
        "rgb": batch["rgb"].flip(3),
        "depth": batch["depth"].flip(3),
        "body": batch["body"].flip(3),
        "pixel": batch["pixel"] * flip + shift,
        "target": batch["target"] * flip + shift,
    }


def to_tensors(batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """Turn a batch of arrays into tensors, pictures into [0, 1]."""
    tensors = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in batch.items()}
    tensors["rgb"] = tensors["rgb"].float() / 255
    return tensors


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the rate of a step: linear warm-up, then a cosine to 2 % of the peak."""
    if step < recipe.warmup:
        return recipe.rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def train(data: Path, out: Path, recipe: Recipe, config: NetworkConfig, *, save_every: int = 500) -> None:
    """Train, or go on from the checkpoint in `out`; a JSON line every 50 steps tells the losses."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    network = SpatialNetwork(config)
    average = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    step = _resume(out, network, average, optimiser)
    rng, generator = (
        np.random.default_rng([recipe.seed, step]),
        torch.Generator().manual_seed(recipe.seed + step),
    )
    batches = stream_pairs(data, rng, batch=recipe.batch, queries=recipe.queries)
    sums: dict[str, float] = {}
    start = time.perf_counter()
    while step < recipe.steps:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, step)
        batch = augmented(to_tensors(next(batches)), generator)
        measured = torch.rand(recipe.batch, generator=generator) < recipe.measured
        with torch.autocast("cpu", torch.bfloat16):
            parts = losses(network, batch, measured)
        total = sum(WEIGHTS[name] * part for name, part in parts.items())
        optimiser.zero_grad()
        total.backward()  # type: ignore[union-attr]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        share = min(recipe.average, step / (step + 20))
        for name, value in network.state_dict().items():
            average[name].lerp_(value, 1 - share)
        for name, part in parts.items():
            sums[name] = sums.get(name, 0.0) + float(part.detach()) / 50
        if step % 50 == 0:
            rate = 50 * recipe.batch / (time.perf_counter() - start)
            line = {"step": step, "pairs_per_s": round(rate, 1), **{k: round(v, 4) for k, v in sums.items()}}
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            sums, start = {}, time.perf_counter()
        if step % save_every == 0 or step == recipe.steps:
            _save(out, step, network, average, optimiser, recipe, config)


def _save(out: Path, step: int, network: Any, average: Any, optimiser: Any, recipe: Any, config: Any) -> None:
    state = {
        "step": step,
        "network": network.state_dict(),
        "average": average,
        "optimiser": optimiser.state_dict(),
        "recipe": asdict(recipe),
        "config": asdict(config),
    }
    torch.save(state, out / "checkpoint.partial")
    os.replace(out / "checkpoint.partial", out / "checkpoint.pt")


def _resume(out: Path, network: Any, average: dict[str, Tensor], optimiser: Any) -> int:
    if not (out / "checkpoint.pt").exists():
        return 0
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.update(state["average"])
    return int(state["step"])

"""Errors of SpatialNet on clips that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spatial_reward.data.pairs import SKY, ClipRecipe, draw_batch
from spatial_reward.models.spatialnet_matching import Features, cells, same_body
from spatial_reward.models.spatialnet_network import SpatialNetwork
from spatial_reward.training.spatialnet_losses import frames_of, pictures, shown, to_tensors, under

CLIPS = 40  # that a validation takes
_MOVING = 0.03  # [m] from which a point counts as moving
_AT_ONCE = 4  # clips


def validate(
    network: SpatialNetwork, paths: Sequence[Path], recipe: ClipRecipe, *, seed: int = 0, clips: int = CLIPS
) -> dict[str, float]:
    """Return errors on undegraded clips, without measured depth, with and without a known support.

    Returns:
        match_median, match_p90, moving_median, moving_p90 (shares of the width), visible_accuracy,
        depth_median and depth_median_no_support (shares of the depth, on things), ratio_median (share),
        mask_overlap (median intersection over union of the masks of things).
    """
    without = replace(recipe, augment=False, measured=0.0, support=0.0)
    blind = _errors(network, paths, without, seed, clips)
    known = _errors(network, paths, replace(without, support=1.0), seed, clips)
    match, moving = known["match"], known["match"][known["moved"] > _MOVING]
    return {
        "match_median": float(np.median(match)),
        "match_p90": float(np.quantile(match, 0.9)),
        "moving_median": float(np.median(moving)),
        "moving_p90": float(np.quantile(moving, 0.9)),
        "visible_accuracy": float(known["judged"].mean()),
        "depth_median": float(np.median(known["depth"])),
        "depth_median_no_support": float(np.median(blind["depth"])),
        "ratio_median": float(np.median(known["ratio"])),
        "mask_overlap": float(np.median(known["overlap"])),
    }


@torch.no_grad()
def _errors(
    network: SpatialNetwork, paths: Sequence[Path], recipe: ClipRecipe, seed: int, clips: int
) -> dict[str, NDArray[np.float64]]:
    device = next(network.parameters()).device
    parts: dict[str, list[torch.Tensor]] = {}
    for start in range(0, clips, _AT_ONCE):
        drawn = draw_batch(paths, range(start, min(start + _AT_ONCE, clips)), recipe, seed=seed)
        batch = {key: value.to(device) for key, value in to_tensors(drawn).items()}
        features = network.encode(pictures(batch))
        pixel, target, visible, moved, after = (
            batch[key].flatten(0, 1) for key in ("pixel", "target", "visible", "moved", "target_depth")
        )
        first, second = (frames_of(features, batch, name) for name in ("first", "second"))
        matches = network.match(first, second, pixel)
        closely = network.refine(first, second, pixel, matches)
        depth, body = cells(batch["depth"].flatten(0, 1)), cells(batch["body"].flatten(0, 1))
        things = depth.isfinite() & (body > 0) & (body != SKY)
        before = under(shown(batch, "depth", "first"), pixel)
        found = {
            "match": ((closely.pixel[-1] - target).norm(dim=-1) / batch["rgb"].shape[3])[visible],
            "moved": moved[visible],
            "judged": ((closely.visible[-1] > 0) == visible).flatten().double(),
            "depth": ((features.log_depth.exp() / depth - 1).abs())[things],
            "ratio": (matches.log_ratio.exp() * before / after - 1).abs()[visible],
            "overlap": _overlaps(first, shown(batch, "body", "first"), pixel),
        }
        for key, value in found.items():
            parts.setdefault(key, []).append(value)
    return {key: torch.cat(value).double().cpu().numpy() for key, value in parts.items()}


def _overlaps(seen: Features, bodies: torch.Tensor, pixel: torch.Tensor) -> torch.Tensor:
    """Return intersection over union (N,) of the masks at those pixels (B, Q, 2) that are on things."""
    own = under(bodies, pixel)
    true = cells(bodies)[:, None] == own[..., None, None]
    said = same_body(seen, pixel) > 0
    shares = (said & true).sum((2, 3)) / (said | true).sum((2, 3)).clamp_min(1)
    return shares[(own > 0) & (own != SKY)]

"""What SpatialNet is trained to say. Every loss is a mean over the pairs, so shares of a batch add up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spatial_reward.data.pairs import SKY
from spatial_reward.models.spatialnet_input import network_input, ray_map, support_maps
from spatial_reward.models.spatialnet_matching import Features, Matches, cells, chosen, same_body
from spatial_reward.models.spatialnet_network import SpatialNetwork
from spatial_reward.models.spatialnet_peaks import STRIDE

WEIGHTS = {
    **{"depth": 1.0, "match": 1.5, "place": 0.4, "visible": 0.5, "mask": 0.5, "body": 0.3, "ratio": 0.4},
    **{"close": 0.4, "sight": 0.3},  # of the closer look
}
_NEAR = 2.5 * STRIDE  # [px]; a match further off than the window teaches the uncertainty only
_THING, _ROOM = 5.0, 0.5  # weights of depth on things, and elsewhere
_FREE = 0.3  # scales by which depth may depart before it is pulled back in full
_CLOSELY = 5  # every so many query pixels of a pair are looked at closely
_MASKED = 8  # query pixels of a pair that the mask is taught with
_WHOLE = 4.0  # how much the cross-entropy of all cells counts, beside the overlap of masks


class Losses(nn.Module):
    """A network wrapped so that one forward call gives all losses, as data-parallel training wants it."""

    def __init__(self, network: SpatialNetwork, before: SpatialNetwork | None = None) -> None:
        """Wrap the network, and the one `before` whose depth it is to keep in general scenes."""
        super().__init__()
        self.network = network
        self.before = before

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses by name of a batch as of `to_tensors`."""
        shown_to = pictures(batch)
        features = self.network.encode(shown_to)
        reference, current = (frames_of(features, batch, name) for name in ("first", "second"))
        pairs = {key: batch[key].flatten(0, 1) for key in ("pixel", "target", "target_depth", "visible")}
        matches = self.network.match(reference, current, pairs["pixel"])
        error = (matches.pixel - pairs["target"]).abs().sum(-1)
        return {
            "depth": self._depth_loss(shown_to, features, batch),
            "match": _match_loss(matches, pairs, current.match.shape[2:]),
            "place": _place_loss(error, matches.log_scale, pairs["visible"]),
            "visible": F.binary_cross_entropy_with_logits(matches.visible, pairs["visible"].float()),
            "mask": _mask_loss(reference, batch),
            "body": self._body_loss(reference, current, batch),
            "ratio": _ratio_loss(matches, batch, pairs),
            **self._close_losses(reference, current, matches, pairs),
        }

    def _depth_loss(self, seen: Tensor, features: Features, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the loss of depth by the truth, or in general scenes by what was said of it before.

        What was learnt well pulls nowhere until it is left, where the truth of a few scenes pulls somewhere
        else at each step.
        """
        depth, body = cells(batch["depth"].flatten(0, 1)), cells(batch["body"].flatten(0, 1))
        losses = _depth_losses(features, depth)
        general = (~batch["own"]).repeat_interleave(batch["rgb"].shape[1]).nonzero()[:, 0]
        if self.before is not None and len(general):
            with torch.no_grad():
                before = self.before.encode(seen[general])
            losses = losses.index_copy(0, general, _departures(features, before, general))
        return (losses * torch.where((body > 0) & (body != SKY), _THING, _ROOM)).mean()

    def _close_losses(
        self, reference: Features, current: Features, matches: Matches, pairs: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the losses of the closer looks, of the mean over them."""
        some = slice(None, None, _CLOSELY)
        pixel, target, visible = (pairs[key][:, some] for key in ("pixel", "target", "visible"))
        refined = self.network.refine(reference, current, pixel, chosen(matches, some))
        error = (refined.pixel - target).abs().sum(-1)
        seen = visible.expand(error.shape)
        return {
            "close": _place_loss(error, refined.log_scale, seen),
            "sight": F.binary_cross_entropy_with_logits(refined.visible, seen.float()),
        }

    def _body_loss(self, reference: Features, current: Features, batch: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy against all cells of the second picture that show the body of a query, evenly."""
        pixel = batch["pixel"].flatten(0, 1)
        same = _rides(batch, pixel, cells(shown(batch, "body", "second"))).flatten(2).float()
        own = same_body(reference, pixel).detach().sigmoid()
        logits = self.network.matcher.body_logits(reference, current, own)
        log_shares = logits.flatten(2).float().log_softmax(-1)
        cells_of = same.sum(-1)
        total = -(log_shares * same).sum(-1) / cells_of.clamp_min(1) - cells_of.clamp_min(1).log()
        return (total * (cells_of > 0)).mean()


def to_tensors(batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """Turn a batch of arrays into tensors."""
    return {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in batch.items()}


def pictures(batch: Mapping[str, Tensor]) -> Tensor:
    """Build the network's input (S K, 10, H, W) of S clips of K frames."""
    rgb = batch["rgb"].flatten(0, 1).permute(0, 3, 1, 2).float() / 255
    rays = ray_map(batch["intrinsics"].flatten(0, 1), *rgb.shape[2:])
    frames = batch["rgb"].shape[1]
    support = batch["support"].repeat_interleave(frames)
    plane = support_maps(rays, batch["world_from_camera"].flatten(0, 1), support)
    mirror = batch["mirror"].repeat_interleave(frames)[:, None, None, None]
    plane = torch.where(mirror, plane.flip(-1), plane)
    across = torch.tensor([-1.0, 1.0], device=rays.device)[:, None, None]
    rays = torch.where(mirror, across * rays.flip(-1), rays)
    return network_input(rgb, rays, batch["measured"].flatten(0, 1), plane)


def frames_of(features: Features, batch: Mapping[str, Tensor], name: str) -> Features:
    """Pick the features of each pair's "first" or "second" frame."""
    frames = batch["rgb"].shape[1]
    scene = torch.arange(len(batch[name]), device=batch[name].device)[:, None]
    index = (scene * frames + batch[name]).flatten()
    return Features(*(feature.index_select(0, index) for feature in features))


def shown(batch: Mapping[str, Tensor], key: str, name: str) -> Tensor:
    """Pick the pictures (B, H, W) of depths or bodies of each pair's "first" or "second" frame."""
    scene = torch.arange(len(batch[name]), device=batch[name].device)[:, None]
    return batch[key][scene, batch[name]].flatten(0, 1)


def under(images: Tensor, pixels: Tensor) -> Tensor:
    """Read pictures (B, H, W) under pixels (B, Q, 2) of each."""
    column, row = pixels.floor().long().unbind(-1)
    return images[torch.arange(len(images), device=images.device)[:, None], row, column]


def _depth_losses(features: Features, depth: Tensor) -> Tensor:
    """Return the Laplace negative log-likelihood of log depth in each cell; 0 where it is not known."""
    known = depth.isfinite()
    error = (features.log_depth - torch.where(known, depth, 1.0).log()).abs()
    scale = features.log_depth_scale
    return (error * (-scale).exp() + scale) * known


def _departures(features: Features, before: Features, which: Tensor) -> Tensor:
    """Return how far what is said of depth in some pictures has gone, in scales of what was said before."""
    depth = (features.log_depth[which] - before.log_depth) * (-before.log_depth_scale).exp()
    scale = features.log_depth_scale[which] - before.log_depth_scale
    kept = (
        F.smooth_l1_loss(part, torch.zeros_like(part), reduction="none", beta=_FREE)
        for part in (depth, scale)
    )
    return sum(kept, torch.zeros_like(depth))


def _match_loss(matches: Matches, pairs: Mapping[str, Tensor], grid: torch.Size) -> Tensor:
    """Cross-entropy against the four cells around the true place, by bilinear shares."""
    height, width = grid
    cell = (torch.nan_to_num(pairs["target"]) / STRIDE - 0.5).clamp(min=0)
    x, y = cell[..., 0].clamp(max=width - 1), cell[..., 1].clamp(max=height - 1)
    left, top = x.floor().clamp(max=width - 2), y.floor().clamp(max=height - 2)
    log_shares = matches.logits.float().log_softmax(-1)
    total = torch.zeros_like(x)
    for right in (0, 1):
        for below in (0, 1):
            share = (1 - (x - left - right).abs()) * (1 - (y - top - below).abs())
            index = ((top + below) * width + left + right).long()
            total = total - share * log_shares.gather(-1, index[..., None])[..., 0]
    return (total * pairs["visible"]).mean()


def _place_loss(error: Tensor, log_scale: Tensor, visible: Tensor) -> Tensor:
    error = torch.where(error < _NEAR, error, error.detach())
    return ((torch.nan_to_num(error) * (-log_scale).exp() + log_scale) * visible).mean()


def _ratio_loss(matches: Matches, batch: Mapping[str, Tensor], pairs: Mapping[str, Tensor]) -> Tensor:
    """Laplace negative log-likelihood of the change of log depth of the points that are seen."""
    before = under(shown(batch, "depth", "first"), pairs["pixel"])
    known = pairs["visible"] & (before > 0) & (pairs["target_depth"] > 0)
    true = torch.where(known, pairs["target_depth"] / before, 1.0).log()
    scale = matches.log_ratio_scale
    return (((matches.log_ratio - true).abs() * (-scale).exp() + scale) * known).mean()


def _mask_loss(reference: Features, batch: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy and Dice loss of how much of each cell rides on the same body as a query.

    Neither is balanced between the body and the rest: a network that is told that both weigh the same says
    "yes" far around a small thing.
    """
    pixel = batch["pixel"].flatten(0, 1)[:, :_MASKED]
    same = F.avg_pool2d(_rides(batch, pixel, shown(batch, "body", "first")).float(), STRIDE).flatten(2)
    logits = same_body(reference, pixel).float().flatten(2)
    share = logits.sigmoid()
    overlap = (2 * (share * same).sum(-1) + 1) / (share.sum(-1) + same.sum(-1) + 1)
    entropy = F.binary_cross_entropy_with_logits(logits, same, reduction="none").mean(-1)
    return (_WHOLE * entropy + 1 - overlap).mean()


def _rides(batch: Mapping[str, Tensor], pixel: Tensor, bodies: Tensor) -> Tensor:
    """Return where (B, Q, h, w) pictures of bodies (B, h, w) show that of a query (B, Q, 2) of the first."""
    own = under(shown(batch, "body", "first"), pixel)
    return bodies[:, None] == own[..., None, None]

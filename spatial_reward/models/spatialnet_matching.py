"""Where SpatialNet finds pixels of one picture in another: by their own look, and by that of their body."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 4
WINDOW = 2  # cells on each side of the peak that the sub-cell match is read from
ALIKE = 4.0  # logit of two cells to be of one body whose embeddings are the same
LEAST_SHARE = 0.05  # of the camera's height, that is left between it and anything
_NUMBERS = 20  # that a match is judged by, beside what is seen there


class Features(NamedTuple):
    """What is computed of one picture alone, and cached for the reference: on grids of stride 4 but one."""

    match: Tensor  # (B, C, h, w), unit length: look of a pixel
    body: Tensor  # (B, C, h, w): look of a body
    mask: Tensor  # (B, M, h, w): cells of one body are near each other
    log_depth: Tensor  # (B, h, w) [log m]
    log_depth_scale: Tensor  # (B, h, w) log of the Laplace scale of log depth
    context: Tensor  # (B, C, h, w)
    given: Tensor  # (B, G, h, w) of the input: all but the colours
    fine: Tensor  # (B, F, 2 h, 2 w): look of a pixel closely, on the stride-2 grid


class Matches(NamedTuple):
    """Where query pixels of the first picture are in the second."""

    logits: Tensor  # (B, Q, h*w)
    pixel: Tensor  # (B, Q, 2) [px]
    log_scale: Tensor  # (B, Q) log of the Laplace scale of the match [px]
    visible: Tensor  # (B, Q) logit
    log_ratio: Tensor  # (B, Q) log of the depth there over the depth here
    log_ratio_scale: Tensor  # (B, Q) log of its Laplace scale


def chosen(matches: Matches, which: slice) -> Matches:
    """Keep some of the query pixels of each pair."""
    return Matches(*(part[:, which] for part in matches))


class Matcher(nn.Module):
    """Match by explicit correlation; then judge each match by all that is known of it.

    The place is that of the peak, or that which the pixel has within its body; the change of depth that of
    something that keeps its height, that of the depths predicted, or that which the body's size tells. The
    judge weighs them.
    """

    def __init__(self, width: int) -> None:
        """Make a matcher for features of `width` channels of context."""
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor([2.3, 1.0]))  # log of the factors on cosine similarities
        inputs, hidden = 2 * width + _NUMBERS, 3 * width
        layers = (nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.judge = nn.Sequential(*layers, nn.Linear(hidden, 10))

    def forward(self, reference: Features, current: Features, pixels: Tensor) -> Matches:
        """Find query pixels (B, Q, 2) [px] of the reference picture in the current one."""
        own = same_body(reference, pixels).detach().sigmoid()
        logits = self._logits(reference, current, pixels, own)
        pixel, spread, share = read_peak(logits)
        found = pixel.detach()
        with torch.no_grad():
            numbers = self._certainty(reference, current, pixels, found, logits, spread, share)
            within, size = place_in_body(reference, current, pixels, found, own)
            here, there = _depth_at(reference, pixels), _depth_at(current, found)
            apart = there[..., 0] - here[..., 0]
            sliding, told = keeping_height(reference, current, pixels, found, here[..., 0])
            sliding = torch.where(told, sliding, apart)
            numbers += [*within.unbind(-1), *here.unbind(-1), *there.unbind(-1), *size.unbind(-1)]
            numbers += [sliding, apart - sliding, size[..., 0] - sliding, told.float()]
            numbers += [within.norm(dim=-1).log1p()]
        seen = torch.cat([sample(reference.context, pixels), sample(current.context, found)], -1)
        known = torch.stack(numbers, -1).to(seen.dtype)
        judged = self.judge(torch.cat([seen, known], -1)).float()
        log_scale, visible, change, ratio_scale, inside, *rest = judged.unbind(-1)
        shares = torch.stack(rest[2:], -1).softmax(-1)
        ratio = (shares * torch.stack([sliding, apart, size[..., 0]], -1)).sum(-1) + 0.1 * change
        step = inside.sub(2).sigmoid()[..., None] * within + torch.stack(rest[:2], -1).tanh()
        return Matches(
            logits.flatten(2),
            pixel + STRIDE * step,
            log_scale.clamp(-4, 5),
            visible,
            ratio,
            ratio_scale.clamp(-6, 2),
        )

    def _logits(self, reference: Features, current: Features, pixels: Tensor, own: Tensor) -> Tensor:
        """Compare pixels with cells (B, Q, h, w), and their bodies with what the cells belong to."""
        query = sample(reference.match, pixels)
        alike = self.sharpness[0].exp() * torch.einsum("bqc,bchw->bqhw", query, current.match)
        logits: Tensor = alike + self.body_logits(reference, current, own)
        return logits

    def body_logits(self, reference: Features, current: Features, own: Tensor) -> Tensor:
        """Compare bodies, given as shares of the cells of the first picture (B, Q, h, w), with cells."""
        share = (own / own.sum((2, 3), keepdim=True)).to(reference.body.dtype)
        body = unit(torch.einsum("bqhw,bchw->bqc", share, reference.body), -1)
        alike: Tensor = torch.einsum("bqc,bchw->bqhw", body, unit(current.body, 1))
        return self.sharpness[1].exp() * alike

    def _certainty(
        self,
        reference: Features,
        current: Features,
        pixels: Tensor,
        found: Tensor,
        logits: Tensor,
        spread: Tensor,
        share: Tensor,
    ) -> list[Tensor]:
        """Return height, entropy, share and spread of the peak, and how matching back misses."""
        log_shares = logits.flatten(2).float().log_softmax(-1)
        entropy = -(log_shares.exp() * log_shares).sum(-1)
        back_logits = self._logits(current, reference, found, same_body(current, found).sigmoid())
        back, _, back_share = read_peak(back_logits)
        miss = ((back - pixels).norm(dim=-1) / STRIDE).log1p()
        return [logits.flatten(2).amax(-1).float() / 10, entropy / 5, share, spread.log(), miss, back_share]


def unit(vectors: Tensor, dim: int) -> Tensor:
    """Scale vectors along an axis to length 1; several times as fast as torch's own on a CPU."""
    lengths: Tensor = vectors.float().square().sum(dim, keepdim=True)
    return vectors * lengths.clamp_min(1e-24).rsqrt().to(vectors.dtype)


def same_body(features: Features, pixels: Tensor) -> Tensor:
    """Return logits (B, Q, h, w) of which cells move with the query pixels (B, Q, 2)."""
    query, mask = sample(features.mask, pixels).float(), features.mask.float()
    lengths = query.square().sum(-1)[..., None, None] + mask.square().sum(1)[:, None]
    return ALIKE - lengths + 2 * torch.einsum("bqc,bchw->bqhw", query, mask)


def place_in_body(
    reference: Features, current: Features, pixels: Tensor, found: Tensor, own: Tensor
) -> tuple[Tensor, Tensor]:
    """Tell what the masks of a body in both pictures say.

    Returns:
        step (B, Q, 2) [cells] from where a pixel was found to where it would be if its body had not turned;
        size (B, Q, 3): change of log depth that the change of the body's area tells, and both log areas.
    """
    other = same_body(current, found).sigmoid()
    (middle, area), (middle_there, area_there) = _moments(own), _moments(other)
    bigger = 0.5 * (area_there.log() - area.log()).clamp(-1.5, 1.5)
    focal = _pixel_size(reference).log() - _pixel_size(current).log()  # of the second over that of the first
    offset = (pixels / STRIDE - middle) * bigger.exp()[..., None]
    step = (middle_there + offset - found / STRIDE).clamp(-4, 4)
    return step, torch.stack([focal[:, None] - bigger, area.log(), area_there.log()], -1)


def _moments(share: Tensor) -> tuple[Tensor, Tensor]:
    """Return the middle (B, Q, 2) and area (B, Q) of masks (B, Q, h, w) [cells]."""
    height, width = share.shape[2:]
    area = share.sum((2, 3)).add(0.1)
    x = torch.einsum("bqhw,w->bq", share, torch.arange(width, device=share.device) + 0.5)
    y = torch.einsum("bqhw,h->bq", share, torch.arange(height, device=share.device) + 0.5)
    return torch.stack([x, y], -1) / area[..., None], area


def _pixel_size(features: Features) -> Tensor:
    """Return how far apart the rays of neighbouring pixels are (B,), from the rays given."""
    first, last = features.given[:, 0, 0, 0], features.given[:, 0, 0, -1]
    return (last - first).abs().clamp_min(1e-4) / ((features.given.shape[3] - 1) * STRIDE)


def keeping_height(
    reference: Features, current: Features, pixels: Tensor, found: Tensor, log_depth: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the change of log depth (B, Q) of what keeps its height over the plane, and where it is told.

    A point at height h, seen by a camera at height H, is at 1 - h / H of its ray's depth at the plane.
    """
    (plane, height, known), (plane_there, height_there, known_there) = (
        sample(features.given[:, 4:], at).float().unbind(-1)
        for features, at in ((reference, pixels), (current, found))
    )
    above = 1 - (log_depth - plane).exp().clamp(LEAST_SHARE, 1.5)
    left = (1 - above * (height - height_there).clamp(-2, 2).exp()).clamp(LEAST_SHARE, 1.5)
    told = (known > 0.5) & (known_there > 0.5)
    change = plane_there + left.log() - log_depth
    return change.clamp(-math.log(10), math.log(10)), told


def _depth_at(features: Features, pixels: Tensor) -> Tensor:
    """Read log depth and its log scale (B, Q, 2) at pixels."""
    return sample(torch.stack([features.log_depth, features.log_depth_scale], 1), pixels)


def cells(image: Tensor) -> Tensor:
    """Read a picture (..., H, W) at the pixels next to the centres of the stride-4 cells."""
    return image[..., STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]


def sample(grid: Tensor, pixels: Tensor, stride: int = STRIDE) -> Tensor:
    """Read a grid (B, C, h, w) of a stride at pixels (B, Q, 2) -> (B, Q, C), bilinearly."""
    x = 2 * pixels[..., 0] / (grid.shape[3] * stride) - 1
    y = 2 * pixels[..., 1] / (grid.shape[2] * stride) - 1
    where = torch.stack([x, y], -1)[:, :, None]
    read = F.grid_sample(grid, where.to(grid.dtype), align_corners=False, padding_mode="border")
    return read[..., 0].transpose(1, 2)


def read_peak(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Read pixel (B, Q, 2), spread (B, Q) [px] and share of the mass (B, Q) around the highest peak."""
    height, width = logits.shape[2:]
    flat = logits.flatten(2)
    peak = flat.argmax(-1)
    offsets = torch.arange(-WINDOW, WINDOW + 1, device=logits.device)
    rows = (peak // width)[..., None] + offsets.repeat_interleave(2 * WINDOW + 1)
    columns = (peak % width)[..., None] + offsets.repeat(2 * WINDOW + 1)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    near = flat.gather(2, index).masked_fill(~inside, -torch.inf)
    shares = near.float().softmax(-1)
    places = torch.stack([columns, rows], -1) + 0.5
    pixel = STRIDE * (shares[..., None] * places).sum(2)
    spread = (shares * (STRIDE * places - pixel[:, :, None]).square().sum(-1)).sum(-1).add(0.1).sqrt()
    share = (near.float().logsumexp(-1) - flat.float().logsumexp(-1)).exp()
    return pixel, spread, share

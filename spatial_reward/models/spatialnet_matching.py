"""Where SpatialNet finds pixels of one picture in another: by their own look, and by that of their body."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spatial_reward.models.spatialnet_peaks import STRIDE, Peak, aside, either, read_peak

ALIKE = 4.0  # logit of two cells to be of one body whose embeddings are the same
LEAST_SHARE = 0.05  # of the camera's height, that is left between it and anything
BACK = 2.0  # how much the share of a match back that is on the body counts, beside the height of the peak
_LOST = 1e-3  # share of a match back that is on the body, at least
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
        peak, back = self._likeliest(reference, current, own, logits)
        pixel, found = peak.pixel, peak.pixel.detach()
        with torch.no_grad():
            numbers = [*_certainty(logits, peak), *_return(back, pixels)]
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

    def _likeliest(
        self, reference: Features, current: Features, own: Tensor, logits: Tensor
    ) -> tuple[Peak, Peak]:
        """Return the highest peak, or that on another body if more of a match back from it is on the first.

        Returns:
            the peak, and the peak of the match back from it.
        """
        highest = read_peak(logits)
        other = read_peak(logits, aside(same_body(current, highest.pixel.detach()), highest.pixel.detach()))
        backs, scores = [], []
        with torch.no_grad():
            for peak in (highest, other):
                body = same_body(current, peak.pixel).sigmoid()
                at_home = self._logits(current, reference, peak.pixel, body)
                backs.append(read_peak(at_home))
                home = (at_home.flatten(2).float().softmax(-1) * own.flatten(2)).sum(-1)
                scores.append(peak.height + BACK * home.add(_LOST).log())
        better = scores[1] > scores[0]
        return either(better, other, highest), either(better, backs[1], backs[0])


def _certainty(logits: Tensor, peak: Peak) -> list[Tensor]:
    """Return height, entropy, share and spread of a peak."""
    log_shares = logits.flatten(2).float().log_softmax(-1)
    entropy = -(log_shares.exp() * log_shares).sum(-1)
    return [peak.height / 10, entropy / 5, peak.share, peak.spread.log()]


def _return(back: Peak, pixels: Tensor) -> list[Tensor]:
    """Return how a match back misses where it came from, and the share of its peak."""
    return [((back.pixel - pixels).norm(dim=-1) / STRIDE).log1p(), back.share]


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

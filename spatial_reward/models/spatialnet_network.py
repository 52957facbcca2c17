"""SpatialNet's network: metric depth, body masks and matches of two pictures, each with its uncertainty.

It predicts only what pixels can tell; `geometry/` derives camera motion, object motion and size. Grids
have stride 4: cell (i, j) is centred on the continuous pixel (4 (i + 1/2), 4 (j + 1/2)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spatial_reward.models.spatialnet_input import CHANNELS

STRIDE = 4
TYPICAL = -0.4  # [log m] depth that is assumed where nothing is given
_GIVEN = CHANNELS - 3  # channels beyond colours
WINDOW = 2  # cells on each side of the peak that the sub-cell match is read from


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network.

    Attributes:
        width: Channels at stride 4; doubled at stride 8, tripled below.
        depth: Residual blocks at each stride.
        match: Length of a matching feature.
        mask: Length of a body embedding.
        cross: Rounds of cross-attention between the two pictures at stride 16; 0 = none.
        prior: Whether depth is predicted relative to what is given: measured, or that of the support plane.
    """

    width: int = 64
    depth: int = 2
    match: int = 64
    mask: int = 16
    cross: int = 0
    prior: bool = True


class Features(NamedTuple):
    """What is computed of one picture alone, and cached for the reference: on the stride-4 grid."""

    match: Tensor  # (B, C, h, w), unit length
    mask: Tensor  # (B, M, h, w)
    log_depth: Tensor  # (B, h, w) [log m]
    log_depth_scale: Tensor  # (B, h, w) log of the Laplace scale of log depth
    context: Tensor  # (B, C, h, w)
    coarse: Tensor  # (B, 3 C, h / 4, w / 4): stride 16


class Matches(NamedTuple):
    """Where query cells of the first picture are in the second."""

    logits: Tensor  # (B, Q, h*w)
    pixel: Tensor  # (B, Q, 2) [px]
    log_scale: Tensor  # (B, Q) log of the Laplace scale of the match [px]
    visible: Tensor  # (B, Q) logit
    log_ratio: Tensor  # (B, Q) log of the depth there over the depth here
    log_ratio_scale: Tensor  # (B, Q) log of its Laplace scale


class Residual(nn.Module):
    """Two 3x3 convolutions with a skip; dilation widens the view at no cost."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        """Make the block."""
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.GroupNorm(8, channels), nn.GroupNorm(8, channels)])

    def forward(self, x: Tensor) -> Tensor:
        """Transform (B, C, h, w)."""
        y = F.relu(self.norms[0](self.first(x)), inplace=True)
        return F.relu(x + self.norms[1](self.second(y)), inplace=True)


def _stage(inputs: int, outputs: int, blocks: int, dilation: int = 1) -> nn.Sequential:
    down = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)  # even kernel: no half-pixel shift
    return nn.Sequential(
        down,
        nn.GroupNorm(8, outputs),
        nn.ReLU(inplace=True),
        *(Residual(outputs, dilation if block else 1) for block in range(blocks)),
    )


class Encoder(nn.Module):
    """A small convolutional pyramid, strides 2 to 32, read out at stride 4."""

    def __init__(self, config: NetworkConfig) -> None:
        """Make the encoder."""
        super().__init__()
        w, n = config.width, config.depth
        self.stem = _stage(CHANNELS, w // 2, 1)  # stride 2
        self.four = _stage(w // 2, w, n)
        self.eight = _stage(w, 2 * w, n)
        self.sixteen = _stage(2 * w, 3 * w, n, dilation=2)
        self.thirty_two = _stage(3 * w, 3 * w, n)
        self.whole = nn.Linear(3 * w + _GIVEN, 3 * w)  # the picture as a whole sets the scale of depth
        self.up_sixteen = nn.Conv2d(6 * w, 3 * w, 1)
        self.up_eight = nn.Conv2d(5 * w, 2 * w, 1)
        self.up_four = nn.Conv2d(3 * w, w, 1)
        self.merge = nn.ModuleList([Residual(3 * w), Residual(2 * w), Residual(w)])

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 9, H, W) to features at stride 4 and at stride 16."""
        four = self.four(self.stem(pictures))
        eight = self.eight(four)
        sixteen = self.sixteen(eight)
        coarse = self.thirty_two(sixteen)
        given = torch.cat([pictures[:, 3:5].abs(), pictures[:, 5:]], 1).mean((2, 3))  # lost on the way here
        coarse = coarse + self.whole(torch.cat([coarse.mean((2, 3)), given], 1))[:, :, None, None]
        sixteen = self.merge[0](self.up_sixteen(torch.cat([sixteen, _twice(coarse)], 1)))
        eight = self.merge[1](self.up_eight(torch.cat([eight, _twice(sixteen)], 1)))
        return self.merge[2](self.up_four(torch.cat([four, _twice(eight)], 1))), sixteen


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Exchange(nn.Module):
    """A round of attention in which the cells of each picture ask its own and the other's cells."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        """Make the block."""
        super().__init__()
        self.own = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.other = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.think = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels),
            nn.ReLU(inplace=True),
            nn.Linear(2 * channels, channels),
        )
        self.norms = nn.ModuleList([nn.LayerNorm(channels), nn.LayerNorm(channels)])

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Transform (B, N, C) of both pictures."""
        one, two = self._within(first), self._within(second)
        return self._across(one, two), self._across(two, one)

    def _within(self, x: Tensor) -> Tensor:
        y = self.norms[0](x)
        mixed: Tensor = x + self.own(y, y, y, need_weights=False)[0]
        return mixed

    def _across(self, x: Tensor, other: Tensor) -> Tensor:
        y, z = self.norms[1](x), self.norms[1](other)
        x = x + self.other(y, z, z, need_weights=False)[0]
        mixed: Tensor = x + self.think(x)
        return mixed


class SpatialNetwork(nn.Module):
    """Encode pictures one by one; match two of them."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        """Make a network with random weights."""
        super().__init__()
        self.config = config or NetworkConfig()
        w = self.config.width
        self.encoder = Encoder(self.config)
        self.heads = nn.Conv2d(w, self.config.match + self.config.mask, 1)
        self.depth = nn.Sequential(nn.Conv2d(w + _GIVEN, w, 1), Residual(w), nn.Conv2d(w, 2, 1))
        self.context = nn.Conv2d(w, w, 1)
        self.sharpness = nn.Parameter(torch.tensor(2.3))  # log of the factor on cosine similarities
        self.judge = nn.Sequential(nn.Linear(2 * w + 10, 2 * w), nn.ReLU(), nn.Linear(2 * w, 4))
        if self.config.cross:
            self.place = nn.Linear(2, 3 * w)
            self.exchange = nn.ModuleList(Exchange(3 * w) for _ in range(self.config.cross))

    def encode(self, pictures: Tensor) -> Features:
        """Compute what a picture (B, 9, H, W) says alone."""
        fused, coarse = self.encoder(pictures)
        match, mask = self.heads(fused).split([self.config.match, self.config.mask], 1)
        given = cells(pictures[:, 3:])
        log_depth, log_scale = self.depth(torch.cat([fused, given.to(fused.dtype)], 1)).float().unbind(1)
        log_depth = log_depth + (_prior(given) if self.config.prior else TYPICAL)
        return Features(
            F.normalize(match, dim=1), mask, log_depth, log_scale.clamp(-6, 2), self.context(fused), coarse
        )

    def match(self, reference: Features, current: Features, pixels: Tensor) -> Matches:
        """Find query pixels (B, Q, 2) [px] of the reference picture in the current one."""
        query = sample(reference.match, pixels)
        logits = self.sharpness.exp() * torch.einsum("bqc,bchw->bqhw", query, current.match)
        if self.config.cross:
            logits = logits + self._coarse_logits(reference.coarse, current.coarse, pixels)
        pixel, spread, share = read_peak(logits)
        found = pixel.detach()
        logits = logits.flatten(2)
        log_shares = logits.detach().float().log_softmax(-1)
        entropy = -(log_shares.exp() * log_shares).sum(-1)
        here, there = _depth_at(reference, pixels), _depth_at(current, found)
        numbers = [logits.amax(-1).float() / 10, entropy / 5, share, spread.log()]
        numbers += self._back(reference, current, found, pixels)
        known = torch.cat([torch.stack(numbers, -1), here, there], -1).detach()
        seen = torch.cat([sample(reference.context, pixels), sample(current.context, found)], -1)
        judged = self.judge(torch.cat([seen, known.to(seen.dtype)], -1)).float()
        log_scale, visible, change, ratio_scale = judged.unbind(-1)
        ratio = (there - here)[..., 0].detach() + change
        return Matches(logits, pixel, log_scale.clamp(-4, 5), visible, ratio, ratio_scale.clamp(-6, 2))

    def _back(self, reference: Features, current: Features, found: Tensor, pixels: Tensor) -> list[Tensor]:
        """Match back from where pixels were found: log of the miss [cells], share of the peak."""
        query = sample(current.match, found)
        logits = self.sharpness.exp() * torch.einsum("bqc,bchw->bqhw", query, reference.match)
        back, _, share = read_peak(logits.detach())
        return [((back - pixels).norm(dim=-1) / STRIDE).log1p(), share]

    def _coarse_logits(self, first: Tensor, second: Tensor, pixels: Tensor) -> Tensor:
        """Match stride-16 cells that know both pictures; return logits (B, Q, h, w) at stride 4."""
        one, two = self._placed(first), self._placed(second)
        for exchange in self.exchange:
            one, two = exchange(one, two)
        asked = sample(one.transpose(1, 2).reshape(first.shape), pixels, stride=16)
        logits = torch.einsum("bqc,bnc->bqn", asked, two) / first.shape[1] ** 0.5
        grid = logits.reshape(*logits.shape[:2], *second.shape[2:])
        return F.interpolate(grid, scale_factor=4, mode="bilinear", align_corners=False)

    def _placed(self, coarse: Tensor) -> Tensor:
        """Return the cells (B, N, C) of a grid (B, C, h, w), each knowing where it is."""
        height, width = coarse.shape[2:]
        ends = (torch.linspace(-1, 1, side, device=coarse.device) for side in (height, width))
        rows, columns = torch.meshgrid(*ends, indexing="ij")
        place: Tensor = self.place(torch.stack([columns, rows], -1).flatten(0, 1))
        return coarse.flatten(2).transpose(1, 2) + place

    def same_body(self, reference: Features, pixels: Tensor) -> Tensor:
        """Return logits (B, Q, h, w) of which cells move with the query pixels (B, Q, 2)."""
        query, mask = sample(reference.mask, pixels).float(), reference.mask.float()
        lengths = query.square().sum(-1)[..., None, None] + mask.square().sum(1)[:, None]
        return 4 - lengths + 2 * torch.einsum("bqc,bchw->bqhw", query, mask)


def _prior(given: Tensor) -> Tensor:
    """Return the log depth (B, h, w) that is given: measured, else of the support plane, else typical."""
    _, _, measured, is_measured, support, is_known = given.unbind(1)
    return torch.where(is_measured > 0, measured, torch.where(is_known > 0, support, TYPICAL))


def cells(image: Tensor) -> Tensor:
    """Read a picture (..., H, W) at the pixels next to the centres of the stride-4 cells."""
    return image[..., STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]


def _depth_at(features: Features, pixels: Tensor) -> Tensor:
    """Read log depth and its log scale (B, Q, 2) at pixels."""
    return sample(torch.stack([features.log_depth, features.log_depth_scale], 1), pixels)


def sample(grid: Tensor, pixels: Tensor, stride: int = STRIDE) -> Tensor:
    """Read a grid (B, C, h, w) of a stride at pixels (B, Q, 2) -> (B, Q, C), bilinearly."""
    size = pixels.new_tensor([grid.shape[3], grid.shape[2]]) * stride
    where = (2 * pixels / size - 1)[:, :, None]
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
    cells = torch.stack([columns, rows], -1) + 0.5
    pixel = STRIDE * (shares[..., None] * cells).sum(2)
    spread = (shares * (STRIDE * cells - pixel[:, :, None]).square().sum(-1)).sum(-1).add(0.1).sqrt()
    share = (near.float().logsumexp(-1) - flat.float().logsumexp(-1)).exp()
    return pixel, spread, share

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

STRIDE = 4
INPUTS = 7  # r, g, b, ray x, ray y, measured depth, whether it was measured
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
    """

    width: int = 64
    depth: int = 2
    match: int = 64
    mask: int = 16
    cross: int = 0


class Features(NamedTuple):
    """What is computed of one picture alone, and cached for the reference: all on the stride-4 grid."""

    match: Tensor  # (B, C, h, w), unit length
    mask: Tensor  # (B, M, h, w)
    log_depth: Tensor  # (B, h, w) [log m]
    log_depth_scale: Tensor  # (B, h, w) log of the Laplace scale of log depth
    context: Tensor  # (B, C, h, w)


class Matches(NamedTuple):
    """Where query cells of the first picture are in the second."""

    logits: Tensor  # (B, Q, h*w)
    pixel: Tensor  # (B, Q, 2) [px]
    log_scale: Tensor  # (B, Q) log of the Laplace scale of the match [px]
    visible: Tensor  # (B, Q) logit


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
        self.stem = _stage(INPUTS, w // 2, 1)  # stride 2
        self.four = _stage(w // 2, w, n)
        self.eight = _stage(w, 2 * w, n)
        self.sixteen = _stage(2 * w, 3 * w, n, dilation=2)
        self.thirty_two = _stage(3 * w, 3 * w, n)
        self.whole = nn.Linear(3 * w, 3 * w)  # the picture as a whole sets the scale of depth
        self.up_sixteen = nn.Conv2d(6 * w, 3 * w, 1)
        self.up_eight = nn.Conv2d(5 * w, 2 * w, 1)
        self.up_four = nn.Conv2d(3 * w, w, 1)
        self.merge = nn.ModuleList([Residual(3 * w), Residual(2 * w), Residual(w)])

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 7, H, W) to features at stride 4 and at stride 8."""
        four = self.four(self.stem(pictures))
        eight = self.eight(four)
        sixteen = self.sixteen(eight)
        coarse = self.thirty_two(sixteen)
        coarse = coarse + self.whole(coarse.mean((2, 3)))[:, :, None, None]
        sixteen = self.merge[0](self.up_sixteen(torch.cat([sixteen, _twice(coarse)], 1)))
        eight = self.merge[1](self.up_eight(torch.cat([eight, _twice(sixteen)], 1)))
        return self.merge[2](self.up_four(torch.cat([four, _twice(eight)], 1))), eight


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class SpatialNetwork(nn.Module):
    """Encode pictures one by one; match two of them."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        """Make a network with random weights."""
        super().__init__()
        self.config = config or NetworkConfig()
        w = self.config.width
        self.encoder = Encoder(self.config)
        self.heads = nn.Conv2d(w, self.config.match + self.config.mask, 1)
        self.depth = nn.Sequential(Residual(w), nn.Conv2d(w, 2, 1))
        self.context = nn.Conv2d(w, w, 1)
        self.sharpness = nn.Parameter(torch.tensor(2.3))  # log of the factor on cosine similarities
        self.judge = nn.Sequential(nn.Linear(2 * w + 4, w), nn.ReLU(), nn.Linear(w, 2))

    def encode(self, pictures: Tensor) -> Features:
        """Compute what a picture (B, 7, H, W) says alone."""
        fused, _ = self.encoder(pictures)
        match, mask = self.heads(fused).split([self.config.match, self.config.mask], 1)
        log_depth, log_scale = self.depth(fused).unbind(1)
        return Features(
            F.normalize(match, dim=1), mask, log_depth, log_scale.clamp(-6, 2), self.context(fused)
        )

    def match(self, reference: Features, current: Features, pixels: Tensor) -> Matches:
        """Find query pixels (B, Q, 2) [px] of the reference picture in the current one."""
        query = sample(reference.match, pixels)
        logits = self.sharpness.exp() * torch.einsum("bqc,bchw->bqhw", query, current.match)
        pixel, spread, share = read_peak(logits)
        logits = logits.flatten(2)
        log_shares = logits.log_softmax(-1)
        entropy = -(log_shares.exp() * log_shares).sum(-1)
        numbers = torch.stack([logits.amax(-1) / 10, entropy / 5, share, spread.log()], -1)
        seen = torch.cat([sample(reference.context, pixels), sample(current.context, pixel.detach())], -1)
        log_scale, visible = self.judge(torch.cat([seen, numbers.detach()], -1)).unbind(-1)
        return Matches(logits, pixel, log_scale.clamp(-4, 5), visible)

    def same_body(self, reference: Features, pixels: Tensor) -> Tensor:
        """Return logits (B, Q, h, w) of which cells move with the query pixels (B, Q, 2)."""
        query = sample(reference.mask, pixels)
        distance = (query[..., None, None] - reference.mask[:, None]).square().sum(2)
        return 4 - distance


def sample(grid: Tensor, pixels: Tensor) -> Tensor:
    """Read a stride-4 grid (B, C, h, w) at pixels (B, Q, 2) -> (B, Q, C), bilinearly."""
    size = pixels.new_tensor([grid.shape[3], grid.shape[2]]) * STRIDE
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

"""SpatialNet's network: metric depth, body masks and matches of two pictures, each with its uncertainty.

It predicts only what pixels can tell; `geometry/` derives camera motion, object motion and size. Grids
have stride 4: cell (i, j) is centred on the continuous pixel (4 (i + 1/2), 4 (j + 1/2)).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spatial_reward.models.spatialnet_input import CHANNELS
from spatial_reward.models.spatialnet_matching import Features, Matcher, Matches, cells, unit
from spatial_reward.models.spatialnet_refining import Refined, Refiner

TYPICAL = -0.4  # [log m] depth that is assumed where nothing is given
_GIVEN = CHANNELS - 3  # channels beyond colours


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network.

    Attributes:
        width: Channels at stride 4; doubled at stride 8, tripled below.
        depth: Residual blocks at each stride.
        match: Length of a matching feature.
        body: Length of a feature that bodies are matched by.
        mask: Length of a body embedding.
    """

    width: int = 64
    depth: int = 2
    match: int = 64
    body: int = 32
    mask: int = 16


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
    """A small convolutional pyramid, strides 2 to 32, read out at strides 2 and 4."""

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
        """Map (B, 10, H, W) to features at strides 2 and 4."""
        two = self.stem(pictures)
        four = self.four(two)
        eight = self.eight(four)
        sixteen = self.sixteen(eight)
        coarse = self.thirty_two(sixteen)
        given = torch.cat([pictures[:, 3:5].abs(), pictures[:, 5:]], 1).mean((2, 3))  # lost on the way here
        coarse = coarse + self.whole(torch.cat([coarse.mean((2, 3)), given], 1))[:, :, None, None]
        sixteen = self.merge[0](self.up_sixteen(torch.cat([sixteen, _twice(coarse)], 1)))
        eight = self.merge[1](self.up_eight(torch.cat([eight, _twice(sixteen)], 1)))
        return two, self.merge[2](self.up_four(torch.cat([four, _twice(eight)], 1)))


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
        self.heads = nn.Conv2d(w, sum(self._looks), 1)
        self.depth = nn.Sequential(nn.Conv2d(w + _GIVEN, w, 1), Residual(w), nn.Conv2d(w, 2, 1))
        self.context = nn.Conv2d(w, w, 1)
        self.fine = nn.Conv2d(w // 2 + w, w // 2, 1)
        self.matcher = Matcher(w)
        self.refiner = Refiner(w // 2)

    @property
    def _looks(self) -> list[int]:
        return [self.config.match, self.config.body, self.config.mask]

    def encode(self, pictures: Tensor) -> Features:
        """Compute what a picture (B, 10, H, W) says alone."""
        two, fused = self.encoder(pictures)
        match, body, mask = self.heads(fused).split(self._looks, 1)
        given = cells(pictures[:, 3:])
        log_depth, log_scale = self.depth(torch.cat([fused, given.to(fused.dtype)], 1)).float().unbind(1)
        return Features(
            unit(match, 1),
            body,
            mask,
            log_depth + _prior(given),
            log_scale.clamp(-6, 2),
            self.context(fused),
            given,
            self.fine(torch.cat([two, _twice(fused)], 1)),
        )

    def match(self, reference: Features, current: Features, pixels: Tensor) -> Matches:
        """Find query pixels (B, Q, 2) [px] of the reference picture in the current one."""
        matches: Matches = self.matcher(reference, current, pixels)
        return matches

    def refine(self, reference: Features, current: Features, pixels: Tensor, matches: Matches) -> Refined:
        """Look closely at matches of query pixels (B, Q, 2) [px]."""
        refined: Refined = self.refiner(reference, current, pixels, matches)
        return refined


def _prior(given: Tensor) -> Tensor:
    """Return the log depth (B, h, w) that is given: measured, else of the support plane, else typical."""
    _, _, measured, is_measured, support, _, is_known = given.unbind(1)
    return torch.where(is_measured > 0, measured, torch.where(is_known > 0, support, TYPICAL))

"""A closer look at matches: both pictures around a pixel and around where it was found, side by side.

The grids of stride 4 cannot show where a small plain thing is to a fraction of a pixel. As LoFTR (Sun et al.,
2021) matches finely within coarse matches, and RAFT (Teed and Deng, 2020) looks again from where it got to.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from spatial_reward.models.spatialnet_matching import ALIKE, Features, Matches, sample

FINE = 2  # stride of the features that are compared
SIDE = 13  # of them, in rows and columns, that are read around a pixel
SHIFTS = 9  # in rows and columns, by which the middle of them is compared
LOOKS = 2  # the second from where the first got to
_WIDTH, _HIDDEN = 32, 96


class Refined(NamedTuple):
    """Where pixels are after each look, from the first to the last."""

    pixel: Tensor  # (L, B, Q, 2) [px]
    log_scale: Tensor  # (L, B, Q) log of the Laplace scale of the match [px]
    visible: Tensor  # (L, B, Q) logit


class Refiner(nn.Module):
    """Correct matches by what both pictures show around them."""

    def __init__(self, fine: int) -> None:
        """Make a refiner for `fine` channels."""
        super().__init__()
        places = (SIDE - SHIFTS + 1) ** 2
        self.sharpness = nn.Parameter(torch.tensor(1.0))  # log of the factor on differences
        self.looked = nn.Sequential(*_layer(2 * places + fine + 2), *_layer(_WIDTH), *_layer(_WIDTH))
        self.likely = nn.Conv2d(_WIDTH, 1, 1)
        last = nn.Linear(_HIDDEN, 4)
        self.judged = nn.Sequential(nn.Linear(2 * _WIDTH + 4, _HIDDEN), nn.ReLU(inplace=True), last)
        for weight in (self.likely.weight, last.weight):  # at first the least unlike shift is believed
            nn.init.normal_(weight, std=0.01)

    def forward(self, reference: Features, current: Features, pixels: Tensor, matches: Matches) -> Refined:
        """Look again at query pixels (B, Q, 2) [px] of the reference picture, where they were matched."""
        found, log_scale, visible = (
            part.detach() for part in (matches.pixel, matches.log_scale, matches.visible)
        )
        own = sample(reference.mask.float().detach(), pixels)
        before = _around(reference, pixels, pixels, own).flatten(0, 1)
        looks = []
        for _ in range(LOOKS):
            after = _around(current, found, pixels, own).flatten(0, 1)
            numbers = torch.stack([log_scale, visible], -1).flatten(0, 1)
            judged = self._look(before, after, numbers).reshape(*pixels.shape[:2], 4)
            found = found + judged[..., :2]
            log_scale, visible = (log_scale + judged[..., 2]).clamp(-4, 5), visible + judged[..., 3]
            looks.append((found, log_scale, visible))
            found, log_scale, visible = found.detach(), log_scale.detach(), visible.detach()
        return Refined(*(torch.stack(parts) for parts in zip(*looks, strict=True)))

    def _look(self, before: Tensor, after: Tensor, numbers: Tensor) -> Tensor:
        """Return step [px], change of the log scale, and of the logit of being seen (N, 4)."""
        prior, shown = _compared(before, after)
        seen = self.looked(shown)
        logits = (self.likely(seen).float()[:, 0] - self.sharpness.exp() * prior).flatten(1)
        shares = logits.softmax(1)
        offsets = FINE * (_grid(SHIFTS, before.device) - SHIFTS // 2).to(shares.dtype)
        step = (shares[:, :, None] * offsets).sum(1)
        spread = (shares[:, :, None] * (offsets - step[:, None]).square()).sum((1, 2)).add(0.1).log()
        entropy = -(shares * logits.log_softmax(1)).sum(1)
        pooled = torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1)
        known = torch.cat([numbers, spread[:, None], entropy[:, None]], 1)
        judged = self.judged(torch.cat([pooled, known.to(pooled.dtype)], 1)).float()
        return torch.cat([step + judged[:, :2].tanh(), judged[:, 2:]], 1)


def _compared(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Compare two patches (N, C + 2, S, S), the second shifted in all ways that it has room for.

    Returns:
        How unlike they are over the body (N, shifts, shifts), about 1 in the mean; and
        (N, channels, shifts, shifts): the same for each place of the first patch's middle, which of them are
        of the body, and what the second patch shows.
    """
    fine, edge = before.shape[1] - 2, (SIDE - SHIFTS) // 2
    middle = before[:, :, SHIFTS // 2 : SIDE - SHIFTS // 2, SHIFTS // 2 : SIDE - SHIFTS // 2].flatten(2)
    apart = _squared_distances(middle[:, :fine], after[:, :fine].flatten(2))
    shifts = _shifts(before.device)
    unlike = apart.flatten(1).index_select(1, shifts.flatten()).reshape(-1, *shifts.shape)
    unlike = unlike / unlike.mean((1, 2), keepdim=True).add(1e-4)
    weight = middle[:, fine, :, None]
    prior = (weight * unlike).sum(1) / weight.sum(1).add(1e-2)
    parts = [weight * unlike, weight.expand_as(unlike)]
    maps = torch.cat(parts, 1).reshape(-1, 2 * len(shifts), SHIFTS, SHIFTS)
    shown = torch.cat([maps, after[:, :, edge:-edge, edge:-edge]], 1)
    return prior.reshape(-1, SHIFTS, SHIFTS), shown


def _layer(inputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, _WIDTH, 3, padding=1, bias=False)
    return [convolution, nn.GroupNorm(8, _WIDTH), nn.ReLU(inplace=True)]


def _around(features: Features, at: Tensor, pixels: Tensor, own: Tensor) -> Tensor:
    """Read (B, Q, C + 2, S, S) around pixels (B, Q, 2): look, body of the query or not, and depth."""
    offsets = FINE * (_grid(SIDE, at.device) - SIDE // 2).to(at.dtype)
    where = (at[:, :, None] + offsets).flatten(1, 2)  # (B, Q S S, 2)
    fine = sample(features.fine.float(), where, FINE)
    coarse = torch.cat([features.mask, features.log_depth[:, None]], 1).float().detach()
    shape = (*at.shape[:2], SIDE * SIDE, -1)
    look, rest = fine.reshape(shape), sample(coarse, where).reshape(shape)
    apart = (rest[..., :-1] - own[:, :, None]).square().sum(-1, keepdim=True)
    depth = rest[..., -1:] - rest[:, :, SIDE * SIDE // 2, None, -1:]
    parts = torch.cat([look, (ALIKE - apart).sigmoid(), depth.clamp(-1, 1)], -1)
    return parts.transpose(2, 3).reshape(*at.shape[:2], -1, SIDE, SIDE)


def _squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """Return those (N, I, J) between (N, C, I) and (N, C, J)."""
    with torch.autocast(first.device.type, enabled=False):  # a difference of large numbers
        product = first.transpose(1, 2) @ second
        squares = first.square().sum(1)[:, :, None] + second.square().sum(1)[:, None]
        return squares - 2 * product


def _shifts(device: torch.device) -> Tensor:
    """Return which of all pairs of a middle place and one of S S are compared (places, shifts), by number."""
    places = SIDE - SHIFTS + 1
    column, row = (_grid(places, device)[:, None] + _grid(SHIFTS, device)).unbind(-1)
    return SIDE**2 * torch.arange(places**2, device=device)[:, None] + SIDE * row + column


def _grid(side: int, device: torch.device) -> Tensor:
    """Return column and row (side side, 2) of the places of a square."""
    numbers = torch.arange(side, device=device)
    return torch.stack([numbers.repeat(side), numbers.repeat_interleave(side)], -1)

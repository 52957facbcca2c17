"""Peaks of a map of how alike cells are: where they are, how sharp, and which else there is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

STRIDE = 4
WINDOW = 2  # cells on each side of the peak that the sub-cell match is read from


class Peak(NamedTuple):
    """A peak for each of the query pixels."""

    pixel: Tensor  # (B, Q, 2) [px]
    height: Tensor  # (B, Q) logit
    spread: Tensor  # (B, Q) [px]
    share: Tensor  # (B, Q) of the mass, around it


def read_peak(logits: Tensor, without: Tensor | None = None) -> Peak:
    """Read the highest peak of maps (B, Q, h, w), not on the cells (B, Q, h, w) that it is to do without."""
    height, width = logits.shape[2:]
    flat = logits.flatten(2)
    left = flat if without is None else flat.masked_fill(without.flatten(2), -torch.inf)
    peak = left.argmax(-1)
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
    return Peak(pixel, flat.gather(2, peak[..., None])[..., 0].float(), spread, share)


def aside(body: Tensor, pixel: Tensor) -> Tensor:
    """Return which cells (B, Q, h, w) are of a body, given as logits, or next to a pixel (B, Q, 2)."""
    height, width = body.shape[2:]
    column, row = (pixel / STRIDE - 0.5).unbind(-1)
    across = (torch.arange(width, device=body.device) - column[..., None]).abs() <= WINDOW
    down = (torch.arange(height, device=body.device) - row[..., None]).abs() <= WINDOW
    return (body > 0) | (down[..., :, None] & across[..., None, :])


def either(which: Tensor, first: Peak, second: Peak) -> Peak:
    """Take the first where (B, Q) so chosen, else the second."""
    parts = zip(first, second, strict=True)
    return Peak(
        *(torch.where(which[..., None] if one.dim() > which.dim() else which, one, two) for one, two in parts)
    )

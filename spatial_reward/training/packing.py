"""Several samples in one row that do not see each other: packed loss and gradients equal separate ones.

The classes of transformers keep samples of a row apart where no attention mask is given and the positions
start anew. Families with multimodal rotary positions (time, row and column of a picture) need these as
three further rows beneath the plain positions: with any other shape the separation is lost without a word.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from spatial_reward.chat_tokens import IGNORED
from spatial_reward.training.vlm_tokens import Tokens

log = logging.getLogger(__name__)

# Families whose separation is tested, and whether their positions are multimodal.
MULTIMODAL_POSITIONS = {
    "internvl": False,
    "qwen2_5_vl": True,
    "qwen3_vl": True,
    "qwen3_vl_moe": True,
}


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Distribute samples over rows by best fit decreasing: each where least room is left.

    Args:
        lengths: Of the samples.
        capacity: Of a row; a longer sample has one of its own.

    Returns:
        The numbers of the samples of each row.

    >>> best_fit([3, 7, 5, 4], 10)
    [[1, 0], [2, 3]]
    """
    rows: list[list[int]] = []
    rooms: list[int] = []
    for sample in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        fitting = [row for row, room in enumerate(rooms) if room >= lengths[sample]]
        row = min(fitting, key=lambda one: rooms[one]) if fitting else len(rows)
        if not fitting:
            rows.append([])
            rooms.append(capacity)
        rows[row].append(sample)
        rooms[row] -= lengths[sample]
    return rows


def packed(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Distribute samples over as few rows as best fit needs, and these as evenly as it can.

    >>> packed([4, 4, 2, 2], 10), best_fit([4, 4, 2, 2], 10)
    ([[0, 2], [1, 3]], [[0, 1, 2], [3]])
    """
    rows = best_fit(lengths, capacity)
    least = max(*lengths, -(-sum(lengths) // len(rows)), 1)
    sizes = range(least, max(capacity, least))
    size = bisect_left(sizes, True, key=lambda size: len(best_fit(lengths, size)) <= len(rows))
    return best_fit(lengths, sizes[size]) if size < len(sizes) else rows


@dataclass(frozen=True)
class Collator:
    """Make a batch of samples.

    Attributes:
        blank: A sample with a picture and nothing to learn. It stands in where a batch has no picture, so
            that every process uses the vision encoder, and where no sample is left.
        pad: Token that fills rows up.
        capacity: Tokens of a row, at most; longer samples are left out, with a warning.
        merge: Patches along a side that make one token, for multimodal positions; None for plain ones.
        packing: Whether samples share rows; else each has one of its own, with an attention mask.
        flat: Make one row of all rows: what flash attention wants.
    """

    blank: Tokens
    pad: int
    capacity: int
    merge: int | None = None
    packing: bool = True
    flat: bool = False

    def __call__(self, samples: Sequence[Tokens]) -> dict[str, Tensor]:
        """Return input_ids and labels (R, L), position_ids (R, L) or (4, R, L), and the pictures' tensors."""
        kept = self._kept(samples)
        lengths = [len(sample.ids) for sample in kept]
        rows = packed(lengths, self.capacity) if self.packing else [[one] for one in range(len(kept))]
        rows = [[sample for row in rows for sample in row]] if self.flat and self.packing else rows
        ordered = [[kept[sample] for sample in row] for row in rows]
        length = max(sum(lengths[sample] for sample in row) for row in rows)
        batch = {
            "input_ids": _filled([[one.ids for one in row] for row in ordered], length, self.pad),
            "labels": _filled([list(map(_later_labels, row)) for row in ordered], length, IGNORED),
            **_pictures([one for row in ordered for one in row]),
        }
        return {**batch, **(self._apart(ordered, length) if self.packing else _masked(ordered, length))}

    def _kept(self, samples: Sequence[Tokens]) -> list[Tokens]:
        kept = [sample for sample in samples if len(sample.ids) <= self.capacity]
        for sample in samples:
            if len(sample.ids) > self.capacity:
                log.warning(
                    "Left out %s: %d tokens, but length=%d", sample.id, len(sample.ids), self.capacity
                )
        return kept if any(sample.pictures for sample in kept) else [*kept, self.blank]

    def _apart(self, rows: list[list[Tokens]], length: int) -> dict[str, Tensor]:
        """Return positions that start anew with each sample."""
        plain = _filled([[torch.arange(len(one.ids)) for one in row] for row in rows], length, 0)
        if self.merge is None:
            return {"position_ids": plain}
        placed = [[grid_positions(one, self.merge) for one in row] for row in rows]
        axes = [_filled([[one[axis] for one in row] for row in placed], length, 0) for axis in range(3)]
        return {"position_ids": torch.stack([plain, *axes])}


def grid_positions(sample: Tokens, merge: int) -> Tensor:
    """Return the multimodal positions (3, L) of a sample: time, row and column.

    Words advance all three together; a picture spreads over rows and columns and advances them by its
    longer side.
    """
    grids = iter(sample.pictures.get("image_grid_thw", torch.zeros(0, 3)).tolist())
    parts, start = [], 0
    for shown, group in groupby(sample.shown.tolist()):
        length = len(list(group))
        if shown:
            times, *sides = (int(size) for size in next(grids))
            rows, columns = (side // merge for side in sides)
            place = torch.cartesian_prod(*(torch.arange(size) for size in (times, rows, columns))).T
            parts.append(place + start)
            start += max(rows, columns)
        else:
            parts.append(torch.arange(start, start + length).expand(3, -1))
            start += length
    return torch.cat(parts, 1)


def _masked(rows: list[list[Tokens]], length: int) -> dict[str, Tensor]:
    """Return what the model needs to find positions and padding by itself: one sample a row."""
    mask = _filled([[torch.ones_like(one.ids) for one in row] for row in rows], length, 0)
    shown = _filled([[one.shown for one in row] for row in rows], length, 0)
    return {"attention_mask": mask, "mm_token_type_ids": shown}


def _filled(rows: list[list[Tensor]], length: int, filling: int) -> Tensor:
    """Join the parts of each row, and fill it up."""
    joined = [torch.cat(row) for row in rows]
    return torch.stack(
        [torch.cat([row, torch.full((length - len(row),), filling, dtype=row.dtype)]) for row in joined]
    )


def _later_labels(sample: Tokens) -> Tensor:
    """Mask the first label: the token before it is another sample's."""
    return torch.cat([torch.full_like(sample.labels[:1], IGNORED), sample.labels[1:]])


def _pictures(samples: Sequence[Tokens]) -> dict[str, Any]:
    """Join the tensors of all pictures, in the order of their tokens."""
    names = dict.fromkeys(name for sample in samples for name in sample.pictures)
    return {
        name: torch.cat([sample.pictures[name] for sample in samples if name in sample.pictures])
        for name in names
    }

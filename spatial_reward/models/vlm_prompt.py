"""One question, ready for a vision-language model: tokens, pictures, and what tells that two begin alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_reward.chat import Picture

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Prompt:
    """The inputs of one question.

    Attributes:
        ids: (L,) tokens, with one for every cell of a picture.
        positions: (1, L), or (3, L) where tokens of pictures have a time, a row and a column.
        pixels: (R, ...) the pictures, as rows of patches or tiles, one after the other; None without any.
        grids: (n, 3) size of each picture in patches, for models that take pictures of any size.
        ends: Number of tokens up to and with each picture.
        rows: Number of rows of `pixels` up to and with each picture.
        keys: Digest of all tokens and pictures up to and with each picture.
    """

    ids: Tensor
    positions: Tensor
    pixels: Tensor | None
    grids: Tensor | None
    ends: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    keys: tuple[bytes, ...] = ()

    def end(self, pictures: int | None) -> int:
        """Return the number of tokens up to and with so many pictures; None stands for the whole."""
        if pictures is None:
            return len(self.ids)
        return self.ends[pictures - 1] if pictures else 0

    def row(self, pictures: int | None) -> int:
        """Return the number of rows of `pixels` up to and with so many pictures; None stands for all."""
        rows = (0, *self.rows)
        return rows[-1 if pictures is None else pictures]


def prompt(
    inputs: dict[str, Any], positions: Tensor, image_token: int, pictures: Sequence[Picture]
) -> Prompt:
    """Take the inputs of one question, as a processor makes them, apart.

    Args:
        inputs: Of a batch of one.
        positions: (1, L) or (3, L).
        image_token: The token that stands for a cell of a picture.
        pictures: As they were given to the processor.

    Raises:
        ValueError: If tokens and pictures do not match.
    """
    ids = inputs["input_ids"][0]
    ends = _run_ends((ids == image_token).cpu().numpy())
    if len(ends) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures are given, but the text shows {len(ends)}.")
    pixels, grids = inputs.get("pixel_values"), inputs.get("image_grid_thw")
    rows = _row_ends(ids == image_token, ends, pixels, grids)
    return Prompt(ids, positions, pixels, grids, ends, rows, _keys(ids, ends, pictures))


def _run_ends(is_picture: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[int, ...]:
    """Return where each run of picture tokens ends."""
    after = np.append(is_picture[1:], False)
    return tuple((np.flatnonzero(is_picture & ~after) + 1).tolist())


def _row_ends(
    is_picture: Tensor, ends: tuple[int, ...], pixels: Tensor | None, grids: Tensor | None
) -> tuple[int, ...]:
    if pixels is None:
        return ()
    if grids is not None:
        return tuple(grids.prod(-1).cumsum(0).tolist())
    per_row = int(is_picture.sum()) // len(pixels)  # cells of a tile
    return tuple(int(is_picture[:end].sum()) // per_row for end in ends)


def _keys(ids: Tensor, ends: tuple[int, ...], pictures: Sequence[Picture]) -> tuple[bytes, ...]:
    digest, start, keys = blake2b(digest_size=16), 0, []
    tokens = ids.cpu().numpy()
    for end, picture in zip(ends, pictures, strict=True):
        digest.update(tokens[start:end].tobytes())
        digest.update(f"{picture.shape}".encode())
        digest.update(np.ascontiguousarray(picture).data)
        keys.append(digest.digest())
        start = end
    return tuple(keys)

"""How pictures and questions are put to a vision-language model."""

from __future__ import annotations

from typing import NamedTuple

TILE = 448  # [px] side of an InternVL tile


class TileGrid(NamedTuple):
    """How a picture is cut into square tiles."""

    columns: int
    rows: int

    @property
    def tiles(self) -> int:
        """Tiles in all: more than one are joined by a thumbnail of the whole."""
        cut = self.columns * self.rows
        return cut + 1 if cut > 1 else 1


def tile_grid(width: int, height: int, most: int = 6) -> TileGrid:
    """Return InternVL's grid of at most `most` tiles for a picture [px].

    The grid whose aspect is nearest the picture's; of equal ones the larger, where the picture has more
    than half of its pixels. MultiSPA lets every picture have 6 tiles; stock InternVL shares them out.

    >>> tile_grid(1296, 968).tiles, tile_grid(1296, 968, most=6 // 2).tiles
    (7, 1)

    Raises:
        ValueError: If a size or `most` is less than 1.
    """
    if min(width, height, most) < 1:
        raise ValueError(
            f"`width`, `height` and `most` must be at least 1, got {width}, {height} and {most}."
        )
    grids = [
        TileGrid(columns, rows) for columns in range(1, most + 1) for rows in range(1, most // columns + 1)
    ]
    best, least = TileGrid(1, 1), float("inf")
    for grid in sorted(grids, key=lambda grid: grid.columns * grid.rows):
        difference = abs(width / height - grid.columns / grid.rows)
        roomy = width * height > 0.5 * TILE**2 * grid.columns * grid.rows
        if difference < least or (difference == least and roomy):
            best, least = grid, difference
    return best

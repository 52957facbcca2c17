import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.chat import tile_grid

sides = st.integers(1, 3000)


def test_check_11_the_published_pair_has_seven_and_seven_tiles_and_stock_one_and_one():
    pair = [(1296, 968)] * 2
    assert [tile_grid(*size, most=6).tiles for size in pair] == [7, 7]
    assert [tile_grid(*size, most=6 // len(pair)).tiles for size in pair] == [1, 1]


@pytest.mark.parametrize(
    ("size", "grids"),
    [
        ((1296, 968), [(1, 1), (3, 2), (4, 3)]),
        ((512, 512), [(1, 1), (1, 1), (1, 1)]),
        ((640, 480), [(1, 1), (3, 2), (4, 3)]),
        ((1280, 720), [(2, 1), (2, 1), (4, 2)]),
        ((640, 360), [(2, 1), (2, 1), (2, 1)]),
    ],
)
def test_grids_are_internvls_for_at_most_3_6_and_12_tiles(size, grids):
    assert [tile_grid(*size, most=most) for most in (3, 6, 12)] == grids


@given(sides, sides, st.integers(1, 12))
def test_a_grid_keeps_the_limit_and_more_than_one_tile_brings_a_thumbnail(width, height, most):
    grid = tile_grid(width, height, most)
    assert 1 <= grid.columns * grid.rows <= most
    assert grid.tiles == grid.columns * grid.rows + (grid.columns * grid.rows > 1)


@given(sides, st.integers(1, 12))
def test_no_grid_is_nearer_the_aspect(width, most):
    grid = tile_grid(width, 700, most)
    off = abs(width / 700 - grid.columns / grid.rows)
    others = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if c * r <= most]
    assert all(off <= abs(width / 700 - c / r) for c, r in others)


def test_one_tile_is_all_there_is_for_one():
    assert tile_grid(5000, 10, most=1) == (1, 1)


@pytest.mark.parametrize("arguments", [(0, 5), (5, -1), (5, 5, 0)])
def test_sizes_below_one_are_refused(arguments):
    with pytest.raises(ValueError, match="must be at least 1"):
        tile_grid(*arguments)

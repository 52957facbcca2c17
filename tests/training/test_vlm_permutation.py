import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from spatial_reward.training.permutation import Permutation


@given(some.integers(1, 700), some.integers(0, 2**40), some.integers(0, 100))
def test_every_number_comes_once(count, seed, epoch):
    order = Permutation(count, seed, epoch)
    assert sorted(order(place) for place in range(count)) == list(range(count))


def test_order_never_changes_between_versions():
    assert [Permutation(1000, 0, 0)(place) for place in range(8)] == [999, 36, 294, 185, 179, 90, 38, 894]


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [[Permutation(100, *key)(place) for place in range(100)] for key in ((0, 0), (0, 1), (1, 0))]
    agreements = [sum(a == b for a, b in zip(orders[i], orders[j], strict=True)) for i, j in ((0, 1), (0, 2))]
    assert max(agreements) < 10


def test_places_are_spread_evenly():
    """A chi-square of where the first numbers land, over many keys."""
    landed = np.bincount([Permutation(16, key)(0) for key in range(3200)], minlength=16)
    assert ((landed - 200) ** 2 / 200).sum() < 37.7  # 0.1 % of 15 degrees of freedom


def test_large_numbers_need_no_memory():
    order = Permutation(27_000_000, 5, 0)
    assert len({order(place) for place in range(1000)}) == 1000


@pytest.mark.parametrize("place", [-1, 10])
def test_refuses_places_outside(place):
    with pytest.raises(IndexError, match=r"Place -?\d+ is not within 0..9"):
        Permutation(10, 0)(place)


def test_refuses_nothing():
    with pytest.raises(ValueError, match="`count` must be at least 1, got 0"):
        Permutation(0, 0)

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_reward.geometry import minimal_sets

COORDINATE = np.linspace(0, 1, 101)  # [m]


def shown(*spans):
    """Tell which points lie within the spans, ends included whatever the rounding."""
    return np.array([np.abs(COORDINATE - (low + high) / 2) <= (high - low) / 2 + 1e-9 for low, high in spans])


def search(visible, size=1.0, **options):
    return minimal_sets(COORDINATE, visible, size, rng=np.random.default_rng(0), **options)


def test_check_9_halves_in_two_pictures_are_a_pair_and_no_part_of_a_triple():
    visible = shown((0, 0.5), (0.5, 1), (0.2, 0.4))
    assert search(visible) == [(0, 1)]


def test_check_9_the_tolerance_of_ten_percent_is_inclusive():
    assert search(shown((0, 0.9))) == [(0,)]
    assert search(shown((0, 0.89))) == []
    assert search(shown((0, 0.5), (0.6, 1)), size=1 / 1.1) == [(0, 1)]  # the side may also be exceeded by it
    assert search(shown((0, 0.5), (0.6, 1)), size=0.9) == []


def test_a_picture_that_covers_alone_is_in_no_larger_set():
    assert search(shown((0, 1), (0, 0.5), (0.4, 1))) == [(0,), (1, 2)]


def test_only_the_outermost_pictures_matter_so_no_set_has_more_than_two():
    assert search(shown((0, 0.3), (0.2, 0.8), (0.7, 1))) == [(0, 2)]


def test_larger_sets_than_allowed_are_not_tried():
    assert search(shown((0, 0.5), (0.5, 1)), largest=1) == []


def test_a_glimpse_of_less_than_a_twentieth_does_not_count_as_seeing():
    assert search(shown((0, 0.5), (0.97, 1))) == []
    assert search(shown((0, 0.5), (0.95, 1))) == [(0, 1)]


spans = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted), min_size=1, max_size=7)


@settings(max_examples=60)
@given(spans, st.floats(0.3, 1.2))
def test_the_search_finds_what_trying_everything_finds(spans, size):
    visible = shown(*spans)
    seeing = np.flatnonzero(visible.sum(axis=1) >= 5)
    expected: list = []
    for count in range(1, 6):
        for chosen in combinations(seeing.tolist(), count):
            union = COORDINATE[visible[list(chosen)].any(axis=0)]
            covers = abs(np.ptp(union) - size) <= 0.1 * size + 1e-9 * size
            if covers and not any(set(found) < set(chosen) for found in expected):
                expected.append(chosen)
    assert search(visible, size) == expected


def test_crowds_are_thinned_out_and_repeat_with_the_seed():
    rng = np.random.default_rng(1)
    low = rng.uniform(0, 0.9, 60)
    visible = shown(*zip(low, low + 0.2, strict=True))
    first, again = (
        minimal_sets(COORDINATE, visible, 1.0, rng=np.random.default_rng(3), images=12, candidates=30)
        for _ in range(2)
    )
    assert first == again and first
    assert len({picture for pictures in first for picture in pictures}) <= 12
    assert max(np.bincount([len(pictures) for pictures in first])) <= 30


def test_nothing_seen_is_no_set():
    assert search(np.zeros((3, 101), bool)) == []
    assert search(np.zeros((0, 101), bool)) == []


@pytest.mark.parametrize(("points", "size"), [(100, 1.0), (101, 0.0), (101, np.nan)])
def test_shapes_and_size_are_checked(points, size):
    with pytest.raises(ValueError, match="`size` positive, got"):
        search(np.zeros((3, points), bool), size)

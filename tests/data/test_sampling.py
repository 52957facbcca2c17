import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_reward.data.sampling import displacement_bins, overlap_bins

seeds = st.integers(0, 2**32 - 1)


def bin_of(overlap):
    """Count per 1 % bin, written out: 6 <= first <= 7, then 7 < second <= 8, and so on."""
    return [
        np.sum((overlap > low) & (overlap <= low + 1) | (low == 6) & (overlap == 6)) for low in range(6, 35)
    ]


def middle_of_bins(populations):
    return np.repeat(np.arange(6, 35) + 0.5, populations)


def test_check_3_300_pairs_are_ten_bins_of_eleven_and_nineteen_of_ten():
    overlap = np.random.default_rng(0).uniform(0, 100, 40_000)
    chosen = overlap_bins(overlap, 300, np.random.default_rng(1))
    assert bin_of(overlap[chosen]) == [11] * 10 + [10] * 19


def test_check_3_what_an_empty_bin_lacks_goes_to_the_next_larger_one():
    populations = np.arange(1000, 1029)
    populations[[20, 5, 12]] = 0, 3, 40
    overlap = middle_of_bins(populations)
    counts = bin_of(overlap[overlap_bins(overlap, 290, np.random.default_rng(0))])
    expected = [10] * 29
    expected[20], expected[5], expected[12] = 0, 3, 27  # 10 + 10 owed by the empty bin + 7 more
    assert counts == expected


@settings(max_examples=60)
@given(st.lists(st.integers(0, 30), min_size=29, max_size=29), st.integers(0, 900), seeds)
def test_check_3_never_more_than_wanted_and_never_less_than_ordered_carrying_gives(populations, count, seed):
    overlap = middle_of_bins(populations)
    chosen = overlap_bins(overlap, count, np.random.default_rng(seed))
    assert len(chosen) == len(set(chosen)) == min(count, reference_total(populations, count))
    assert list(chosen) == sorted(chosen)


def reference_total(populations, count):
    """The published loop, in words of its own."""
    quota = {index: count // 29 + (index < count % 29) for index in range(29)}
    carry = total = 0
    for index in sorted(range(29), key=lambda index: populations[index]):
        want = quota[index] + carry
        taken = min(want, populations[index])
        carry, total = want - taken, total + taken
    return total


def test_edges_close_to_the_right_and_the_first_also_to_the_left():
    overlap = np.array([5.999, 6.0, 7.0, 7.001, 35.0, 35.001, 0.0, np.nan])
    chosen = overlap_bins(overlap, 29 * 5, np.random.default_rng(0))
    assert chosen.tolist() == [1, 2, 3, 4]
    assert bin_of(overlap[chosen]) == [2, 1, *[0] * 26, 1]


def test_the_remainder_goes_to_the_bins_of_least_overlap():
    counts = bin_of(
        middle_of_bins([9] * 29)[overlap_bins(middle_of_bins([9] * 29), 3, np.random.default_rng(0))]
    )
    assert counts == [1, 1, 1, *[0] * 26]


def test_sampling_repeats_with_its_seed_and_differs_without():
    overlap = np.random.default_rng(0).uniform(6, 35, 5000)
    first, again, other = (overlap_bins(overlap, 300, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        overlap_bins([10.0], -1, np.random.default_rng(0))


def test_bins_of_displacement_give_as_many_as_the_middle_one():
    populations = [500, 80, 60, 50, 7, 40, 30, 20, 9, 3]
    displacement = np.concatenate([np.linspace(i + 0.01, i + 0.99, n) for i, n in enumerate(populations)])
    displacement[[0, -1]] = 0, 10
    chosen = displacement_bins(displacement, 30, np.random.default_rng(0))
    counts = np.bincount(np.minimum(displacement[chosen].astype(int), 9))
    assert counts.tolist() == [7] * 9 + [3]


def test_a_short_track_does_not_thin_out_the_next():
    rng = np.random.default_rng(0)
    long = np.random.default_rng(1).uniform(0.01, 1, 4000)
    before = len(displacement_bins(long, 30, rng))
    displacement_bins(np.array([0.02, 0.3]), 30, rng)
    assert len(displacement_bins(long, 30, rng)) == before == 300


@given(st.lists(st.floats(0.01, 5), max_size=80), st.integers(1, 40), seeds)
def test_every_occupied_bin_gives_something_and_none_more_than_the_cap(displacement, cap, seed):
    displacement = np.array(displacement)
    chosen = displacement_bins(displacement, cap, np.random.default_rng(seed))
    assert len(set(chosen)) == len(chosen) <= len(displacement)
    if len(displacement):
        given_, _ = np.histogram(displacement, 10)
        taken, _ = np.histogram(displacement[chosen], np.histogram_bin_edges(displacement, 10))
        limit = max(1, min(cap, given_[4]))
        assert taken.tolist() == np.minimum(given_, limit).tolist()


def test_displacements_must_be_finite_and_the_cap_positive():
    with pytest.raises(ValueError, match="must be finite"):
        displacement_bins([np.nan], 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 1"):
        displacement_bins([1.0], 0, np.random.default_rng(0))

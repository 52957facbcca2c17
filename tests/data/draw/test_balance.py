import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.data.draw.balance import evenly, log_bins

GROUPS = st.lists(st.integers(-3, 3), max_size=60)


@given(GROUPS, st.integers(0, 80), st.integers(0, 9))
def test_groups_give_alike_and_no_candidate_twice(groups, count, seed):
    chosen = evenly(groups, count, np.random.default_rng(seed))
    assert len(chosen) == min(count, len(groups)) == len(set(chosen.tolist()))
    taken = np.unique(np.array(groups, int)[chosen], return_counts=True)
    given_out = dict(zip(*map(np.ndarray.tolist, taken), strict=True))
    most = max(given_out.values(), default=0)
    for group in set(groups):  # who gives less than the most has nothing left, or is one behind
        assert given_out.get(group, 0) >= min(groups.count(group), most - 1)


def test_bins_double():
    assert np.diff(log_bins([0.02, 0.04, 0.08, 0.16], 2.0)).tolist() == [2, 2, 2]
    assert log_bins([0.0])[0] < log_bins([1e-6])[0]

import numpy as np
import pytest

from spatial_reward.models.clock import Clock, Constant, prefixes
from spatial_reward.types import Frame

FRAMES = [Frame(np.zeros((4, 4, 3), np.uint8))] * 5


def test_a_clock_sees_nothing_but_time():
    assert Clock().score(FRAMES, "push").progress.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert Constant(0.3).score(FRAMES, "push").progress.tolist() == [0.3] * 5
    with pytest.raises(ValueError, match=r"progress in \[0, 1\], got 2"):
        Constant(2)


@pytest.mark.parametrize(("count", "most"), [(1, 2), (5, 8), (40, 8), (17, 2)])
def test_a_prefix_ends_with_its_frame_and_never_shows_the_future(count, most):
    shown = prefixes(count, most)
    assert [numbers[-1] for numbers in shown] == list(range(count))
    for numbers in shown:
        assert numbers[0] == 0 and len(numbers) <= most and numbers == sorted(set(numbers))

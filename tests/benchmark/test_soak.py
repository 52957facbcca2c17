import sys

import pytest

from spatial_reward.benchmark.soak import Sample, Soak, as_markdown, grown, sample, soak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_growth_is_that_since_the_first_sample():
    samples = [Sample(10, 100.0, 5, 1, 0), Sample(20, 130.0, 7, 1, 0), Sample(30, 120.0, 6, 1, 1)]
    assert grown(samples) == Sample(20, 30.0, 2, 0, 1)
    page = as_markdown(Soak(), samples, 1.0, "")
    assert "Growth at most: 30.0 MB, 2 files, 0 threads, 1 renderers." in page


def test_this_process_holds_files_and_threads():
    now = sample(0)
    assert now.memory > 20 and now.files > 2 and now.threads >= 1


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["sync", "lagged(2)"])
def test_100_000_steps_leave_no_trace(schedule):
    samples = soak(Soak(steps=100_000 if schedule == "sync" else 20_000, every=20, schedule=schedule))
    growth = grown(samples)
    assert growth.memory < 100 and growth.files <= 0 and growth.threads <= 0 and growth.renderers == 0

import numpy as np
import pytest

from spatial_reward.benchmark.serving import Load, Outcome, as_markdown, measure_serving, resident


def test_the_page_states_what_was_lost_and_swapped():
    outcome = Outcome(100, 2, 1, np.linspace(0.01, 0.1, 100), np.array([100.0, 120.0, 110.0]), 7.5, 0.003)
    page = as_markdown(Load(seconds=10), outcome, "the command")
    for line in (
        "`the command`",
        "| lost (not answered by the deadline) | 2 |",
        "| swapped (answered with another's answer) | 1 |",
        "| latency p50 / p95 / p99 [ms] | 55 / 96 / 99 |",
        "| server's memory after warming up / at the end [MB] | 100 / 110 |",
        "| questions per second | 10 |",
        "| server's CPU time of a question [ms] | 3.0 |",
    ):
        assert line in page


def test_memory_of_this_process_is_told():
    assert 20 < resident() < 20_000


@pytest.mark.slow
def test_a_server_under_load_loses_and_swaps_nothing():
    outcome = measure_serving(Load(clients=8, seconds=5.0, deadline=10.0, size=32, processes=2))
    assert outcome.asked > 16 and outcome.lost == outcome.swapped == 0
    assert np.percentile(outcome.seconds, 95) < 10 and len(outcome.memory) > 10 and outcome.batch > 1

import pytest

pytest.importorskip("stable_baselines3")

from spatial_reward.benchmark import rl_slowdown
from spatial_reward.benchmark.rl_slowdown import Row, as_markdown, slowdown


def test_the_page_has_a_line_for_each_case():
    page = as_markdown(
        {"rgbd": [Row("sac", 8, "hold(8)", 10.0, 15.0, 1.5, 20.0, 40.0)]}, "about", "the command"
    )
    assert "| sac | 8 | hold(8) | 10.0 | 15.0 | 1.50 | 20.0 | 40.0 |" in page and "`the command`" in page


@pytest.mark.slow
@pytest.mark.parametrize("case", [("sac", 2, "lagged(2)"), ("ppo", 1, "sync")], ids=["sac", "ppo"])
def test_both_trainings_are_timed_in_turns(case, monkeypatch):
    monkeypatch.setattr(rl_slowdown, "PIECE", {"sac": 20, "ppo": 20})
    config = {"model": {"name": "oracle"}, "size": 32, "weight": 1.0, "subprocesses": False}
    row = slowdown("SpatialReward/Reach-v0", case, {**config, "schedule": "sync"}, rounds=1)
    assert row[:3] == case and row.ratio > 0.5 and 0 < row.p50 <= row.p95

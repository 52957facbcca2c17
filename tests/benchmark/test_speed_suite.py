import json

import pytest

from spatial_reward.benchmark import speed_turns
from spatial_reward.benchmark.command import SUITES, chosen, run
from spatial_reward.benchmark.speed_parts import PARTS
from spatial_reward.config import compose

SMALL = ["suite=speed", "size=64", "rounds=1", "seconds=0.05"]


def speed(*words):
    suite, others = chosen([*SMALL, *words])
    return run(suite, compose(SUITES[suite].config, others))


class Clock:
    """Time that passes only where it is told to."""

    now = 0.0

    def perf_counter(self):
        return self.now

    def work(self, seconds):
        def call():
            self.now += seconds

        return call


def test_the_ratio_says_how_many_times_as_fast_ours_is(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(speed_turns, "time", clock)
    ours, theirs = clock.work(0.002), clock.work(0.02)
    row = speed_turns.latency("a", "b", ours, "c", theirs, rounds=3, seconds=0.05, share=2)
    assert (row.unit, row.baseline) == ("ms", "c")
    assert (row.ours, row.p95, row.theirs, row.ratio) == pytest.approx((1, 1, 10, 10))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["parts=[network,colour]"], "`parts` must be of network, step.*got colour"),
        (["parts=[]"], "got none"),
        (["rounds=0"], "`rounds` must be a whole number from 1"),
        (["rounds=1.5"], "`rounds` must be a whole number from 1"),
        (["size=.nan"], "`size` must be a whole number from 32"),
        (["seed=-1"], "`seed` must be a whole number from 0"),
        (["seconds=.nan"], "`seconds` must be at least"),
        (["threads=0"], "`threads` must be a whole number from 1"),
        (["env=FetchPsh-v4"], "`env` must be one of the catalogue"),
    ],
)
def test_wrong_settings_are_refused_and_nothing_is_written(words, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        speed(*words, f"out={tmp_path / 'out'}")
    assert not list(tmp_path.iterdir())


def test_a_part_whose_library_is_missing_is_skipped_and_said(tmp_path, monkeypatch):
    def missing(config):
        raise ImportError("install spatial-reward[sb3]")
        yield

    monkeypatch.setitem(PARTS, "training", missing)
    folder = speed("parts=[training,step]", f"out={tmp_path / 'out'}")
    text = (folder / "speed.md").read_text()
    assert "Not measured: training. install spatial-reward[sb3]" in text
    rows = json.loads((folder / "speed.json").read_text())
    assert [row["part"] for row in rows] == ["step"] * 3
    assert all(row["ours"] > 0 and row["theirs"] > 0 and row["p95"] >= 0 for row in rows)


def test_a_part_that_fails_costs_nothing_but_itself(tmp_path, monkeypatch):
    def broken(config):
        yield speed_turns.Speed("training", "a", "ms", 1.0, 1.0, "b", 2.0, 2.0)
        raise FloatingPointError("out of order")

    monkeypatch.setitem(PARTS, "training", broken)
    with pytest.raises(
        RuntimeError, match=r"parts failed \(training: .*out of order.*what was measured is in"
    ):
        speed("parts=[training,step]", f"out={tmp_path / 'out'}")
    assert "Incomplete: training. FloatingPointError" in (tmp_path / "out/speed.md").read_text()
    rows = json.loads((tmp_path / "out/speed.json").read_text())
    assert [row["part"] for row in rows] == ["training"] + ["step"] * 3


@pytest.mark.slow
def test_every_part_is_measured(tmp_path):
    folder = speed(f"out={tmp_path / 'out'}")
    rows = json.loads((folder / "speed.json").read_text())
    assert {row["part"] for row in rows} == set(PARTS)
    assert all(row["ratio"] > 0 for row in rows)
    metrics = json.loads((folder / "summary.json").read_text())["metrics"]
    assert len(metrics) == len(rows)

import json

import numpy as np
import pytest
from own_finger import GOAL

from spatial_reward.benchmark import audit
from spatial_reward.benchmark.audit_controls import CONTROLS
from spatial_reward.config import compose


def run(tmp_path, *words):
    return audit.run(compose("audit", [f"out={tmp_path / 'audit'}", *words]))


def summary_of(found):
    return json.loads((found.folder / "summary.json").read_text())


SMALL = ("episodes=1", "frames=12", "size=96")
QUICK = (*SMALL, "best_of=3", "search.population=3", "search.rounds=2")
UNSEARCHED = (*SMALL, "best_of=0", "search=null")


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ["SpatialReward/Push-v0", "SpatialReward/Lift-v0"])
def test_the_oracle_passes(env_id, tmp_path):
    found = run(tmp_path, "model=oracle", f"env={env_id}", *QUICK)
    summary = summary_of(found)
    assert found.passed and summary["passed"] and summary["metrics"]["gates_failed"] == 0
    assert {"audit.md", "audit.png", "summary.json"} == set(summary["artefacts"])
    unearned = {name: value for name, value in summary["metrics"].items() if name.endswith("unearned")}
    assert max(unearned.values()) < 1e-6 and summary["metrics"]["false_motion_rate"] == 0


@pytest.mark.slow
def test_a_clock_does_not_pass(tmp_path):
    found = run(tmp_path, "model=clock", *UNSEARCHED, "failures=false")
    failed = set(summary_of(found)["failed"])
    assert not found.passed and {"voc_frozen", "static_unearned", "robot_alone_unearned"} <= failed


def test_an_option_that_must_be_given_is_asked_for(tmp_path):
    with pytest.raises(ValueError, match=r"'clip' needs model.model=\.\.\."):
        run(tmp_path, "model=clip", *UNSEARCHED)


@pytest.mark.slow
def test_an_environment_and_a_policy_of_ones_own(tmp_path):
    own = ("env=own_finger:make", "policy=own_finger:policy", f"goal={GOAL}", "camera=above", "steps=40")
    found = run(tmp_path, "model=oracle", *own, *QUICK)
    gates = {gate["metric"]: gate["passed"] for gate in summary_of(found)["gates"]}
    assert found.passed and gates["voc"] and gates["search_actions_unearned"]
    assert gates["wrong_object_unearned"] is None and gates["robot_alone_unearned"] is None


@pytest.mark.slow
def test_where_there_is_no_policy_one_is_searched_for(tmp_path):
    own = ("env=own_finger:make", f"goal={GOAL}", "camera=above", "steps=25", "model.name=own_finger:Still")
    found = run(tmp_path, "model=rgbd", *own, *UNSEARCHED)
    summary = summary_of(found)
    # A model that never sees motion claims no progress: it fails because it measures nothing.
    assert not found.passed and {"voc", "voc_gap", "voc_reversed"} <= set(summary["failed"])
    assert not [gate for gate in summary["failed"] if gate.endswith("unearned")]


def test_an_attempt_that_goes_nowhere_proves_nothing(tmp_path):
    own = ("env=own_finger:make", "policy=own_finger:policy", f"goal={GOAL}", "camera=above", "steps=2")
    with pytest.raises(ValueError, match=r"makes 0.* of the way .*give policy=module:function"):
        run(tmp_path, "model=oracle", *own, *QUICK)
    assert not (tmp_path / "audit").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["policy=own_finger:nobody"], "There is no policy 'own_finger:nobody'"),
        (["env=own_finger:make", "goal=null"], "has no goal in the catalogue: give goal="),
        (["episodes=0"], "`episodes` must be a whole number of at least 1, got 0"),
        (["model.name=nothing"], "Unknown model 'nothing'"),
    ],
)
def test_what_is_not_there_is_named(words, complaint, tmp_path):
    with pytest.raises(ValueError, match=complaint):
        run(tmp_path, "model=rgbd", *QUICK, *words)


def test_gates_can_be_moved_and_left_out_and_what_is_undefined_does_not_pass():
    metrics = {"a": 0.5, "b": float("nan"), "c": None}
    gates = audit.judge(metrics, {"a": 0.4, "b": 0.0}, {"a": 0.4, "c": 0.1, "b": None})
    assert [(gate.metric, gate.passed) for gate in gates] == [
        *[("a", True), ("b", False)],
        *[("a", False), ("c", None)],
    ]
    with pytest.raises(ValueError, match=r"There is no metric 'd'.*There are: a, b, c"):
        audit.judge(metrics, {"d": 1}, {})
    with pytest.raises(ValueError, match="gate of 'a' must be a number or null, got 'high'"):
        audit.judge(metrics, {"a": "high"}, {})


def test_every_gate_of_the_configuration_is_of_a_metric_and_every_control_has_a_gate():
    config = compose("audit", [])
    measured = {*audit.measure({}), *audit.SEARCHED}
    gates = {**config["least"], **config["most"]}
    assert set(gates) <= measured
    for control in CONTROLS[5:]:
        assert f"{control.name}_unearned" in gates, control.name
    assert not [gate for gate in audit.judge(dict.fromkeys(measured, np.nan), gates, {}) if gate.passed]

import json

import numpy as np
import pytest

from spatial_reward.benchmark import reward
from spatial_reward.benchmark.answer_log import read_log
from spatial_reward.benchmark.reward import CAMERA_ONLY, ROWS, behaviours_of, run
from spatial_reward.benchmark.reward_rows import clip_row
from spatial_reward.benchmark.reward_table import intervals, summarise
from spatial_reward.config import compose

pytestmark = pytest.mark.slow
QUICK = ("envs=[SpatialReward/Lift-v0]", "episodes=2", "frames=14", "model=oracle", "record=true")
BASELINES = "baselines=[{name: clock},{name: constant},{name: oracle, noise: 0.01}]"


NOISY = "baselines=[{name: oracle, noise: 0.01}]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("suite") / "fresh"
    return run(compose("benchmark_reward", [f"out={out}", *QUICK, BASELINES]))


def values(rows):
    return [{key: value for key, value in row.items() if key != "latency_s"} for row in rows]


def rows_in(folder):
    lines, damaged = read_log(folder / ROWS)
    assert not damaged
    return [row for line in lines.values() for row in line["rows"]]


@pytest.fixture(scope="module")
def models(folder):
    return json.loads((folder / "summary.json").read_text())["models"]


def test_all_behaviours_are_played_and_noted(folder, models):
    assert set(models) == {"oracle", "clock", "constant", "oracle noise=0.01"}
    rows = rows_in(folder)
    played = {row["behaviour"] for row in rows if row["row"] == "clip"}
    assert played == {*behaviours_of("SpatialReward/Lift-v0", None)} and CAMERA_ONLY in played
    assert models["oracle"]["clips"] == 16 and models["oracle"]["instruction_matrices"] == 2
    assert {"reward.md", "curves.png", "trust.png"} <= {path.name for path in folder.iterdir()}


def test_the_oracle_is_right_in_everything(models):
    oracle = models["oracle"]
    assert oracle["voc"] > 0.99 and oracle["voc_reversed"] < -0.8 and oracle["voc_gap"] > 0.7
    assert oracle["voc_frozen"] is None and oracle["voc_frozen_undefined"] == 2  # level: no order
    for name in ("kendall_tau_b", "preference_accuracy", "success_roc_auc", "success_auprc", "coverage_90"):
        assert oracle[name] == pytest.approx(1, abs=0.02), name
    for name in ("mae_mm", "progress_mae", "success_fpr_at_95_tpr", "success_ece", "false_motion_rate"):
        assert oracle[name] == pytest.approx(0, abs=1e-6), name
    assert oracle["push_not_lift_called_lift"] == 0
    assert oracle["instruction_margin"] == pytest.approx(oracle["instruction_margin_true"])


def test_the_clock_and_the_constant_fail_where_they_should(models):
    clock, constant = models["clock"], models["constant"]
    assert clock["voc"] == pytest.approx(1) and clock["voc_frozen"] == pytest.approx(1)
    assert clock["voc_gap"] == pytest.approx(0) and clock["voc_reversed"] == pytest.approx(1)
    assert clock["success_fpr_at_95_tpr"] == 1 and clock["instruction_margin"] == 0
    assert constant["voc"] is None and constant["voc_undefined"] == 2 and constant["success_roc_auc"] == 0.5
    assert clock["mae_mm"] is None and clock["coverage_90"] is None


def test_noise_is_measured_and_its_stated_std_believed(models):
    noisy = models["oracle noise=0.01"]
    assert 5 < noisy["mae_mm"] < 12 and 0.8 < noisy["coverage_90"] < 0.97
    assert noisy["success_roc_auc"] > 0.9


def test_recorded_clips_give_the_numbers_of_fresh_ones(folder, models, tmp_path):
    words = [f"out={tmp_path / 'again'}", f"recorded={folder / 'clips'}", "model=oracle", "baselines=[clock]"]
    again = json.loads((run(compose("benchmark_reward", words)) / "summary.json").read_text())["models"]
    for name in ("oracle", "clock"):
        first, second = dict(models[name]), dict(again[name])
        for key in ("latency_ms_p50", "latency_ms_p95"):
            first.pop(key), second.pop(key)
        assert first == pytest.approx(second, abs=1e-9, nan_ok=True)


def test_a_run_that_was_cut_off_goes_on_and_damage_is_done_again(tmp_path, monkeypatch, capsys):
    words = [
        f"out={tmp_path / 'run'}",
        *QUICK[:3],
        "model=oracle",
        "baselines=[]",
        "behaviours=[success,idle]",
    ]
    config, films, real = compose("benchmark_reward", words), [], reward.film

    def film(stage, behaviour, config, seed):
        if len(films) == 3:
            raise KeyboardInterrupt
        films.append((behaviour, seed))
        return real(stage, behaviour, config, seed)

    monkeypatch.setattr(reward, "film", film)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    assert "goes on from here" in capsys.readouterr().err
    log = tmp_path / "run" / ROWS
    first = log.read_bytes()
    assert len(read_log(log)[0]) == 1 and films[:2] == [("success", 0), ("idle", 0)]
    films[:] = [None] * 9  # no interruption any more
    run(config)
    assert films[9:] == [("success", 1), ("idle", 1)] and log.read_bytes().startswith(first)
    whole = run({**config, "out": str(tmp_path / "whole")})
    assert values(rows_in(whole)) == values(rows_in(tmp_path / "run"))  # the noise as well
    films[:] = films[:11]
    log.write_bytes(first[:90] + b"x" + first[91:] + log.read_bytes()[len(first) :])
    run(config)
    assert films[11:] == [("success", 0), ("idle", 0)] and "1 damaged lines (1)" in capsys.readouterr().err
    assert json.loads((tmp_path / "run/summary.json").read_text())["models"]["oracle"]["clips"] == 4
    with pytest.raises(FileExistsError, match=r"other settings.*frames: 14 there, 15 here"):
        run({**config, "frames": 15})


def test_rows_are_resampled_by_layout(folder):
    rows = rows_in(folder)
    noisy = [row for row in rows if row["model"] == "oracle noise=0.01"]
    low, high = intervals(noisy, ["mae_mm"], times=50)["mae_mm"]
    assert low <= summarise(noisy)["mae_mm"] <= high
    assert np.isnan(intervals(noisy[:1], ["mae_mm"])["mae_mm"]).all()  # one layout tells nothing


def test_a_row_is_plain_json(folder):
    from spatial_reward.benchmark.reward_recordings import load_clip, recorded_layouts
    from spatial_reward.benchmark.reward_scorers import load_scorer

    clip = load_clip(next(iter(recorded_layouts(folder / "clips").values()))[0])
    row = clip_row(clip, load_scorer({"name": "clock"}))
    assert json.loads(json.dumps(row, allow_nan=False)) == row and row["std_m"] == [None] * len(clip.frames)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["envs=[CartPole-v1]"], "has no goal in the catalogue|There is no expert"),
        (["frames=3"], "`frames` must be at least 8, got 3"),
        (["baselines=[nothing]"], "Unknown model 'nothing'"),
    ],
)
def test_what_is_not_there_is_named(words, complaint, tmp_path):
    with pytest.raises(ValueError, match=complaint):
        run(compose("benchmark_reward", [f"out={tmp_path / 'out'}", "model=oracle", *words]))
    assert not (tmp_path / "out").exists()

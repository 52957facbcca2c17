"""The evaluator: the truth wins, guessing is exposed, runs resume, damage is mended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from spatial_reward.benchmark.command import SUITES, chosen, run
from spatial_reward.benchmark.multispa_markdown import markdown
from spatial_reward.config import compose

HERE = Path(__file__).parent


def measured(out, *words):
    """Run the command; return its results."""
    suite, others = chosen(["suite=multispa", "report=false", f"out={out}", *words])
    assert run(suite, compose(SUITES[suite].config, others)) == out
    return json.loads((out / "results.json").read_text())


def timeless(out):
    """Return results.json without its times."""
    results = json.loads((out / "results.json").read_text())
    results.pop("time")
    return json.dumps(results, indent=1)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "oracle"
    return out, measured(out, "model=oracle", "split=mini")


@pytest.fixture(scope="module")
def guessed(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "random"
    return out, measured(out, "model=random", "split=mini")


def test_the_truth_scores_100_everywhere(oracle):
    _, results = oracle
    assert len(results["subtasks"]) == 26
    for row in results["subtasks"].values():
        assert row["n"] == 20
        for mode in ("paper", "strict"):
            assert row[mode]["accuracy"] == row[mode]["high"] == 100
            assert row[mode]["over_blind"]
        assert row["unread"] == row["invalid"] == 0
        assert row["median_error"] in (0, None)
    for mean in ("mean_12", "mean_26"):
        assert results["means"][mean]["strict"]["accuracy"] == 100


def test_summary_names_the_numbers(oracle):
    summary = json.loads((oracle[0] / "summary.json").read_text())
    assert summary["command"] == "benchmark"
    assert {"answers.jsonl", "results.json", "run.json", "summary.json"} == set(summary["artefacts"])
    metrics = summary["metrics"]
    assert metrics["paper_mean_12"] == metrics["mean_26"] == 100
    assert metrics["paper_mean_12_blind"] < 50
    assert metrics["questions"] == 520


def test_results_can_be_reproduced_from(oracle):
    results = oracle[1]
    assert results["set"]["questions"] == 520 and len(results["set"]["sha256"]) == 64
    assert results["versions"]["spatial-reward"]
    assert "model=oracle" in results["command"] and "split=mini" in results["command"]
    assert results["published"]["benchmark"]["GPT-4o"]["mean_12"] == 28.87
    assert "different data" in results["published"]["note"]


@pytest.mark.parametrize(
    "text", ["left", "300 mm", "A", "`[ 500 , 500 ]`"], ids=["left", "mm", "a", "middle"]
)
def test_a_biased_model_is_no_better_than_blind(tmp_path, text):
    results = measured(tmp_path / "biased", "model=biased", f'model.text="{text}"', "split=mini")
    assert not any(
        row[mode]["over_blind"] for row in results["subtasks"].values() for mode in ("paper", "strict")
    )
    assert results["means"]["mean_12"]["paper"]["accuracy"] < results["means"]["mean_12"]["paper"]["blind"]


def test_words_that_are_no_answer_are_unread(tmp_path):
    results = measured(tmp_path / "left", "model=biased", "split=mini")
    unread = {name: row["unread"] for name, row in results["subtasks"].items()}
    assert unread["cam_dir_x"] == unread["cam_dir_yaw"] == 0
    assert unread["cam_dist"] == unread["vc_mcq"] == unread["obj_vec_dot_adt"] == 1
    assert results["subtasks"]["cam_dist"]["paper"]["correct"] == 0


def test_the_same_seed_gives_the_same_results_but_for_time(guessed, tmp_path):
    measured(tmp_path / "again", "model=random", "split=mini")
    assert timeless(tmp_path / "again") == timeless(guessed[0])
    other = measured(tmp_path / "other", "model=random", "split=mini", "model.seed=1")
    assert other["subtasks"] != guessed[1]["subtasks"]


def test_a_finished_run_asks_nothing_again(guessed):
    before = (guessed[0] / "answers.jsonl").read_bytes()
    again = measured(guessed[0], "model=random", "split=mini")
    assert (guessed[0] / "answers.jsonl").read_bytes() == before
    assert again == guessed[1]


def test_a_corrupted_line_is_reported_and_asked_again(tmp_path, capsys):
    out, words = tmp_path / "run", ("model=random", "split=mini", "count=2")
    measured(out, *words)
    whole = timeless(out)
    lines = (out / "answers.jsonl").read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"valid": true', b'"valid": fals', 1)
    lines[7] = b"\x00\xff" + lines[7][9:]
    lines[-1] = lines[-1][:40]  # torn by a crash
    (out / "answers.jsonl").write_bytes(b"".join(lines))
    capsys.readouterr()
    measured(out, *words)
    assert "3 damaged lines (4, 8, 52); what they held is done again" in capsys.readouterr().err
    assert timeless(out) == whole
    assert json.loads((out / "summary.json").read_text())["metrics"]["damaged_lines"] == 3
    assert len((out / "answers.jsonl").read_bytes().splitlines()) == 52 + 3


def test_a_number_that_was_changed_by_hand_is_damage(tmp_path, capsys):
    out, words = tmp_path / "run", ("model=biased", "split=mini", "count=1")
    measured(out, *words)
    text = (out / "answers.jsonl").read_text()
    (out / "answers.jsonl").write_text(text.replace('"paper": false', '"paper": true', 1))
    capsys.readouterr()
    measured(out, *words)
    assert "1 damaged lines" in capsys.readouterr().err


def start_slow(out):
    words = [
        "suite=multispa",
        "report=false",
        f"out={out}",
        "model=own",
        "model.name=stand_in_models:Slow",
        "split=mini",
    ]
    program = (
        "import sys; from spatial_reward.benchmark.command import SUITES, chosen, run;"
        "from spatial_reward.config import compose;"
        "suite, words = chosen(sys.argv[1:]); run(suite, compose(SUITES[suite].config, words))"
    )
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-c", program, *words, "batch=8"],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
    )


def test_kill_9_loses_at_most_one_batch(tmp_path):
    out, process = tmp_path / "run", start_slow(tmp_path / "run")
    log, deadline = out / "answers.jsonl", time.monotonic() + 60
    while (log.read_bytes().count(b"\n") if log.exists() else 0) < 24 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = log.read_bytes()
    assert 24 <= kept.count(b"\n") <= 520 and kept.count(b"\n") % 8 == 0
    results = measured(out, "model=own", "model.name=stand_in_models:Slow", "split=mini", "batch=600")
    assert log.read_bytes().startswith(kept)
    ids = Counter(json.loads(line)["id"] for line in log.read_text().splitlines())
    assert len(ids) == 520 and set(ids.values()) == {1}
    assert results["set"]["questions"] == 520


def test_two_runs_at_a_time_do_not_share_a_folder(tmp_path):
    process = start_slow(tmp_path / "run")
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "run" / "answers.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(RuntimeError, match="Another run is writing to"):
            measured(tmp_path / "run", "model=own", "model.name=stand_in_models:Slow", "split=mini")
    finally:
        process.kill()
        process.wait()


def test_a_folder_with_other_settings_is_refused(guessed, tmp_path):
    with pytest.raises(FileExistsError, match=r"begun with other settings .*model.*choose another out"):
        measured(guessed[0], "model=oracle", "split=mini")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(FileExistsError, match="already exists: choose another folder"):
        measured(tmp_path / "mine", "model=oracle", "split=mini")


def test_a_larger_count_asks_more_and_none_again(tmp_path):
    out = tmp_path / "run"
    measured(out, "model=random", "split=mini", "count=2")
    few = (out / "answers.jsonl").read_bytes()
    results = measured(out, "model=random", "split=mini", "count=5")
    assert (out / "answers.jsonl").read_bytes().startswith(few)
    assert results["set"]["questions"] == 5 * 26


def test_two_models_are_compared_question_by_question(oracle, guessed, tmp_path):
    results = measured(oracle[0], "model=oracle", "split=mini", f"compare={guessed[0]}")
    found = results["comparison"]
    assert found["with"]["name"] == "random" and found["questions"] == 520
    total = found["paper"]["mean_of_rows"]
    expected = 100 - guessed[1]["means"]["mean_12"]["paper"]["accuracy"]
    assert total["difference"] == pytest.approx(expected)
    assert 0 < total["low"] < total["difference"] < total["high"] < 100
    assert len(found["strict"]) == 2 + 12
    itself = measured(guessed[0], "model=random", "split=mini", f"compare={guessed[0]}")["comparison"]
    assert {one["difference"] for one in itself["paper"].values()} == {0}


def test_runs_about_other_questions_are_not_compared(tmp_path, guessed):
    with pytest.raises(FileNotFoundError, match="no benchmark run in"):
        measured(tmp_path / "a", "model=oracle", "split=mini", "count=1", f"compare={tmp_path}")
    log = tmp_path / "b" / "answers.jsonl"
    measured(tmp_path / "b", "model=oracle", "subtasks=[cam_dist]", "split=mini")
    with pytest.raises(ValueError, match="share 0 questions of 20"):
        measured(tmp_path / "c", "model=oracle", "subtasks=[vc_mcq]", "split=mini", f"compare={log.parent}")


def test_some_subtasks_have_no_published_mean(tmp_path):
    results = measured(
        tmp_path / "run", "model=oracle", "split=mini", "subtasks=[cam_dist, vc_mcq, cam_dir_x]"
    )
    assert results["means"]["complete"] is False
    assert set(results["means"]) == {"complete", "mean_of_3_rows", "mean_of_3_subtasks"}
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["metrics"]["mean_26"] is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["count=0"], "`count` must be at least 1"),
        (["batch=0"], "`batch` must be at least 1"),
        (["poses=secret"], "`poses` must be one of hidden, calibrated, given"),
        (["subtasks=[cam]"], "Unknown subtask 'cam'"),
        (["model=rgbd", "depth=false"], "'rgbd' measures with depth: say depth=true"),
        (["model.name=nobody"], "Unknown model 'nobody': neither a folder, nor one of oracle"),
        (["model.name=json:Nobody"], "There is no model 'json:Nobody'"),
        (["split=tiny"], "`split` must be 'full' or 'mini'"),
    ],
    ids=["count", "batch", "poses", "subtask", "depth", "model", "own model", "split"],
)
def test_wrong_settings_are_named_before_anything_is_written(tmp_path, words, error):
    with pytest.raises(ValueError, match=error):
        measured(tmp_path / "run", *words)
    assert not (tmp_path / "run").exists()


def test_an_unknown_suite_names_the_others():
    with pytest.raises(
        ValueError, match="`suite` must be one of multispa, reward, rl, public, speed, got 'all'"
    ):
        chosen(["suite=all"])


def test_runs_are_published_side_by_side(oracle, guessed):
    text = markdown([oracle[1], guessed[1]])
    assert "| row | oracle | random | random | blind |" in text
    [mean] = [line for line in text.splitlines() if line.startswith("| **mean of the 12 rows**, paper")]
    assert "| 100.00 [100.0, 100.0] |" in mean
    assert "| Multi-SpatialMLLM-8B | InternVL2-8B |" in text and "Published, on different data" in text
    with pytest.raises(ValueError, match="Give runs about one set, got 0 runs"):
        markdown([])


def test_a_set_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no question set in"):
        measured(tmp_path / "run", f"set={tmp_path}")

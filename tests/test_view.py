"""`spatial-reward view` as a user meets it: real processes, files on disk, one line for every mistake."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from small_scenes import make_set

from spatial_reward.data.records import QuestionSet
from spatial_reward.view import chosen

ROOT = Path(__file__).parent.parent


def run(*words, folder, **environment):
    return subprocess.run(
        [sys.executable, "-m", "spatial_reward.cli", "view", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment},
    )


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    return make_set(tmp_path_factory.mktemp("view") / "a set", count=52)


@pytest.fixture
def viewer(tmp_path):
    """Put a `rerun` on the path that notes what it was given, and fails without a screen."""
    program = tmp_path / "bin" / "rerun"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path / "opened"}\n[ -n "$SCREEN" ]\n')
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "SCREEN": "1"}


def summary_of(done, folder):
    assert done.returncode == 0, done.stderr
    return json.loads((folder / done.stdout.split("\n")[-2]).read_text())


def test_a_set_becomes_a_sheet_and_a_recording(questions, tmp_path):
    done = run(questions, "count=6", "seed=3", f"out={tmp_path / 'out'}", folder=tmp_path)
    summary = summary_of(done, tmp_path)
    assert summary["artefacts"] == ["questions.png", "questions.rrd", "summary.json"]
    assert summary["command"] == "view" and summary["seed"] == 3
    assert summary["metrics"] == {"records_shown": 6, "records": 52}
    assert len({record["id"] for record in summary["records"]}) == 6
    with Image.open(tmp_path / "out" / "questions.png") as image:
        assert image.width == 1500
    assert (tmp_path / "out" / "questions.rrd").read_bytes()[:4] == b"RRF2"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_one_record_by_number_or_id_without_what_is_not_wanted(questions, tmp_path):
    record = list(QuestionSet(questions).records())[17]
    for index, name in enumerate(("17", record.id)):
        done = run(
            f"path={questions}",
            f"record={name}",
            "rrd=false",
            f"out={tmp_path / str(index)}",
            folder=tmp_path,
        )
        summary = summary_of(done, tmp_path)
        assert summary["records"] == [{"id": record.id, "kind": record.question.kind}]
        assert summary["artefacts"] == ["questions.png", "summary.json"]


def test_a_subtask_can_be_chosen_and_the_default_place_is_below_outputs(questions, tmp_path):
    done = run(questions, "subtask=vc_mcq", "png=false", folder=tmp_path)
    summary = summary_of(done, tmp_path)
    assert {record["kind"] for record in summary["records"]} == {"vc_mcq"}
    assert done.stdout.startswith("outputs/view/")


def test_the_random_choice_follows_its_seed_and_is_even(questions):
    opened = QuestionSet(questions)
    config = {"record": None, "subtask": None, "count": 10}
    picks = [[r.id for r in chosen(opened, {**config, "seed": seed})] for seed in range(60)]
    assert picks[0] == [record.id for record in chosen(opened, {**config, "seed": 0})] != picks[1]
    assert all(len(set(pick)) == 10 and pick == sorted(pick) for pick in picks)
    counts = [sum(record.id in pick for pick in picks) for record in opened.records()]
    assert max(counts) < 26 and min(counts) > 1  # 60 * 10 / 52 = 11.5 each
    assert len(chosen(opened, {**config, "count": 100, "seed": 0})) == 52


@pytest.mark.parametrize("screen", ["1", ""])
def test_a_recording_is_opened_in_the_viewer(viewer, tmp_path, screen):
    (tmp_path / "episode.rrd").write_text("")
    done = run("episode.rrd", folder=tmp_path, **{**viewer, "SCREEN": screen})
    assert (tmp_path / "opened").read_text() == "episode.rrd\n"
    if screen:
        assert done.returncode == 0 and done.stdout == "episode.rrd\n"
    else:
        assert done.returncode == 2 and "it needs a screen to show episode.rrd" in done.stderr


def test_what_was_recorded_can_be_opened_at_once(questions, viewer, tmp_path):
    done = run(
        questions, "count=2", "png=false", "rrd=false", "open=true", "out=out", folder=tmp_path, **viewer
    )
    assert summary_of(done, tmp_path)["artefacts"] == ["questions.rrd", "summary.json"]
    assert (tmp_path / "opened").read_text() == "out/questions.rrd\n"


def test_pictures_inside_the_shards_are_enough(tmp_path):
    folder = make_set(tmp_path / "embedded", count=26, embed=True, depth=False)
    (folder / "scenes").rename(tmp_path / "elsewhere")
    done = run(folder, "count=3", "out=out", folder=tmp_path)
    assert len(summary_of(done, tmp_path)["records"]) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "`path` is missing"),
        (["nowhere"], "There is nothing at path=nowhere"),
        (["note.txt"], "cannot be shown: give a recording (.rrd), a question set"),
        (["empty"], "no manifest.json"),
        (["SET", "record=52"], "There is no record 52: numbers go from 0 to 51."),
        (["SET", "record=-1"], "There is no record -1: numbers go from 0 to 51."),
        (["SET", "record=00000-0000-00"], "There is no record '00000-0000-00'. Did you mean: 0"),
        (["SET", "subtask=cam_dits"], "cam_dist"),
        (["SET", "count=0"], "`count` must be at least 1, got 0."),
        (["SET", "cuont=3"], "Unknown key 'cuont'. Did you mean: count"),
        (["SET", "out=full"], "already exists"),
        (["SET", "out=note.txt/below"], "Cannot write out="),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, message, questions, tmp_path):
    (tmp_path / "note.txt").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("")
    done = run(*[str(questions) if word == "SET" else word for word in words], folder=tmp_path)
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("spatial-reward: ") and message in lines[0]
    assert {path.name for path in tmp_path.iterdir()} == {"note.txt", "empty", "full"}


def test_a_missing_viewer_says_how_to_get_it(tmp_path):
    (tmp_path / "episode.rrd").write_text("")
    done = run("episode.rrd", folder=tmp_path, PATH="/nowhere")
    assert done.returncode == 2 and 'pip install "spatial-reward[viz]"' in done.stderr

"""The report of a small generated set says what is in it, and what is wrong with it."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import spatial_reward.data.report as report_module
from spatial_reward.data.generate import generate
from spatial_reward.data.records import QuestionSet
from spatial_reward.data.report import write_report
from spatial_reward.data.report_counts import BLIND_SAMPLE, EDGES, count

CONFIG = {
    "subtasks": None,
    "mode": "strict",
    "rules": {"still_share": 0.15, "near_share": 0.1, "twins": 0.05, "most_frames": 2},
    "scenes": None,
    "depth": False,
    "embed": False,
    "per_shard": 200,
    "exports": [],
    "report": False,
    "workers": 1,
    "cluster": None,
    "seed": 0,
}


def make(folder, count, **source):
    options = {"name": "boxes_source:Boxes", **source}
    return generate({**CONFIG, "count": count, "source": options, "out": str(folder)})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("sets") / "made", 390, scenes=4, bad=["room2"])


@pytest.fixture(scope="module")
def content(made):
    write_report(made)
    return json.loads((made / "report.json").read_text())


@pytest.fixture
def copy(made, tmp_path, monkeypatch):
    """A set to be changed, and reports without pictures, which take longest."""
    monkeypatch.setattr(report_module, "find_spec", lambda name: None)
    return shutil.copytree(made, tmp_path / "copy")


def change(folder, edit):
    """Edit the rows of the first shard of a set."""
    path = sorted((folder / "questions").glob("*.parquet"))[0]
    table = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(edit(table.to_pylist()), schema=table.schema), path)


def test_counts_are_those_of_the_records(made, content):
    records = list(QuestionSet(made).records())
    assert content["questions"] == len(records) == sum(content["subtasks"].values())
    for name, number in content["subtasks"].items():
        own = [record for record in records if record.subtask == name]
        assert len(own) == number
        answers = content["answers"][name]
        counted = sum(answers["words"].values()) + sum(answers.get("counts", [])) // (
            1 + (name == "vc_coord")
        )
        assert counted == number, name
        assert sum(content["twins"].get(name, {}).values()) == sum(record.twin != "" for record in own)
    assert sum(content["scenes"]["questions"].values()) == len(records)
    assert content["sources"] == {"boxes": len(records)}


def test_skipped_scenes_are_counted_by_reason_and_flagged(content):
    assert content["skipped"] == {"no camera poses": 1}
    assert any("1 scenes were skipped" in flag for flag in content["flags"])


def test_histograms_hold_every_answer_in_its_bin(made, content):
    records = QuestionSet(made).records(subtasks=["cam_dist"])
    truths = [record.question.answer.value for record in records]
    assert np.histogram(truths, EDGES["m"])[0].tolist() == content["answers"]["cam_dist"]["counts"]


def test_overlaps_are_what_both_frames_see(made, content):
    pairs = [record for record in QuestionSet(made).records() if len(record.frames) == 2]
    assert sum(content["overlaps"]["counts"]) == len(pairs)


def test_the_text_has_every_subtask_and_the_pictures_are_there(made, content):
    text = (made / "report.md").read_text()
    assert all(f"| {name} |" in text for name in content["subtasks"])
    assert content["pictures"] == ["report_answers.png", "report_overlaps.png"]
    assert all((made / name).read_bytes().startswith(b"\x89PNG") for name in content["pictures"])


def test_without_matplotlib_the_numbers_still_come(copy):
    for path in copy.glob("report*"):
        path.unlink()
    path = write_report(copy)
    assert 'pip install "spatial-reward[viz]"' in path.read_text()
    assert json.loads((copy / "report.json").read_text())["pictures"] == []
    assert not list(copy.glob("*.png"))


def test_a_second_run_writes_the_same_bytes(copy):
    first = {path.name: path.read_bytes() for path in (write_report(copy).parent).glob("report.*")}
    assert {path.name: path.read_bytes() for path in (write_report(copy).parent).glob("report.*")} == first


def test_duplicates_are_counted_and_flagged(copy, content):
    assert content["duplicates"] == {}
    change(copy, lambda rows: [*rows[:-1], rows[0]])
    write_report(copy)
    again = json.loads((copy / "report.json").read_text())
    assert sum(again["duplicates"].values()) == 1
    assert "1 questions ask what another one asks" in again["flags"]


def test_a_set_that_can_be_answered_blind_is_flagged(copy):
    change(
        copy,
        lambda rows: [row | ({"answer_number": 0.5} if row["kind"] == "cam_dist" else {}) for row in rows],
    )
    change(
        copy,
        lambda rows: [row | ({"answer_word": "left"} if row["kind"] == "cam_dir_x" else {}) for row in rows],
    )
    counts = count(QuestionSet(copy))
    assert set(counts.words["cam_dir_x"]) <= {"left", "right"}
    write_report(copy)
    rows = json.loads((copy / "report.json").read_text())["blind"]
    assert {row["mode"] for row in rows} == {"strict", "paper"}
    assert all(row["flagged"] <= (row["n"] >= 50) for row in rows)


def test_scenes_shared_with_another_set_are_named(made, copy, tmp_path):
    other = make(tmp_path / "other", 60, scenes=2, frames=9)
    write_report(copy, against=made)
    shared = json.loads((copy / "report.json").read_text())["shared_scenes"]["scenes"]
    assert shared == ["room0", "room1", "room3"]
    assert "3 scenes are in the other set as well: room0, room1, room3" in (copy / "report.md").read_text()
    write_report(copy, against=other)  # other content, but the same names of the same source
    assert json.loads((copy / "report.json").read_text())["shared_scenes"]["scenes"] == ["room0", "room1"]


def test_the_sample_for_blind_baselines_is_spread_and_bounded(made, monkeypatch):
    monkeypatch.setattr("spatial_reward.data.report_counts.BLIND_SAMPLE", 7)
    counts = count(QuestionSet(made))
    assert all(len(counts.sample[name]) == min(7, number) for name, number in counts.subtasks.items())
    assert BLIND_SAMPLE >= 300


def test_what_is_no_set_is_refused(tmp_path, copy):
    with pytest.raises(FileNotFoundError, match="no question set"):
        write_report(tmp_path)
    path = sorted((copy / "questions").glob("*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="is no shard of a question set"):
        write_report(copy)

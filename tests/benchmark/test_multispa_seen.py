"""Runs that look at pictures: drawn on demand, with depth or without, reported, and of any question set."""

import json
import shutil

import numpy as np
import pytest
from stand_in_models import Nosy

from spatial_reward.benchmark.command import SUITES, run
from spatial_reward.benchmark.multispa_sim import load_multispa_sim
from spatial_reward.benchmark.report_cases import answer_words, chosen_cases
from spatial_reward.config import compose
from spatial_reward.data.generate import generate


def measured(out, *words):
    run("multispa", compose(SUITES["multispa"].config, [f"out={out}", *words]))
    return json.loads((out / "results.json").read_text())


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The data of the frozen set, with a split about one clip only, and a folder for its pictures."""
    full = load_multispa_sim()
    folder = shutil.copytree(full.data, tmp_path_factory.mktemp("data") / "small")
    asked = {clip: {row["subtask"] for row in full.rows if row["clip"] == clip} for clip in full.clips()[:12]}
    clip = max(asked, key=lambda clip: ("depth_est_dot" in asked[clip], len(asked[clip])))
    chosen = [row["id"] for row in full.rows if row["clip"] == clip]
    (folder / "mini.json").write_text(json.dumps(chosen))
    return [f"data={folder}", "split=mini", f"pictures={folder.parent / 'pictures'}"]


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Small question sets as users make them: with depth in scene folders, or with pictures in the rows."""
    folder = tmp_path_factory.mktemp("sets")
    words = ["source=random_scenes", "source.scenes=4", "count=52", "workers=1", "report=false"]
    for name, more in (("scenes", ["depth=true"]), ("rows", ["embed=true"])):
        generate(compose("generate", [*words, *more, f"out={folder / name}"]))
    shutil.rmtree(folder / "rows" / "scenes")  # such a set holds everything itself
    return folder


@pytest.fixture(scope="module")
def rgbd(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "rgbd"
    return out, measured(out, "model=rgbd", "count=2", *small)


def test_pictures_are_drawn_where_missing_and_depth_is_measured(rgbd):
    results = rgbd[1]
    depth = {name: row for name, row in results["subtasks"].items() if name.startswith("depth")}
    assert depth and all(row["paper"]["accuracy"] == 100 for row in depth.values())
    assert set(results["pictures"]) <= {"identical", "within tolerance"}
    assert results["depth"] is True and results["poses"] == "hidden"


def test_the_report_shows_the_best_and_the_worst_answers(small, tmp_path):
    out = tmp_path / "guessed"  # half right, half wrong
    measured(out, "model=random", "count=2", "report=true", *small)
    lines = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    cases = chosen_cases(lines)
    assert {case.which for case in cases} == {"best", "worst"}
    page = (out / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == len(cases)
    assert all(case.line["id"] in page for case in cases)
    assert "GPT-4o" in page and "different data" in page
    assert (out / "report.png").read_bytes()[:4] == b"\x89PNG"


def test_worst_is_the_answer_furthest_off_for_its_truth():
    common = {"subtask": "cam_dist", "unit": "m", "value": 1.0, "std": None, "valid": True, "truth": 1.0}
    lines = [
        common | {"id": "a", "strict": True, "error": 0.01},
        common | {"id": "b", "strict": True, "error": 0.15},
        common | {"id": "c", "strict": False, "error": 0.5},
        common | {"id": "d", "strict": False, "error": 0.4, "truth": 0.1},
        common | {"id": "e", "strict": False, "error": None, "value": None},
    ]
    assert [(case.which, case.line["id"]) for case in chosen_cases(lines)] == [("best", "a"), ("worst", "d")]
    assert answer_words(lines[4]) == "no answer"
    assert answer_words(common | {"std": 0.02, "valid": False}) == "1000 mm +- 20 mm (marked invalid)"


def test_what_a_model_is_not_to_know_is_not_in_its_questions(small, tmp_path):
    Nosy.asked = ()
    measured(tmp_path / "run", "model=own", "model.name=stand_in_models:Nosy", "report=false", *small)
    assert len(Nosy.asked) > 20
    for question in Nosy.asked:
        first = question.frames[0].camera.world_from_camera
        assert question.answer is None and question.prompt
        assert all(frame.depth is None and frame.bodies is None for frame in question.frames)
        assert all(np.array_equal(frame.camera.world_from_camera, first) for frame in question.frames)
        assert question.frames[0].rgb.std() > 1


def test_depth_that_was_not_drawn_is_missed(small, tmp_path):
    pictures = tmp_path / "pictures"
    words = [*small[:2], f"pictures={pictures}", "subtasks=[depth_est_dot]", "count=1", "report=false"]
    measured(tmp_path / "without", "model=own", "model.name=stand_in_models:Nosy", *words)
    with pytest.raises(ValueError, match="have none: give another pictures=FOLDER"):
        measured(tmp_path / "with", "model=rgbd", *words)


@pytest.mark.parametrize("kind", ["scenes", "rows"])
def test_any_question_set_can_be_measured_on(generated, tmp_path, kind):
    Nosy.asked = ()
    words = ["model=own", "model.name=stand_in_models:Nosy", f"set={generated / kind}"]
    results = measured(tmp_path / "run", *words)
    assert len(Nosy.asked) == results["set"]["questions"] > 0
    assert all(question.frames[0].rgb.std() > 1 for question in Nosy.asked)
    assert results["pictures"] == {"unchecked": len(Nosy.asked)}
    assert (tmp_path / "run" / "report.html").exists()


def test_a_set_with_depth_can_be_measured_with(generated, tmp_path):
    words = ["model=rgbd", f"set={generated / 'scenes'}", "report=false"]
    results = measured(tmp_path / "run", *words, "subtasks=[depth_est_dot, depth_est_coord]")
    assert results["rows"]["depth value"]["paper"]["accuracy"] == 100
    with pytest.raises(ValueError, match="have none: give another"):
        measured(tmp_path / "rows", "model=rgbd", f"set={generated / 'rows'}", "report=false")


def test_poses_are_told_as_asked_for(generated, tmp_path):
    for poses, moving in (("hidden", set()), ("calibrated", {"others"}), ("given", {"others", "camera"})):
        Nosy.asked = ()
        words = [
            "model=own",
            "model.name=stand_in_models:Nosy",
            f"set={generated / 'scenes'}",
            "report=false",
        ]
        measured(tmp_path / poses, *words, f"poses={poses}")
        told = {
            "camera" if question.kind.startswith("cam") else "others"
            for question in Nosy.asked
            if len({frame.camera.world_from_camera.tobytes() for frame in question.frames}) > 1
        }
        assert told == moving

"""The frozen benchmark: complete, as committed, answered by the truth, drawn again within tolerance."""

import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from spatial_reward.benchmark import multispa_sim_freeze as freezing
from spatial_reward.benchmark.multispa_sim import (
    build,
    damaged_files,
    find_data,
    load_multispa_sim,
    verify_pictures,
)
from spatial_reward.benchmark.multispa_sim_balance import choose
from spatial_reward.benchmark.multispa_sim_commands import accuracies, main
from spatial_reward.benchmark.multispa_sim_pictures import (
    FrozenSource,
    compare,
    read_committed,
)
from spatial_reward.benchmark.multispa_sim_scenes import Scenes, Stage, read_scenes
from spatial_reward.benchmark.multispa_sim_shards import write_question_set
from spatial_reward.data.blind import blind_table
from spatial_reward.data.records import QuestionSet
from spatial_reward.models import load_model
from spatial_reward.questions import KINDS, SUBTASKS

NAMES = [subtask.name for subtask in SUBTASKS]


@pytest.fixture(scope="module")
def full():
    return load_multispa_sim()


@pytest.fixture(scope="module")
def mini():
    return load_multispa_sim("mini")


@pytest.fixture(scope="module")
def small(full, tmp_path_factory):
    """The data, with a `mini` split about three clips of random scenes: still, moving, and a fixed camera."""
    folder = shutil.copytree(full.data, tmp_path_factory.mktemp("data") / "small")
    ends = ("still", "moving", "fixed")
    clips = [
        next(clip for clip in full.clips() if clip.startswith("random") and clip.endswith(end))
        for end in ends
    ]
    chosen = [row["id"] for row in full.rows if row["clip"] in clips]
    (folder / "mini.json").write_text(json.dumps(chosen))
    return folder


@pytest.fixture(scope="module")
def built(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("built")
    return out, build(out, "mini", depth=True, data=small, workers=1)


def by_subtask(opened):
    questions = {name: [] for name in NAMES}
    for record in opened.records():
        questions[record.subtask].append(record.question)
    return questions


def test_there_are_300_questions_of_each_of_the_26_subtasks(full):
    assert len(full) == 7800
    assert full.manifest["counts"] == dict.fromkeys(NAMES, 300)
    assert len({row["id"] for row in full.rows}) == 7800


def test_mini_is_20_of_each(full, mini):
    assert mini.manifest["counts"] == dict.fromkeys(NAMES, 20)
    assert {row["id"] for row in mini.rows} < {row["id"] for row in full.rows}


def test_the_data_is_as_committed_and_small(full):
    assert damaged_files(full.data) == []
    assert sum(path.stat().st_size for path in full.data.iterdir()) < 5e6


def test_damage_is_found(small, tmp_path):
    folder = shutil.copytree(small, tmp_path / "data")
    content = bytearray((folder / "questions.jsonl.gz").read_bytes())
    content[1000] ^= 1
    (folder / "questions.jsonl.gz").write_bytes(content)
    (folder / "textures.zip").unlink()
    assert {"questions.jsonl.gz", "textures.zip"} <= set(damaged_files(folder))


def test_three_sizes_two_robots_and_no_scene_of_training(full):
    clips = [full.scenes.clips[name] for name in full.clips()]
    assert {(clip.width, clip.height) for clip in clips} == {(224, 224), (480, 360), (640, 480)}
    sources = Counter(full.scenes.models[full.scenes.clips[row["clip"]].model].source for row in full.rows)
    assert set(sources) == {"random", "Pusher-v5", "HandManipulateBlock-v1"}
    assert min(sources.values()) >= 300


def test_no_two_questions_of_a_subtask_are_the_same(full):
    keys = Counter(
        (row["subtask"], row["clip"], *row["frames"], str(row["points"]), *row["labels"]) for row in full.rows
    )
    assert max(keys.values()) == 1


def test_object_motion_is_asked_under_a_moving_and_under_a_fixed_camera(mini):
    for record in mini.records():
        if record.subtask.startswith("obj"):
            first, second = (frame.camera.world_from_camera for frame in record.question.frames)
            assert np.allclose(first, second, atol=1e-9) == record.subtask.endswith("pstudio")


def test_points_and_matches_lie_in_their_pictures(full):
    for record in full.records():
        question = record.question
        for point in question.points:
            assert question.frames[point.frame].camera.contains((point.x, point.y)), record.id
        if question.answer.match is not None:
            assert question.frames[-1].camera.contains(question.answer.match), record.id


def test_the_truth_scores_everything(full):
    table = accuracies(load_model("oracle"), by_subtask(full))
    assert list(table) == NAMES
    assert all(row == {"strict": 1.0, "paper": 1.0} for row in table.values())


def test_replies_state_the_truth(full):
    for record in full.records():
        kind = KINDS[record.question.kind]
        assert kind.score(kind.read(record.reply, record.question), record.question, "strict"), record.id
        assert kind.phrase(record.question, np.random.default_rng(0), False) == record.prompt


def test_a_subset_of_the_subtasks_can_be_read(mini):
    assert {record.subtask for record in mini.records(subtasks=["cam_dist", "vc_mcq"])} == {
        "cam_dist",
        "vc_mcq",
    }
    with pytest.raises(ValueError, match="Unknown subtask 'cam'"):
        next(mini.records(subtasks=["cam"]))


@pytest.mark.slow
def test_no_subtask_is_answered_blind(full):
    table = blind_table(by_subtask(full))
    assert [(row.subtask, row.mode, row.best, row.margin) for row in table if row.flagged] == []


def test_built_pictures_fit_and_are_read_back(small, built):
    out, differences = built
    assert all(one.fits for one in differences)
    opened = load_multispa_sim("mini", pictures=out, data=small)
    record = next(opened.records(pictures=True, subtasks=["cam_dist"]))
    frame = record.question.frames[0]
    assert frame.rgb.std() > 5 and np.isfinite(frame.depth).any() and frame.bodies.shape == frame.depth.shape
    assert (out / record.pictures[0]).is_file()
    assert not next(opened.records(subtasks=["cam_dist"])).question.frames[0].rgb.any()


def test_depth_under_the_points_is_the_truth(small, built):
    opened = load_multispa_sim("mini", pictures=built[0], data=small)
    records = list(opened.records(pictures=True, subtasks=["depth_est_dot", "depth_est_coord"]))
    for record in records:
        question, point = record.question, record.question.points[0]
        measured = question.frames[0].depth[int(point.y), int(point.x)]
        assert measured == pytest.approx(question.answer.value, rel=0.05), record.id
    assert records


def test_a_built_folder_is_a_question_set(small, built):
    opened = load_multispa_sim("mini", pictures=built[0], data=small)
    write_question_set(opened, built[0])
    again = QuestionSet(built[0])
    assert len(again) == len(opened)
    for ours, theirs in zip(opened.records(), again.records(pictures=True), strict=True):
        assert (ours.id, ours.prompt, ours.reply, ours.pictures) == (
            theirs.id,
            theirs.prompt,
            theirs.reply,
            theirs.pictures,
        )
        assert KINDS[ours.question.kind].score(ours.question.answer, theirs.question, "paper")
        for mine, other in zip(ours.question.frames, theirs.question.frames, strict=True):
            assert np.allclose(mine.camera.world_from_camera, other.camera.world_from_camera, atol=1e-5)
            assert np.allclose(mine.camera.intrinsics, other.camera.intrinsics, rtol=1e-5)


def test_a_second_build_draws_nothing(small, built):
    before = {path: path.stat().st_mtime_ns for path in built[0].rglob("*.png")}
    build(built[0], "mini", data=small, workers=1)
    assert {path: path.stat().st_mtime_ns for path in built[0].rglob("*.png")} == before


def test_other_pictures_do_not_fit(small, built):
    committed = read_committed(read_scenes(small))
    opened = load_multispa_sim("mini", pictures=built[0], data=small)
    clip = opened.clips()[0]
    source = FrozenSource(read_scenes(small))
    first, second, *_ = [frame.rgb for frame in source.load(clip).frames]
    known = committed[clip, 0]
    assert compare((clip, 0), first, known).fits and not compare((clip, 0), second, known).fits
    for wrong in (first[::-1], first[:, ::-1], first[..., ::-1], np.roll(first, 12, 1), first // 2):
        assert not compare((clip, 0), np.ascontiguousarray(wrong), known).fits


def test_the_tolerance_covers_another_way_of_drawing_edges(small):
    """Multisampling changes more pixels than one driver differs from another."""
    scenes = read_scenes(small)
    committed = read_committed(scenes)
    clip = load_multispa_sim("mini", data=small).clips()[0]
    stage = Stage(scenes, scenes.clips[clip])
    stage.model.vis.quality.offsamples, stage.model.vis.quality.shadowsize = 4, 0
    with stage.simulator() as simulator:
        simulator.shadows = True
        for index in stage.states():
            difference = compare((clip, index), simulator.frame().rgb, committed[clip, index])
            assert difference.fits and not difference.identical


def test_what_is_missing_is_said(mini, small, tmp_path):
    with pytest.raises(FileNotFoundError, match="say with data=FOLDER"):
        find_data(tmp_path)
    with pytest.raises(ValueError, match="`split` must be 'full' or 'mini', got 'tiny'"):
        load_multispa_sim("tiny")
    with pytest.raises(FileNotFoundError, match="was opened without pictures"):
        next(mini.records(pictures=True))
    with pytest.raises(FileNotFoundError, match="no prepared scene"):
        verify_pictures(tmp_path, "mini", data=small)


def test_commands_say_what_they_find(small, built, capsys):
    def run(*words):
        with pytest.raises(SystemExit) as end:
            main(words)
        return end.value.code, capsys.readouterr()

    assert run("nonsense")[0] == run("build")[0] == run("oracle", "colour=red")[0] == 2
    code, said = run("oracle", "split=mini")
    assert code == 0 and "mean of the 12 rows 100.00, mean of the 26 subtasks 100.00" in said.out
    code, said = run("verify", f"out={built[0]}", "split=mini", f"data={small}")
    assert code == 1 and "DAMAGED ['mini.json']" in said.out  # which this test has cut
    code, said = run("oracle", "split=tiny")
    assert code == 2 and "multispa_sim: `split` must be" in said.err


def test_balance_keeps_few_that_stay_and_refuses_too_few(full):
    clips = dict(full.scenes.clips)
    rows = [row for row in full.rows if row["subtask"] == "obj_vec_dot_adt"]
    still = [replace_truth(row, index) for index, row in enumerate(rows) if not any(row["truth"])]
    chosen = choose([*rows, *still], clips, 100, np.random.default_rng(0))
    assert len(chosen) == 100
    assert sum(not any(row["truth"]) for row in chosen) <= 6
    with pytest.raises(ValueError, match="1000 questions wanted, but there are"):
        choose(rows, clips, 1000, np.random.default_rng(0))


def replace_truth(row, index):
    return row | {"id": f"still-{index}", "truth": [0.0, 0.0, 0.0]}


def test_sizes_of_one_thing_are_asked_once(full):
    for name in ("size_height", "size_length", "size_width"):
        rows = [row for row in full.rows if row["subtask"] == name]
        things = {(full.scenes.clips[row["clip"]].model, row["labels"][0]) for row in rows}
        assert len(things) == len(rows)


@pytest.mark.slow
def test_freezing_gives_the_same_bytes_twice(tmp_path, monkeypatch):
    for name, value in {"RANDOM_MODELS": 2, "ROBOT_MODELS": 0, "PER_SUBTASK": 1, "MINI": 1}.items():
        monkeypatch.setattr(freezing, name, value)
    for run in ("one", "two"):
        freezing.freeze(tmp_path / run, workers=1)
    sums = [json.loads((tmp_path / run / "checksums.json").read_text()) for run in ("one", "two")]
    assert sums[0] == sums[1]
    assert damaged_files(tmp_path / "one") == []
    assert len(load_multispa_sim("mini", data=tmp_path / "one")) == 26


def test_clips_do_not_depend_on_each_other(small):
    """A clip drawn alone shows what it shows among others."""
    scenes = read_scenes(small)
    name = load_multispa_sim("mini", data=small).clips()[0]
    alone = replace(scenes, clips={name: scenes.clips[name]})
    assert isinstance(alone, Scenes)
    drawn = FrozenSource(alone).load(name).frames[0].rgb
    assert compare((name, 0), drawn, read_committed(scenes)[name, 0]).fits

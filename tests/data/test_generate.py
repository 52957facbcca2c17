"""Generating as a user does it: real processes, killed and resumed, the same bytes whatever happens."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from interrupts import hear

from spatial_reward.config import compose
from spatial_reward.data.drawing import key_of
from spatial_reward.data.generate import generate as generate_set
from spatial_reward.data.records import QuestionSet
from spatial_reward.questions import KINDS, SUBTASKS

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
SOURCE = """
name: boxes_source:Boxes
scenes: 3
frames: 12
points: 40
bad: []
odd_names: false
slow: 0.0
depth: false
trace: null
"""
QUICK = ("source=boxes", "count=1500", "per_shard=400", "report=false", "workers=1")


@pytest.fixture(scope="session")
def recipes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "source").mkdir()
    (folder / "source" / "boxes.yaml").write_text(SOURCE)
    return folder


@pytest.fixture
def command(recipes, tmp_path):
    """Return what starts `generate` in a folder of its own."""

    def start(*words, **how):
        options = ["generate", "--config-dir", str(recipes), *QUICK, *words]
        places = os.pathsep.join([str(ROOT), str(HERE)])
        return subprocess.Popen(
            [sys.executable, "-m", "spatial_reward.cli", *options],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": places, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
            **how,
        )

    return start


@pytest.fixture
def generate(command):
    """Return what runs `generate` and expects it to end with a code."""

    def run(*words, code=0):
        process = command(*words)
        out, errors = process.communicate(timeout=200)
        assert process.returncode == code, errors
        return out, errors

    return run


@pytest.fixture(scope="module")
def make(recipes):
    """Return what generates in this process, which starts sooner."""

    def run(out, *words):
        return generate_set(compose("generate", [*QUICK, *words, f"out={out}"], recipes))

    return run


@pytest.fixture(scope="module")
def whole(make, tmp_path_factory):
    """Make the set that others are compared with, in one go."""
    return make(tmp_path_factory.mktemp("whole") / "set")


def content(folder):
    """Return the digest of every file but the summary, which has times in it."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "summary.json"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_a_set_has_what_was_asked_for(whole):
    questions = QuestionSet(whole)
    assert len(questions) == 1500 == len(list(questions.records()))
    counts = Counter(record.subtask for record in questions.records())
    assert questions.manifest["counts"] == {one.name: counts[one.name] for one in SUBTASKS}
    assert set(counts) == {one.name for one in SUBTASKS}
    assert len({record.id for record in questions.records()}) == 1500
    assert {record.scene for record in questions.records()} == {"room0", "room1", "room2"}


def test_the_words_state_the_truth_that_is_recorded(whole):
    for record in QuestionSet(whole).records():
        kind = KINDS[record.question.kind]
        read = kind.read(record.reply, record.question)
        assert record.prompt and kind.score(read, record.question, "strict"), (record.subtask, record.reply)


def test_nothing_is_asked_twice(whole):
    asked = Counter(
        (r.scene, r.subtask, key_of(r.frames, r.question.points, r.question.labels))
        for r in QuestionSet(whole).records()
    )
    assert max(asked.values()) == 1


def test_what_scenes_lack_is_made_up_for_and_counted(whole):
    manifest = QuestionSet(whole).manifest
    assert manifest["questions"] == manifest["wanted"] == 1500
    short = manifest["shortfalls"]["cam_dist"]
    assert list(short) == ["the scene holds no more different questions"]
    assert manifest["counts"]["cam_dist"] + sum(short.values()) in (57, 58)  # 1500 / 26
    assert manifest["counts"]["depth_cmp_dot"] > 58


def test_manifests_say_what_shards_hold_and_were_made_of(whole):
    manifest = QuestionSet(whole).manifest
    for name, shard in manifest["shards"].items():
        path = whole / "questions" / name
        own = json.loads(path.with_suffix(".json").read_text())
        assert own["sha256"] == shard["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert own["rows"] == shard["rows"] == sum(own["counts"].values()) <= 400
        assert own["seed"] == 0 and own["version"] == manifest["version"]
        assert own["scenes"].items() <= manifest["scenes"].items()
    assert len(manifest["shards"]) >= 4


def test_the_summary_has_the_metrics(whole):
    summary = json.loads((whole / "summary.json").read_text())
    metrics = summary["metrics"]
    assert summary["command"] == "generate" and metrics["questions"] == 1500
    assert (metrics["scenes"], metrics["scenes_skipped"], metrics["subtasks"]) == (3, 0, 26)
    assert metrics["frames"] == 36 and metrics["questions_per_s"] > 0 and metrics["peak_memory_mb"] > 10
    assert all((whole / name).exists() for name in summary["artefacts"])


@pytest.mark.slow
def test_two_processes_give_the_same_bytes(generate, whole, tmp_path):
    out, _ = generate("workers=2", "out=two")
    assert out.strip().endswith("two/summary.json")
    assert content(tmp_path / "two") == content(whole)
    assert not list(tmp_path.rglob("*.partial*"))


@pytest.mark.slow
def test_ray_gives_the_same_bytes(generate, whole, tmp_path):
    pytest.importorskip("ray")
    _, errors = generate("workers=2", "cluster=local", "out=ray")
    assert content(tmp_path / "ray") == content(whole)
    assert "Traceback" not in errors and "INFO" not in errors


def test_another_seed_gives_other_questions_about_the_same_scenes(make, whole, tmp_path):
    make(tmp_path / "other", "seed=1")
    other = content(tmp_path / "other")
    assert {k: v for k, v in other.items() if k.startswith("scenes/")} == {
        k: v for k, v in content(whole).items() if k.startswith("scenes/")
    }
    assert other["questions/00000-0000.parquet"] != content(whole)["questions/00000-0000.parquet"]


def files(folder, pattern):
    return len(list(folder.glob(pattern)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "workers"), [("scenes/room1/scene.json", 1), ("questions/*.parquet", 2), ("questions/.*", 1)]
)
def test_killed_at_any_moment_and_resumed_it_is_the_same(
    pattern, workers, command, generate, whole, tmp_path
):
    process = command(f"workers={workers}", "out=set")
    deadline = time.monotonic() + 60
    while not files(tmp_path / "set", pattern) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    left = content(tmp_path / "set")
    final = content(whole)
    assert {k: v for k, v in left.items() if ".partial" not in k}.items() <= final.items()
    generate(f"workers={3 - workers}", "out=set")
    assert content(tmp_path / "set") == final


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_can_be_resumed(command, generate, tmp_path):
    words = ("source.slow=0.3", "source.scenes=6", "out=set")
    process = command(*words, "workers=2", start_new_session=True, preexec_fn=hear)
    while not files(tmp_path / "set" / "scenes", "room*") and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it, to all
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors
    assert not list((tmp_path / "set").rglob("*.partial*"))
    generate(*words)
    assert len(QuestionSet(tmp_path / "set")) == 1500


def test_what_is_finished_is_not_made_again(make, tmp_path):
    trace, folder = tmp_path / "trace", tmp_path / "set"
    trace.mkdir()
    make(folder, f"source.trace={trace}")
    before = {path: path.stat().st_ino for path in (folder / "questions").iterdir()}
    assert files(trace, "*") == 3
    for path in trace.iterdir():
        path.unlink()
    make(folder, f"source.trace={trace}")
    assert files(trace, "*") == 0
    assert {path: path.stat().st_ino for path in (folder / "questions").iterdir()} == before
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["metrics"]["questions"] == 1500 and summary["metrics"]["questions_per_s"] is None


def cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("questions/00001-0000.parquet", cut),
        ("questions/00001-0000.parquet", flip),
        ("questions/00001-0000.parquet", Path.unlink),
        ("questions/00002-0000.json", cut),
        ("questions/00002-0000.json", Path.unlink),
        ("scenes/room2/scene.json", cut),
        ("manifest.json", cut),
        ("skipped.json", Path.unlink),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_is_damaged_is_made_again(name, damage, make, whole, tmp_path):
    final, folder = content(whole), shutil.copytree(whole, tmp_path / "set")
    damage(folder / name)
    make(folder)
    assert content(folder) == final


def test_strays_of_an_earlier_plan_are_removed(make, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "set")
    shutil.copy(folder / "questions/00000-0000.json", folder / "questions/00099-0000.json")
    (folder / "questions" / ".00000-0000.parquet.partial-1").write_text("half")
    (folder / "scenes" / ".room7.partial-1").mkdir()
    make(folder)
    assert content(folder) == content(whole)
    assert not list(folder.rglob("*.partial*"))


def test_other_settings_for_the_same_folder_are_refused(make, tmp_path):
    make(tmp_path / "set", "count=50")
    before = content(tmp_path / "set")
    with pytest.raises(FileExistsError) as error:
        make(tmp_path / "set", "count=60", "mode=paper", "source.points=41")
    assert "count: 50 there, 60 here, mode: strict there, paper here" in str(error.value)
    assert "source.points: 40 there, 41 here" in str(error.value) and "choose another out" in str(error.value)
    assert content(tmp_path / "set") == before


def test_settings_that_do_not_change_the_set_may_differ(make, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "set")
    make(folder, "workers=2", "exports=[tsv]")
    assert (folder / "exports" / "tsv").is_dir()


def test_a_folder_with_something_else_and_one_that_cannot_be_are_refused(make, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"out=.*full already exists"):
        make(tmp_path / "full")
    with pytest.raises(OSError, match=r"Cannot write out=.*precious.txt/below \(Not a directory\)"):
        make(tmp_path / "full" / "precious.txt" / "below")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["precious.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(make, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OSError, match=r"Cannot write out=.*locked/set \(Permission denied\)"):
        make(tmp_path / "locked" / "set")


@pytest.mark.slow
def test_two_runs_do_not_write_to_the_same_folder(command, make, tmp_path):
    first = command("source.slow=0.5", "out=set")
    while not files(tmp_path / "set" / "scenes", "*") and first.poll() is None:
        time.sleep(0.01)
    with pytest.raises(RuntimeError, match="Another run is writing to out="):
        make(tmp_path / "set", "source.slow=0.5")
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_bad_scenes_are_skipped_and_counted(make, tmp_path):
    make(tmp_path / "set", "source.bad=[room1]", "count=200")
    skipped = json.loads((tmp_path / "set" / "skipped.json").read_text())
    assert skipped == {"room1": {"reason": "no camera poses", "detail": "no camera poses: room1 lacks them"}}
    questions = QuestionSet(tmp_path / "set")
    assert set(questions.manifest["scenes"]) == {"room0", "room2"} and len(questions) == 200
    assert questions.manifest["skipped"] == {"no camera poses": 1}
    summary = json.loads((tmp_path / "set" / "summary.json").read_text())
    assert summary["metrics"]["scenes_skipped"] == 1


def test_a_source_without_a_good_scene_is_one_line_and_nothing_is_left(generate, tmp_path):
    _, errors = generate("source.bad=[room0,room1,room2]", "out=set", code=2)
    line = errors.strip().splitlines()[-1]
    assert "None of the 3 scenes" in line and "no camera poses (3)" in line and "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_subtasks_that_no_scene_supports_are_refused_and_nothing_is_left(make, tmp_path):
    with pytest.raises(ValueError, match=r"supports any of the subtasks asked for \(cam_dist: "):
        make(tmp_path / "set", "subtasks=[cam_dist]", "source.frames=1")
    assert not list(tmp_path.iterdir())


def test_chosen_subtasks_and_scenes_only(make, tmp_path):
    make(tmp_path / "set", "subtasks=[vc_mcq,size_width]", "count=101", "scenes=2")
    manifest = QuestionSet(tmp_path / "set").manifest
    assert manifest["counts"] == {"vc_mcq": 50, "size_width": 51} or manifest["questions"] == 101
    assert list(manifest["scenes"]) == ["room0", "room1"]


def test_more_than_the_scenes_hold_is_said_and_not_made_up(make, tmp_path, capsys):
    make(tmp_path / "set", "subtasks=cam_dist", "count=5000")
    errors = capsys.readouterr().err
    manifest = QuestionSet(tmp_path / "set").manifest
    assert 0 < manifest["questions"] < 500
    assert f"{5000 - manifest['questions']} of 5000 questions are missing" in errors
    assert sum(manifest["shortfalls"]["cam_dist"].values()) == 5000 - manifest["questions"]


def test_what_one_part_lacks_another_draws_in_a_second_turn(make, tmp_path):
    """The size of things in few frames is soon asked; each part has one scene."""
    make(tmp_path / "set", "subtasks=[size_width,vc_coord]", "count=900", "per_shard=150", "source.frames=9")
    questions = QuestionSet(tmp_path / "set")
    turns = {
        json.loads((tmp_path / "set" / "questions" / name).with_suffix(".json").read_text())["part"]["turn"]
        for name in questions.manifest["shards"]
    }
    assert len(questions) == 900 and turns == {0, 1}
    asked = Counter(
        (r.scene, r.subtask, key_of(r.frames, r.question.points, r.question.labels))
        for r in questions.records()
    )
    assert max(asked.values()) == 1


def test_embedded_pictures_need_no_scenes(make, tmp_path):
    make(tmp_path / "set", "embed=true", "count=60")
    shutil.rmtree(tmp_path / "set" / "scenes")
    assert all(r.question.frames[0].rgb.any() for r in QuestionSet(tmp_path / "set").records(pictures=True))


def test_ids_that_are_no_file_names_are_safe(make, tmp_path):
    make(tmp_path / "set", "source.odd_names=true", "count=60")
    assert sorted(path.name for path in (tmp_path / "set" / "scenes").iterdir())[0] == "a%2Froom%200"
    record = next(QuestionSet(tmp_path / "set").records(pictures=True))
    assert record.scene.startswith("a/room ") and (tmp_path / "set" / record.pictures[0]).is_file()


def test_exports_are_written_once_and_anew_with_new_questions(make, tmp_path):
    words = ("count=60", "exports=[internvl,dense]", "source.depth=true")
    folder = make(tmp_path / "set", *words)
    assert sorted(path.name for path in (folder / "exports").iterdir()) == ["dense", "internvl"]
    mark = folder / "exports" / "internvl" / "mark"
    mark.touch()
    make(folder, *words)
    assert mark.exists()
    (folder / "questions" / "00000-0000.parquet").unlink()
    make(folder, *words)
    assert not mark.exists() and (folder / "exports" / "internvl" / "meta.json").is_file()


def test_a_report_is_written_where_wanted(make, tmp_path):
    pytest.importorskip("spatial_reward.data.report")
    make(tmp_path / "set", "count=300", "report=true")
    assert (tmp_path / "set" / "report.json").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["count=0"], "`count` must be a whole number of at least 1, got 0"),
        (["count=1.5"], "`count` must be a whole number of at least 1, got 1.5"),
        (["seed=-1"], "`seed` must be a whole number of at least 0, got -1"),
        (["workers=0"], "`workers` must be a whole number of at least 1, got 0"),
        (["subtasks=[cam_dits]"], "Unknown subtask 'cam_dits'. Did you mean ['cam_dist'"),
        (["subtasks=[]"], "`subtasks` is empty"),
        (["exports=[intern]"], "Unknown export 'intern'"),
        (["mode=stirct"], "`mode` must be one of"),
        (["rules.twins=2"], "`twins` must be a number in [0, 1]"),
        (["rules.most_frames=9"], "`most_frames` must be a whole number from 2 to 8"),
        (["embed=maybe"], "`embed` must be true or false, got 'maybe'"),
        (["cuont=3"], "Unknown key 'cuont'. Did you mean: count"),
        (["source.name=boxes"], "Unknown source 'boxes'"),
        (["source.name=boxes_source:Bixes"], "There is no 'Bixes' in boxes_source"),
        (["source.name=nowhere:Boxes"], "No module named 'nowhere'"),
        (["source.scenes=0"], "has no scenes"),
        (["cluster=127.0.0.1:1"], "No Ray cluster at cluster=127.0.0.1:1"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(words, message, make, tmp_path):
    with pytest.raises((ValueError, ImportError, RuntimeError), match=re.escape(message)) as error:
        make(tmp_path / "set", *words)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_on_the_command_line_a_mistake_is_one_line_and_exit_code_2(generate, tmp_path):
    _, errors = generate("subtasks=[cam_dits]", "out=set", code=2)
    assert errors.strip().startswith("spatial-reward: Unknown subtask 'cam_dits'")
    assert len(errors.strip().splitlines()) == 1 and not list(tmp_path.iterdir())

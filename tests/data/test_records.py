"""Question sets: every question comes back exactly, and files that are no set are refused clearly."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boxes_source import Boxes

from spatial_reward.data import prepared as prepared_module
from spatial_reward.data.draw import Rules, draw
from spatial_reward.data.prepared import PreparedScene, decode, prepare
from spatial_reward.data.records import FORMAT, SCHEMA, QuestionSet
from spatial_reward.data.shards import ShardWriter
from spatial_reward.questions import KINDS, SUBTASKS

RULES = Rules(twins=0.3, most_frames=4)
BOXES = Boxes(scenes=2, frames=15, points=30, depth=True)


def write_set(folder, embed):
    """Write a set by hand; return what was drawn, in order."""
    (folder / "questions").mkdir(parents=True)
    drawn, rng = [], np.random.default_rng(0)
    with ShardWriter(folder / "questions", 0, 100, embed=embed, common={}) as writer:
        for name in BOXES.scenes():
            scene = PreparedScene(prepare(BOXES, name, folder / "scenes", depth=True))
            for subtask in SUBTASKS:
                for one in draw(scene.scene, subtask.name, 6, rng, RULES):
                    pictures = tuple(f"scenes/{name}/{scene.pictures[frame]}" for frame in one.frames)
                    texts = {"source": "boxes", "scene": name, "subtask": subtask.name, "mode": "strict"}
                    words = {"prompt": f"prompt {len(drawn)}", "reply": f"reply {len(drawn)}"}
                    files = [scene.picture(frame) for frame in one.frames] if embed else []
                    writer.add(one, pictures, files, **texts, **words)
                    drawn.append((name, subtask.name, one))
        writer.finish()
    shards = {path.name: {} for path in sorted((folder / "questions").glob("*.parquet"))}
    manifest = {"format": FORMAT, "questions": len(drawn), "shards": shards}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return drawn


@pytest.fixture(scope="module", params=[False, True], ids=["referenced", "embedded"])
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    drawn = write_set(folder, request.param)
    if request.param:
        shutil.rmtree(folder / "scenes")  # such a set holds everything itself
    return folder, drawn


@pytest.fixture
def folder(written, tmp_path):
    """Copy the set, to damage it."""
    return shutil.copytree(written[0], tmp_path / "copy")


def same_value(one, other):
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    return type(one) is type(other) and one == other


def test_all_kinds_are_there(written):
    assert {one.question.kind for *_, one in written[1]} == set(KINDS)
    assert {one.twin for *_, one in written[1]} == {"", "swapped", "reversed"}
    assert max(len(one.frames) for *_, one in written[1]) > 2


def test_every_question_comes_back_to_the_bit(written):
    folder, drawn = written
    records = list(QuestionSet(folder).records())
    assert len(records) == len(drawn) == len(QuestionSet(folder))
    for record, (scene, subtask, one) in zip(records, drawn, strict=True):
        asked, back = one.question, record.question
        assert (record.scene, record.subtask, record.twin) == (scene, subtask, one.twin)
        assert (record.frames, back.kind, back.labels) == (one.frames, asked.kind, asked.labels)
        assert back.points == asked.points and [type(p) for p in back.points] == [
            type(p) for p in asked.points
        ]
        assert same_value(back.answer.value, asked.answer.value)
        for name in ("unit", "std", "valid", "source", "match", "covariance", "motion", "text"):
            assert getattr(back.answer, name) == getattr(asked.answer, name), name
        assert (back.anchor, back.previous, back.prompt) == (None, None, "")
        for frame, original in zip(back.frames, asked.frames, strict=True):
            assert (frame.time, frame.view, frame.width, frame.height) == (
                *(original.time, original.view),
                *(original.width, original.height),
            )
            assert np.array_equal(frame.camera.intrinsics, original.camera.intrinsics)
            assert np.array_equal(frame.camera.world_from_camera, original.camera.world_from_camera)
            assert not frame.rgb.any()


def test_words_ids_and_pictures_are_kept(written):
    folder, drawn = written
    records = list(QuestionSet(folder).records())
    assert [record.prompt for record in records] == [f"prompt {i}" for i in range(len(drawn))]
    assert [record.reply for record in records] == [f"reply {i}" for i in range(len(drawn))]
    assert len({record.id for record in records}) == len(records)
    assert records[0].id == "00000-0000-000000" and records[100].id == "00000-0001-000000"
    assert records[0].mode == "strict" and records[0].source == "boxes"
    for record in records:
        assert len(record.pictures) == len(record.frames) == len(record.question.frames)
        assert record.pictures[0].startswith(f"scenes/{record.scene}/pictures/{record.frames[0]:06d}.")


def test_pictures_are_decoded_where_wanted(written):
    folder, _ = written
    record = next(QuestionSet(folder).records(pictures=True, subtasks=["cam_vec"]))
    for frame, number in zip(record.question.frames, record.frames, strict=True):
        assert np.array_equal(frame.rgb, decode(BOXES.picture(record.scene, number)))


def test_no_picture_is_decoded_twice_for_a_scene(tmp_path, monkeypatch):
    write_set(tmp_path, embed=False)
    decoded = []
    monkeypatch.setattr(prepared_module, "decode", lambda content: decoded.append(content) or decode(content))
    shown = {
        (record.scene, frame)
        for record in QuestionSet(tmp_path).records(pictures=True)
        for frame in record.frames
    }
    assert len(decoded) == len(shown)


def test_depth_comes_along_where_it_was_kept(tmp_path):
    write_set(tmp_path, embed=False)
    frame = next(QuestionSet(tmp_path).records(pictures=True)).question.frames[0]
    assert frame.depth is not None and frame.bodies is not None


def test_subtasks_are_chosen(written):
    folder, drawn = written
    wanted = ["vc_mcq", "size_height"]
    found = [record.subtask for record in QuestionSet(folder).records(subtasks=wanted)]
    assert found == [subtask for _, subtask, _ in drawn if subtask in wanted]
    with pytest.raises(ValueError, match=r"Unknown subtask 'vc_mcg'. Did you mean \['vc_mcq'"):
        next(QuestionSet(folder).records(subtasks=["vc_mcg"]))


def test_columns_are_those_of_the_schema_and_name_pictures_as_others_do(written):
    folder, _ = written
    table = pq.read_table(folder / "questions" / "00000-0000.parquet")
    assert table.schema.equals(SCHEMA) and table.num_rows == 100
    image = table["images"][0].as_py()[0]
    assert set(image) == {"bytes", "path"}
    answers = [table[f"answer_{form}"].is_valid().to_numpy() for form in ("number", "vector", "word")]
    assert (np.sum(answers, axis=0) == 1).all()


def test_what_is_no_set_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no question set in .*: make one with `generate`"):
        QuestionSet(tmp_path)
    (tmp_path / "generate.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"an unfinished question set in .*: run the same `generate`"):
        QuestionSet(tmp_path)
    (tmp_path / "manifest.json").write_text("[1")
    with pytest.raises(ValueError, match=r"manifest.json is damaged"):
        QuestionSet(tmp_path)
    (tmp_path / "manifest.json").write_text('{"name": "something"}')
    with pytest.raises(ValueError, match=r"is not the manifest of a question set"):
        QuestionSet(tmp_path)


def test_missing_and_damaged_shards_are_named(folder):
    shard = folder / "questions" / "00000-0000.parquet"
    whole = shard.read_bytes()
    for content in (whole[:-100], b"no parquet at all", b""):
        shard.write_bytes(content)
        with pytest.raises(ValueError, match=r"00000-0000.parquet is no shard .*Run `generate` again"):
            list(QuestionSet(folder).records())
    pq.write_table(pa.table({"id": ["x"]}), shard)
    with pytest.raises(ValueError, match=r"00000-0000.parquet is no shard of a question set: its columns"):
        list(QuestionSet(folder).records())
    shard.unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks .*00000-0000.parquet"):
        QuestionSet(folder)


def test_a_missing_scene_is_named(tmp_path):
    write_set(tmp_path, embed=False)
    shutil.rmtree(tmp_path / "scenes" / "room1")
    with pytest.raises(FileNotFoundError, match=r"no prepared scene in .*room1: run `generate` again"):
        list(QuestionSet(tmp_path).records())


def test_an_interrupted_writer_leaves_nothing_and_a_finished_shard_stays(tmp_path):
    scene = PreparedScene(prepare(BOXES, "room0", tmp_path / "scenes"))
    (tmp_path / "questions").mkdir()
    drawn = draw(scene.scene, "depth_est_dot", 12, np.random.default_rng(0), RULES)
    texts = dict.fromkeys(("source", "scene", "subtask", "mode", "prompt", "reply"), "x")
    with (
        pytest.raises(RuntimeError, match="interrupted"),
        ShardWriter(tmp_path / "questions", 5, 10, embed=False, common={"seed": 3}) as writer,
    ):
        for one in drawn:
            writer.add(one, ("a.png",), [], **texts)
        writer._flush()
        raise RuntimeError("interrupted")
    assert sorted(path.name for path in (tmp_path / "questions").iterdir()) == [
        "00005-0000.json",
        "00005-0000.parquet",
    ]
    manifest = json.loads((tmp_path / "questions" / "00005-0000.json").read_text())
    assert manifest["rows"] == 10 and manifest["counts"] == {"x": 10} and manifest["seed"] == 3
    assert manifest["last"] is False


def test_a_question_without_truth_is_no_record(tmp_path):
    from dataclasses import replace

    from spatial_reward.data.columns import Columns

    scene = BOXES.load("room0")
    one = draw(scene, "vc_mcq", 1, np.random.default_rng(0), RULES)[0]
    with pytest.raises(ValueError, match="'vc_mcq' question without a truth cannot be recorded"):
        Columns().add(one._replace(question=replace(one.question, answer=None)), ("a", "b"), [])

"""Every public benchmark is read in its exact format, and what is not of it is refused with a reason."""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from public_files import (
    ERQA,
    VSI,
    example_bytes,
    framed,
    write_blink,
    write_cv_bench,
    write_erqa_parquet,
    write_erqa_tfrecord,
    write_roboreward,
    write_video,
    write_vsi_bench,
)

from spatial_reward.benchmark.harness import blink, cv_bench, erqa, roboreward, vsi_bench
from spatial_reward.benchmark.harness.erqa import interleaved, options_in
from spatial_reward.benchmark.harness.pictures import video_frames
from spatial_reward.benchmark.harness.public import BENCHMARKS, source_of
from spatial_reward.benchmark.harness.source import located
from spatial_reward.benchmark.harness.tfrecord import example, records
from spatial_reward.chat import IMAGE

CONFIG = {"frames": 4, "vsi_config": "full", "vsi_suffix": "lmms_eval", "erqa_pictures": "interleaved"}


def loaded(module, folder, subsets=None, **changes):
    return list(module.items(folder, CONFIG | changes, subsets))


def shades(item):
    return [int(picture[0, 0, 0]) for picture in item.pictures()]


def test_blink(tmp_path):
    write_blink(tmp_path)
    items = loaded(blink, tmp_path)
    assert [item.subset for item in items] == ["Counting"] * 3 + ["Relative_Depth"] * 3
    assert [item.answer for item in items] == ["A", "B", "A"] * 2
    assert shades(items[2]) == [102, 202] and shades(items[5]) == [102]  # rows of several row groups
    assert items[2].prompt.startswith(
        f"{IMAGE}{IMAGE}Note: You only need to respond with A, B without providing any additional"
    )
    assert items[5].prompt.count(IMAGE) == 1 and items[5].prompt.endswith("(B) B")
    assert items[0].pictures()[0].shape == (24, 32, 3)
    assert loaded(blink, tmp_path, ["Relative_Depth"])[0].id == "blink/val_Relative_Depth_1"
    with pytest.raises(FileNotFoundError, match=r"holds none of Jigsaw/val-\*.parquet"):
        loaded(blink, tmp_path, ["Jigsaw"])


def test_blink_without_answers_is_refused(tmp_path):
    write_blink(tmp_path, ["Jigsaw"])
    (tmp_path / "Jigsaw" / "test-00000-of-00001.parquet").replace(
        tmp_path / "Jigsaw" / "val-00000-of-00001.parquet"
    )
    with pytest.raises(ValueError, match=r"has the answer '\(hidden\)' to a question with 2 options"):
        loaded(blink, tmp_path)


def test_cv_bench(tmp_path):
    write_cv_bench(tmp_path)
    items = loaded(cv_bench, tmp_path)
    assert [(item.subset, item.group, item.answer) for item in items] == [
        *(("Count", "ADE20K", "A"), ("Relation", "COCO", "B"), ("Count", "COCO", "A")),
        *(("Depth", "Omni3D", "B"), ("Distance", "Omni3D", "A")),
    ]
    assert len({item.id for item in items}) == 5 and shades(items[4]) == [1]
    assert "Note: You only need to respond with A, B without" in items[0].prompt
    assert [item.group for item in loaded(cv_bench, tmp_path, ["Depth"])] == ["Omni3D"]


@pytest.mark.parametrize("write", [write_erqa_parquet, write_erqa_tfrecord])
def test_erqa_is_the_same_from_both_files(tmp_path, write):
    write(tmp_path)
    first, second, third = loaded(erqa, tmp_path)
    assert [item.answer for item in (first, second, third)] == ["B", "A", "C"]
    assert first.options == ("Left.", "Right.") and third.letters == "ABCD"
    assert second.group == third.group == "several pictures" and first.group == ""
    assert second.prompt.startswith(f"First view:{IMAGE} and second view:{IMAGE} are they one scene?")
    assert shades(second) == [60, 70] and shades(third) == [80, 90]
    assert third.prompt == IMAGE * 2 + ERQA[2][1]
    [placed] = loaded(erqa, tmp_path, ["Multi-view Reasoning"], erqa_pictures="first")
    assert placed.prompt == IMAGE * 2 + ERQA[1][1] and shades(placed) == [70, 60]


def test_erqa_pictures_beyond_the_words_stand_before_what_is_left():
    assert interleaved("abcdef", [2, 50]) == f"ab{IMAGE}{IMAGE}cdef"
    assert interleaved("ab", [2]) == f"ab{IMAGE}"


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Vitamin A. is good? Choices: A. Yes B. No", ("Yes", "No")),
        ("Which?\nA) one\nB) two\nC) three", ("one", "two", "three")),
        ("Which one?", ("", "", "", "")),
        ("A. one C. three", ("", "", "", "")),
    ],
)
def test_options_in_the_words_of_a_question(question, options):
    assert options_in(question) == options


def test_vsi_bench(tmp_path):
    write_vsi_bench(tmp_path)
    items = loaded(vsi_bench, tmp_path)
    assert [item.answer for item in items] == [truth for _, truth, _ in VSI]
    counting, direction = items[0], items[5]
    assert (counting.form, counting.unit, items[3].unit, items[4].unit) == ("number", "", "cm", "m2")
    assert counting.prompt == IMAGE * 4 + (
        "These are frames of a video.\nHow is it?\nPlease answer the question using a single word or phrase."
    )
    assert direction.form == "choice" and direction.options == ("left", "right")
    assert direction.prompt.endswith(
        "How is it?\nOptions:\nA. left\nB. right\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert len(items[0].pictures()) == 4
    [shorter, *_] = loaded(vsi_bench, tmp_path, vsi_suffix="vlmevalkit", vsi_config="debiased")
    assert shorter.prompt.endswith("Answer briefly and directly in one float number.")
    assert len(loaded(vsi_bench, tmp_path, vsi_config="debiased")) == 4
    with pytest.raises(FileNotFoundError, match=r"holds none of test_pruned.parquet"):
        loaded(vsi_bench, tmp_path, vsi_config="pruned")


def test_vsi_bench_says_which_video_is_missing(tmp_path):
    write_vsi_bench(tmp_path)
    (tmp_path / "scannet" / "scene0001_00.mp4").unlink()
    [item, *_] = loaded(vsi_bench, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"scene0001_00.mp4 is missing: unpack the archives"):
        item.pictures()


def test_video_frames_are_the_first_the_last_and_even(tmp_path):
    write_video(tmp_path / "a.mp4", 7)
    means = [round(float(picture.mean()) / 20) - 1 for picture in video_frames(tmp_path / "a.mp4", 3)]
    assert means == [0, 3, 6]
    assert len(video_frames(tmp_path / "a.mp4", 30)) == 7
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"b.mp4 is no readable video"):
        video_frames(tmp_path / "b.mp4", 3)


def test_roboreward_in_both_layouts(tmp_path):
    write_roboreward(tmp_path)
    items = loaded(roboreward, tmp_path)
    assert [(item.subset, item.answer) for item in items] == [("bridge", "5"), ("droid", "2"), ("droid", "1")]
    assert items[1].prompt.endswith("Task: open the drawer") and "ANSWER: <score>" in items[1].prompt
    assert len(items[0].pictures()) == 3
    copy = tmp_path / "copy"
    write_video(copy / "bridge" / "1.mp4", 2)
    row = {"original_id": 7, "task": "t", "episode_video_path": "collected/bridge/1.mp4", "reward": 3}
    (copy / "test.json").write_text(json.dumps([row]))
    [item] = loaded(roboreward, copy)
    assert item.subset == "bridge" and item.answer == "3" and len(item.pictures()) == 2
    (copy / "test.json").write_text(json.dumps([row | {"reward": 0}]))
    with pytest.raises(ValueError, match=r"gives bridge/1.mp4 the reward 0"):
        loaded(roboreward, copy)


def test_files_of_another_form_are_refused(tmp_path):
    pq.write_table(pa.table({"idx": [1]}), tmp_path / "test_2d.parquet")
    with pytest.raises(ValueError, match=r"lacks task, choices, answer, prompt, source, image: it has idx"):
        loaded(cv_bench, tmp_path)
    (tmp_path / "test_2d.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"test_2d.parquet is no sound Parquet file"):
        loaded(cv_bench, tmp_path)
    (tmp_path / "test.jsonl").write_text('{"id": 1')
    with pytest.raises(ValueError, match=r"test.jsonl is no sound JSON"):
        loaded(vsi_bench, tmp_path)


def test_tfrecords_hold_every_kind_of_value(tmp_path):
    features = {"a": [b"x", b""], "b": [1, -2, 2**40], "c": [0.5, -1.0]}
    assert example(example_bytes(features)) == features
    assert example(b"") == {}


def test_damaged_tfrecords_are_refused(tmp_path):
    path, data = tmp_path / "a.tfrecord", framed(example_bytes({"a": [b"x"]}))
    path.write_bytes(data * 2)
    assert [place for place, _ in records(path)] == [0, len(data)]
    assert len(list(records(path, start=len(data)))) == 1
    path.write_bytes(data + data[:-6])
    with pytest.raises(ValueError, match=r"is cut off in record 2"):
        list(records(path))
    path.write_bytes(b"\1" + data[1:])
    with pytest.raises(ValueError, match=r"is damaged at the head of record 1"):
        list(records(path))
    path.write_bytes(data[:14] + b"\0" + data[15:])
    with pytest.raises(ValueError, match=r"is damaged in record 1"):
        list(records(path, check=True))
    with pytest.raises(ValueError, match=r"no tf.train.Example"):
        example(b"\x0a\xff")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_sources_are_pinned(name):
    source = source_of(name)
    assert (
        source.name == name and len(source.revision) == 40 and set(source.revision) <= set("0123456789abcdef")
    )
    assert source.repository.count("/") == 1 and source.licence and source.files


def test_what_is_missing_is_named_with_the_command_that_gets_it(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"say download=true, or run `hf download BLINK-Benchmark/BLINK"
    ):
        located(blink.SOURCE, tmp_path, download=False)


def test_a_hub_out_of_reach_is_one_line(tmp_path, monkeypatch):
    class Hub:
        @staticmethod
        def snapshot_download(repository, **options):
            assert options["revision"] == blink.SOURCE.revision and options["repo_type"] == "dataset"
            raise OSError("We couldn't connect to the hub.\nCheck your connection.")

    monkeypatch.setitem(sys.modules, "huggingface_hub", Hub)
    with pytest.raises(
        FileNotFoundError, match=r"at a3666eb24923 cannot be had .*connect to the hub"
    ) as error:
        located(blink.SOURCE, tmp_path, download=True)
    assert "\n" not in str(error.value)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"huggingface_hub is needed for download=true"):
        located(blink.SOURCE, tmp_path, download=True)

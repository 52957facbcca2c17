import json
import os
import pickle
from collections import Counter

import cv2
import numpy as np
import pytest
from torch.utils.data import BatchSampler

from spatial_reward.chat import messages
from spatial_reward.data.records import QuestionSet
from spatial_reward.training.row_files import row_file
from spatial_reward.training.vlm_data import Joined, Mixture, Order
from spatial_reward.training.vlm_rows import ChatRows, QuestionRows


@pytest.fixture(scope="module")
def rows(question_set):
    return QuestionRows(question_set)


@pytest.fixture
def picture(tmp_path):
    cv2.imwrite(str(tmp_path / "seen.png"), np.full((6, 8, 3), 9, np.uint8))
    return "seen.png"


@pytest.fixture
def chat(tmp_path):
    def write(*lines):
        path = tmp_path / "general.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
        return ChatRows(path)

    return write


def test_rows_are_the_records_of_the_set(question_set, rows):
    records = list(QuestionSet(question_set).records(pictures=True))
    assert len(rows) == len(records) == 260
    for number in (0, 101, 259):
        record, row = records[number], rows[number]
        assert (row.id, row.id) == (record.id, rows.id_of(number))
        assert row.messages == messages(record.question, record.prompt, record.reply)
        assert row.question.points == record.question.points
        for shown, frame in zip(row.pictures, record.question.frames, strict=True):
            np.testing.assert_array_equal(shown, frame.rgb)


def test_pictures_are_stored_once(question_set, rows):
    laid_out = sum(path.stat().st_size for path in (question_set / "rows").iterdir())
    assert laid_out < 2000 * len(rows)  # bytes: words and paths, no pictures
    assert not list((question_set / "rows").glob(".*"))


def test_rows_are_laid_out_again_when_the_shard_is_newer(question_set):
    shard = QuestionSet(question_set).shards[0]
    path = row_file(shard)
    before = path.stat().st_mtime_ns
    assert row_file(shard).stat().st_mtime_ns == before
    os.utime(shard, ns=(before + 10**9, before + 10**9))
    assert row_file(shard).stat().st_mtime_ns != before
    os.utime(shard, ns=(before - 10**9, before - 10**9))


def test_a_smaller_choice_is_part_of_a_larger_one(question_set):
    ids = [
        {rows.id_of(number) for number in range(len(rows))}
        for rows in (QuestionRows(question_set, count=count, seed=3) for count in (10, 40, 260))
    ]
    assert [len(one) for one in ids] == [10, 40, 260]
    assert ids[0] < ids[1] < ids[2]


def test_takes_so_many_of_a_subtask_and_of_a_family(question_set):
    subtasks = {record.id: record.subtask for record in QuestionSet(question_set).records()}
    rows = QuestionRows(question_set, take={"vc_mcq": 3, "depth": 12})
    taken = Counter(subtasks[rows.id_of(number)] for number in range(len(rows)))
    assert taken["vc_mcq"] == 3
    assert sum(count for name, count in taken.items() if name.startswith("depth")) == 12
    assert sum(taken.values()) == 15


def test_refuses_unknown_names_and_empty_choices(question_set):
    with pytest.raises(ValueError, match=r"`take` names 'cameras', which is no subtask.*camera_motion"):
        QuestionRows(question_set, take={"cameras": 3})
    with pytest.raises(ValueError, match=r"No question of .* is left"):
        QuestionRows(question_set, take={"vc_mcq": 0})


def test_a_missing_picture_is_named(question_set, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(question_set, copy, ignore=shutil.ignore_patterns("pictures"))
    with pytest.raises(FileNotFoundError, match=r"picture .*\.jpg is missing: make the data again"):
        QuestionRows(copy)[0]


def test_general_data_in_either_form(chat, picture):
    turns = [{"role": "user", "content": "Look: <image>What?"}, {"role": "assistant", "content": "Grey."}]
    old = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "Grey."}]
    rows = chat({"messages": turns, "images": [picture]}, "", {"conversations": old, "image": picture})
    assert len(rows) == 2
    assert [block["type"] for block in rows[0].messages[0]["content"]] == ["text", "image", "text"]
    assert rows[1].messages[0]["content"] == [{"type": "image"}, {"type": "text", "text": "What?"}]
    assert rows[1].pictures[0].shape == (6, 8, 3)
    assert rows[0].question is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("not json", "general.jsonl:0 is no conversation: JSONDecodeError"),
        ({"text": "?"}, "general.jsonl:0 is no conversation: KeyError: 'conversations'"),
        (
            {"messages": [{"role": "user", "content": "<image>?"}, {"role": "assistant", "content": "!"}]},
            "names 0 pictures, but has 1 places",
        ),
        ({"messages": [{"role": "user", "content": "?"}]}, "must end with a user's turn and the assistant's"),
    ],
)
def test_refuses_lines_that_are_no_conversation(chat, line, problem):
    with pytest.raises(ValueError, match=problem):
        chat(line)[0]


def test_refuses_missing_and_empty_general_data(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none.jsonl of general"):
        ChatRows(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ValueError, match="holds no conversation"):
        ChatRows(tmp_path / "empty.jsonl")


def test_an_epoch_shows_every_question_once_and_general_ones_by_their_share():
    order = Order(questions=90, general=7, share=0.1, seed=2)
    assert order.epoch == 100
    epochs = [[order(100 * epoch + place) for place in range(100)] for epoch in range(7)]
    for epoch in epochs:
        assert sorted(row for source, row in epoch if source == "question") == list(range(90))
    assert epochs[0] != epochs[1]
    shown = Counter(row for epoch in epochs for source, row in epoch if source == "general")
    assert set(shown.values()) == {10}  # 70 places for 7 conversations


def test_refuses_orders_that_make_no_sense():
    with pytest.raises(ValueError, match="at least one question, got 0"):
        Order(0)
    for general, share in ((0, 0.1), (5, 0.0), (5, 1.0)):
        with pytest.raises(ValueError, match=r"`general_share` must be within 0\.\.1"):
            Order(10, general, share)


@pytest.mark.parametrize(("processes", "per_device"), [(1, 8), (1, 2), (2, 4), (2, 2), (4, 2), (4, 1)])
def test_any_number_of_processes_sees_the_same_samples_in_each_step(processes, per_device):
    """As accelerate shards batches: process p takes every batch whose number is p modulo the processes."""
    from accelerate.data_loader import BatchSamplerShard

    order, batch, steps = Order(30, seed=1), 8, 12
    batches = BatchSampler(range(steps * batch), per_device, drop_last=True)
    shards = [list(BatchSamplerShard(batches, processes, rank)) for rank in range(processes)]
    accumulate = batch // (processes * per_device)
    for step in range(steps):
        taken = [
            order(number)
            for shard in shards
            for numbers in shard[step * accumulate : (step + 1) * accumulate]
            for number in numbers
        ]
        assert sorted(taken) == sorted(order(number) for number in range(step * batch, (step + 1) * batch))


def test_mixture_goes_into_other_processes(rows, chat):
    general = chat({"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]})
    order = Order(len(rows), len(general), 0.2)
    mixture = Mixture(Joined([rows]), general, order, 100)
    copy = pickle.loads(pickle.dumps(mixture))
    assert len(mixture) == 100
    sources = {order(number)[0] for number in range(20)}
    assert sources == {"question", "general"}
    assert [copy[number].id for number in range(20)] == [mixture[number].id for number in range(20)]

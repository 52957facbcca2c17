"""The InternVL export, read back the way `internvl_chat`'s dataset reads it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from export_checks import check_pictures, check_reply

from spatial_reward.chat import dots_on, tile_grid
from spatial_reward.data.export.internvl import export
from spatial_reward.questions import written

META_KEYS = {"root", "annotation", "data_augment", "repeat_time", "length", "max_dynamic_patch"}


@pytest.fixture(scope="module")
def folder(question_set, tmp_path_factory):
    return export(question_set, tmp_path_factory.mktemp("internvl") / "out")


@pytest.fixture(scope="module")
def loaded(folder):
    """id -> (row, entry of the meta file), as LazySupervisedDataset walks through them."""
    rows = {}
    for entry in json.loads((folder / "meta.json").read_text()).values():
        assert set(entry) == META_KEYS
        lines = Path(entry["annotation"]).read_text().splitlines()
        assert len(lines) == entry["length"] > 0
        rows |= {row["id"]: (row, entry) for row in map(json.loads, lines)}
    return rows


def test_every_record_is_there_once(loaded, records):
    assert set(loaded) == {record.id for record in records}


def test_conversations_pictures_and_sizes_are_those_of_the_record(loaded, records, question_set):
    for record in records:
        row, entry = loaded[record.id]
        human, gpt = row["conversations"]
        assert (human["from"], gpt["from"]) == ("human", "gpt")
        assert human["value"].count("<image>") == len(row["image"]) == len(record.question.frames)
        assert human["value"].endswith(record.prompt) and record.reply not in human["value"]
        check_reply(record, gpt["value"])
        check_pictures(record, [os.path.join(entry["root"], path) for path in row["image"]], question_set)
        assert row["width_list"] == [frame.width for frame in record.question.frames]
        assert row["height_list"] == [frame.height for frame in record.question.frames]
        assert row["question_type"] == record.subtask


def test_every_picture_gets_six_tiles_with_the_stock_division(loaded):
    for row, entry in loaded.values():
        most = entry["max_dynamic_patch"] // len(row["image"])
        assert tile_grid(1296, 968, most).tiles == 7


def test_truths_are_whole_numbers_in_the_units_of_the_reply(loaded, records):
    units = {"m": "mm", "deg": "deg", "px": "thousandths", "1": "word"}
    for record in records:
        row, _ = loaded[record.id]
        value, truth = row["gt_value"], record.question.answer.value
        assert row["gt_unit"] == units[record.question.answer.unit]
        if row["gt_unit"] == "word":
            assert value == truth
        elif row["gt_unit"] == "mm":
            assert np.atleast_1d(value) == pytest.approx(1000 * np.atleast_1d(truth), abs=0.51)
        elif row["gt_unit"] == "deg":
            assert value == pytest.approx(abs(truth), abs=1)
        else:
            frame = record.question.frames[-1]
            size = np.array([frame.width, frame.height])
            assert np.array(value) / 1000 * size == pytest.approx(truth, abs=0.51 * max(size) / 1000)
        assert str(written(record.question, record.mode)).strip("[] ").startswith(str(np.ravel(value)[0]))


def test_only_pictures_with_dots_are_written_each_once(loaded, folder, records):
    wanted = {
        (record.pictures[number], tuple(marks))
        for record in records
        for number in range(len(record.pictures))
        if (marks := dots_on(record.question, number, record.id))
    }
    written_files = list((folder / "pictures").rglob("*.jpg"))
    assert len(written_files) == len(wanted) > 10
    used = {path for row, _ in loaded.values() for path in row["image"]}
    assert {path.relative_to(folder).as_posix() for path in written_files} == {
        path for path in used if path.startswith("pictures/")
    }
    assert not any(os.path.isabs(path) for path in used)

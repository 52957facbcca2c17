"""The VLMEvalKit tables, read back as its custom datasets read them."""

import ast
import base64
import csv
import sys
from dataclasses import replace

import pytest
from export_checks import check_pictures, check_reply

from spatial_reward.data.export.tsv import DIRECTIONS, export, options
from spatial_reward.questions import KINDS, written

csv.field_size_limit(sys.maxsize)


def listed(text):
    """Do as `toliststr` does."""
    return [str(item) for item in ast.literal_eval(text)] if text[0] == "[" and text[-1] == "]" else [text]


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module")
def tables(question_set, tmp_path_factory):
    folder = export(question_set, tmp_path_factory.mktemp("tsv") / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["small_set_mcq.tsv", "small_set_openended.tsv"]
    return {kind: rows_of(folder / f"small_set_{kind}.tsv") for kind in ("mcq", "openended")}


def test_every_record_is_in_one_of_the_tables(tables, records):
    ids = [row["id"] for rows in tables.values() for row in rows]
    assert sorted(ids) == sorted(record.id for record in records)
    assert len({row["index"] for rows in tables.values() for row in rows}) == len(records)


def test_pictures_are_inside_under_names_of_their_own(tables, records, question_set):
    by_id = {record.id: record for record in records}
    names = []
    for row in (row for rows in tables.values() for row in rows):
        images, paths = listed(row["image"]), listed(row["image_path"])
        assert len(images) == len(paths) and all(len(image) > 64 for image in images)
        check_pictures(by_id[row["id"]], [base64.b64decode(image) for image in images], question_set)
        names += paths
    assert len(set(names)) == len(names) and all(name.endswith(".png") for name in names)


def test_choices_hold_the_truth_under_the_letter_of_the_answer(tables, records):
    by_id = {record.id: record for record in records}
    for row in tables["mcq"]:
        record = by_id[row["id"]]
        letters = [letter for letter in "ABCD" if row[letter]]
        assert len(letters) == (4 if record.question.kind == "vc_mcq" else 2)
        check_reply(record, f"`{row[row['answer']].removeprefix('dot ')}`")
        wrong = [row[letter] for letter in letters if letter != row["answer"]]
        for choice in wrong:
            with pytest.raises(AssertionError):
                check_reply(record, f"`{choice.removeprefix('dot ')}`")


def test_open_questions_state_the_format_and_their_answer_is_right(tables, records):
    by_id = {record.id: record for record in records}
    for row in tables["openended"]:
        record = by_id[row["id"]]
        assert "A" not in row
        assert row["question"].startswith(record.prompt) and "backticks" in row["question"]
        check_reply(record, f"`{row['answer']}` {row['unit'] if row['unit'] in ('mm', 'deg') else ''}")


def test_prompts_say_nothing_that_depends_on_the_truth(tables, records):
    by_id = {record.id: record for record in records}
    endings = {}
    for kind, row in ((kind, row) for kind, rows in tables.items() for row in rows):
        record = by_id[row["id"]]
        assert record.reply not in row["question"]
        ending = row["question"].removeprefix(record.prompt)
        endings.setdefault((kind, record.question.kind), set()).add(ending)
    assert all(len(seen) == 1 for seen in endings.values())


def test_directions_are_those_that_are_read():
    for kind, words in DIRECTIONS.items():
        assert {KINDS[kind].read(f"`{word}`", None).value for word in words} == set(words)


def test_points_that_share_coordinates_are_no_choice(records):
    question = next(r.question for r in records if r.question.kind == "depth_cmp_coord")
    assert len(options(question)) == 2 and written(question) in options(question)
    assert options(replace(question, points=(question.points[0],) * 2)) == ()

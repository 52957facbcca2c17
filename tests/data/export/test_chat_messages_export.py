"""The table of chat messages, read back with pyarrow and turned into what a chat template is given."""

import json

import pyarrow.parquet as pq
import pytest
from export_checks import check_pictures, check_reply

from spatial_reward.chat import internvl_text
from spatial_reward.data.export import chat_messages
from spatial_reward.questions import written


@pytest.fixture(scope="module", params=[False, True], ids=["referenced", "embedded"])
def exported(request, question_set, tmp_path_factory):
    out = tmp_path_factory.mktemp("chat") / "out"
    return chat_messages.export(question_set, out, embed=request.param), request.param


def test_rows_hold_the_words_and_pictures_of_the_records(exported, records, question_set):
    folder, embedded = exported
    rows = pq.read_table(folder / "train-00000.parquet").to_pylist()
    assert [row["id"] for row in rows] == [record.id for record in records]
    for row, record in zip(rows, records, strict=True):
        user, assistant = row["messages"]
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        text = "".join("<image>\n" if b["type"] == "image" else b["text"] for b in user["content"])
        assert text == internvl_text(record.question, record.prompt)
        check_reply(record, assistant["content"][0]["text"])
        assert row["answer"] == written(record.question, record.mode) and row["subtask"] == record.subtask
        files = [image["bytes"] if embedded else folder / image["path"] for image in row["images"]]
        check_pictures(record, files, question_set)


def test_embedding_needs_no_other_files(exported):
    folder, embedded = exported
    assert (folder / "pictures").exists() is not embedded


def test_the_note_for_hugging_face_names_every_column_in_order(exported):
    schema = pq.read_schema(exported[0] / "train-00000.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == schema.names and features["images"] == [{"_type": "Image"}]


def test_shards_are_cut_and_complete(question_set, tmp_path, monkeypatch, records):
    monkeypatch.setattr(chat_messages, "PER_SHARD", 40)
    monkeypatch.setattr(chat_messages, "PER_GROUP", 7)
    folder = chat_messages.export(question_set, tmp_path / "out")
    tables = [pq.read_table(path)["id"].to_pylist() for path in sorted(folder.glob("*.parquet"))]
    assert [len(table) for table in tables] == [40, 40, len(records) - 80]
    assert [one for table in tables for one in table] == [record.id for record in records]

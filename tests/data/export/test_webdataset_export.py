"""The tar shards, read back with tarfile and grouped as the webdataset library groups them."""

import json
import tarfile

import pytest
from export_checks import check_pictures, check_reply

from spatial_reward.data.export.truth import plain
from spatial_reward.data.export.webdataset import export


def samples(path):
    """Group neighbouring files by what precedes the first dot of their names."""
    grouped = []
    with tarfile.open(path) as tar:
        for member in tar:
            assert member.isfile() and "/" not in member.name
            key, _, extension = member.name.partition(".")
            if not grouped or grouped[-1]["__key__"] != key:
                grouped.append({"__key__": key})
            assert extension not in grouped[-1]
            grouped[-1][extension] = tar.extractfile(member).read()
    return grouped


@pytest.fixture(scope="module")
def folder(question_set, tmp_path_factory):
    return export(question_set, tmp_path_factory.mktemp("tar") / "out", per_shard=30)


def test_samples_hold_the_words_and_pictures_of_the_records(folder, records, question_set):
    found = [sample for path in sorted(folder.glob("*.tar")) for sample in samples(path)]
    assert len({sample["__key__"] for sample in found}) == len(found) == len(records)
    for sample, record in zip(found, records, strict=True):
        described = json.loads(sample["json"])
        assert described["id"] == record.id and described["answer"] == plain(record)
        assert described["prompt"] == record.prompt
        check_reply(record, described["messages"][1]["content"][0]["text"])
        check_pictures(record, [sample[f"{n}.jpg"] for n in range(len(record.frames))], question_set)


def test_shards_have_equal_sizes_but_for_the_last(folder, records):
    counts = [len(samples(path)) for path in sorted(folder.iterdir())]
    assert counts == [30, 30, 30, len(records) - 90]


def test_headers_hold_no_time_and_no_owner(folder):
    for path in folder.iterdir():
        with tarfile.open(path) as tar:
            told = {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar}
        assert told == {(0, 0, 0, "", "", 0o644)}

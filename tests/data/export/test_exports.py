"""What all exports have in common: same bytes again, whole or not at all, one line for what is missing."""

import shutil
from importlib import import_module

import pytest
from small_scenes import make_set

from spatial_reward.data.export import pictures as export_pictures

NAMES = ("internvl", "chat_messages", "webdataset", "tsv", "lmms", "dense")


def export(name, *places):
    return import_module(f"spatial_reward.data.export.{name}").export(*places)


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_set_gives_the_same_bytes(name, question_set, tmp_path):
    first = content(export(name, question_set, tmp_path / "out"))
    shutil.rmtree(tmp_path / "out")
    assert content(export(name, question_set, tmp_path / "out")) == first and first
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_overwritten(name, question_set, tmp_path):
    (tmp_path / "precious.txt").write_text("")
    with pytest.raises(FileExistsError, match="already exists"):
        export(name, question_set, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_set_is_said_in_one_line(name, tmp_path):
    with pytest.raises(FileNotFoundError, match="generate"):
        export(name, tmp_path / "nowhere", tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Make a set that has lost a picture and all depth."""
    folder = make_set(tmp_path_factory.mktemp("broken") / "set", count=52, depth=False)
    for picture in (folder / "scenes").glob("*/pictures/000003.jpg"):
        picture.unlink()
    return folder


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dense"])
def test_a_missing_picture_leaves_nothing_half_written(name, broken, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"lacks its picture .*000003.jpg"):
        export(name, broken, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_dense_pairs_without_depth_say_what_to_do(broken, tmp_path):
    with pytest.raises(ValueError, match="prepare the scenes with depth=true"):
        export("dense", broken, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_exports_find_their_place_in_the_set(question_set):
    folder = export("internvl", question_set)
    assert folder == question_set / "exports" / "internvl" and (folder / "meta.json").is_file()
    shutil.rmtree(question_set / "exports")


@pytest.mark.parametrize("name", ["internvl", "webdataset"])
def test_a_picture_is_decoded_at_most_once_and_only_for_dots(
    name, question_set, records, tmp_path, monkeypatch
):
    decoded = []
    decode = export_pictures.decode
    monkeypatch.setattr(export_pictures, "decode", lambda data: decoded.append(data) or decode(data))
    export(name, question_set, tmp_path / "out")
    dotted = {
        (question_set / path).read_bytes()
        for record in records
        if record.question.kind.endswith("_dot") or record.question.kind == "vc_mcq"
        for path in record.pictures
    }
    assert len(decoded) == len(set(decoded)) and decoded and set(decoded) <= dotted

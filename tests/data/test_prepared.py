"""Prepared scenes: exact, whole or absent, and clear about what is wrong."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from boxes_source import SIZE, Boxes
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.data import prepared as module
from spatial_reward.data.draw import Rules, supported
from spatial_reward.data.picture_file import inspect
from spatial_reward.data.prepared import PreparedScene, decode, folder_name, prepare
from spatial_reward.data.sources import BadScene, static_points
from spatial_reward.questions import SUBTASKS


class Changed(Boxes):
    """A scene with something exchanged."""

    def __init__(self, *, picture=None, **changes):
        super().__init__(scenes=1, frames=6, points=30)
        self.changes, self.content = changes, picture

    def load(self, scene):
        whole = super().load(scene)
        return replace(whole, **{key: change(whole) for key, change in self.changes.items()})

    def picture(self, scene, frame):
        content = super().picture(scene, frame)
        return content if self.content is None else self.content(content)


@pytest.fixture
def boxes():
    return Boxes(scenes=2, frames=6, points=30, depth=True)


def same_scene(one, other):
    """Tell whether two scenes are equal to the bit, pixels aside."""
    arrays = all(np.array_equal(getattr(one, a), getattr(other, a)) for a in ("points", "visible", "body"))
    frames = all(
        (a.time, a.view, a.width, a.height) == (b.time, b.view, b.width, b.height)
        and np.array_equal(a.camera.intrinsics, b.camera.intrinsics)
        and np.array_equal(a.camera.world_from_camera, b.camera.world_from_camera)
        for a, b in zip(one.frames, other.frames, strict=True)
    )
    return arrays and frames and one.names == other.names


def test_a_scene_comes_back_to_the_bit(boxes, tmp_path):
    prepared = PreparedScene(prepare(boxes, "room1", tmp_path))
    assert prepared.folder == tmp_path / "room1" and (prepared.source, prepared.id) == ("boxes", "room1")
    assert same_scene(prepared.scene, boxes.load("room1"))
    assert prepared.scene.visible.dtype == bool and prepared.scene.points.dtype == np.float64
    assert prepared.picture(3) == boxes.picture("room1", 3)
    assert not prepared.scene.frames[0].rgb.any() and prepared.scene.frames[0].depth is None


def test_visibility_is_packed_and_points_stay_on_disk(boxes, tmp_path):
    prepared = PreparedScene(prepare(boxes, "room0", tmp_path))
    assert np.load(prepared.folder / "visible.npy").shape == (6, 12)  # 90 points
    base = prepared.scene.points
    while not isinstance(base, np.memmap):
        base = base.base
    assert not base.flags.writeable


def test_points_that_never_move_are_kept_once(tmp_path):
    source = Changed(points=lambda scene: static_points(scene.points[0], 6))
    prepared = PreparedScene(prepare(source, "room0", tmp_path))
    assert np.load(prepared.folder / "points.npy").shape == (90, 3)
    assert prepared.scene.points.strides[0] == 0 and same_scene(prepared.scene, source.load("room0"))


def test_frames_are_decoded_once_with_depth_and_bodies_where_wanted(boxes, tmp_path, monkeypatch):
    decoded = []
    monkeypatch.setattr(module, "decode", lambda content: decoded.append(1) or decode(content))
    deep = PreparedScene(prepare(boxes, "room0", tmp_path / "deep", depth=True))
    flat = PreparedScene(prepare(boxes, "room0", tmp_path / "flat"))
    for _ in range(3):
        frame = deep.frame(4)
    assert len(decoded) == 1
    assert np.array_equal(frame.rgb, decode(boxes.picture("room0", 4)))
    assert np.array_equal(frame.depth, boxes.load("room0").frames[4].depth)
    assert frame.bodies.dtype == np.int32 and (frame.bodies == 4 % 3).all()
    assert flat.frame(4).depth is None and flat.frame(4).bodies is None


def test_the_digest_is_that_of_the_content(boxes, tmp_path):
    def digest(source, place, **how):
        return PreparedScene(prepare(source, "room0", tmp_path / place, **how)).digest

    first = digest(boxes, "a")
    assert first == digest(boxes, "b") == digest(boxes, "c", rules=Rules(mode="paper"))
    moved = Changed(points=lambda scene: scene.points + np.float64(2**-40))
    others = [digest(boxes, "d", depth=True), digest(moved, "e"), digest(Changed(), "f")]
    assert len({first, *others}) == 3  # the last is the first again
    assert others[2] == first


def test_what_a_scene_does_not_support_is_kept_with_the_reason(boxes, tmp_path):
    rules = Rules(mode="paper")
    prepared = PreparedScene(prepare(boxes, "room0", tmp_path, rules=rules))
    reasons = {one.name: supported(prepared.scene, one.name, rules) for one in SUBTASKS}
    assert prepared.unsupported == {name: reason for name, reason in reasons.items() if reason}
    assert prepared.unsupported and len(prepared.unsupported) < 26


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"frames": lambda s: tuple(replace(f, camera=None) for f in s.frames)}, "no camera"),
        ({"points": lambda s: s.points * np.nan}, "visible points that are not finite"),
        ({"visible": lambda s: s.visible & False}, "no visible point"),
        ({"body": lambda s: s.body + 99}, "unreadable scene"),
        ({"points": lambda s: s.points[:3]}, "unreadable scene"),
        ({"picture": lambda content: content[: len(content) // 2]}, "unreadable picture"),
        ({"picture": lambda content: b""}, "unreadable picture"),
        ({"picture": lambda content: b"GIF89a" + content}, "unreadable picture"),
        ({"picture": lambda content: large_picture()}, "pictures of another size than their cameras"),
    ],
)
def test_what_cannot_be_used_is_a_bad_scene_and_leaves_nothing(changes, reason, tmp_path):
    with pytest.raises(BadScene) as error:
        prepare(Changed(**changes), "room0", tmp_path)
    assert error.value.reason == reason
    assert not list(tmp_path.iterdir())


def large_picture():
    import cv2

    return cv2.imencode(".png", np.zeros((SIZE[1] * 2, SIZE[0] * 2, 3), np.uint8))[1].tobytes()


def test_a_scene_without_points_or_frames_is_bad(tmp_path):
    empty = Changed(
        points=lambda s: s.points[:, :0], visible=lambda s: s.visible[:, :0], body=lambda s: s.body[:0]
    )
    with pytest.raises(BadScene, match="no frames or no points: 6 frames, 0 points"):
        prepare(empty, "room0", tmp_path)


def test_trouble_of_the_computer_is_not_the_scenes(tmp_path):
    def full(scene):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        prepare(Changed(points=full), "room0", tmp_path)


def test_defects_of_a_source_are_not_hidden(tmp_path):
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        prepare(Changed(points=lambda scene: scene.nothing), "room0", tmp_path)


def test_what_is_there_already_stays(boxes, tmp_path):
    place = prepare(boxes, "room0", tmp_path)
    before = (place / "scene.json").stat().st_ino
    assert prepare(boxes, "room0", tmp_path) == place
    assert (place / "scene.json").stat().st_ino == before and len(list(tmp_path.iterdir())) == 1


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, unique=True))
def test_ids_become_different_plain_names(ids):
    names = []
    for one in ids:
        try:
            names.append(folder_name(one))
        except BadScene:
            continue
    assert len(set(names)) == len(names)
    for name in names:
        assert Path("folder", name).resolve().parent == Path("folder").resolve()
        assert not name.startswith(".") and "\\" not in name and ":" not in name


@pytest.mark.parametrize("wrong", ["", "x" * 201, "\N{SNOWMAN}" * 50, "\udc80"])
def test_ids_that_no_folder_can_have_are_refused(wrong):
    with pytest.raises(BadScene, match="no usable scene id"):
        folder_name(wrong)


def test_damage_is_named_with_the_remedy(boxes, tmp_path):
    place = prepare(boxes, "room0", tmp_path)
    points = (place / "points.npy").read_bytes()
    (place / "points.npy").write_bytes(points[: len(points) // 2])
    with pytest.raises(ValueError, match=r"points.npy is damaged .*: remove .* and generate again"):
        _ = PreparedScene(place).scene
    (place / "scene.json").write_text("{")
    with pytest.raises(ValueError, match=r"scene.json is damaged .*: remove the folder"):
        PreparedScene(place)
    with pytest.raises(FileNotFoundError, match="There is no prepared scene in"):
        PreparedScene(tmp_path / "elsewhere")


def test_pickles_are_never_loaded(boxes, tmp_path):
    place = prepare(boxes, "room0", tmp_path)
    np.save(place / "body.npy", np.array([print], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"body.npy is damaged"):
        _ = PreparedScene(place).scene


def test_the_description_is_plain_json_with_exact_numbers(boxes, tmp_path):
    place = prepare(boxes, "room0", tmp_path)
    frame = json.loads((place / "scene.json").read_text())["frames"][5]
    camera = boxes.load("room0").frames[5].camera
    assert frame["world_from_camera"] == camera.world_from_camera.ravel().tolist()
    assert frame["picture"] == "pictures/000005.jpg" and (place / frame["picture"]).is_file()


def test_picture_files_are_read_without_decoding(boxes):
    assert inspect(boxes.picture("room0", 0)) == (".png", *SIZE)
    assert inspect(boxes.picture("room0", 1)) == (".jpg", *SIZE)

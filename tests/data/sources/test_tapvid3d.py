"""Clips of TAPVid-3D: what is written comes back, what is broken or malicious is refused."""

import io
import os
import pickle
import zipfile
from itertools import combinations, permutations

import cv2
import numpy as np
import pytest
from captured import capture

from spatial_reward.camera import rigid, transform
from spatial_reward.data.export.tapvid3d import export_tapvid3d
from spatial_reward.data.sources import BadScene, Source
from spatial_reward.data.sources.calibration import upright
from spatial_reward.data.sources.tapvid3d import TAPVid3D
from spatial_reward.geometry import camera_motion
from spatial_reward.questions.object_motion import displacement
from spatial_reward.types import Scene

EXACT = 1e-9  # [m], [deg]
JPEG = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def moving():
    return capture()


@pytest.fixture(scope="module")
def clips(moving, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tapvid3d")
    export_tapvid3d({"push": moving}, folder)
    return folder


def arrays(count=8, points=12):
    """A clip of two rigid things, of which one moves 5 cm a frame."""
    rng = np.random.default_rng(0)
    tracks = np.tile(rng.uniform((-0.3, -0.2, 1), (0.3, 0.2, 1.5), (points, 3)), (count, 1, 1))
    tracks[:, points // 2 :, 0] += 0.05 * np.arange(count)[:, None] - 0.2
    return {
        "images_jpeg_bytes": np.array([JPEG] * count),
        "queries_xyt": np.zeros((points, 3)),
        "tracks_XYZ": tracks,
        "visibility": np.ones((count, points), bool),
        "fx_fy_cx_cy": np.array([50.0, 50, 32, 24]),
        "extrinsics_w2c": np.tile(np.eye(4), (count, 1, 1)),
    }


def written(folder, name="clip", **changes):
    content = {key: value for key, value in (arrays() | changes).items() if value is not None}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"{name}.npz", **content)
    return folder


def reason(folder, scene="clip", **options):
    with pytest.raises(BadScene) as error:
        TAPVid3D(folder, **options).load(scene)
    return error.value.reason


def tracked(scene):
    seen = scene.visible.any(axis=0)
    return Scene(scene.frames, scene.points[:, seen], scene.visible[:, seen], scene.body[seen], scene.names)


def assert_same_motion(found, truth, pairs):
    for first, second in pairs:
        for point in range(len(truth.body)):
            moved = displacement(found, point, first, second)
            assert np.allclose(moved, displacement(truth, point, first, second), atol=EXACT)


# What is written comes back.


def test_a_moving_camera_and_moving_things_come_back(moving, clips):
    source = TAPVid3D(clips)
    found, truth = source.load("push"), tracked(moving)
    assert isinstance(source, Source) and source.scenes() == ("push",)
    assert np.allclose(found.points, truth.points, atol=EXACT)
    assert np.array_equal(found.visible, truth.visible)
    pairs = list(permutations(range(6), 2))
    assert_same_motion(found, truth, pairs)
    assert max(np.linalg.norm(displacement(found, p, 0, 5)) for p in range(len(found.body))) > 0.3
    for first, second in pairs:
        got, want = (
            camera_motion(*(scene.frames[t].camera.world_from_camera for t in (first, second)))
            for scene in (found, truth)
        )
        assert np.allclose(got.translation, want.translation, atol=EXACT)
        assert (got.yaw, got.pitch) == pytest.approx((want.yaw, want.pitch), abs=1e-6)
    assert abs(want.yaw) > 1


def test_pixels_follow_the_same_convention(moving, clips):
    found = TAPVid3D(clips).load("push")
    with np.load(clips / "adt" / "push.npz") as clip:  # without pickle
        queries = clip["queries_xyt"]
    for point, (x, y, time) in enumerate(queries):
        frame = found.frames[int(time)]
        assert found.visible[int(time), point] and not found.visible[: int(time), point].any()
        assert np.allclose(frame.camera.project(found.points[int(time), point])[0], (x, y), atol=1e-6)
        assert np.allclose(frame.camera.intrinsics, moving.frames[0].camera.intrinsics)


def test_pictures_are_handed_on_unchanged(moving, clips):
    source = TAPVid3D(clips)
    with np.load(clips / "adt" / "push.npz") as clip:
        files = list(clip["images_jpeg_bytes"])
    assert [source.picture("push", index) for index in range(6)] == files
    decoded = cv2.imdecode(np.frombuffer(files[3], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decoded.astype(int) - moving.frames[3].rgb).mean() < 3
    with pytest.raises(BadScene, match="no such frame"):
        source.picture("push", 6)


def test_a_still_camera_needs_no_extrinsics(tmp_path):
    scene = capture(moving_camera=False)
    (path,) = export_tapvid3d({"push": scene}, tmp_path, extrinsics=False)
    assert path == tmp_path / "pstudio" / "push.npz" and "extrinsics_w2c" not in np.load(path)
    found = TAPVid3D(tmp_path, subset="pstudio").load("push")
    assert_same_motion(found, tracked(scene), [(0, 5), (4, 1)])
    up_in_picture = found.frames[0].camera.camera_from_world[:3, :3] @ (0, 0, 1)
    assert np.allclose(up_in_picture, (0, -1, 0))
    assert np.array_equal(found.frames[0].camera.world_from_camera, found.frames[5].camera.world_from_camera)


def test_things_that_move_apart_are_told_apart(moving, clips):
    found, truth = TAPVid3D(clips).load("push"), tracked(moving)
    still = {truth.names.index("world"), truth.names.index("box")}
    thing = np.where(np.isin(truth.body, list(still)), -9, truth.body)
    assert found.names == ("object",) * 3
    for group in range(3):
        assert len(set(thing[found.body == group])) == 1
    assert set(thing[found.body == 0]) == {-9}


def test_several_cameras_become_several_clips(moving, tmp_path):
    from dataclasses import replace

    frames = tuple(replace(frame, view=f"c{t % 2}") for t, frame in enumerate(moving.frames))
    scene = Scene(frames, moving.points, moving.visible, moving.body, moving.names)
    paths = export_tapvid3d({"push": scene}, tmp_path)
    assert [path.name for path in paths] == ["push_0.npz", "push_1.npz"]
    assert len(TAPVid3D(tmp_path).load("push_1").frames) == 3


def test_the_exporter_says_what_the_format_cannot_hold(moving, clips, tmp_path):
    with pytest.raises(ValueError, match="moves"):
        export_tapvid3d({"push": moving}, tmp_path, extrinsics=False)
    with pytest.raises(ValueError, match="plain file name"):
        export_tapvid3d({"../push": moving}, tmp_path)
    with pytest.raises(ValueError, match="captured"):
        export_tapvid3d({"push": TAPVid3D(clips).load("push")}, tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileExistsError):
        export_tapvid3d({"push": moving}, clips)


# What clips may hold.


def test_an_array_of_bytes_objects_is_read_too(tmp_path):
    objects = np.empty(8, object)
    objects[:] = [JPEG] * 8
    source = TAPVid3D(written(tmp_path, images_jpeg_bytes=objects))
    assert len(source.load("clip").frames) == 8 and source.picture("clip", 7) == JPEG


def test_tracks_with_unknown_positions_are_left_out(tmp_path):
    tracks = arrays()["tracks_XYZ"]
    tracks[3, 2], tracks[0, 7, 1], tracks[5, 11] = np.nan, np.inf, 1e300
    found = TAPVid3D(written(tmp_path, tracks_XYZ=tracks)).load("clip")
    assert found.points.shape == (8, 9, 3) and np.isfinite(found.points).all()


def test_what_projects_outside_the_picture_is_not_visible(tmp_path):
    tracks = arrays()["tracks_XYZ"]
    tracks[0, 0], tracks[0, 1], tracks[0, 2] = (0, 0, -1), (3, 0, 1), (0, 0, 0)
    found = TAPVid3D(written(tmp_path, tracks_XYZ=tracks)).load("clip")
    assert found.visible[0].tolist() == [False] * 3 + [True] * 9


def test_slow_motions_add_up_only_if_asked(tmp_path):
    tracks = arrays(40)["tracks_XYZ"]
    tracks[:, 6:, 0] = tracks[0, 6:, 0] + 0.008 * np.arange(40)[:, None]
    written(tmp_path, **(arrays(40) | {"tracks_XYZ": tracks}))
    assert TAPVid3D(tmp_path).load("clip").names == ("object",)
    assert TAPVid3D(tmp_path, slow=True).load("clip").names == ("object",) * 2


def test_few_points_are_no_group(tmp_path):
    found = TAPVid3D(written(tmp_path, **arrays(points=10))).load("clip")
    assert found.names == () and set(found.body) == {-1}


def test_a_clip_with_too_many_tracks_is_thinned(tmp_path):
    found = TAPVid3D(written(tmp_path), most_points=7).load("clip")
    assert np.allclose(found.points[0, [0, -1]], TAPVid3D(tmp_path).load("clip").points[0, [0, -1]])
    assert found.points.shape[1] == 7


@pytest.mark.parametrize("up", ["x", "-x", "y", "-y", "z", "-z"])
def test_the_chosen_axis_points_up(up):
    turned = upright(up)
    axis = np.eye(3)["xyz".index(up[-1])] * (-1 if up[0] == "-" else 1)
    assert np.allclose(transform(turned, axis), (0, 0, 1)) and np.linalg.det(turned) == pytest.approx(1)


def test_the_world_is_turned_as_asked(tmp_path):
    pose = rigid(upright("x")[:3, :3], (0.1, 0.2, 0.3))
    written(tmp_path, extrinsics_w2c=np.tile(pose, (8, 1, 1)))
    by_default, as_stored = TAPVid3D(tmp_path).load("clip"), TAPVid3D(tmp_path, up="z").load("clip")
    assert np.allclose(by_default.points, as_stored.points @ upright("y")[:3, :3].T)
    assert np.allclose(as_stored.frames[0].camera.camera_from_world, pose)


def test_rounded_poses_are_cleaned(tmp_path):
    pose = rigid(cv2.Rodrigues(np.array([0.3, 0.2, 0.1]))[0], (1, 2, 3)).round(5)
    found = TAPVid3D(written(tmp_path, extrinsics_w2c=np.tile(pose, (8, 1, 1)))).load("clip")
    rotation = found.frames[0].camera.world_from_camera[:3, :3]
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)


# What is broken.


def bent():
    return np.tile(np.diag([1.0, 1, 1.1, 1]), (8, 1, 1))


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("missing arrays", {"tracks_XYZ": None}),
        ("missing arrays", {"images_jpeg_bytes": None}),
        ("wrong shape or type", {"tracks_XYZ": np.zeros((8, 12))}),
        ("wrong shape or type", {"tracks_XYZ": np.zeros((8, 12, 2))}),
        ("wrong shape or type", {"tracks_XYZ": np.full((8, 12, 3), "far")}),
        ("wrong shape or type", {"tracks_XYZ": np.zeros((8, 12, 3), complex)}),
        ("wrong shape or type", {"images_jpeg_bytes": np.zeros((8, 48, 64, 3), np.uint8)}),
        ("wrong shape or type", {"visibility": np.ones((8, 11), bool)}),
        ("wrong shape or type", {"fx_fy_cx_cy": np.zeros((3, 3))}),
        ("lengths disagree", {"tracks_XYZ": np.zeros((7, 12, 3))}),
        ("lengths disagree", {"visibility": np.ones((9, 12), bool)}),
        ("lengths disagree", {"extrinsics_w2c": np.tile(np.eye(4), (3, 1, 1))}),
        ("lengths disagree", {"fx_fy_cx_cy": np.ones(5)}),
        ("no finite tracks", {"tracks_XYZ": np.full((8, 12, 3), np.nan)}),
        ("no finite tracks", {"tracks_XYZ": np.zeros((8, 0, 3)), "visibility": np.zeros((8, 0))}),
        ("poses not finite", {"extrinsics_w2c": np.full((8, 4, 4), np.nan)}),
        ("poses not finite", {"extrinsics_w2c": np.full((8, 4, 4), 1e300)}),
        ("poses not rigid", {"extrinsics_w2c": bent()}),
        ("poses not rigid", {"extrinsics_w2c": np.tile(np.diag([1.0, 1, -1, 1]), (8, 1, 1))}),
        ("poses not rigid", {"extrinsics_w2c": np.tile(np.ones((4, 4)), (8, 1, 1))}),
        ("bad calibration", {"fx_fy_cx_cy": np.array([0.0, 50, 32, 24])}),
        ("bad calibration", {"fx_fy_cx_cy": np.array([50, np.nan, 32, 24])}),
        ("no pictures", {"images_jpeg_bytes": np.zeros(0, "S9")}),
        ("unreadable picture", {"images_jpeg_bytes": np.array([b"no picture"] * 8)}),
        ("unreadable picture", {"images_jpeg_bytes": np.array([JPEG[:-300]] * 8)}),
        ("unreadable picture", {"images_jpeg_bytes": np.array([b"\xff\xd8\xff\xd9"] * 8)}),
    ],
)
def test_a_broken_clip_says_why(tmp_path, why, changes):
    assert reason(written(tmp_path, **changes)) == why


def test_pictures_of_different_sizes_are_refused(tmp_path):
    other = cv2.imencode(".jpg", np.zeros((48, 65, 3), np.uint8))[1].tobytes()
    files = np.array([JPEG] * 7 + [other])
    assert reason(written(tmp_path, images_jpeg_bytes=files)) == "pictures of different sizes"


def test_a_clip_of_adt_without_poses_does_not_pass_for_a_still_camera(tmp_path):
    assert reason(written(tmp_path / "adt", extrinsics_w2c=None).parent) == "no camera poses"
    assert reason(tmp_path / "adt", subset="adt") == "no camera poses"
    written(tmp_path / "flat", "Apartment_release_meal_seq136_8", extrinsics_w2c=None)
    assert reason(tmp_path / "flat", "Apartment_release_meal_seq136_8") == "no camera poses"
    written(tmp_path / "flat", "basketball_5", extrinsics_w2c=None)
    assert len(TAPVid3D(tmp_path / "flat").load("basketball_5").frames) == 8


def test_a_truncated_clip_is_refused_wherever_it_ends(tmp_path):
    data = (written(tmp_path) / "clip.npz").read_bytes()
    for end in np.linspace(0, len(data) - 1, 25).astype(int):
        (tmp_path / "clip.npz").write_bytes(data[:end])
        assert reason(tmp_path) == "unreadable file"


def test_an_array_shorter_than_it_says_is_refused(tmp_path):
    written(tmp_path)
    with zipfile.ZipFile(tmp_path / "clip.npz") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        huge, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 12, 3)}
    )
    content["tracks_XYZ.npy"] = huge.getvalue()
    with zipfile.ZipFile(tmp_path / "clip.npz", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    assert reason(tmp_path) == "unreadable file"


def test_no_broken_byte_raises_anything_else(tmp_path):
    rng = np.random.default_rng(0)
    objects = np.empty(8, object)
    objects[:] = [JPEG] * 8
    data = (written(tmp_path, images_jpeg_bytes=objects) / "clip.npz").read_bytes()
    outcomes = set()
    for _ in range(150):
        broken = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            broken[place] = rng.integers(256)
        (tmp_path / "clip.npz").write_bytes(broken)
        try:
            TAPVid3D(tmp_path).load("clip")
            outcomes.add("read")
        except BadScene as error:
            outcomes.add(error.reason)
    assert "unreadable file" in outcomes


# What is malicious.


class Attack:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("key", ["images_jpeg_bytes", "tracks_XYZ", "extrinsics_w2c"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, key, inside):
    mark = tmp_path / "run"
    attack = Attack(os.mkdir, str(mark))
    objects = np.empty(8, object)
    objects[:] = [JPEG] * 7 + [attack]
    written(tmp_path, **{key: objects if inside else np.array(attack, object)})
    assert reason(tmp_path) == "unreadable file"
    assert not mark.exists()
    np.load(tmp_path / "clip.npz", allow_pickle=True)[key]
    assert mark.exists()  # it would have worked


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x04cos\nsystem\n\x8c\x07echo hi\x85R.",
        b"\x80\x04cnumpy\nload\n\x8c\x07a_file_\x85R.",
        b"\x80\x04cnumpy\nndarray.__reduce__\n)R.",
        b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        b"\x80\x04cbuiltins\ngetattr\n.",
        b"\x80\x04cnumpy\nndarray\n}\x8c\x01a\x8c\x01bsb.",  # to change what the names stand for
        b"\x80\x04cnumpy\nndarray\n)R.",
        b"\x80\x04cnumpy\nndarray\n)R(K\x01K\x02K\x03K\x04]tb.",
        b"\x80\x04cnumpy\nndarray\n)R(K\x01K\x02K\x03K\x04](K\x01K\x02K\x03K\x04K\x05K\x06K\x07K\x08etb.",
        b"\x80\x04]" + b"(" * 100_000 + b".",
        b"\x80\x04r\xff\xff\xff\x7f.",
        b"\x80\x04P1\n.",
        b"",
    ],
)
def test_hand_written_pickles_make_nothing(tmp_path, code):
    written(tmp_path)
    with zipfile.ZipFile(tmp_path / "clip.npz") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (8,)})
    content["images_jpeg_bytes.npy"] = header.getvalue() + code
    with zipfile.ZipFile(tmp_path / "clip.npz", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    assert reason(tmp_path) == "unreadable file"


# Which clips there are.


def test_a_list_chooses_and_orders_clips(tmp_path):
    for folder, name in (("adt", "a"), ("pstudio", "b_1"), ("pstudio", "c_2")):
        written(tmp_path / folder, name)
    assert TAPVid3D(tmp_path).scenes() == ("a", "b_1", "c_2")
    assert TAPVid3D(tmp_path, subset="pstudio").scenes() == ("b_1", "c_2")
    assert TAPVid3D(tmp_path / "adt", subset="adt").scenes() == ("a",)
    (tmp_path / "val.txt").write_text("# two\nc_2.npz\n\na\nc_2\ngone\n../x\n")
    source = TAPVid3D(tmp_path, tmp_path / "val.txt")
    assert source.scenes() == ("c_2", "a", "gone", "../x")
    assert len(source.load("c_2").frames) == 8
    assert reason(tmp_path, "gone", split=tmp_path / "val.txt") == "missing file"


@pytest.mark.parametrize("scene", ["../x", "/etc/passwd", "a/../../x", "..\\x"])
def test_a_name_cannot_leave_the_folder(tmp_path, scene):
    source = TAPVid3D(written(tmp_path / "pstudio").parent)
    for read in (source.load, lambda name: source.picture(name, 0)):
        with pytest.raises(BadScene) as error:
            read(scene)
        assert error.value.reason == "name outside the folder"


def test_what_the_user_got_wrong_is_said_at_once(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"source\.folder=FOLDER"):
        TAPVid3D(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no scenes"):
        TAPVid3D(tmp_path)
    written(tmp_path)
    (tmp_path / "empty.txt").write_text("\n# none\n")
    with pytest.raises(ValueError, match="names no scenes"):
        TAPVid3D(tmp_path, tmp_path / "empty.txt")
    with pytest.raises(FileNotFoundError, match="No list"):
        TAPVid3D(tmp_path, tmp_path / "gone.txt")
    with pytest.raises(ValueError, match="auto, adt, pstudio"):
        TAPVid3D(tmp_path, subset="waymo")
    with pytest.raises(ValueError, match="`up` must be one of"):
        TAPVid3D(tmp_path, up="w")
    written(tmp_path / "adt")
    with pytest.raises(ValueError, match="same name"):
        TAPVid3D(tmp_path)


def test_a_source_can_be_copied_to_another_process(tmp_path):
    source = TAPVid3D(written(tmp_path))
    source.load("clip")
    copy = pickle.loads(pickle.dumps(source))
    assert len(pickle.dumps(source)) < 2000 and copy.picture("clip", 1) == JPEG
    for first, second in combinations((source.load("clip"), copy.load("clip")), 2):
        assert np.array_equal(first.points, second.points)

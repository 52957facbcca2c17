"""Recorded episodes: what a scene tells, a recording of it tells too; what is broken is refused."""

import pickle
import shutil
from dataclasses import replace
from itertools import permutations

import cv2
import numpy as np
import pytest
from captured import capture

from spatial_reward.camera import rigid, transform
from spatial_reward.data.export.episodes import export_episode
from spatial_reward.data.sources import BadScene, Source
from spatial_reward.data.sources.episodes import Episodes
from spatial_reward.data.sources.surface_points import surface_pixels
from spatial_reward.geometry import camera_motion, extents, fit_rigid
from spatial_reward.questions.object_motion import displacement
from spatial_reward.types import Scene

EXACT = 1e-6  # [m]; depth is stored as float32


@pytest.fixture(scope="module")
def moving():
    return capture()


@pytest.fixture(scope="module")
def recorded(moving, tmp_path_factory):
    folder = tmp_path_factory.mktemp("episodes")
    export_episode(moving, folder / "push")
    return folder


def arrays(count=5):
    """A camera that moves sideways before a slanted wall."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 0, 3] = 0.05 * np.arange(count)
    columns = np.arange(64) + 0.5 - 32
    depth = np.stack([(2 + 0.3 * pose[0, 3]) / (1 - 0.3 * columns / 50) for pose in poses])
    return {
        "rgb": np.random.default_rng(0).integers(0, 255, (count, 48, 64, 3), np.uint8),
        "intrinsics": np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]),
        "world_from_camera": poses,
        "depth": np.tile(depth[:, None].astype(np.float32), (1, 48, 1)),
    }


def objects(count=5):
    """The left half of the pictures shows a thing."""
    bodies = np.full((count, 48, 64), -1, np.int16)
    bodies[..., :32] = 0
    poses = np.tile(np.eye(4), (count, 1, 1, 1))
    return {"bodies": bodies, "names": np.array(["thing"]), "world_from_body": poses}


def written(folder, name="episode", **changes):
    """Write one file."""
    content = {key: value for key, value in (arrays() | changes).items() if value is not None}
    np.savez(folder / f"{name}.npz", **content)
    return folder


def unpacked(folder, name="episode", **changes):
    """Write a folder of arrays."""
    (folder / name).mkdir()
    for key, value in (arrays() | changes).items():
        if value is not None:
            np.save(folder / name / f"{key}.npy", value)
    return folder


def reason(folder, scene="episode", **options):
    with pytest.raises(BadScene) as error:
        Episodes(folder, **{"static": True} | options).load(scene)
    return error.value.reason


# What is written comes back.


def test_frames_come_back_as_they_were(moving, recorded):
    source = Episodes(recorded)
    found = source.load("push")
    assert isinstance(source, Source) and source.scenes() == ("push",)
    assert found.names == moving.names
    for index, (got, want) in enumerate(zip(found.frames, moving.frames, strict=True)):
        assert got.time == want.time
        assert np.array_equal(got.bodies, want.bodies)
        assert np.array_equal(got.depth, want.depth, equal_nan=True)
        assert np.allclose(got.camera.world_from_camera, want.camera.world_from_camera, atol=1e-12)
        assert np.allclose(got.camera.intrinsics, want.camera.intrinsics)
        data = np.frombuffer(source.picture("push", index), np.uint8)
        assert np.array_equal(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], want.rgb)


def test_things_move_as_in_the_scene(moving, recorded):
    found = Episodes(recorded).load("push")
    moved = {}
    for first, second in permutations(range(6), 2):
        rotation = moving.frames[first].camera.camera_from_world[:3, :3]
        for body in range(len(moving.names)):
            rides, truth = found.body == body, moving.points[:, moving.body == body]
            motion = fit_rigid(truth[first], truth[second], robust=False).b_from_a
            points = found.points[first, rides]
            want = (transform(motion, points) - points) @ rotation.T
            want[np.linalg.norm(want, axis=1) < 0.01] = 0
            got = np.stack([displacement(found, p, first, second) for p in np.flatnonzero(rides)])
            assert np.allclose(got, want, atol=EXACT)
            moved[moving.names[body]] = np.linalg.norm(got, axis=1).max()
    assert moved["world"] == moved["box"] == 0 and moved["ball"] > 0.05 and moved["slider"] > 0.07


def test_the_camera_moves_as_in_the_scene(moving, recorded):
    found = Episodes(recorded).load("push")
    for pair in permutations(range(6), 2):
        got, want = (
            camera_motion(*(scene.frames[time].camera.world_from_camera for time in pair))
            for scene in (found, moving)
        )
        assert np.allclose(got.translation, want.translation, atol=1e-9)
        assert (got.yaw, got.pitch) == pytest.approx((want.yaw, want.pitch), abs=1e-6)


def test_points_lie_on_what_the_frames_show(moving, recorded):
    """Of a body that the depth picture shows, at its very depth, and nowhere that it does not."""
    found = Episodes(recorded, tolerance=0.01).load("push")
    for frame, points, visible in zip(found.frames, found.points, found.visible, strict=True):
        pixels, depth = frame.camera.project(points[visible])
        columns, rows = np.floor(pixels).astype(int).T
        assert np.abs(frame.depth[rows, columns] - depth).max() <= 0.01
        assert np.array_equal(frame.bodies[rows, columns], found.body[visible])
    assert all(found.visible[:, found.body == body].any() for body in range(4))
    hidden = ~found.visible & (found.body == moving.names.index("slider"))
    assert hidden.any()  # its other sides, drawn from other frames


def test_sizes_are_those_of_the_things(recorded):
    found = Episodes(recorded, points_per_body=2000).load("push")
    sizes = {"slider": (0.08, 0.08, 0.08), "box": (0.2, 0.2, 0.14), "ball": (0.2, 0.2, 0.2)}  # [m]
    for name, size in sizes.items():
        got = extents(found.points[0, found.body == found.names.index(name)])
        assert (got.height, got.length, got.width) == pytest.approx(size, abs=0.01)


def test_a_still_camera_before_still_things(tmp_path):
    scene = capture(moving_camera=False, moving_things=False)
    bare = tuple(replace(frame, bodies=None) for frame in scene.frames)
    export_episode(Scene(bare, scene.points, scene.visible, np.full_like(scene.body, -1)), tmp_path / "still")
    assert reason(tmp_path, "still", static=False) == "motion of things unknown"
    found = Episodes(tmp_path, static=True).load("still")
    assert found.names == () and found.points.strides[0] == 0  # takes the memory of one frame
    assert np.array_equal(found.points[0], found.points[5])
    assert found.visible.mean() > 0.95 and len(found.body) == 1024


def test_what_moves_without_a_pose_is_no_object(moving, tmp_path):
    points = moving.points.copy()
    rides = moving.body == moving.names.index("slider")
    points[:, rides] *= 1 + 0.1 * np.arange(6)[:, None, None]  # it grows
    scene = Scene(moving.frames, points, moving.visible, moving.body, moving.names)
    export_episode(scene, tmp_path / "grown")
    found = Episodes(tmp_path).load("grown")
    assert "slider" not in found.names and set(found.body) == {0, 1, 2}


def test_the_exporter_says_what_the_format_cannot_hold(moving, recorded, tmp_path):
    def export(change, points=moving.points):
        frames = tuple(change(index, frame) for index, frame in enumerate(moving.frames))
        export_episode(Scene(frames, points, moving.visible, moving.body, moving.names), tmp_path / "x")

    with pytest.raises(ValueError, match="one camera"):
        export(lambda index, frame: replace(frame, view=str(index)))
    with pytest.raises(ValueError, match="depth"):
        export(lambda index, frame: replace(frame, depth=None))
    with pytest.raises(ValueError, match="which pixels move"):
        export(lambda index, frame: replace(frame, bodies=None))
    with pytest.raises(FileExistsError):
        export_episode(moving, recorded / "push")
    assert not (tmp_path / "x").exists()


# What recordings may look like.


def test_a_file_and_a_folder_are_the_same(tmp_path):
    scenes = []
    for index, write in enumerate((written, unpacked)):
        (tmp_path / str(index)).mkdir()
        scenes.append(Episodes(write(tmp_path / str(index)), static=True).load("episode"))
    assert np.array_equal(scenes[0].points, scenes[1].points) and len(scenes[0].body) == 1024
    world = scenes[0].points[0]
    assert np.abs(world[:, 2] - 0.3 * world[:, 0] - 2).max() < EXACT  # the wall
    assert scenes[0].visible.any(axis=0).all()


@pytest.mark.parametrize("kind", ["jpg", "png", "mp4"])
def test_pictures_may_be_files_or_a_video(tmp_path, kind):
    folder = unpacked(tmp_path, rgb=None) / "episode"
    pictures = [np.full((48, 64, 3), 40 * index, np.uint8) for index in range(5)]
    if kind == "mp4":
        video = cv2.VideoWriter(str(folder / "rgb.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
        for picture in pictures:
            video.write(picture)
        video.release()
    else:
        (folder / "rgb").mkdir()
        for index, picture in enumerate(pictures):
            cv2.imwrite(str(folder / "rgb" / f"{index:02d}.{kind}"), picture)
    source = Episodes(tmp_path, static=True)
    assert len(source.load("episode").frames) == 5
    for index in (3, 1, 1, 4, 0, 2):
        data = source.picture("episode", index)
        assert cv2.imdecode(np.frombuffer(data, np.uint8), 1).mean() == pytest.approx(40 * index, abs=4)
        if kind != "mp4":
            assert data == (folder / "rgb" / f"{index:02d}.{kind}").read_bytes()
    with pytest.raises(BadScene, match="no such frame"):
        source.picture("episode", 5)


def test_depth_may_be_in_millimetres_or_in_files(tmp_path):
    metres = arrays()["depth"]
    metres[:, :8] = np.nan
    millimetres = np.nan_to_num(metres * 1000).round().astype(np.uint16)
    written(tmp_path, "metres", depth=metres)
    written(tmp_path, "millimetres", depth=millimetres)
    (unpacked(tmp_path, "files", depth=None) / "files" / "depth").mkdir()
    for index, image in enumerate(millimetres):
        cv2.imwrite(str(tmp_path / "files" / "depth" / f"{index}.png"), image)
    source = Episodes(tmp_path, static=True)
    depths = [source.load(name).frames[2].depth for name in ("metres", "millimetres", "files")]
    assert np.allclose(depths[0], depths[1], atol=0.0006, equal_nan=True)
    assert np.array_equal(depths[1], depths[2], equal_nan=True) and np.isnan(depths[0][:8]).all()


def test_integers_have_the_unit_that_cameras_json_states(tmp_path):
    metres = arrays()["depth"]
    written(tmp_path, depth=(metres / 0.00025).round().astype(np.uint16))
    (tmp_path / "cameras.json").write_text('{"main": {"depth_scale": 0.00025}}')
    assert Episodes(tmp_path, static=True).load("episode").frames[2].depth == pytest.approx(
        metres[2], abs=2e-4
    )
    (tmp_path / "cameras.json").write_text('{"main": {"depth_scale": 4000}}')
    assert reason(tmp_path) == "bad depth_scale"


def test_integer_centres_are_converted(tmp_path):
    written(tmp_path)
    cameras = [
        Episodes(tmp_path, static=True, centre=centre).load("episode").frames[0].camera for centre in (0.5, 0)
    ]
    assert np.allclose(cameras[1].intrinsics - cameras[0].intrinsics, [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])


def test_frames_and_times_are_chosen(tmp_path):
    written(tmp_path)
    written(tmp_path, "timed", time=np.array([0, 0.3, 0.6, 0.6, 2]))
    source = Episodes(tmp_path, static=True, stride=2, fps=10)
    assert [frame.time for frame in source.load("episode").frames] == [0, 0.2, 0.4]
    assert [frame.time for frame in source.load("timed").frames] == [0, 0.6, 2]
    last = cv2.imdecode(np.frombuffer(source.picture("timed", 2), np.uint8), 1)[..., ::-1]
    assert np.array_equal(last, arrays()["rgb"][4])


def test_the_world_is_turned_as_asked(tmp_path):
    folder = written(tmp_path, world_from_camera=rigid(cv2.Rodrigues(np.array([0.1, 0.2, 0]))[0], (1, 2, 3)))
    stored, turned = (Episodes(folder, static=True, up=up).load("episode") for up in ("z", "-y"))
    assert np.allclose(turned.points, stored.points @ [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert np.array_equal(turned.visible, stored.visible)


def test_only_what_has_a_pose_is_used_unless_the_rest_is_promised_to_stand_still(tmp_path):
    poses = np.tile(np.eye(4), (5, 1, 1, 1))
    poses[:, 0, 0, 3] = 0.05 * np.arange(5)  # as the camera
    written(tmp_path, **objects() | {"world_from_body": poses})
    found, promised = (Episodes(tmp_path, static=static).load("episode") for static in (False, True))
    assert set(found.body) == {0} and len(found.body) == 256
    assert np.allclose(found.points[4] - found.points[0], (0.2, 0, 0))
    rest = promised.body == -1
    assert rest.sum() == 1024 and np.array_equal(promised.points[0, rest], promised.points[4, rest])
    assert np.allclose(promised.points[4, ~rest] - promised.points[0, ~rest], (0.2, 0, 0))


def test_objects_without_poses_need_the_promise(tmp_path):
    written(tmp_path, **objects() | {"world_from_body": None})
    assert reason(tmp_path, static=False) == "motion of things unknown"
    found = Episodes(tmp_path, static=True).load("episode")
    assert found.names == ("thing",) and set(found.body) == {-1, 0}


def test_the_greatest_unsigned_number_means_no_object(tmp_path):
    bodies = objects()["bodies"].astype(np.uint8)
    found = Episodes(written(tmp_path, **objects() | {"bodies": bodies}), static=True).load("episode")
    assert np.array_equal(found.frames[0].bodies, objects()["bodies"][0])


def test_points_keep_off_edges_of_depth():
    depth = np.ones((9, 12), np.float32)
    depth[:, 6:] = 2
    depth[0, 0] = np.nan
    trusted = surface_pixels(depth, None)
    assert trusted[1:-1, 1:5].all() and trusted[1:-1, 7:-1].all()
    assert not trusted[:, 5:7].any() and not trusted[[0, -1]].any()
    steep = (1 / np.linspace(0.1, 1, 9))[:, None].repeat(12, 1).astype(np.float32)  # a floor, from 1 to 10 m
    assert surface_pixels(steep, None)[1:-1, 1:-1].all()


def test_points_reach_the_edges_of_objects_but_not_what_sticks_out():
    depth = np.ones((9, 12), np.float32)
    bodies = np.zeros((9, 12), np.int32)
    bodies[:, 6:], depth[:, 6:], depth[4, 6] = 1, 2, 1  # one pixel of 1 has the depth of 0
    trusted = surface_pixels(depth, bodies)
    assert np.argwhere(~trusted).tolist() == [[4, 6]]
    bodies[:, 2:4] = 2  # too narrow to tell
    assert not surface_pixels(depth, bodies)[:, 2:4].any()


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (5, 1), (2, 2)])
def test_tiny_pictures_have_no_surface(shape):
    for bodies in (None, np.zeros(shape, np.int32)):
        assert surface_pixels(np.ones(shape, np.float32), bodies).tolist() == np.zeros(shape, bool).tolist()


def test_one_episode_does_not_depend_on_others(tmp_path):
    written(tmp_path, "a")
    written(tmp_path, "b")
    source = Episodes(tmp_path, static=True)
    first = source.load("b")
    source.load("a")
    assert np.array_equal(source.load("b").points, first.points)
    other = Episodes(tmp_path, static=True, seed=1).load("b")
    assert not np.array_equal(other.points, first.points)


# What is broken.


def with_nan(array):
    array = array.copy()
    array[2, ..., 0, 3] = np.nan
    return array


@pytest.mark.parametrize("write", [written, unpacked])
@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("missing arrays", {"intrinsics": None}),
        ("missing arrays", {"world_from_camera": None}),
        ("no depth", {"depth": None}),
        ("no pictures", {"rgb": None}),
        ("no pictures", {"rgb": np.zeros((0, 48, 64, 3), np.uint8)}),
        ("wrong shape or type", {"rgb": np.zeros((5, 48, 64), np.uint8)}),
        ("wrong shape or type", {"rgb": np.zeros((5, 48, 64, 3))}),
        ("wrong shape or type", {"depth": np.ones((5, 24, 32))}),
        ("wrong shape or type", {"depth": np.ones((5, 48 * 64))}),
        ("wrong shape or type", {"depth": np.ones((5, 48, 64), bool)}),
        ("wrong shape or type", {"depth": np.full((5, 48, 64), 99, np.uint8)}),
        ("no surface measured", {"depth": np.full((5, 48, 64), np.inf)}),
        ("lengths disagree", {"depth": np.ones((4, 48, 64))}),
        ("lengths disagree", {"world_from_camera": np.tile(np.eye(4), (6, 1, 1))}),
        ("wrong shape or type", {"world_from_camera": np.eye(3)}),
        ("poses not finite", {"world_from_camera": with_nan(arrays()["world_from_camera"])}),
        ("poses not rigid", {"world_from_camera": np.diag([1.0, 1, -1, 1])}),
        ("poses not rigid", {"world_from_camera": np.zeros((4, 4))}),
        ("bad calibration", {"intrinsics": np.eye(3) * -1}),
        ("bad calibration", {"intrinsics": np.full((3, 3), np.nan)}),
        ("bad calibration", {"intrinsics": np.ones((3, 3))}),
        ("wrong shape or type", {"intrinsics": np.array([50, 50, 32, 24])}),
        ("lengths disagree", {"intrinsics": np.tile(np.eye(3), (2, 1, 1))}),
        ("depth not in metres", {"depth": np.full((5, 48, 64), 800.0)}),
        ("no surface measured", {"depth": np.zeros((5, 48, 64), np.uint16)}),
        ("no surface measured", {"depth": np.full((5, 48, 64), 65535, np.uint16)}),
        ("no surface measured", {"depth": np.full((5, 48, 64), 65.535)}),
        ("no surface measured", {"depth": np.full((5, 48, 64), np.nan)}),
        ("lengths disagree", {"time": np.arange(4)}),
        ("times not ascending", {"time": np.array([0, 1, 2, 1, 3])}),
        ("times not ascending", {"time": np.array([0, 1, np.nan, 1, 3])}),
        ("lengths disagree", objects() | {"bodies": objects(4)["bodies"]}),
        ("wrong shape or type", objects() | {"bodies": np.zeros((5, 48, 64))}),
        ("segmentation without names", objects() | {"names": None, "world_from_body": None}),
        ("segmentation without names", objects() | {"bodies": objects()["bodies"] + 1}),
        ("wrong shape or type", objects() | {"names": np.array([1])}),
        ("object poses without segmentation", objects() | {"bodies": None}),
        ("poses not finite", objects() | {"world_from_body": with_nan(objects()["world_from_body"])}),
        ("poses not rigid", objects() | {"world_from_body": np.zeros((5, 1, 4, 4))}),
        ("wrong shape or type", objects() | {"world_from_body": np.zeros((5, 2, 4, 4))}),
        ("lengths disagree", objects() | {"world_from_body": np.zeros((2, 1, 4, 4))}),
    ],
)
def test_a_broken_episode_says_why(tmp_path, write, why, changes):
    assert reason(write(tmp_path, **changes)) == why


def test_truncated_files_are_refused(tmp_path):
    data = (written(tmp_path) / "episode.npz").read_bytes()
    for end in np.linspace(0, len(data) - 1, 15).astype(int):
        (tmp_path / "episode.npz").write_bytes(data[:end])
        assert reason(tmp_path) == "unreadable file"
    (tmp_path / "episode.npz").unlink()
    depth = unpacked(tmp_path) / "episode" / "depth.npy"
    depth.write_bytes(depth.read_bytes()[:-5])
    assert reason(tmp_path) == "unreadable file"


def test_no_broken_byte_raises_anything_else(tmp_path):
    rng = np.random.default_rng(0)
    data = (written(tmp_path, **objects()) / "episode.npz").read_bytes()
    headers = [place for place in range(len(data)) if data[place : place + 5] == b"NUMPY"]
    for _ in range(60):
        broken = bytearray(data)
        for place in rng.choice(headers, 2) + rng.integers(0, 90, 2):
            broken[place] = rng.integers(256)
        (tmp_path / "episode.npz").write_bytes(broken)
        try:
            Episodes(tmp_path).load("episode")
        except BadScene as error:
            assert error.reason


def test_a_pickle_is_never_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return (tmp_path / "run").mkdir, ()

    unpacked(tmp_path, depth=np.array([Attack()], object))
    assert reason(tmp_path) == "unreadable file"
    written(tmp_path, "packed", names=np.array([Attack()], object))
    assert reason(tmp_path, "packed") == "unreadable file"
    assert not (tmp_path / "run").exists()


def test_broken_pictures_are_refused(tmp_path):
    folder = unpacked(tmp_path, rgb=None) / "episode"
    (folder / "rgb.mp4").write_bytes(b"no video")
    assert reason(tmp_path) == "unreadable video"
    (folder / "rgb.mp4").unlink()
    (folder / "rgb").mkdir()
    for index in range(5):
        cv2.imwrite(str(folder / "rgb" / f"{index}.png"), np.zeros((48, 64, 3), np.uint8))
    assert len(Episodes(tmp_path, static=True).load("episode").frames) == 5
    cv2.imwrite(str(folder / "rgb" / "4.png"), np.zeros((48, 63, 3), np.uint8))
    assert reason(tmp_path) == "pictures of different sizes"
    (folder / "rgb" / "4.png").write_bytes(b"no picture")
    assert reason(tmp_path) == "unreadable picture"
    (folder / "rgb" / "4.png").unlink()
    assert reason(tmp_path) == "lengths disagree"


def test_broken_depth_pictures_are_refused(tmp_path):
    folder = unpacked(tmp_path, depth=None) / "episode" / "depth"
    folder.mkdir()
    for index in range(5):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((48, 64), 900, np.uint16))
    assert len(Episodes(tmp_path, static=True).load("episode").frames) == 5
    cv2.imwrite(str(folder / "4.png"), np.full((48, 64), 90, np.uint8))
    assert reason(tmp_path) == "wrong shape or type"
    cv2.imwrite(str(folder / "4.png"), np.full((48, 60), 900, np.uint16))
    assert reason(tmp_path) == "pictures of different sizes"
    (folder / "4.png").write_bytes(b"no picture")
    assert reason(tmp_path) == "unreadable picture"


# Which episodes there are.


def test_a_list_chooses_episodes_and_a_name_cannot_leave_the_folder(tmp_path):
    (tmp_path / "data").mkdir()
    written(tmp_path, "outside")
    written(tmp_path / "data", "a")
    unpacked(tmp_path / "data", "b.1")
    assert Episodes(tmp_path / "data").scenes() == ("a", "b.1")
    (tmp_path / "list.txt").write_text("b.1\n../outside\ngone\n")
    source = Episodes(tmp_path / "data", tmp_path / "list.txt", static=True)
    assert source.scenes() == ("b.1", "../outside", "gone") and len(source.load("b.1").frames) == 5
    reasons = {"../outside": "name outside the folder", "gone": "missing file", "..": "missing file"}
    for scene, why in reasons.items():
        for read in (source.load, lambda name: source.picture(name, 0)):
            with pytest.raises(BadScene) as error:
                read(scene)
            assert error.value.reason == why


def test_what_the_user_got_wrong_is_said_at_once(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"source\.folder=FOLDER"):
        Episodes(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no scenes"):
        Episodes(tmp_path)
    written(tmp_path)
    (tmp_path / "list.txt").write_text("")
    with pytest.raises(ValueError, match="names no scenes"):
        Episodes(tmp_path, tmp_path / "list.txt")
    for option in ("fps", "stride", "points_per_body", "static_points", "tolerance"):
        with pytest.raises(ValueError, match=f"`{option}` must be positive"):
            Episodes(tmp_path, **{option: 0})
    with pytest.raises(ValueError, match="`centre` must be 0 or"):
        Episodes(tmp_path, centre=1)


def test_a_source_can_be_copied_to_another_process(tmp_path):
    source = Episodes(written(tmp_path), static=True)
    source.load("episode")
    copy = pickle.loads(pickle.dumps(source))
    assert len(pickle.dumps(source)) < 2000 and copy.picture("episode", 1) == source.picture("episode", 1)
    shutil.rmtree(tmp_path)
    with pytest.raises(BadScene, match="missing file"):
        copy.load("episode")

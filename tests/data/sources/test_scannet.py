"""ScanNet: real files of both layouts give back the scene they were made from; broken ones a reason."""

import inspect
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import mujoco
import numpy as np
import pytest
from omegaconf import OmegaConf

from spatial_reward.data.export.scannet import ALIGNMENT, PER_METRE, export_scannet
from spatial_reward.data.sources import BadScene, Source
from spatial_reward.data.sources.scannet import ScanNet
from spatial_reward.data.sources.scannet_recordings import PosedImages
from spatial_reward.envs.camera_path import orbit
from spatial_reward.envs.scene import capture_scene
from spatial_reward.envs.simulator import Simulator
from spatial_reward.geometry import camera_motion, visible
from spatial_reward.questions.object_size import extents

ID = "scene0000_00"
ROUND_OFF = 1e-6  # [m]: float32 vertices and poses, and nine decimals, a few metres from the origin
ROOM = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <geom name="floor" type="plane" size="2 2 .1"/>
    <geom name="wall" type="box" pos="0 1.2 .5" size="1.5 .05 .5" rgba=".7 .6 .4 1"/>
    <camera name="front" pos="0 -1.6 1.1" xyaxes="1 0 0 0 .5 .866" fovy="55"/>
    <body name="crate" pos=".35 .2 .15"><geom type="box" size=".2 .12 .15" rgba=".8 .2 .2 1"/></body>
    <body name="ball" pos="-.35 .1 .12"><geom size=".12" rgba=".2 .2 .8 1"/></body>
    <body name="cart" pos="0 -.3 .1"><joint type="slide" axis="1 0 0"/>
      <geom type="box" size=".08 .08 .08" rgba=".2 .8 .2 1"/></body>
  </worldbody>
</mujoco>
"""


@pytest.fixture(scope="module")
def scene():
    model = mujoco.MjModel.from_xml_string(ROOM)
    data = mujoco.MjData(model)

    def moments():
        for index in range(11):
            data.time, data.qpos[0] = index / 30, 0.02 * index
            mujoco.mj_forward(model, data)
            yield index

    with Simulator((model, data), orbit("front", 25, 0.5), 128, 96) as simulator:
        return capture_scene(simulator, moments(), np.random.default_rng(0), 150)


@pytest.fixture(scope="module")
def exported(scene, tmp_path_factory):
    root = tmp_path_factory.mktemp("scannet")
    return {
        sens: export_scannet({ID: scene}, root / str(sens), sens=sens, depth_size=(64, 48) if sens else None)
        for sens in (False, True)
    }


@pytest.fixture(params=[False, True], ids=["posed", "sens"])
def root(request, exported, tmp_path):
    """A copy of either layout, to break."""
    return Path(shutil.copytree(exported[request.param], tmp_path / "root"))


@pytest.fixture
def posed(exported, tmp_path):
    return Path(shutil.copytree(exported[False], tmp_path / "root"))


def scan(root: Path, ending: str) -> Path:
    return root / "scans" / ID / f"{ID}{ending}"


def pictures(root: Path) -> Path:
    return root / "posed_images" / ID


def reason(source: ScanNet, name: str = ID) -> str:
    with pytest.raises(BadScene) as caught:
        source.load(name)
    return caught.value.reason


def still(scene):
    return np.ptp(scene.points, axis=0).max(axis=1) == 0


def test_it_is_a_source(root):
    source = ScanNet(root, stride=1)
    assert isinstance(source, Source)
    assert source.scenes() == (ID,)


def test_points_names_and_poses_come_back(scene, root):
    read = ScanNet(root, stride=1).load(ID)
    kept = still(scene)
    assert (~kept).sum() > 0  # the cart moves: it is not part of the scan
    assert np.abs(read.points[0] - scene.points[0, kept]).max() < ROUND_OFF
    assert read.names == ("world", "crate", "ball")
    assert [read.names[i] for i in read.body] == [scene.names[i] for i in scene.body[kept]]
    assert len(read.frames) == len(scene.frames)
    for now, was in zip(read.frames, scene.frames, strict=True):
        assert np.abs(now.camera.world_from_camera - was.camera.world_from_camera).max() < ROUND_OFF
        assert np.allclose(now.camera.intrinsics, was.camera.intrinsics, rtol=1e-6)
        assert now.time == pytest.approx(was.time, abs=1e-6)
        assert not now.rgb.any() and now.rgb.strides == (0, 0, 0)


def test_points_take_no_memory_for_each_frame(root):
    read = ScanNet(root, stride=1).load(ID)
    assert read.points.strides[0] == 0
    assert all(frame.depth is None for frame in read.frames)


def test_sizes_and_camera_motions_are_those_of_the_scene(scene, root):
    read = ScanNet(root, stride=1).load(ID)
    for index, name in enumerate(read.names):
        was = scene.points[0, scene.body == scene.names.index(name)]
        assert np.allclose(extents(read.points[0, read.body == index]), extents(was), atol=2 * ROUND_OFF)
    poses = [[frame.camera.world_from_camera for frame in s.frames] for s in (read, scene)]
    for first in range(0, 8, 3):
        now, was = (camera_motion(p[first], p[first + 3]) for p in poses)
        assert np.allclose(now.translation, was.translation, atol=3 * ROUND_OFF)
        assert (now.yaw, now.pitch) == pytest.approx((was.yaw, was.pitch), abs=1e-3)


@pytest.mark.parametrize(("sens", "step"), [(False, 1), (True, 2)])
def test_visibility_is_that_of_the_stored_depths(scene, exported, sens, step):
    read = ScanNet(exported[sens], stride=1, tolerance=0.02).load(ID)
    points = read.points[0]
    for index, frame in enumerate(scene.frames):
        stored = np.round(frame.depth[step - 1 :: step, step - 1 :: step] * PER_METRE) / PER_METRE
        agree = read.visible[index] == visible(frame.camera, points, stored, tolerance=0.02)
        assert agree.mean() > 0.99  # a point may lie on the border of two pixels
    assert 0.2 < read.visible.mean() < 0.9


def test_paper_mode_is_the_published_rule(scene, exported):
    """Written down from the paper: no tolerance, rounded pixels, and the intrinsics as the file has them."""
    read = ScanNet(exported[False], stride=1, mode="paper").load(ID)
    points, matrix = read.points[0], np.loadtxt(pictures(exported[False]) / "intrinsic.txt")
    for index, frame in enumerate(scene.frames):
        rotation, origin = frame.camera.world_from_camera[:3, :3], frame.camera.world_from_camera[:3, 3]
        x, y, z = ((points - origin) @ rotation).T
        u, v = matrix[0, 0] * x / z + matrix[0, 2], matrix[1, 1] * y / z + matrix[1, 2]
        depth = np.round(np.nan_to_num(frame.depth) * 1000) / 1000
        row, column = np.clip(np.round(v), 0, 95).astype(int), np.clip(np.round(u), 0, 127).astype(int)
        inside = (u >= 0) & (u < 127.5) & (v >= 0) & (v < 95.5)
        expected = inside & (z > 0) & (z < depth[row, column])
        assert (read.visible[index] == expected).mean() > 0.998
    assert 0.1 < read.visible.mean() < 0.8


def test_depths_are_kept_where_asked(scene, exported):
    for now, was in zip(
        ScanNet(exported[False], stride=1, depth=True).load(ID).frames, scene.frames, strict=True
    ):
        assert np.array_equal(np.isnan(now.depth), np.isnan(was.depth))
        assert np.nanmax(np.abs(now.depth - was.depth)) <= 0.5e-3 + 1e-5
    half = ScanNet(exported[True], stride=1, depth=True).load(ID).frames[0].depth
    stored = np.round(scene.frames[0].depth[1::2, 1::2] * 1000) / 1000
    assert np.allclose(half, stored.repeat(2, 0).repeat(2, 1), equal_nan=True, atol=1e-6)


def test_pictures_are_the_stored_bytes(root, exported):
    source = ScanNet(root, stride=2)
    if (root / "posed_images").exists():
        assert source.picture(ID, 3) == (pictures(root) / "00006.jpg").read_bytes()
    else:
        data = source.picture(ID, 3)
        assert data in scan(root, ".sens").read_bytes()
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (96, 128, 3)


def test_pictures_show_the_scene(scene, root):
    source = ScanNet(root)
    for index in (0, 1, 2):
        rgb = cv2.imdecode(np.frombuffer(source.picture(ID, index), np.uint8), cv2.IMREAD_COLOR_RGB)
        assert np.abs(rgb.astype(int) - scene.frames[5 * index].rgb).mean() < 3


def test_every_fifth_frame_is_used(scene, root):
    read = ScanNet(root).load(ID)
    assert len(read.frames) == 3
    for now, was in zip(read.frames, scene.frames[::5], strict=True):
        assert np.allclose(now.camera.world_from_camera, was.camera.world_from_camera, atol=ROUND_OFF)


def test_frames_without_pose_are_left_out(scene, posed):
    for number, values in ((0, "-inf"), (5, "nan")):
        (pictures(posed) / f"{number:05d}.txt").write_text("\n".join([" ".join([values] * 4)] * 4))
    source = ScanNet(posed)
    (frame,) = source.load(ID).frames
    assert np.allclose(
        frame.camera.world_from_camera, scene.frames[10].camera.world_from_camera, atol=ROUND_OFF
    )
    assert source.picture(ID, 0) == (pictures(posed) / "00010.jpg").read_bytes()
    with pytest.raises(BadScene, match="no such frame: 1 of 1"):
        source.picture(ID, 1)


def test_all_poses_lost(posed):
    for path in pictures(posed).glob("0*.txt"):
        path.write_text("\n".join([" ".join(["-inf"] * 4)] * 4))
    assert reason(ScanNet(posed)) == "no camera poses"


def test_vertices_are_thinned_alike_and_keep_all_sizes(exported):
    full = ScanNet(exported[False], most_points=None).load(ID)
    few = ScanNet(exported[False], most_points=90).load(ID)
    again = ScanNet(exported[False], most_points=90).load(ID)
    assert few.points.shape[1] == 90 < full.points.shape[1]
    assert np.array_equal(few.points, again.points)
    for index in range(len(full.names)):
        sizes = [np.ptp(s.points[0, s.body == index], axis=0) for s in (full, few)]
        assert np.array_equal(*sizes)
    least = ScanNet(exported[False], most_points=1).load(ID)
    assert 6 < least.points.shape[1] <= 6 * len(full.names)


def test_a_list_chooses_and_orders_scenes(scene, tmp_path):
    short = replace(scene, frames=scene.frames[:2], points=scene.points[:2], visible=scene.visible[:2])
    export_scannet({"scene0001_00": short, "scene0002_00": short, "scene0003_01": short}, tmp_path)
    (tmp_path / "val.txt").write_text(
        "scene0003_01\n\n# a remark\nscene0001_00\nscene0003_01\nscene0009_00\n"
    )
    source = ScanNet(tmp_path, tmp_path / "val.txt")
    assert source.scenes() == ("scene0003_01", "scene0001_00", "scene0009_00")
    assert ScanNet(tmp_path).scenes() == ("scene0001_00", "scene0002_00", "scene0003_01")
    assert ScanNet(tmp_path, ["scene0002_00"]).scenes() == ("scene0002_00",)
    assert len(source.load("scene0003_01").frames) == 1
    assert reason(source, "scene0009_00") == "missing file"


def test_auto_prefers_extracted_pictures(exported, posed):
    shutil.copy(scan(exported[True], ".sens"), scan(posed, ".sens"))
    assert ScanNet(posed).picture(ID, 0) == (pictures(posed) / "00000.jpg").read_bytes()
    shutil.rmtree(posed / "posed_images")
    assert len(ScanNet(posed).load(ID).frames) == 3
    assert reason(ScanNet(posed, sens=False)) == "missing file"


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc", "..", "", "a\\b", ".hidden", "x\0y"])
def test_ids_stay_inside_the_root(posed, name):
    source = ScanNet(posed)
    assert reason(source, name) == "name outside the folder"
    with pytest.raises(BadScene, match="name outside the folder"):
        source.picture(name, 0)
    with pytest.raises(ValueError, match="is no scene id: expected one such as 'scene0000_00'"):
        ScanNet(posed, [name])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scenes": "none.txt"}, "No list scenes=none.txt: write one scene id a line"),
        ({"scenes": []}, r"No scenes in \[\]"),
        ({"stride": 0}, "must be positive, got 0, 20000 and 0.05"),
        ({"most_points": 0}, "must be positive"),
        ({"tolerance": float("nan")}, "must be positive"),
        ({"mode": "exact"}, "`mode` must be one of .* got 'exact'"),
        ({"sens": "yes"}, "`sens` true, false or auto, got 'strict' and 'yes'"),
    ],
)
def test_a_source_that_cannot_work_says_so(posed, arguments, words):
    with pytest.raises(ValueError, match=words):
        ScanNet(posed, **arguments)


def test_empty_places_say_so(tmp_path):
    with pytest.raises(ValueError, match=r"No folder 'scans' in root=.*: set source.root"):
        ScanNet(tmp_path / "nowhere")
    (tmp_path / "scans").mkdir()
    with pytest.raises(ValueError, match=r"No scenes in .*scans"):
        ScanNet(tmp_path)
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"No scenes in .*empty.txt: name some"):
        ScanNet(tmp_path, tmp_path / "empty.txt")


MESH = "_vh_clean_2.ply"
SEGMENTS = "_vh_clean_2.0.010000.segs.json"
OBJECTS = ".aggregation.json"


@pytest.mark.parametrize("ending", [MESH, SEGMENTS, OBJECTS, ".txt"])
def test_missing_files_of_the_mesh(root, ending):
    scan(root, ending).unlink()
    assert reason(ScanNet(root)) == "missing file"


@pytest.mark.parametrize("file", ["00000.jpg", "00005.png", "00010.txt", "intrinsic.txt"])
def test_missing_files_of_the_pictures(posed, file):
    (pictures(posed) / file).unlink()
    source = ScanNet(posed, stride=1)
    if file.endswith(".jpg"):
        assert len(source.load(ID).frames) == 10  # as if it had not been extracted
    else:
        assert reason(source) == "missing file"


def test_no_pictures(posed):
    shutil.rmtree(pictures(posed))
    pictures(posed).mkdir()
    assert reason(ScanNet(posed)) == "no pictures"


def test_depth_intrinsics_of_the_meta_file_serve_as_well(posed):
    expected = ScanNet(posed).load(ID).visible
    (pictures(posed) / "depth_intrinsic.txt").unlink()
    assert np.array_equal(ScanNet(posed).load(ID).visible, expected)
    meta = scan(posed, ".txt").read_text().splitlines()
    scan(posed, ".txt").write_text("\n".join(line for line in meta if "depth" not in line))
    assert np.array_equal(ScanNet(posed).load(ID).visible, expected)


def cut(path: Path, share: float = 0.5) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (MESH, "file cut short"),
        (SEGMENTS, "unreadable objects"),
        (OBJECTS, "unreadable objects"),
        (".txt", "no axis alignment"),
    ],
)
def test_truncated_files_of_the_mesh(root, ending, expected):
    cut(scan(root, ending), 0.05 if ending == ".txt" else 0.5)
    assert reason(ScanNet(root)) == expected


@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.99])
def test_a_truncated_recording(exported, tmp_path, share):
    root = Path(shutil.copytree(exported[True], tmp_path / "root"))
    cut(scan(root, ".sens"), share)
    assert reason(ScanNet(root)) == "file cut short"
    scan(root, ".sens").write_bytes(b"PK\3\4" + bytes(2000))
    assert reason(ScanNet(root)) == "unreadable .sens file"


def test_broken_depths(posed):
    path = pictures(posed) / "00005.png"
    cut(path)
    assert reason(ScanNet(posed)) == "unreadable depth"
    path.write_bytes(b"")
    assert reason(ScanNet(posed)) == "unreadable depth"
    cv2.imwrite(str(path), np.full((96, 128), 9, np.uint8))
    assert reason(ScanNet(posed)) == "unreadable depth"
    cv2.imwrite(str(path), np.full((96, 120), 999, np.uint16))
    assert reason(ScanNet(posed)) == "depths of different sizes"


def test_all_bits_of_a_depth_are_unknown(posed):
    path = pictures(posed) / "00000.png"
    image = np.full((96, 128), 1500, np.uint16)
    image[:40] = 65535
    cv2.imwrite(str(path), image)
    depth = PosedImages(path.parent, 5).depth(0)
    assert np.isnan(depth[:40]).all() and (depth[40:] == 1.5).all()


def test_broken_pictures(posed):
    source = ScanNet(posed)
    source.load(ID)
    path = pictures(posed) / "00005.jpg"
    cut(path)
    with pytest.raises(BadScene, match="unreadable picture"):
        source.picture(ID, 1)
    cv2.imwrite(str(path), np.zeros((96, 120, 3), np.uint8))
    with pytest.raises(BadScene, match=r"pictures of different sizes: \(120, 96\) in frame 1"):
        source.picture(ID, 1)
    path.unlink()
    with pytest.raises(BadScene, match="missing file"):
        source.picture(ID, 1)
    (pictures(posed) / "00000.jpg").write_bytes(b"no picture")
    assert reason(ScanNet(posed)) == "unreadable picture"


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("intrinsic.txt", "1 2 3", "bad calibration"),
        ("intrinsic.txt", "a b c d\n" * 4, "bad calibration"),
        ("intrinsic.txt", "0 0 0 0\n" * 4, "bad calibration"),
        ("intrinsic.txt", "nan 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "bad calibration"),
        ("depth_intrinsic.txt", "-5 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "bad calibration"),
        ("00000.txt", "1 0 0", "unreadable poses"),
        ("00005.txt", "one\n", "unreadable poses"),
        ("00005.txt", "2 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "poses not rigid"),
    ],
)
def test_broken_calibration(posed, file, text, expected):
    (pictures(posed) / file).write_text(text)
    assert reason(ScanNet(posed)) == expected


@pytest.mark.parametrize(
    "line", ["", "axisAlignment = 1 2", "axisAlignment =", f"axisAlignment = {'2 ' * 16}"]
)
def test_broken_alignment(root, line):
    scan(root, ".txt").write_text(f"colorWidth = 128\n{line}\n")
    assert reason(ScanNet(root)) == "no axis alignment"


def test_holes_hide_what_is_behind_them(posed):
    full = ScanNet(posed).load(ID)
    path = pictures(posed) / "00000.png"
    depth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    depth[:, :64] = 0
    cv2.imwrite(str(path), depth)
    holed = ScanNet(posed).load(ID)
    pixels, _ = full.frames[0].camera.project(full.points[0])
    left = full.visible[0] & (pixels[:, 0] < 63)
    assert left.any() and not holed.visible[0, left].any()
    right = full.visible[0] & (pixels[:, 0] > 65)
    assert right.any() and holed.visible[0, right].all()
    assert np.array_equal(full.visible[1:], holed.visible[1:])


@pytest.mark.parametrize("mode", ["strict", "paper"])
def test_nothing_but_holes(posed, mode):
    for path in pictures(posed).glob("*.png"):
        cv2.imwrite(str(path), np.zeros((96, 128), np.uint16))
    assert reason(ScanNet(posed, mode=mode)) == "nothing visible"


def edited(path: Path, change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.pop("segGroups"),
        lambda value: value["segGroups"][0].pop("label"),
        lambda value: value["segGroups"][0].update(label=7),
        lambda value: value["segGroups"][1].update(segments=[10**9]),
        lambda value: value["segGroups"][1].update(segments=[10**30]),
        lambda value: value["segGroups"][1].update(segments=["a"]),
        lambda value: value["segGroups"][1].update(segments=[1.5]),
        lambda value: value["segGroups"][1].update(segments=None),
        lambda value: value.update(segGroups=5),
    ],
)
def test_broken_objects(root, change):
    edited(scan(root, OBJECTS), change)
    assert reason(ScanNet(root)) == "unreadable objects"


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value["segIndices"].pop(),
        lambda value: value.update(segIndices=[[1, 2]]),
        lambda value: value.update(segIndices=["a"] * len(value["segIndices"])),
        lambda value: value.pop("segIndices"),
    ],
)
def test_broken_segments(root, change):
    edited(scan(root, SEGMENTS), change)
    assert reason(ScanNet(root)) == "unreadable objects"


def test_hostile_json(root):
    scan(root, OBJECTS).write_text("[" * 100_000)
    assert reason(ScanNet(root)) == "unreadable objects"
    scan(root, OBJECTS).write_bytes(b"\xff\xfe\x00")
    assert reason(ScanNet(root)) == "unreadable objects"


def test_names_may_repeat_and_vertices_may_belong_to_nothing(root):
    edited(scan(root, OBJECTS), lambda value: value["segGroups"].pop(0))
    edited(scan(root, OBJECTS), lambda value: value["segGroups"][0].update(label="ball"))
    read = ScanNet(root).load(ID)
    assert read.names == ("ball", "ball")
    assert set(read.body.tolist()) == {-1, 0, 1}


def test_no_objects_at_all(root):
    edited(scan(root, OBJECTS), lambda value: value.update(segGroups=[]))
    read = ScanNet(root).load(ID)
    assert read.names == () and (read.body == -1).all()


def test_of_duplicate_annotations_the_last_counts(root):
    edited(scan(root, OBJECTS), lambda value: value["segGroups"].extend(value["segGroups"]))
    assert ScanNet(root).load(ID).names == ("world", "crate", "ball")


def test_an_object_without_size(root):
    path = scan(root, SEGMENTS)
    edited(path, lambda value: value["segIndices"].__setitem__(0, 77))
    edited(
        scan(root, OBJECTS),
        lambda v: v["segGroups"].append({"objectId": 9, "segments": [77], "label": "dot"}),
    )
    assert reason(ScanNet(root)) == "object without size"


def test_the_alignment_is_not_the_identity(scene, root):
    """Without it, the points would be elsewhere: the test of the round trip has teeth."""
    assert not np.allclose(ALIGNMENT[:3, :3], np.eye(3), atol=0.1) and (np.abs(ALIGNMENT[:3, 3]) > 0.05).all()
    meta = scan(root, ".txt").read_text().splitlines()
    unaligned = "axisAlignment = " + " ".join(map(str, np.eye(4).ravel()))
    scan(root, ".txt").write_text("\n".join([unaligned, *(line for line in meta if "axis" not in line)]))
    read = ScanNet(root).load(ID)
    assert np.abs(read.points[0] - scene.points[0, still(scene)]).max() > 0.1
    assert read.visible.mean() > 0.2  # points and poses belong together as before


def test_each_depth_is_decoded_once(posed, monkeypatch):
    decode, calls = cv2.imdecode, []
    monkeypatch.setattr(cv2, "imdecode", lambda *arguments: calls.append(arguments[1]) or decode(*arguments))
    ScanNet(posed, stride=1, depth=True).load(ID)
    assert calls == [cv2.IMREAD_UNCHANGED] * 11


def test_noise_in_any_file_is_a_bad_scene_or_does_no_harm(exported, tmp_path):
    rng = np.random.default_rng(0)
    outcomes = set()
    for sens in (False, True):
        root = Path(shutil.copytree(exported[sens], tmp_path / str(sens)))
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            original = path.read_bytes()
            for _ in range(4):
                noisy = bytearray(original)
                for at in rng.integers(0, min(len(noisy), 2000), 8):
                    noisy[at] = rng.integers(256)
                path.write_bytes(noisy)
                outcomes.add(outcome(ScanNet(root, mode=("strict", "paper")[rng.integers(2)])))
            path.write_bytes(original)
    assert {"fine", "unreadable objects", "unreadable depth", "file cut short"} <= outcomes


def outcome(source: ScanNet) -> str:
    try:
        for index in range(len(source.load(ID).frames)):
            source.picture(ID, index)
    except BadScene as error:
        return error.reason
    return "fine"


def test_the_configuration_has_the_arguments_of_the_source():
    file = Path(inspect.getfile(ScanNet)).parents[2] / "conf" / "source" / "scannet.yaml"
    config = OmegaConf.create({"source": OmegaConf.load(file)}).source
    assert config.pop("name") == ScanNet.name
    arguments = inspect.signature(ScanNet).parameters
    assert list(config) == list(arguments)
    for name, argument in arguments.items():
        missing = argument.default is inspect.Parameter.empty
        assert OmegaConf.is_missing(config, name) if missing else config[name] == argument.default


def test_the_configuration_follows_that_of_the_questions():
    file = Path(inspect.getfile(ScanNet)).parents[2] / "conf" / "source" / "scannet.yaml"
    config = OmegaConf.create({"source": OmegaConf.load(file), "mode": "paper", "depth": True})
    assert (config.source.mode, config.source.depth) == ("paper", True)

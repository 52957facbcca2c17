"""Scenes written as ScanNet: exactly its files, and nothing where a scene cannot be written."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from spatial_reward.camera import Camera, invert, look_at, transform
from spatial_reward.data.export.scannet import ALIGNMENT, export_scannet
from spatial_reward.data.sources.ply import read_vertices
from spatial_reward.data.sources.sens import SensFile
from spatial_reward.types import Frame, Scene

ID = "scene0707_00"
SIZE = (64, 48)
SCAN = [
    f"scans/{ID}/{ID}.aggregation.json",
    f"scans/{ID}/{ID}.txt",
    f"scans/{ID}/{ID}_vh_clean_2.0.010000.segs.json",
    f"scans/{ID}/{ID}_vh_clean_2.ply",
]
POSED = [f"posed_images/{ID}/{file}" for file in ("00000.jpg", "00000.png", "00000.txt", "00001.jpg")]
POSED += [
    f"posed_images/{ID}/{file}" for file in ("00001.png", "00001.txt", "depth_intrinsic.txt", "intrinsic.txt")
]


def scene() -> Scene:
    """Two views of a wall of depths, points of three bodies of which the last moves, and of none."""
    rng = np.random.default_rng(0)
    frames = []
    for index in range(2):
        camera = Camera.from_fov(55, *SIZE, look_at((0.2 * index, -2, 1), (0, 0, 0.5)))
        depth = np.full((SIZE[1], SIZE[0]), 1.2344, np.float32)
        depth[0, :3] = (np.nan, 65.5349, 66)
        frames.append(
            Frame(rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8), index, camera=camera, depth=depth)
        )
    points = np.repeat(rng.uniform(-1, 1, (1, 40, 3)), 2, axis=0)
    body = np.arange(40) % 4 - 1
    points[1, body == 2] += 0.01
    return Scene(tuple(frames), points, np.ones((2, 40), bool), body, ("table", "lamp", "cart"))


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_the_files_of_the_posed_layout(tmp_path):
    assert export_scannet({ID: scene()}, tmp_path / "new") == tmp_path / "new"
    assert files(tmp_path / "new") == sorted(SCAN + POSED)


def test_the_files_of_the_raw_layout(tmp_path):
    export_scannet({ID: scene()}, tmp_path, sens=True)
    assert files(tmp_path) == sorted([*SCAN, f"scans/{ID}/{ID}.sens"])


def test_the_mesh_holds_what_stays_in_the_world_of_the_scan(tmp_path):
    export_scannet({ID: scene()}, tmp_path)
    vertices = read_vertices(tmp_path / SCAN[3])
    still = scene().points[0, scene().body != 2]
    assert np.allclose(transform(ALIGNMENT, vertices), still, atol=1e-6)
    assert not np.allclose(vertices, still, atol=0.1)
    assert (
        b"element face 0\nproperty list uchar int vertex_indices\nend_header\n"
        in (tmp_path / SCAN[3]).read_bytes()
    )


def test_annotations_say_which_vertex_is_whose(tmp_path):
    export_scannet({ID: scene()}, tmp_path)
    objects, segments = (json.loads((tmp_path / SCAN[index]).read_text()) for index in (0, 2))
    assert objects["segmentsFile"].endswith(f"{ID}_vh_clean_2.0.010000.segs.json")
    assert [(group["objectId"], group["label"]) for group in objects["segGroups"]] == [
        (0, "table"),
        (1, "lamp"),
    ]
    assert all(len(group["segments"]) == 2 for group in objects["segGroups"])
    body = scene().body[scene().body != 2]
    for group in objects["segGroups"]:
        held = np.isin(segments["segIndices"], group["segments"])
        assert np.array_equal(held, body == group["objectId"])


def test_the_meta_file_has_the_lines_of_scannet(tmp_path):
    export_scannet({ID: scene()}, tmp_path, depth_size=(32, 24))
    lines = dict(line.split(" = ") for line in (tmp_path / SCAN[1]).read_text().splitlines())
    assert np.allclose(np.array(lines["axisAlignment"].split(), float).reshape(4, 4), ALIGNMENT, atol=1e-9)
    assert (lines["colorWidth"], lines["depthWidth"], lines["depthHeight"]) == ("64", "32", "24")
    assert (lines["numColorFrames"], lines["numDepthFrames"]) == ("2", "2")
    assert float(lines["mx_color"]) == 31.5 and float(lines["mx_depth"]) == 15.5
    assert float(lines["fx_depth"]) == pytest.approx(float(lines["fx_color"]) / 2)


def test_poses_and_intrinsics_are_those_of_the_files_world(tmp_path):
    export_scannet({ID: scene()}, tmp_path)
    for index, frame in enumerate(scene().frames):
        pose = np.loadtxt(tmp_path / POSED[0].replace("00000.jpg", f"{index:05d}.txt"))
        assert np.allclose(pose, invert(ALIGNMENT) @ frame.camera.world_from_camera, atol=1e-9)
    matrix = np.loadtxt(tmp_path / f"posed_images/{ID}/intrinsic.txt")
    assert matrix.shape == (4, 4) and matrix[0, 2] == SIZE[0] / 2 - 0.5


def test_depths_are_millimetres_and_unknown_ones_zero(tmp_path):
    export_scannet({ID: scene()}, tmp_path)
    depth = cv2.imread(str(tmp_path / POSED[1]), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16
    assert depth[0, :4].tolist() == [0, 65535, 0, 1234]


def test_both_layouts_hold_the_same(tmp_path):
    export_scannet({ID: scene()}, tmp_path / "a")
    export_scannet({ID: scene()}, tmp_path / "b", sens=True)
    recording = SensFile(tmp_path / f"b/scans/{ID}/{ID}.sens")
    for index in range(2):
        path = tmp_path / "a/posed_images" / ID / f"{index:05d}"
        assert recording.picture(index) == path.with_suffix(".jpg").read_bytes()
        depth = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(recording.depth(index), depth)
        assert np.allclose(recording.poses[index], np.loadtxt(path.with_suffix(".txt")), atol=1e-6)
    for name in SCAN:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_same_scene_gives_the_same_bytes(tmp_path):
    for name in "ab":
        export_scannet({ID: scene()}, tmp_path / name, sens=True)
    for file in files(tmp_path / "a"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def moving(was: Scene) -> Scene:
    return replace(was, points=was.points + np.arange(2.0)[:, None, None])


def without_depth(was: Scene) -> Scene:
    return replace(was, frames=tuple(replace(frame, depth=None) for frame in was.frames))


def zooming(was: Scene) -> Scene:
    first, second = was.frames
    camera = Camera.from_fov(30, *SIZE, second.camera.world_from_camera)
    return replace(was, frames=(first, replace(second, camera=camera)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (moving, "'scene0707_00' has no point that stays in place"),
        (without_depth, "'scene0707_00': Each frame needs a camera and a depth"),
        (zooming, "'scene0707_00': All frames of a scan must have the same size and intrinsics"),
    ],
)
def test_what_is_no_scan_is_refused_before_anything_is_written(tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        export_scannet({"scene0001_00": scene(), ID: change(scene())}, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "."])
def test_ids_stay_inside_the_root(tmp_path, name):
    with pytest.raises(ValueError, match="is no scene id: it must be a plain name"):
        export_scannet({name: scene()}, tmp_path / "new")
    assert files(tmp_path) == []

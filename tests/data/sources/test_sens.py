"""The .sens format: what is written is read, byte for byte where it is stored, and nothing broken is."""

import pickle
import struct
import zlib

import cv2
import numpy as np
import pytest

from spatial_reward.camera import Camera, look_at
from spatial_reward.data.export.scannet import write_sens
from spatial_reward.data.sources.sens import CALIBRATION, FRAME, SensFile
from spatial_reward.types import Frame

WIDTH, HEIGHT, COUNT = 40, 30, 4
FIRST = 4 + 8 + len(b"MuJoCo") + CALIBRATION.itemsize  # byte of the first frame


def frames() -> list[Frame]:
    rng = np.random.default_rng(0)
    smooth = cv2.resize(rng.integers(0, 256, (4, 5, 3), np.uint8), (WIDTH, HEIGHT))
    made = []
    for index in range(COUNT):
        camera = Camera.from_fov(50, WIDTH, HEIGHT, look_at((1 + 0.1 * index, -2, 1), (0, 0, 0)))
        depth = rng.uniform(0.5, 4, (HEIGHT, WIDTH)).astype(np.float32)
        depth[0, 0] = np.nan
        made.append(Frame(np.roll(smooth, index, 1), 0.25 * index, camera=camera, depth=depth))
    return made


def poses() -> np.ndarray:
    return np.stack([frame.camera.world_from_camera for frame in frames()])


@pytest.fixture
def path(tmp_path):
    write_sens(tmp_path / "a.sens", frames(), poses())
    return tmp_path / "a.sens"


def test_the_layout_is_the_published_one():
    # 4 matrices, 2 codes, 4 sizes, 1 shift, 1 count; a pose, 2 times and 2 lengths: from the C++ toolkit
    assert CALIBRATION.itemsize == 4 * 64 + 2 * 4 + 4 * 4 + 4 + 8
    assert FRAME.itemsize == 64 + 4 * 8


def test_the_file_can_be_read_field_by_field(path):
    """An independent reading, in the order of the toolkit of ScanNet."""
    with path.open("rb") as file:
        version, length = struct.unpack("<IQ", file.read(12))
        assert (version, file.read(length)) == (4, b"MuJoCo")
        colour, _, _, _ = (np.array(struct.unpack("<16f", file.read(64))).reshape(4, 4) for _ in range(4))
        assert colour[0, 2] == WIDTH / 2 - 0.5
        assert struct.unpack("<iiIIIIf", file.read(28)) == (2, 1, WIDTH, HEIGHT, WIDTH, HEIGHT, 1000.0)
        assert struct.unpack("<Q", file.read(8)) == (COUNT,)
        for frame in frames():
            pose = np.array(struct.unpack("<16f", file.read(64))).reshape(4, 4)
            assert np.allclose(pose, frame.camera.world_from_camera, atol=1e-6)
            colour_time, _, colour_size, depth_size = struct.unpack("<4Q", file.read(32))
            assert colour_time == round(frame.time * 1e6)
            assert file.read(colour_size)[:2] == b"\xff\xd8"
            depth = np.frombuffer(zlib.decompress(file.read(depth_size)), "<u2").reshape(HEIGHT, WIDTH)
            assert depth[0, 0] == 0
            assert np.nanmax(np.abs(depth[1:] / 1000 - frame.depth[1:])) <= 0.5e-3 + 1e-6
        assert file.read() == struct.pack("<Q", 0)


def test_everything_comes_back(path):
    file = SensFile(path)
    assert len(file) == COUNT
    assert file.sensor == "MuJoCo"
    assert file.picture_size == file.depth_size == (WIDTH, HEIGHT)
    assert np.allclose(file.poses, poses(), atol=1e-6)
    assert np.allclose(file.times, [0, 0.25, 0.5, 0.75])
    for index, frame in enumerate(frames()):
        rgb = cv2.imdecode(np.frombuffer(file.picture(index), np.uint8), cv2.IMREAD_COLOR_RGB)
        assert np.abs(rgb.astype(int) - frame.rgb).mean() < 6  # JPEG
        depth = file.depth(index)
        assert np.array_equal(depth == 0, np.isnan(frame.depth))
        assert np.nanmax(np.abs(depth / 1000 - frame.depth)[depth > 0]) <= 0.5e-3 + 1e-6


def test_png_pictures_and_raw_depths_come_back_exactly(tmp_path):
    path = tmp_path / "b.sens"
    write_sens(path, frames(), poses(), depth_size=(20, 15), picture_format="png", depth_format="raw_ushort")
    file = SensFile(path)
    assert (file.picture_format, file.depth_format, file.depth_size) == ("png", "raw_ushort", (20, 15))
    for index, frame in enumerate(frames()):
        rgb = cv2.imdecode(np.frombuffer(file.picture(index), np.uint8), cv2.IMREAD_COLOR_RGB)
        assert np.array_equal(rgb, frame.rgb)
        assert np.allclose(file.depth(index) / 1000, frame.depth[1::2, 1::2], atol=0.5001e-3)


def test_an_opened_file_can_go_to_another_process(path):
    file = pickle.loads(pickle.dumps(SensFile(path)))
    assert file.picture(2) == SensFile(path).picture(2)


def test_opening_reads_no_pictures(path):
    data = bytearray(path.read_bytes())
    size = SensFile(path)._frames["depth_bytes"][0]
    start = SensFile(path)._offsets[0] + int(SensFile(path)._frames["picture_bytes"][0])
    data[start : start + int(size)] = bytes(int(size))
    path.write_bytes(data)
    file = SensFile(path)
    assert file.depth(1).any()
    with pytest.raises(ValueError, match="cannot be decompressed"):
        file.depth(0)


@pytest.mark.parametrize("missing", [1, 9, 500, 2000])
def test_a_truncated_file_says_so(path, missing):
    data = path.read_bytes()
    path.write_bytes(data[: -8 - missing])  # 8 bytes of IMU frames may be missing
    with pytest.raises(EOFError, match=r"Frame \d of 4 ends at byte|are announced|too early"):
        SensFile(path)


@pytest.mark.parametrize("length", [0, 3, 11, 15, FIRST - 1])
def test_a_truncated_header_says_so(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(EOFError, match=r"too early|whole file"):
        SensFile(path)


def test_a_file_that_shrinks_while_open_says_so(path):
    file = SensFile(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EOFError, match="too early"):
        file.depth(COUNT - 1)


def header_with(path, **fields):
    data = bytearray(path.read_bytes())
    start = FIRST - CALIBRATION.itemsize
    header = np.frombuffer(bytes(data[start:FIRST]), CALIBRATION).copy()
    for name, value in fields.items():
        header[name] = value
    data[start:FIRST] = header.tobytes()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"picture_format": 0}, "Compression raw is not supported, only jpeg and png"),
        ({"picture_format": 9}, "Compression unknown \\(9\\)"),
        ({"depth_format": 2}, "Compression occi_ushort is not supported"),
        ({"depth_size": (0, 30)}, "The depths cannot be 0 x 30 px"),
        ({"picture_size": (2**31, 30)}, "The pictures cannot be 2147483648 x 30 px"),
        ({"depth_shift": 0}, "depth shift must be a positive number"),
        ({"depth_shift": np.nan}, "depth shift must be a positive number"),
    ],
)
def test_a_bad_header_says_what_is_wrong(path, fields, words):
    with pytest.raises(ValueError, match=words):
        SensFile(header_with(path, **fields))


def test_a_number_of_frames_that_cannot_be_is_refused_at_once(path):
    with pytest.raises(EOFError, match="18446744073709551615 frames are announced"):
        SensFile(header_with(path, frames=2**64 - 1))


def test_depths_of_another_size_than_announced_are_refused(path):
    file = SensFile(header_with(path, depth_size=(WIDTH, HEIGHT + 1)))
    with pytest.raises(ValueError, match="The depth of frame 0 has not the 2480 bytes of 40 x 31"):
        file.depth(0)
    smaller = SensFile(header_with(path, depth_size=(WIDTH, HEIGHT - 1)))
    with pytest.raises(ValueError, match="has not the 2320 bytes"):
        smaller.depth(0)


def test_another_version_is_refused(path):
    path.write_bytes(struct.pack("<I", 3) + path.read_bytes()[4:])
    with pytest.raises(ValueError, match=r"Not a .sens file of version 4: it starts with 3"):
        SensFile(path)


def test_lost_poses_are_kept_as_they_are(tmp_path):
    lost = poses()
    lost[1] = -np.inf
    write_sens(tmp_path / "c.sens", frames(), lost)
    assert np.isfinite(SensFile(tmp_path / "c.sens").poses).all(axis=(1, 2)).tolist() == [
        True,
        False,
        True,
        True,
    ]


def test_writing_refuses_unknown_formats_and_frames_without_depth(tmp_path):
    with pytest.raises(ValueError, match="depths zlib_ushort or raw_ushort, got 'jpeg' and 'occi_ushort'"):
        write_sens(tmp_path / "d.sens", frames(), poses(), depth_format="occi_ushort")
    with pytest.raises(ValueError, match="needs a camera and a depth"):
        write_sens(tmp_path / "d.sens", [Frame(frame.rgb) for frame in frames()], poses())
    with pytest.raises(ValueError, match=r"4 frames with \(3, 4, 4\) poses"):
        write_sens(tmp_path / "d.sens", frames(), poses()[:3])
    assert not (tmp_path / "d.sens").exists()

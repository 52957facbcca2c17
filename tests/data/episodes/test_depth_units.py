"""Depth is read in metres, or refused: sentinels, units, types and shapes of real sensors."""

import json

import cv2
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mcap_ros2.writer import Writer
from recorded_rollouts import FPS, SIZE, rollout

from spatial_reward.data.episodes import BadEpisode, open_episodes
from spatial_reward.data.episodes.depth_units import depth_scale, measured
from spatial_reward.data.episodes.described import described_calibration
from spatial_reward.data.episodes.pictures import decode_picture
from spatial_reward.data.episodes.record import FORMATS
from spatial_reward.data.episodes.write_mcap import IMAGE

L515 = 0.00025  # [m] a unit


@pytest.mark.parametrize("kind", ["u2", "i2", "u4", "i4", "i8"])
def test_the_greatest_integer_zero_and_less_are_unknown(kind):
    greatest = np.iinfo(kind).max
    depth = measured(np.array([[750, 0], [greatest, 1200]], kind))
    np.testing.assert_array_equal(depth, np.array([[0.75, np.nan], [np.nan, 1.2]], np.float32))
    assert depth.dtype == np.float32


def test_all_bits_of_16_are_unknown_in_wider_types_and_in_floats_too():
    assert np.isnan(measured(np.array([[65535]], np.int32))).all()
    assert np.isnan(measured(np.array([[65.535, 65.5, np.inf, -1, 0, np.nan, 1e300]]))).all()
    assert measured(np.array([[65.4]])) == np.float32(65.4)


@pytest.mark.parametrize(("scale", "metres"), [(0.001, 3), (L515, 0.75), (0.0001, 0.3)])
def test_integers_have_the_unit_that_is_stated_and_floats_are_metres(scale, metres):
    assert measured(np.full((2, 2), 3000, np.uint16), scale) == pytest.approx(np.full((2, 2), metres))
    assert (measured(np.full((2, 2), 0.75), scale) == 0.75).all()


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (1, 4, 6)])
def test_one_channel_may_come_first_or_last(shape):
    plain = np.arange(1, 25, dtype=np.uint16).reshape(4, 6)
    np.testing.assert_array_equal(measured(plain.reshape(shape)), measured(plain))


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (np.ones((4, 6), bool), "depth is bool, which measures nothing: take the sensor's own"),
        (np.full((4, 6), 99, np.uint8), "depth is uint8"),
        (np.full((4, 6, 3), 99, np.uint8), "depth is uint8"),
        (np.full((4, 6), "far"), "depth is <U3"),
        (np.full((4, 6, 3), 750, np.uint16), r"depth is \(4, 6, 3\), expected \(H, W\), \(H, W, 1\)"),
        (np.full((2, 4, 6), 750, np.uint16), r"depth is \(2, 4, 6\)"),
        (np.full(24, 750, np.uint16), r"depth is \(24,\)"),
        (np.array([[750.0, 0, np.nan]]), r"as float64 \[m\] has a median of 750 m, .*millimetres / 1000"),
        (np.full((4, 6), 750_000, np.int32), r"as int32 of 0.001 m has a median of 750 m, .* `depth_scale`"),
    ],
)
def test_what_is_no_depth_in_a_known_unit_is_refused(stored, words):
    with pytest.raises(ValueError, match=words):
        measured(stored)


def test_depth_files_of_floats_keep_their_numbers():
    code = cv2.imencode(".tiff", np.full((4, 6), 0.75, np.float32))[1].tobytes()
    assert (measured(decode_picture(code, "depth")) == 0.75).all()


# Each reader: how a recording gets another depth.


def hdf5(folder, depth):
    path = FORMATS["hdf5"][1]([rollout(0, 1)], folder / "a.hdf5", FPS)
    with h5py.File(path, "r+") as file:
        del file["data/demo_0/obs/front_depth"]
        file["data/demo_0/obs/front_depth"] = depth[None]
    return path


def minari(folder, depth):
    root = FORMATS["minari"][1]([rollout(0, 2)], folder, FPS)
    with h5py.File(root / "data" / "main_data.hdf5", "r+") as file:
        del file["episode_0/observations/front_depth"]
        file["episode_0/observations/front_depth"] = np.stack([depth, depth])
    return root


def npz(folder, depth):
    rgb = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    np.savez(folder / "a.npz", **{"front.rgb": rgb, "front.depth": depth[None]})
    return folder


def lerobot(folder, depth):
    root = FORMATS["lerobot_v21"][1]([rollout(0, 1)], folder, FPS)
    info = json.loads((root / "meta" / "info.json").read_text())
    info["features"]["observation.depth.front"]["dtype"] = "image"
    (root / "meta" / "info.json").write_text(json.dumps(info))
    path = root / "data/chunk-000/episode_000000.parquet"
    files = [{"bytes": cv2.imencode(".png", depth)[1].tobytes(), "path": None}]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pq.read_table(path).append_column("observation.depth.front", pa.array(files, kind)), path)
    return root


def mcap(folder, depth):
    with (folder / "a.mcap").open("wb") as file:
        writer = Writer(file)
        image = writer.register_msgdef("sensor_msgs/msg/Image", IMAGE)
        common = {
            "header": {"stamp": {"sec": 5, "nanosec": 0}, "frame_id": ""},
            "height": SIZE,
            "width": SIZE,
        }
        rgb = {"encoding": "rgb8", "step": 3 * SIZE, "data": bytes(3 * SIZE * SIZE)}
        encoding, step = ("16UC1", 2 * SIZE) if depth.dtype == np.uint16 else ("mono8", SIZE)
        far = {"encoding": encoding, "step": step, "data": depth.tobytes()}
        for topic, told in (("front", rgb), ("front_depth", far)):
            writer.write_message(topic, image, {**common, "is_bigendian": 0, **told}, 5)
        writer.finish()
    return folder


READERS = {"hdf5": hdf5, "minari": minari, "npz": npz, "lerobot": lerobot, "mcap": mcap}


def depth_of(root):
    reader = open_episodes(root)
    return next(iter(reader.frames(reader.episodes()[0], "front", [0], depth=True))).depth


@pytest.mark.parametrize("name", READERS)
def test_every_reader_knows_no_depth_and_the_unit_of_its_camera(tmp_path, name):
    stored = np.full((SIZE, SIZE), 3000, np.uint16)
    stored[0, 0], stored[0, 1] = 65535, 0
    root = READERS[name](tmp_path, stored)
    folder = root if root.is_dir() else root.parent
    for scale, expected in ((None, 3.0), (L515, 0.75)):
        entry = {} if scale is None else {"front": {"depth_scale": scale}}
        (folder / "cameras.json").write_text(json.dumps(entry))
        depth = depth_of(root)
        assert np.isnan(depth[0, :2]).all() and depth[1:] == pytest.approx(
            np.full((SIZE - 1, SIZE), expected)
        )


@pytest.mark.parametrize("name", READERS)
def test_every_reader_refuses_pictures_of_depth_as_a_bad_episode(tmp_path, name):
    root = READERS[name](tmp_path, np.full((SIZE, SIZE), 99, np.uint8))
    with pytest.raises(BadEpisode, match="depth is uint8, which measures nothing"):
        depth_of(root)


# `depth_scale` in cameras.json.


def test_a_scale_alone_is_no_calibration_and_a_millimetre_is_the_default():
    assert depth_scale({}, "front") == 0.001
    assert depth_scale({"front": {"depth_scale": L515}}, "front") == L515
    assert described_calibration({"front": {"depth_scale": L515}}, "front", 0) is None
    entry = {"fovy": 60, "width": 64, "height": 48, "depth_scale": L515}
    assert described_calibration({"front": entry}, "front", 0).width == 64


@pytest.mark.parametrize("scale", [1000, 0, -0.001, float("nan"), "mm", None])
def test_a_scale_is_metres_per_unit(scale):
    with pytest.raises(ValueError, match="`depth_scale` must be metres per unit, such as"):
        described_calibration({"front": {"depth_scale": scale}}, "front", 0)


def test_a_scale_is_never_ignored():
    with pytest.raises(ValueError, match="holds for all episodes: state it in the camera's own entry"):
        described_calibration({"episodes": {"3": {"front": {"depth_scale": L515}}}}, "front", 0)
    with pytest.raises(ValueError, match=r"says depth_scale=0.00025 .* state it there"):
        described_calibration({"front": {"depth_scale": L515}}, "front", 0, source="file")

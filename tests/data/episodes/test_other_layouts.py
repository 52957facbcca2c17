"""Layouts that our writers do not make: LIBERO, ALOHA, robosuite, pictures in tables, ROS encodings."""

import json

import cv2
import h5py
import minari
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mcap_ros2.writer import Writer
from recorded_rollouts import FPS, rollout

from spatial_reward.data.episodes import open_episodes
from spatial_reward.data.episodes.described import calibration_of
from spatial_reward.data.episodes.record import FORMATS
from spatial_reward.data.episodes.write_mcap import IMAGE
from spatial_reward.data.export.episodes import export_episode
from spatial_reward.data.sources.pictures import png

COMPRESSED = IMAGE.replace(
    "uint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\nuint8[] data",
    "string format\nuint8[] data",
)


def first(reader, camera, **options):
    return next(iter(reader.frames(reader.episodes()[0], camera, [0], **options)))


def test_libero_has_its_words_in_the_problem_info(tmp_path):
    path = FORMATS["hdf5"][1]([rollout(0, 4)], tmp_path / "libero.hdf5", FPS)
    with h5py.File(path, "r+") as file:
        del file["data/demo_0"].attrs["task"]
        del file["data"].attrs["fps"]
        file["data"].attrs["problem_info"] = json.dumps({"language_instruction": "open the drawer"})
        file["data"].attrs["env_args"] = json.dumps({"env_kwargs": {"control_freq": 25}})
    reader = open_episodes(path)
    assert reader.episodes()[0].task == "open the drawer" and reader.fps == 25


def test_demonstrations_are_sorted_by_number(tmp_path):
    path = FORMATS["hdf5"][1]([rollout(seed, 2, size=48) for seed in range(11)], tmp_path / "many.hdf5", FPS)
    assert [info.name for info in open_episodes(path).episodes()][8:] == ["demo_8", "demo_9", "demo_10"]


def test_robosuite_pictures_can_be_turned_upright(tmp_path):
    path = FORMATS["hdf5"][1]([rollout(0, 2)], tmp_path / "a.hdf5", FPS)
    upright, flipped = open_episodes(path), open_episodes(path, flip=True)
    a, b = (first(reader, "front", depth=True) for reader in (upright, flipped))
    assert np.array_equal(a.rgb[::-1], b.rgb) and np.array_equal(a.depth[::-1], b.depth)


def test_aloha_files_are_one_episode_each_with_jpegs(tmp_path):
    picture = rollout(0, 1).frames["front"][0].rgb
    code = cv2.imencode(".jpg", picture[..., ::-1])[1].ravel()
    for number in range(2):
        with h5py.File(tmp_path / f"episode_{number}.hdf5", "w") as file:
            padded = np.zeros((3, len(code) + 10), np.uint8)
            padded[:, : len(code)] = code
            file["observations/images/cam_high"] = padded
            file["action"] = np.zeros((3, 14))
            file.attrs["fps"] = 50
    reader = open_episodes(tmp_path)
    assert [info.name for info in reader.episodes()] == ["episode_0", "episode_1"] and reader.fps == 50
    assert np.abs(first(reader, "cam_high").rgb.astype(int) - picture).mean() < 20
    assert reader.column(reader.episodes()[1], "action").shape == (3, 14)


def test_lerobot_pictures_in_the_table(tmp_path):
    root = FORMATS["lerobot_v21"][1]([rollout(0, 5)], tmp_path / "v21", FPS)
    info = json.loads((root / "meta" / "info.json").read_text())
    info["features"]["observation.images.front"]["dtype"] = "image"
    (root / "meta" / "info.json").write_text(json.dumps(info))
    path = root / "data/chunk-000/episode_000000.parquet"
    files = [{"bytes": png(frame.rgb), "path": None} for frame in rollout(0, 5).frames["front"]]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pq.read_table(path).append_column("observation.images.front", pa.array(files, kind)), path)
    reader = open_episodes(root)
    seen = list(reader.frames(reader.episodes()[0], "front", [1, 4]))
    assert np.array_equal(seen[1].rgb, rollout(0, 5).frames["front"][4].rgb)


def test_minari_itself_opens_what_we_write(tmp_path, monkeypatch):
    FORMATS["minari"][1]([rollout(0, 4), rollout(1, 5)], tmp_path / "ours" / "pushed-v0", FPS)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = minari.load_dataset("ours/pushed-v0")
        episode = next(dataset.iterate_episodes())
    assert dataset.total_episodes == 2 and episode.observations["front"].shape == (4, 96, 96, 3)
    assert len(episode.actions) == 3


def test_folders_of_the_episodes_source_are_read(tmp_path):
    one = rollout(0, 3, cameras=("main",))
    from spatial_reward.types import Scene

    scene = Scene(tuple(one.frames["main"]), np.zeros((3, 0, 3)), np.zeros((3, 0), bool), np.zeros(0, int))
    export_episode(scene, tmp_path / "set" / "a")
    reader = open_episodes(tmp_path / "set")
    assert reader.format == "npz" and reader.cameras == ("main",)
    seen = first(reader, "main", depth=True)
    assert np.array_equal(seen.rgb, one.frames["main"][0].rgb)
    assert reader.calibration(reader.episodes()[0], "main").moving


def test_ros_compressed_and_bgr_pictures(tmp_path):
    picture = rollout(0, 1).frames["front"][0].rgb
    header = {"stamp": {"sec": 5, "nanosec": 0}, "frame_id": ""}
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        raw = writer.register_msgdef("sensor_msgs/msg/Image", IMAGE)
        packed = writer.register_msgdef("sensor_msgs/msg/CompressedImage", COMPRESSED)
        rows = np.pad(
            picture[..., ::-1].reshape(96, -1), ((0, 0), (0, 8))
        )  # rows may be longer than the picture
        common = {"header": header, "height": 96, "width": 96, "is_bigendian": 0}
        writer.write_message(
            "/a", raw, {**common, "encoding": "bgr8", "step": 296, "data": rows.tobytes()}, 5
        )
        writer.write_message("/b", packed, {"header": header, "format": "png", "data": png(picture)}, 5)
        writer.finish()
    reader = open_episodes(tmp_path)
    assert reader.cameras == ("/a", "/b")
    for camera in reader.cameras:
        assert np.array_equal(first(reader, camera).rgb, picture)


def test_ros_intrinsics_are_shifted_to_our_pixel_centres(tmp_path):
    root = FORMATS["mcap"][1]([rollout(0, 2)], tmp_path / "set", FPS)
    (root / "cameras.json").unlink()
    reader = open_episodes(root)
    found = reader.calibration(reader.episodes()[0], "/front/image_raw")
    np.testing.assert_allclose(found.intrinsics, rollout(0, 1).frames["front"][0].camera.intrinsics)
    assert found.world_from_camera is None


def test_camera_files_are_checked():
    size = {"width": 64, "height": 48}
    assert calibration_of({**size, "fovy": 90}, "a").intrinsics[1, 1] == pytest.approx(24)
    opencv = calibration_of(
        {**size, "intrinsics": [[50, 0, 31.5], [0, 50, 23.5], [0, 0, 1]], "centre": 0}, "a"
    )
    np.testing.assert_allclose(opencv.intrinsics[:2, 2], [32, 24])
    with pytest.raises(ValueError, match=r"Camera 'a' needs either `intrinsics` \(3, 3\) \[px\] or `fovy`"):
        calibration_of(size, "a")
    with pytest.raises(ValueError, match="Camera 'a' needs `width` and `height`"):
        calibration_of({"fovy": 60}, "a")


def test_frames_are_sorted_by_their_numbers(tmp_path):
    for number in (9, 10, 100):
        cv2.imwrite(str(tmp_path / f"frame_{number}.png"), np.full((8, 8, 3), number, np.uint8))
    reader = open_episodes(tmp_path, fps=5)
    seen = list(reader.frames(reader.episodes()[0], "main", range(3)))
    assert [int(one.rgb[0, 0, 0]) for one in seen] == [9, 10, 100]
    assert [one.time for one in seen] == [0, 0.2, 0.4]

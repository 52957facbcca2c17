"""Damaged episodes are told in one line, and the others can still be read."""

import json

import cv2
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recorded_rollouts import FPS, rollout

from spatial_reward.data.episodes import BadEpisode, open_episodes
from spatial_reward.data.episodes.record import FORMATS
from spatial_reward.data.episodes.video_file import VideoWriter


@pytest.fixture
def v21(tmp_path):
    return FORMATS["lerobot_v21"][1]([rollout(0, 6), rollout(1, 6)], tmp_path / "v21", FPS)


def fault(root, episode=0, camera="front", **options):
    reader = open_episodes(root, **options)
    with pytest.raises(BadEpisode) as error:
        list(
            reader.frames(
                reader.episodes()[episode], camera, range(max(1, reader.episodes()[episode].length))
            )
        )
    words = str(error.value)
    assert "\n" not in words
    other = reader.episodes()[1 - episode]
    assert len(list(reader.frames(other, camera, range(other.length)))) == other.length
    return words


def video(root, number=0):
    return root / f"videos/chunk-000/observation.images.front/episode_{number:06d}.mp4"


def test_truncated_video(v21):
    path = video(v21)
    path.write_bytes(path.read_bytes()[:-400])
    assert "is no whole video" in fault(v21)


def test_video_that_ends_early(v21):
    with VideoWriter(video(v21), FPS) as writer:
        for frame in rollout(0, 4).frames["front"]:
            writer.add(frame.rgb)
    assert "ends after 4 of the 6 frames" in fault(v21)


def test_missing_video(v21):
    video(v21).unlink()
    assert "is missing" in fault(v21)


def test_wrong_frame_rate_of_the_video(v21):
    with VideoWriter(video(v21), 30) as writer:
        for frame in rollout(0, 6).frames["front"]:
            writer.add(frame.rgb)
    assert "has 30 frames per second, but meta/info.json says 10" in fault(v21)


def edit_times(root, values):
    path = root / "data/chunk-000/episode_000000.parquet"
    table = pq.read_table(path)
    number = table.column_names.index("timestamp")
    pq.write_table(
        table.set_column(number, "timestamp", pa.array(values, pa.float32(), from_pandas=False)), path
    )


def test_wrong_frame_rate_of_the_table(v21):
    edit_times(v21, np.arange(6) / 25)
    assert "the frame rate in meta/info.json is wrong" in fault(v21)


def test_time_stamps_that_are_not_finite(v21):
    edit_times(v21, [0, 0.1, np.nan, 0.3, 0.4, 0.5])
    assert "the time stamp of frame 2 is not finite" in fault(v21)


def test_time_stamps_that_go_back(v21):
    edit_times(v21, [0, 0.1, 0.2, 0.1, 0.4, 0.5])
    assert "the time stamp of frame 3 is smaller than the one before" in fault(v21)


def test_empty_episode(v21):
    lines = (v21 / "meta" / "episodes.jsonl").read_text().splitlines()
    first = {**json.loads(lines[0]), "length": 0}
    (v21 / "meta" / "episodes.jsonl").write_text("\n".join([json.dumps(first), lines[1]]))
    assert fault(v21) == "it has no frames"


def test_damaged_table(v21):
    path = v21 / "data/chunk-000/episode_000000.parquet"
    path.write_bytes(path.read_bytes()[:100])
    assert "cannot be read" in fault(v21)


def test_pictures_of_different_sizes(tmp_path):
    for episode, sizes in (("a", (32, 32, 40)), ("b", (32, 32, 32))):
        (tmp_path / episode).mkdir()
        for step, size in enumerate(sizes):
            cv2.imwrite(str(tmp_path / episode / f"{step}.png"), np.zeros((size, 32, 3), np.uint8))
    assert "is (40, 32), but the first picture is (32, 32)" in fault(tmp_path, camera="main")


def test_picture_that_is_none(tmp_path):
    for episode in "ab":
        (tmp_path / episode).mkdir()
        cv2.imwrite(str(tmp_path / episode / "0.png"), np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "a" / "0.png").write_bytes(b"none")
    assert "cannot be decoded" in fault(tmp_path, camera="main")


def test_truncated_plain_video(tmp_path):
    root = FORMATS["video"][1]([rollout(0, 6), rollout(1, 6)], tmp_path / "video", FPS)
    path = root / "episode_000000" / "front.mp4"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "is no whole video" in fault(root)


def test_plain_video_of_another_rate(tmp_path):
    root = FORMATS["video"][1]([rollout(0, 6), rollout(1, 6)], tmp_path / "video", FPS)
    with VideoWriter(root / "episode_000000" / "front.mp4", 25) as writer:
        for frame in rollout(0, 6).frames["front"]:
            writer.add(frame.rgb)
    assert "has 25 frames per second, but fps=10 was said" in fault(root, fps=10)


def test_missing_camera_of_one_episode(tmp_path):
    root = FORMATS["video"][1]([rollout(0, 6), rollout(1, 6)], tmp_path / "video", FPS)
    (root / "episode_000000" / "front.mp4").unlink()
    assert fault(root) == "it has no camera 'front'; it has side"


@pytest.mark.parametrize("name", ["npz", "mcap"])
def test_truncated_files(tmp_path, name):
    root = FORMATS[name][1]([rollout(0, 6), rollout(1, 6)], tmp_path / name, FPS)
    path = sorted(root.glob("episode*"))[0]
    path.write_bytes(path.read_bytes()[:5000])
    assert "cannot be read" in fault(root, camera="/front/image_raw" if name == "mcap" else "front")


def test_truncated_hdf5_among_others(tmp_path):
    for number in range(2):
        FORMATS["hdf5"][1]([rollout(number, 6)], tmp_path / f"{number}.hdf5", FPS)
    path = tmp_path / "0.hdf5"
    path.write_bytes(path.read_bytes()[:3000])
    assert "cannot be read" in fault(tmp_path)


def test_missing_camera_of_a_demonstration(tmp_path):
    path = FORMATS["hdf5"][1]([rollout(0, 6), rollout(1, 6)], tmp_path / "a.hdf5", FPS)
    with h5py.File(path, "r+") as file:
        del file["data/demo_0/obs/front_image"]
    assert fault(path) == "it has no camera 'front'; it has ['side']"


def test_hdf5_time_stamps_that_are_not_finite(tmp_path):
    path = FORMATS["hdf5"][1]([rollout(0, 6), rollout(1, 6)], tmp_path / "a.hdf5", FPS)
    with h5py.File(path, "r+") as file:
        file["data/demo_0/timestamps"] = [0, 0.1, np.nan, 0.3, 0.4, 0.5]
    assert "the time stamp of frame 2 is not finite" in fault(path)

"""Every format gives back what was written: pictures, depth, times, tasks, cameras, truth."""

import numpy as np
import pytest
from recorded_rollouts import FPS, TASK, camera, rollout

from spatial_reward.data.episodes import open_episodes
from spatial_reward.data.episodes.record import FORMATS

NAMES = list(FORMATS)
LOSSLESS = ("hdf5", "npz", "mcap")
LENGTHS = (16, 11, 7)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    rollouts = [rollout(seed, length) for seed, length in enumerate(LENGTHS)]
    for place, write in FORMATS.values():
        write(rollouts, folder / place, FPS)
    return folder, rollouts


def opened(written, name):
    reader = open_episodes(written[0] / FORMATS[name][0])
    camera_name = "/front/image_raw" if name == "mcap" else "front"
    assert camera_name in reader.cameras and len(reader.cameras) == 2
    return reader, camera_name


@pytest.mark.parametrize("name", NAMES)
def test_lists_episodes_with_tasks_and_running_numbers(written, name):
    reader, _ = opened(written, name)
    infos = reader.episodes()
    assert [info.length for info in infos] == list(LENGTHS)
    assert [info.start for info in infos] == [0, 16, 27]
    assert {info.task for info in infos} == {TASK}


@pytest.mark.parametrize("name", NAMES)
def test_pictures_come_back_in_order(written, name):
    reader, view = opened(written, name)
    for info, original in zip(reader.episodes(), written[1], strict=True):
        seen = list(reader.frames(info, view, range(info.length)))
        pairs = zip(seen, original.frames["front"], strict=True)
        errors = np.array([np.abs(a.rgb.astype(int) - b.rgb).mean() for a, b in pairs])
        assert errors.max() == 0 if name in LOSSLESS else errors.max() < 14
        # Each decoded picture is nearer to its own than to any other.
        own = [
            np.argmin([np.abs(a.rgb.astype(int) - b.rgb).mean() for b in original.frames["front"]])
            for a in seen
        ]
        assert np.abs(np.array(own) - np.arange(info.length)).max() <= (0 if name in LOSSLESS else 1)


@pytest.mark.parametrize("name", NAMES)
def test_some_steps_are_the_same_as_all(written, name):
    reader, view = opened(written, name)
    info = reader.episodes()[1]
    whole = [seen.rgb for seen in reader.frames(info, view, range(info.length))]
    for steps in ([3], [0, 9, 10], range(2, 11, 4)):
        parts = [seen.rgb for seen in reader.frames(info, view, steps)]
        assert all(np.array_equal(part, whole[step]) for part, step in zip(parts, steps, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_depth_comes_back_in_metres(written, name):
    reader, view = opened(written, name)
    assert reader.has_depth(view)
    seen = next(iter(reader.frames(reader.episodes()[2], view, [4], depth=True)))
    np.testing.assert_allclose(seen.depth, written[1][2].frames["front"][4].depth, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_times_follow_the_frame_rate(written, name):
    reader, view = opened(written, name)
    times = [seen.time for seen in reader.frames(reader.episodes()[0], view, [0, 1, 15])]
    np.testing.assert_allclose(times, [0, 0.1, 1.5], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_cameras_and_truth_lie_beside(written, name):
    reader, view = opened(written, name)
    info = reader.episodes()[1]
    found = reader.calibration(info, view).camera(0, 96, 96)
    np.testing.assert_allclose(found.intrinsics, camera().intrinsics)
    np.testing.assert_allclose(found.world_from_camera, camera().world_from_camera)
    truth = reader.column(info, "truth.distance_m")
    assert (truth is None) == (name == "mcap")
    if truth is not None:
        np.testing.assert_allclose(truth.ravel(), written[1][1].columns["truth.distance_m"], atol=1e-6)
    assert set(reader.notes()) == {"points", "goals", "cameras"}


def test_a_moving_camera_has_a_pose_for_each_frame(tmp_path):
    still = rollout(length=4)
    frames = [frame for frame in still.frames["side"]]
    moving = [type(f)(f.rgb, f.time, f.view, camera(0.1 * step), f.depth) for step, f in enumerate(frames)]
    swung = type(still)({"side": moving}, still.task, still.columns, goal=still.goal)
    for name in ("lerobot", "lerobot_v21", "hdf5", "npz", "video", "minari"):
        place, write = FORMATS[name]
        reader = open_episodes(write([swung], tmp_path / place, FPS))
        found = reader.calibration(reader.episodes()[0], "side")
        np.testing.assert_allclose(found.camera(3, 96, 96).world_from_camera[0, 3], 0.3, atol=1e-6)


def test_cameras_that_were_moved_between_episodes_are_told_apart(tmp_path):
    place, write = FORMATS["hdf5"]
    first, second = rollout(length=3, cameras=("a",)), rollout(length=3, cameras=("b", "a"))
    second = type(second)({"a": second.frames["a"]}, second.task, second.columns)
    reader = open_episodes(write([first, second], tmp_path / place, FPS))
    places = [reader.calibration(info, "a").world_from_camera[0, 3] for info in reader.episodes()]
    np.testing.assert_allclose(places, [0, 0.05])


def test_unknown_formats_and_missing_datasets_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no dataset at"):
        open_episodes(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="Known formats: lerobot, hdf5"):
        open_episodes(tmp_path, "rlds")
    with pytest.raises(ValueError, match=r"neither videos .* nor pictures"):
        open_episodes(tmp_path)
    FORMATS["npz"][1]([rollout(length=2)], tmp_path / "npz", FPS)
    with pytest.raises(ValueError, match="'npz' does not take flip"):
        open_episodes(tmp_path / "npz", flip=True)


def test_archives_that_cannot_be_read_are_named_with_the_remedy(tmp_path):
    (tmp_path / "episode_0.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"episode_0.npz cannot be read .*; record or copy them again"):
        open_episodes(tmp_path)

from dataclasses import replace

import numpy as np
import pytest
from recorded_rollouts import FPS, rollout

from spatial_reward.camera import look_at
from spatial_reward.data.episodes.write_npz import write_npz
from spatial_reward.data.pairs import SKY, follow
from spatial_reward.data.recorded_scenes import STILL, RecordedScenes, still

SIZE = 64


def wall(*, gap=None, moved=0.0):
    """Return a clip of a wall 2 m ahead; a box 1 m ahead, in columns `gap`, goes right by `moved`."""
    depth = np.full((2, SIZE, SIZE), 2.0, np.float32)
    if gap:
        for frame, shift in enumerate((0, round(moved))):
            depth[frame, 20:40, gap[0] + shift : gap[1] + shift] = 1.0
    intrinsics = np.array([[60.0, 0, 32], [0, 60, 32], [0, 0, 1]], np.float32)
    return {
        "depth": depth,
        "intrinsics": np.tile(intrinsics, (2, 1, 1)),
        "world_from_camera": np.tile(look_at((0, 0, 1), (1, 0, 1)).astype(np.float32), (2, 1, 1)),
    }


def test_all_of_a_still_scene_is_kept():
    assert still(wall(gap=(10, 20))).all()


def test_what_moves_is_left_out_and_what_it_hides_stays():
    kept = still(wall(gap=(10, 20), moved=25))
    assert not kept[0, 20:40, 10:20].any() and not kept[1, 20:40, 35:45].any()
    assert kept[0, 20:40, 35:45].all()  # hidden later, but never looked through
    assert kept[:, :20].all()


def test_a_moving_camera_keeps_what_is_still():
    clip = wall()
    step = look_at((0, 0.2, 1), (1, 0.2, 1)).astype(np.float32)
    clip["world_from_camera"][1] = step
    assert still(clip).all()
    clip["world_from_camera"][1] = look_at((-0.2, 0, 1), (1, 0, 1))  # a wall that comes along has moved
    assert not still(clip)[1, 20:44, 20:44].any() or not still(clip)[0, 20:44, 20:44].any()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    rollouts = [rollout(seed, length=12) for seed in range(5)]
    return str(write_npz(rollouts, tmp_path_factory.mktemp("recorded") / "npz", FPS))


def test_scenes_follow_from_their_number_and_hold_what_stands_still(dataset):
    source = RecordedScenes(dataset, size=48, frames=4)
    assert source.check() == "front"
    first, again = source(1), source(1)
    assert all(first[key].tobytes() == again[key].tobytes() for key in first)
    assert first["rgb"].shape == (4, 48, 48, 3) and first["world_from_body"].shape == (4, 2, 4, 4)
    kept = first["body"] == STILL
    assert 0.8 < kept.mean() < 1 and set(np.unique(first["body"])) == {STILL, SKY}
    np.testing.assert_array_equal(kept, np.isfinite(first["depth"]))
    # The table; of the block only where it has slid under its own flat top, which depth cannot tell.
    assert (np.abs(first["depth"][kept].astype(float) - 1.0) > 1e-3).mean() < 0.02
    row, column = np.nonzero(kept[0])
    first["depth"] = first["depth"].astype(np.float32)
    pixel = np.stack([column, row], -1).astype(np.float32) + 0.5
    found = follow(first, 0, 3, pixel)
    np.testing.assert_allclose(found["target"], pixel, atol=1e-3)


def test_episodes_are_parted(dataset):
    parts = [RecordedScenes(dataset, part=part)._episodes() for part in ((0, 0.6), (0.6, 0.8), (0.8, 1))]
    assert [[one.index for one in part] for part in parts] == [[0, 1, 2], [3], [4]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"camera": "top"}, "has no camera 'top': front, side"),
        ({"part": (0.0, 0.1)}, "too few episodes to hold some of them out"),
    ],
    ids=["camera", "few"],
)
def test_what_cannot_be_used_is_refused(dataset, options, said):
    with pytest.raises(ValueError, match=said):
        RecordedScenes(dataset, **options).check()


def test_without_depth_there_is_a_clear_word(tmp_path):
    bare = rollout(0)
    frames = {name: [replace(frame, depth=None) for frame in view] for name, view in bare.frames.items()}
    path = str(write_npz([replace(bare, frames=frames)], tmp_path / "npz", FPS))
    with pytest.raises(ValueError, match=r"has no depth with camera 'front', .* with depth are: none"):
        RecordedScenes(path).check()

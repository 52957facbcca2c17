import numpy as np
import pytest

from spatial_reward.camera import Camera, look_at
from spatial_reward.data.windows import AS_CHOSEN, NARROWEST, cut_windows, resize
from spatial_reward.models.spatialnet_window import window_side

SIDE, FRAMES, THING = 64, 3, 5
THINGS = np.arange(256) == THING


def clip_of(seed=0):
    """Frames in which a square thing is somewhere else each time; depth tells column and row."""
    rng = np.random.default_rng(seed)
    column, row = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    body = np.zeros((FRAMES, SIDE, SIDE), np.uint8)
    for frame in body[:2]:  # in the last one it is not seen
        x, y = rng.integers(0, SIDE - 8, 2)
        frame[y : y + 8, x : x + 8] = THING
    camera = Camera.from_fov(50, SIDE, SIDE, look_at((0, -1, 1), (0, 0, 0)))
    return {
        "rgb": rng.integers(0, 256, (FRAMES, SIDE, SIDE, 3), np.uint8),
        "depth": np.tile((1 + column + SIDE * row).astype(np.float32), (FRAMES, 1, 1)),
        "body": body,
        "intrinsics": np.tile(camera.intrinsics.astype(np.float32), (FRAMES, 1, 1)),
        "world_from_camera": np.tile(camera.world_from_camera, (FRAMES, 1, 1)),
    }


def rays_of(intrinsics, side):
    camera = Camera(intrinsics, np.eye(4), side, side)
    column, row = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    return camera.rays(np.stack([column, row], -1))


@pytest.mark.parametrize("seed", range(5))
def test_every_pixel_of_a_window_keeps_its_ray(seed):
    clip = clip_of(seed)
    cut = cut_windows(clip, THINGS, np.random.default_rng(seed), 128)
    side = cut["depth"].shape[1]
    assert NARROWEST * SIDE - 1 <= side <= SIDE and cut["rgb"].shape == (FRAMES, side, side, 3)
    for index in range(FRAMES):
        row, column = np.divmod(cut["depth"][index].astype(int) - 1, SIDE)
        whole = rays_of(clip["intrinsics"][index], SIDE)[row, column]
        np.testing.assert_allclose(rays_of(cut["intrinsics"][index], side), whole, atol=1e-5)
        np.testing.assert_array_equal(cut["rgb"][index], clip["rgb"][index][row, column])
        np.testing.assert_array_equal(cut["body"][index], clip["body"][index][row, column])
    assert cut["world_from_camera"] is clip["world_from_camera"]


def test_a_window_holds_the_thing_where_it_is_seen():
    held = [
        (cut_windows(clip_of(seed), THINGS, np.random.default_rng(seed), 128)["body"] == THING).any((1, 2))
        for seed in range(40)
    ]
    assert np.mean(held, axis=0)[:2].min() > 0.9 and not np.any(held, axis=0)[2]


def test_windows_often_have_the_side_that_the_model_would_choose():
    """The thing has 8 x 8 pixels, so that the model cuts 24 of the 64 where it sees 16."""
    sides = [
        cut_windows(clip_of(seed), THINGS, np.random.default_rng(seed), 16)["body"].shape[1]
        for seed in range(300)
    ]
    assert window_side(64, 16, SIDE) == 24
    assert abs(np.mean(np.equal(sides, 24)) - AS_CHOSEN) < 0.1 and len(set(sides)) > 10


def test_without_a_thing_windows_are_cut_anywhere():
    clip = clip_of()
    cut = cut_windows(clip, np.zeros(256, bool), np.random.default_rng(3), 128)
    assert cut["body"].shape[1] < SIDE


@pytest.mark.parametrize("size", [32, 96])
def test_a_resized_picture_keeps_its_rays(size):
    clip = clip_of()
    sized = resize(clip, size)
    assert sized["rgb"].shape == (FRAMES, size, size, 3) and sized["body"].shape == (FRAMES, size, size)
    row, column = np.divmod(sized["depth"][0].astype(int) - 1, SIDE)
    apart = rays_of(sized["intrinsics"][0], size) - rays_of(clip["intrinsics"][0], SIDE)[row, column]
    pixel = 1 / clip["intrinsics"][0, 0, 0]
    assert np.abs(apart).max() <= 0.51 * pixel and np.abs(apart.mean((0, 1))).max() <= 0.51 * pixel
    assert set(np.unique(sized["body"])) <= {0, THING}


def test_a_picture_of_the_size_is_left_alone():
    clip = clip_of()
    assert resize(clip, SIDE)["rgb"] is clip["rgb"]

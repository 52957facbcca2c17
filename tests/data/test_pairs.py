import numpy as np
import pytest

from spatial_reward.camera import rigid
from spatial_reward.data.degrade import degrade, depth_camera
from spatial_reward.data.pairs import (
    SKY,
    ClipRecipe,
    draw_batch,
    draw_clip,
    follow,
    open_shard,
    shard_paths,
)

SIZE, FRAMES, FOCAL = 32, 3, 30.0


def board(distance=1.0, right=0.0):
    """A board of body 1 that fills the picture at a depth, shifted by `right` [m] in frame 1."""
    intrinsics = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]], np.float32)
    poses = np.tile(np.eye(4, dtype=np.float32), (FRAMES, 4, 1, 1))
    poses[1, 1, 0, 3] = right
    rng = np.random.default_rng(0)
    return {
        "rgb": rng.integers(0, 256, (1, FRAMES, SIZE, SIZE, 3), np.uint8),
        "depth": np.full((1, FRAMES, SIZE, SIZE), distance, np.float16),
        "body": np.ones((1, FRAMES, SIZE, SIZE), np.uint8),
        "intrinsics": np.tile(intrinsics, (1, FRAMES, 1, 1)),
        "world_from_camera": np.tile(np.eye(4, dtype=np.float32), (1, FRAMES, 1, 1)),
        "world_from_body": poses[None],
        "support": np.array([-1.0], np.float32),
    }


def clip_of(shard):
    return {key: shard[key][0] for key in shard if key != "support"}


def test_a_point_that_stays_is_where_it_was():
    pixel = np.array([[3.5, 7.5], [20.5, 1.5]], np.float32)
    found = follow(clip_of(board()), 0, 2, pixel)
    np.testing.assert_allclose(found["target"], pixel, atol=1e-4)
    assert found["visible"].all() and (found["moved"] < 1e-6).all()


def test_a_shift_moves_pixels_by_focal_length_over_depth():
    found = follow(clip_of(board(distance=2.0, right=0.2)), 0, 1, np.array([[10.5, 10.5]], np.float32))
    np.testing.assert_allclose(found["target"], [[10.5 + 0.2 * FOCAL / 2, 10.5]], atol=1e-3)
    np.testing.assert_allclose(found["moved"], 0.2, atol=1e-5)


def test_what_leaves_the_picture_or_passes_behind_is_not_seen():
    pixel = np.array([[30.5, 10.5]], np.float32)
    assert not follow(clip_of(board(right=1.0)), 0, 1, pixel)["visible"].any()
    shard = board()
    shard["depth"][0, 1] = 0.5  # something stands before it
    assert not follow(clip_of(shard), 0, 1, pixel)["visible"].any()


def test_the_camera_s_own_motion_is_taken_into_account():
    shard = board()
    shard["world_from_camera"][0, 1] = rigid(np.eye(3), [0.1, 0, 0])
    found = follow(clip_of(shard), 0, 1, np.array([[15.5, 15.5]], np.float32))
    np.testing.assert_allclose(found["target"], [[15.5 - 0.1 * FOCAL, 15.5]], atol=1e-3)
    assert found["moved"][0] < 1e-6


def test_shards_are_read_in_place_and_equal_what_numpy_reads(tmp_path):
    np.savez(tmp_path / "a.npz", **board())
    mapped, read = open_shard(tmp_path / "a.npz"), np.load(tmp_path / "a.npz")
    assert set(mapped) == set(read.files)
    for key in mapped:
        assert isinstance(mapped[key], np.memmap)
        np.testing.assert_array_equal(mapped[key], read[key])


def test_compressed_and_missing_shards_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "b.npz", **board())
    with pytest.raises(ValueError, match=r"b\.npz is compressed"):
        open_shard(tmp_path / "b.npz")
    with pytest.raises(FileNotFoundError, match="generate them first"):
        shard_paths(tmp_path / "nowhere")


def test_clips_depend_on_seed_and_number_alone(tmp_path):
    np.savez(tmp_path / "c.npz", **board())
    paths, recipe = shard_paths(tmp_path), ClipRecipe(queries=6)
    together, alone = (draw_batch(paths, numbers, recipe, seed=1) for numbers in (range(4), [2]))
    assert all(together[key][2].tobytes() == alone[key][0].tobytes() for key in alone)
    assert together["rgb"].tobytes() != draw_batch(paths, range(4), recipe, seed=2)["rgb"].tobytes()
    assert together["pixel"].shape == (4, recipe.pairs, 6, 2) and together["visible"].dtype == bool


def test_mirrored_clips_keep_labels_on_their_surface():
    shard = board(right=0.1)
    columns = np.arange(SIZE, dtype=np.uint8)
    shard["rgb"][0, :] = columns[None, None, :, None]  # the red value is the column
    mirrored = 0
    for seed in range(8):
        clip = draw_clip(shard, 0, np.random.default_rng(seed), ClipRecipe(queries=5, windows=0.0))
        if clip["mirror"]:
            mirrored += 1
            straight = clip["target"][..., 0] - clip["pixel"][..., 0]
            pairs = np.stack([clip["first"], clip["second"]], -1)
            assert pairs.shape == (6, 2) and np.isfinite(straight).all()
            assert (straight <= 3.01).all() and (clip["pixel"] > 0).all() and (clip["pixel"] < SIZE).all()
    assert mirrored


def test_a_user_s_scenes_are_seen_through_windows_as_often_as_is_said_of_them():
    general = board()
    own = general | {"followed": np.array([1], np.uint8)}
    own_only = ClipRecipe(queries=4, windows=0.0, own_windows=1.0, size=SIZE // 2)

    def magnified(shard, recipe, seed):
        clip = draw_clip(shard, 0, np.random.default_rng(seed), recipe)
        return clip["intrinsics"][0, 0, 0] > 1.01 * FOCAL / 2

    assert not any(magnified(general, own_only, seed) for seed in range(10))
    assert any(magnified(own, own_only, seed) for seed in range(10))
    general_only = ClipRecipe(queries=4, windows=1.0, own_windows=0.0, size=SIZE // 2)
    assert any(magnified(general, general_only, seed) for seed in range(10))
    assert not any(magnified(own, general_only, seed) for seed in range(10))


def test_a_view_of_nothing_gives_no_visible_point():
    shard = board()
    shard["depth"][:], shard["body"][:] = np.nan, SKY
    clip = draw_clip(shard, 0, np.random.default_rng(0), ClipRecipe(queries=4))
    assert not clip["visible"].any()


def test_what_is_given_follows_the_recipe():
    shard = board()

    def told(**shares):
        return draw_clip(shard, 0, np.random.default_rng(1), ClipRecipe(queries=4, augment=False, **shares))

    nothing, everything = told(measured=0.0, support=0.0), told(measured=1.0, support=1.0)
    assert np.isnan(nothing["support"]) and np.isnan(nothing["measured"]).all()
    assert everything["support"] == -1 and 0.9 < np.isfinite(everything["measured"]).mean() < 1
    assert set(map(bytes, nothing["rgb"])) <= set(map(bytes, shard["rgb"][0]))


def test_degrading_keeps_shapes_and_is_seeded():
    pictures = board()["rgb"][0]
    one, two = (degrade(pictures, np.random.default_rng(3)) for _ in range(2))
    assert one.shape == pictures.shape and one.dtype == np.uint8 and one.tobytes() == two.tobytes()
    assert one.tobytes() != pictures.tobytes()
    depth = np.full((2, 50, 50), 2.0, np.float32)
    seen = depth_camera(depth, np.random.default_rng(0))
    assert 0.005 < np.isnan(seen).mean() < 0.05 and np.nanstd(seen) == pytest.approx(0.016, rel=0.2)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more"], ids=["empty", "truncated"])
def test_damaged_shards_are_named_with_the_remedy(content, tmp_path):
    path = tmp_path / "000000.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"000000.npz is damaged .*: delete it and generate it again"):
        open_shard(path)

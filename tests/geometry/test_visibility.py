import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.camera import Camera
from spatial_reward.geometry import overlap, visible

CAMERA = Camera.from_fov(60, 64, 48, np.eye(4))
PIXELS = np.stack(np.meshgrid(np.arange(4, 60) + 0.5, np.arange(4, 44) + 0.5), -1).reshape(-1, 2)


def wall(depth=2.0):
    return np.full((48, 64), depth)


def points(depth=2.0):
    return CAMERA.unproject(PIXELS, np.full(len(PIXELS), depth))


def test_a_surface_is_seen_and_what_is_behind_or_far_before_it_not():
    for depth, expected in [
        (2.0, True),
        (2.019, True),
        (1.981, True),
        (2.03, False),
        (1.9, False),
        (-2.0, False),
    ]:
        assert (visible(CAMERA, points(depth), wall(), "strict", 0.02) == expected).all()


def test_the_published_rule_sees_all_before_the_surface_and_not_the_surface():
    for depth, expected in [(1.99, True), (0.1, True), (2.0, False), (2.01, False), (-1.0, False)]:
        assert (visible(CAMERA, points(depth), wall(), "paper") == expected).all()


def test_the_published_rule_loses_half_of_a_noisy_surface_and_the_strict_one_nothing():
    depth = wall() + np.random.default_rng(0).normal(0, 0.005, (48, 64))
    assert 0.45 < visible(CAMERA, points(), depth, "paper").mean() < 0.55
    assert visible(CAMERA, points(), depth, "strict", 0.02).mean() > 0.999


@pytest.mark.parametrize("mode", ["strict", "paper"])
@pytest.mark.parametrize("hole", [0.0, np.nan])
def test_holes_show_nothing(mode, hole):
    assert not visible(CAMERA, points(1.0), wall(hole), mode).any()


@pytest.mark.parametrize("mode", ["strict", "paper"])
def test_what_is_in_front_hides_half(mode):
    depth = wall()
    depth[:, :32] = 1.0
    seen = visible(CAMERA, points(1.995), depth, mode)
    if mode == "strict":
        np.testing.assert_array_equal(seen, PIXELS[:, 0] > 32)
    else:  # rounds: pixel centres at +0.5 go to the even neighbour
        np.testing.assert_array_equal(seen, np.round(PIXELS[:, 0]) >= 32)


def test_rounding_is_clipped_to_the_picture():
    corner = CAMERA.unproject([(63.9, 47.9)], [1.0])
    assert visible(CAMERA, corner, wall(), "paper").all()
    outside = CAMERA.unproject([(64.1, 47.9), (-0.1, 3)], [1.0, 1.0])
    assert not visible(CAMERA, outside, wall(), "paper").any()


def test_depth_may_have_another_size_than_the_picture():
    depth = np.full((24, 32), 2.0)
    depth[:, 16:] = 1.0
    np.testing.assert_array_equal(visible(CAMERA, points(), depth), PIXELS[:, 0] < 32)


def test_an_unknown_mode_is_refused_and_no_points_are_none():
    with pytest.raises(ValueError, match=r"must be one of \('strict', 'paper'\), got 'loose'"):
        visible(CAMERA, points(), wall(), "loose")
    assert visible(CAMERA, np.zeros((0, 3)), wall()).shape == (0,)


@given(st.integers(0, 12), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_overlap_is_intersection_over_union(frames, count, seed):
    rng = np.random.default_rng(seed)
    seen = rng.random((frames, count)) < rng.random((frames, 1))
    shares = overlap(seen)
    assert shares.shape == (frames, frames)
    for i, j in np.ndindex(frames, frames):
        either = (seen[i] | seen[j]).sum()
        assert shares[i, j] == ((seen[i] & seen[j]).sum() / either if either else 0)

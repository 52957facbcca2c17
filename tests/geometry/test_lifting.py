import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.camera import Camera, look_at, transform
from spatial_reward.geometry import depth_noise, lift, sample_depth

CAMERA = Camera.from_fov(55, 64, 48, look_at((1.0, 0.3, 0.8), (0, 0, 0)))
ROWS, COLUMNS = np.mgrid[:48, :64] + 0.5
inside = st.tuples(st.floats(0.5, 63.5), st.floats(0.5, 47.5))


def test_lifting_is_unprojection_in_camera_axes():
    rng = np.random.default_rng(0)
    pixels, depth = rng.uniform(0, 48, (20, 2)), rng.uniform(0.2, 4, 20)
    points, _ = lift(CAMERA, pixels, depth, 0.5, 0.001)
    world = transform(CAMERA.world_from_camera, points)
    np.testing.assert_allclose(world, CAMERA.unproject(pixels, depth), atol=1e-12)
    np.testing.assert_allclose(CAMERA.pixels(points), pixels, atol=1e-9)


def test_covariance_is_the_spread_of_noisy_liftings():
    rng = np.random.default_rng(1)
    pixel, depth, pixel_std, depth_std = np.array([10.0, 40.0]), 1.5, 0.4, 0.006
    noisy = pixel + rng.normal(0, pixel_std, (200_000, 2)), depth + rng.normal(0, depth_std, 200_000)
    points, _ = lift(CAMERA, *noisy, pixel_std, depth_std)
    _, covariance = lift(CAMERA, pixel[None], np.array([depth]), pixel_std, depth_std)
    np.testing.assert_allclose(np.cov(points.T), covariance[0], atol=0.015 * covariance[0].max())


def test_each_point_may_have_its_own_noise():
    pixels, depth = np.full((2, 2), 20.0), np.ones(2)
    _, both = lift(CAMERA, pixels, depth, [0.1, 1.0], [0.01, 0.02])
    for index, (pixel_std, depth_std) in enumerate([(0.1, 0.01), (1.0, 0.02)]):
        _, alone = lift(CAMERA, pixels[:1], depth[:1], pixel_std, depth_std)
        np.testing.assert_allclose(both[index], alone[0])


def test_unknown_depth_stays_unknown_and_no_points_are_no_points():
    points, covariance = lift(CAMERA, [(1, 1), (2, 2)], [np.nan, 1.0], 0.5, 0.01)
    assert np.isnan(points[0]).all() and np.isfinite(points[1]).all() and np.isfinite(covariance[1]).all()
    points, covariance = lift(CAMERA, np.zeros((0, 2)), np.zeros(0), 0.5, 0.01)
    assert points.shape == (0, 3) and covariance.shape == (0, 3, 3)


@given(inside, st.floats(-0.004, 0.004), st.floats(-0.004, 0.004))
def test_a_slope_is_read_exactly_between_pixel_centres(pixel, across, down):
    depth = 1 + across * COLUMNS + down * ROWS
    value, spread = sample_depth(depth, [pixel])
    assert value[0] == pytest.approx(1 + across * pixel[0] + down * pixel[1], abs=1e-9)
    assert spread[0] <= abs(across) + abs(down) + 1e-12


@given(inside)
def test_nothing_is_blended_across_an_edge(pixel):
    depth = np.where(COLUMNS + 0.3 * ROWS < 40, 0.7, 2.0)
    value, spread = sample_depth(depth, [pixel])
    assert value[0] == pytest.approx(depth[int(pixel[1]), int(pixel[0])], abs=1e-12)
    assert spread[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("hole", [0.0, np.nan, np.inf])
def test_holes_are_unknown_and_do_not_leak_into_their_neighbours(hole):
    depth = np.full((48, 64), 1.25, np.float32)
    depth[10, 20] = hole
    value, spread = sample_depth(depth, [(20.5, 10.5), (20.9, 10.9), (21.1, 10.4), (19.9, 11.1)])
    assert np.isnan(value[:2]).all() and np.isnan(spread[:2]).all()
    np.testing.assert_allclose(value[2:], 1.25)


def test_outside_is_unknown_and_the_border_belongs_to_the_picture():
    depth = np.ones((48, 64))
    outside = [(-0.1, 5), (64, 5), (5, 48), (5, -3), (np.nan, 5)]
    assert np.isnan(sample_depth(depth, outside)[0]).all()
    np.testing.assert_allclose(sample_depth(depth, [(0, 0), (63.99, 47.99), (0.2, 30)])[0], 1)


def test_no_pixels_give_no_depths():
    value, spread = sample_depth(np.ones((4, 4)), np.zeros((0, 2)))
    assert value.shape == spread.shape == (0,)


def test_the_noise_of_depth_grows_with_its_square_from_a_floor():
    near, one, two, four = depth_noise([0.0, 1.0, 2.0, 4.0])
    assert near == 0.0005
    assert (four - near) / (two - near) == pytest.approx(4) == pytest.approx((two - near) / (one - near))

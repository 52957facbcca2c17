import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.camera import Camera, look_at, transform
from spatial_reward.geometry import STATIC, distance, object_motion

seeds = st.integers(0, 2**32 - 1)


def cameras(rng):
    eyes = rng.normal((2, 0, 1), 1, (2, 3))
    return [Camera.from_fov(50, 64, 48, look_at(eye, (0, 0, 0))) for eye in eyes]


@given(seeds)
def test_the_camera_s_own_motion_is_taken_out(seed):
    rng = np.random.default_rng(seed)
    first, second = cameras(rng)
    before, moved = rng.normal(size=3), rng.normal(size=3)
    for shift in (np.zeros(3), moved):
        point_1 = transform(first.camera_from_world, before)
        point_2 = transform(second.camera_from_world, before + shift)
        displacement, _ = object_motion(first, second, point_1, point_2)
        np.testing.assert_allclose(displacement, first.camera_from_world[:3, :3] @ shift, atol=1e-12)


def test_a_fixed_camera_sees_sixty_millimetres():
    camera = Camera.from_fov(50, 64, 48, np.eye(4))
    displacement, covariance = object_motion(camera, camera, [0, 0, 1], [0.06, 0, 1])
    assert distance(displacement, covariance) == (pytest.approx(0.06), 0.0)


def test_covariance_is_the_spread_of_noisy_displacements():
    rng = np.random.default_rng(0)
    first, second = cameras(rng)
    spread_1, spread_2 = np.diag([1, 4, 9.0]) * 1e-6, np.diag([16, 1, 2.0]) * 1e-6
    ones = rng.multivariate_normal([0, 0, 2], spread_1, 40_000)
    twos = rng.multivariate_normal([0.1, 0, 2], spread_2, 40_000)
    _, covariance = object_motion(first, second, ones[0], twos[0], spread_1, spread_2)
    first_from_second = first.camera_from_world @ second.world_from_camera
    observed = np.cov((transform(first_from_second, twos) - ones).T)
    np.testing.assert_allclose(observed, covariance, atol=0.03 * covariance.max())


def test_the_threshold_of_motion_is_a_centimetre():
    assert STATIC == 0.01


COVARIANCE = np.diag([1.0, 2.0, 6.0]) * 1e-6  # [m^2]


@pytest.mark.parametrize("length", [0.0, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.1])  # [m]; noise 3 mm
def test_the_length_s_std_is_not_too_sure_near_zero(length):
    rng = np.random.default_rng(1)
    ratios = []
    for direction in rng.normal(size=(40, 3)):
        truth = length * direction / np.linalg.norm(direction)
        measured = [
            distance(vector, COVARIANCE) for vector in rng.multivariate_normal(truth, COVARIANCE, 100)
        ]
        lengths, stds = np.array(measured).T
        ratios.append([np.mean((lengths - length) ** 2), np.mean(stds**2)])
    observed, stated = np.mean(ratios, axis=0)
    assert 0.45 < observed / stated < 1.2  # variances: at most one tenth too sure, half too unsure


def test_no_motion_is_as_unsure_as_the_error_is_long_and_nothing_jumps():
    assert distance(np.zeros(3), COVARIANCE) == (0.0, pytest.approx(0.003))
    assert distance([1e-12, 0, 0], COVARIANCE)[1] == pytest.approx(0.003)


@given(st.floats(0.001, 2), seeds)
def test_far_from_zero_only_the_error_along_counts(length, seed):
    direction = np.random.default_rng(seed).normal(size=3)
    direction /= np.linalg.norm(direction)
    covariance = COVARIANCE * (length * 1e-2) ** 2
    value, std = distance(length * direction, covariance)
    assert value == pytest.approx(length)
    assert std == pytest.approx(np.sqrt(direction @ covariance @ direction), rel=1e-3)


def test_an_exact_displacement_has_an_exact_length():
    assert distance([3, 4, 0], np.zeros((3, 3))) == (5.0, 0.0)
    assert distance([0, 0, 0], np.zeros((3, 3))) == (0.0, 0.0)

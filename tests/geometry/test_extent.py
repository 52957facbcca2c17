import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.geometry import extents

BOX = np.array([(x, y, z) for x in (0, 0.3) for y in (1, 1.8) for z in (-0.1, 0.1)])


def test_height_is_up_and_length_the_longer_side():
    assert extents(BOX)[:3] == pytest.approx((0.2, 0.8, 0.3))
    assert extents(BOX[:, [1, 0, 2]])[:3] == pytest.approx((0.2, 0.8, 0.3))


@given(st.integers(0, 2**32 - 1))
def test_shifting_changes_nothing_and_points_inside_neither(seed):
    rng = np.random.default_rng(seed)
    inside = BOX.min(0) + rng.random((9, 3)) * np.ptp(BOX, axis=0)
    assert extents(np.concatenate([BOX, inside]) + rng.normal(size=3))[:3] == pytest.approx((0.2, 0.8, 0.3))


def test_std_is_that_of_the_two_outermost_points_in_the_order_of_the_sides():
    points = np.array([[0, 0, 0], [0.5, 0.2, 0.1], [0.2, 1.0, 0.3]])
    covariances = np.array([np.diag(np.square([i, 2 * i, 3 * i])) for i in (1e-3, 2e-3, 4e-3)])
    size = extents(points, covariances)
    assert size[:3] == pytest.approx((0.3, 1.0, 0.5))
    np.testing.assert_allclose(
        size.std, [3e-3 * np.hypot(1, 4), 2e-3 * np.hypot(1, 4), 1e-3 * np.hypot(1, 2)]
    )


def test_std_is_calibrated_where_the_ends_stand_out():
    rng, points = np.random.default_rng(0), np.array([[0, 0, 0], [0.5, 1, 0.3]])
    covariances = np.array([np.diag([1, 4, 9.0]), np.diag([2, 3, 1.0])]) * 1e-6
    noisy = points + np.stack([rng.multivariate_normal(np.zeros(3), c, 3000) for c in covariances], axis=1)
    measured = np.array([extents(sample)[:3] for sample in noisy])
    np.testing.assert_allclose(measured.std(0), extents(points, covariances).std, rtol=0.05)


def test_without_covariances_the_std_is_unknown():
    assert np.isnan(extents(BOX).std).all()


def test_points_that_are_not_finite_are_left_out_and_one_point_has_no_size():
    assert extents([*BOX, [np.nan, 9, 9]])[:3] == pytest.approx((0.2, 0.8, 0.3))
    assert extents([[1, 2, 3]])[:3] == (0, 0, 0)


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.full((2, 3), np.nan)])
def test_nothing_has_no_size(points):
    with pytest.raises(ValueError, match="at least one finite point, got"):
        extents(points)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_motions import any_covariances, any_motion, left_error, noise

from spatial_reward.camera import invert, rigid, transform
from spatial_reward.geometry import fit_motion, fit_rigid, fit_translation, moved_point

seeds = st.integers(0, 2**32 - 1)
FITS = [fit_rigid, fit_motion, fit_translation]


@given(seeds, st.integers(3, 60), st.booleans())
def test_without_noise_the_fit_is_the_truth(seed, count, robust):
    rng = np.random.default_rng(seed)
    truth, source = any_motion(rng), rng.normal(0, 0.3, (count, 3))
    fit = fit_rigid(source, transform(truth, source), robust=robust)
    arms = np.linalg.svd(source - source.mean(0), compute_uv=False)
    if arms[1] > 0.05:  # three random points may be almost on a line
        assert fit.valid and fit.inliers.all()
        np.testing.assert_allclose(fit.b_from_a, truth, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("low", "tolerance"), [(0.006, 1e-6), (0.001, 0.05)])
def test_swapping_source_and_target_inverts(low, tolerance, seed):
    # With noise of one shape exactly; otherwise the turning of its axes with the motion, which the steps
    # leave out, makes a difference of second order: small against the standard deviation.
    rng = np.random.default_rng(seed)
    source, covariances = rng.normal(0, 0.2, (40, 3)), any_covariances(rng, 40, low)
    exact = np.zeros_like(covariances)
    target = transform(any_motion(rng), source) + noise(rng, covariances)
    there = fit_rigid(source, target, source_covariance=exact, target_covariance=covariances, robust=False)
    back = fit_rigid(target, source, source_covariance=covariances, target_covariance=exact, robust=False)
    error = left_error(there, invert(back.b_from_a))
    assert np.sqrt(error @ np.linalg.solve(there.covariance, error)) < tolerance
    point = rng.normal(0, 0.2, 3)
    (_, spread), (_, expected) = moved_point(there, point), moved_point(back.inverse(), point)
    np.testing.assert_allclose(spread, expected, atol=0.03 * expected.max())


@pytest.mark.parametrize("fit_body", [fit_rigid, fit_motion])
@pytest.mark.parametrize("seed", range(10))
def test_forty_percent_of_gross_outliers_are_found_and_do_not_pull(fit_body, seed):
    rng = np.random.default_rng(seed)
    truth, source = any_motion(rng, 30, 0.2), rng.uniform(-0.1, 0.1, (100, 3))
    target = transform(truth, source) + rng.normal(0, 0.002, (100, 3))
    wrong = rng.permutation(100)[:40]
    target[wrong] += rng.normal(0, 0.15, (40, 3))
    fit = fit_body(source, target, target_covariance=np.tile(4e-6 * np.eye(3), (100, 1, 1)))
    gross = np.linalg.norm(target - transform(truth, source), axis=1) > 0.01
    assert fit.valid and not fit.inliers[gross].any() and fit.inliers[~gross].mean() > 0.9
    clean = fit_body(source[~gross], target[~gross], robust=False)
    assert (
        np.linalg.norm(transform(fit.b_from_a, source) - transform(clean.b_from_a, source), axis=1).max()
        < 0.002
    )


def test_the_point_s_own_covariance_is_added_turned():
    rng = np.random.default_rng(6)
    source = rng.normal(0, 0.1, (30, 3))
    fit = fit_rigid(source, transform(any_motion(rng), source) + rng.normal(0, 0.001, (30, 3)))
    own = np.diag([1e-4, 2e-4, 3e-4])
    _, without = moved_point(fit, source[0])
    _, more = moved_point(fit, source[0], own)
    rotation = fit.b_from_a[:3, :3]
    np.testing.assert_allclose(more - without, rotation @ own @ rotation.T, atol=1e-12)


def test_points_of_less_weight_pull_less_and_none_not_at_all():
    source = np.random.default_rng(7).normal(0, 0.2, (20, 3))
    target = source.copy()
    target[0] += 0.1
    errors = []
    for weight in (1.0, 0.1, 0.0):
        fit = fit_rigid(source, target, weights=[weight, *[1.0] * 19], robust=False)
        errors.append(np.abs(fit.b_from_a - np.eye(4)).max())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-9 and not fit.inliers[0]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_points_determine_no_rigid_motion(count):
    source = np.arange(3.0 * count).reshape(count, 3)
    fit = fit_rigid(source, source)
    assert not fit.valid and np.isnan(fit.b_from_a).all() and fit.inliers.tolist() == [False] * count


@pytest.mark.parametrize("robust", [True, False])
def test_points_on_a_line_or_in_one_place_determine_no_rigid_motion(robust):
    rng = np.random.default_rng(8)
    line = np.outer(np.linspace(0, 1, 15), [1, 2, -1.0])
    for source in (line, np.tile([0.1, 0.2, 0.3], (15, 1))):
        for spread in (0.0, 0.001):
            target = transform(any_motion(rng), source) + rng.normal(0, spread, source.shape)
            assert not fit_rigid(source, target, robust=robust).valid


def test_a_body_no_larger_than_its_noise_is_not_valid():
    rng = np.random.default_rng(9)
    source = rng.normal(0, 0.001, (10, 3))
    covariance = np.tile(1e-4 * np.eye(3), (10, 1, 1))
    target = source + noise(rng, covariance)
    assert not fit_rigid(source, target, target_covariance=covariance).valid


@pytest.mark.parametrize("fit_body", FITS)
def test_rows_that_are_not_finite_are_left_out_and_counted(fit_body):
    rng = np.random.default_rng(10)
    source = rng.normal(0, 0.2, (30, 3))
    target = source + np.array([0.1, 0, 0])
    spoilt_source, spoilt_target = source.copy(), target.copy()
    spoilt_source[3, 1], spoilt_target[8] = np.nan, np.inf
    covariance = np.tile(1e-6 * np.eye(3), (30, 1, 1))
    covariance[12, 0, 0] = np.nan
    fit = fit_body(spoilt_source, spoilt_target, target_covariance=covariance)
    assert fit.valid and fit.dropped == 3
    assert np.flatnonzero(~fit.inliers).tolist() == [3, 8, 12]
    np.testing.assert_allclose(fit.b_from_a, rigid(np.eye(3), [0.1, 0, 0]), atol=1e-9)


def test_nothing_but_rows_that_are_not_finite_is_no_motion():
    nothing = np.full((5, 3), np.nan)
    for fit_body in FITS:
        fit = fit_body(nothing, nothing)
        assert not fit.valid and fit.dropped == 5


def test_one_point_shifts_a_body_and_leaves_its_turn_open():
    fit = fit_motion([[0.1, 0, 1.0]], [[0.15, 0, 1.0]], target_covariance=1e-6 * np.eye(3)[None])
    assert fit.valid
    np.testing.assert_allclose(fit.b_from_a, rigid(np.eye(3), [0.05, 0, 0]), atol=1e-9)
    assert fit.rotation_std == pytest.approx(10, rel=0.05)


def test_a_translation_keeps_the_axes_and_says_that_it_may_turn():
    rng = np.random.default_rng(11)
    source = rng.normal(0, 0.1, (30, 3))
    target = source + np.array([0.02, 0, -0.01]) + rng.normal(0, 0.0005, (30, 3))
    fit = fit_translation(source, target, rotation_std=5)
    np.testing.assert_array_equal(fit.b_from_a[:3, :3], np.eye(3))
    np.testing.assert_allclose(fit.b_from_a[:3, 3], [0.02, 0, -0.01], atol=0.0005)
    assert fit.rotation_std == pytest.approx(5)
    assert np.trace(moved_point(fit, fit.centre + 1)[1]) > np.trace(moved_point(fit, fit.centre)[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": np.zeros((4, 3))}, r"must both be \(N, 3\), got \(5, 3\) and \(4, 3\)"),
        ({"source": np.zeros(3)}, r"must both be \(N, 3\)"),
        ({"weights": [-1, 1, 1, 1, 1]}, "not negative"),
        ({"weights": [1, 1]}, r"must be \(5,\)"),
        ({"source_covariance": np.eye(3)}, r"`source_covariance` must be \(5, 3, 3\) \[m\^2\], got \(3, 3\)"),
    ],
)
def test_shapes_and_weights_are_checked(arguments, message):
    given_ = {"source": np.zeros((5, 3)), "target": np.zeros((5, 3))} | arguments
    with pytest.raises(ValueError, match=message):
        fit_rigid(given_.pop("source"), given_.pop("target"), **given_)

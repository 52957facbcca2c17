import numpy as np
import pytest
from random_motions import any_covariances, any_motion, left_error, noise
from scipy.stats import chi2

from spatial_reward.camera import transform
from spatial_reward.geometry import fit_motion, fit_rigid, fit_translation, moved_point


@pytest.mark.parametrize("robust", [False, True])
def test_covariance_is_calibrated(robust):
    rng = np.random.default_rng(3)
    squared = []
    for _ in range(300):
        source = rng.normal(0, 0.1, (25, 3)) * [1, 0.7, 0.3]
        before, after = any_covariances(rng, 25), any_covariances(rng, 25)
        truth = any_motion(rng, 40)
        fit = fit_rigid(
            source + noise(rng, before),
            transform(truth, source) + noise(rng, after),
            source_covariance=before,
            target_covariance=after,
            robust=robust,
        )
        error = left_error(fit, truth)
        squared.append(error @ np.linalg.solve(fit.covariance, error))
    squared = np.array(squared)
    assert 5.4 < squared.mean() < 6.6  # 6 degrees of freedom, within 10 %
    assert 0.85 < (squared < chi2.ppf(0.9, 6)).mean() < 0.95


def test_moved_points_have_calibrated_intervals_away_from_the_body():
    rng = np.random.default_rng(4)
    hits, squared = [], []
    point = np.array([0.4, -0.1, 0.2])
    for _ in range(300):
        source, covariance = rng.normal(0, 0.1, (20, 3)), any_covariances(rng, 20)
        truth = any_motion(rng, 40)
        target = transform(truth, source) + noise(rng, covariance)
        fit = fit_rigid(source, target, target_covariance=covariance, robust=False)
        moved, spread = moved_point(fit, point)
        error = moved - transform(truth, point)
        hits.append(np.abs(error) < 1.645 * np.sqrt(np.diag(spread)))
        squared.append(error @ np.linalg.solve(spread, error))
    assert 2.7 < np.mean(squared) < 3.3
    assert (np.abs(np.mean(hits, axis=0) - 0.9) < 0.05).all()


def test_without_stated_noise_it_is_read_from_the_residuals():
    rng = np.random.default_rng(5)
    squared = []
    for _ in range(300):
        source, truth = rng.normal(0, 0.1, (60, 3)), any_motion(rng, 40)
        fit = fit_rigid(source, transform(truth, source) + rng.normal(0, 0.003, (60, 3)), robust=False)
        error = left_error(fit, truth)
        squared.append(error @ np.linalg.solve(fit.covariance, error))
    assert 5.4 < np.mean(squared) < 6.6


def normalised(rng, count, actual, stated, robust, outliers=0):
    """Squared errors of 300 fits in their stated standard deviations; outliers are off by 15 cm."""
    covariance = (
        {} if stated is None else {"target_covariance": np.tile(stated**2 * np.eye(3), (count, 1, 1))}
    )
    squared = []
    for _ in range(300):
        source, truth = rng.normal(0, 0.1, (count, 3)), any_motion(rng, 40)
        target = transform(truth, source) + rng.normal(0, actual, source.shape)
        target[:outliers] += rng.normal(0, 0.15, (outliers, 3))
        fit = fit_rigid(source, target, robust=robust, **covariance)
        if fit.valid:
            error = left_error(fit, truth)
            squared.append(error @ np.linalg.solve(fit.covariance, error))
    return np.array(squared)


@pytest.mark.parametrize(("robust", "outliers"), [(False, 0), (True, 0), (True, 20)])
def test_more_noise_than_stated_shows_in_the_covariance(robust, outliers):
    squared = normalised(np.random.default_rng(6), 50, 0.006, 0.002, robust, outliers)
    assert 5.4 < squared.mean() < 7.0
    assert 0.84 < (squared < chi2.ppf(0.9, 6)).mean() < 0.95


@pytest.mark.parametrize("count", [3, 6, 10])
def test_few_points_without_stated_noise_are_not_overconfident(count):
    squared = normalised(np.random.default_rng(7), count, 0.002, None, robust=False)
    assert 0.82 < (squared < chi2.ppf(0.9, 6)).mean() < 0.96


def test_less_noise_than_stated_does_not_shrink_the_covariance():
    assert normalised(np.random.default_rng(8), 30, 0.0005, 0.002, robust=True).mean() < 1


def test_nothing_tells_the_noise_of_one_point():
    for fit_body in (fit_motion, fit_translation):
        fit = fit_body([[0.1, 0, 1.0]], [[0.15, 0, 1.0]])
        assert fit.valid and np.isnan(moved_point(fit, [0, 0, 1.0])[1]).all()

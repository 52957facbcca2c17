import numpy as np
import pytest
from numpy.testing import assert_allclose

from spatial_reward.rewards.gaussian import ball_probability, interval_probability, norm_std


def covariance_of(rng, stds):
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return axes @ np.diag(np.square(stds)) @ axes.T


# Round, depth-like (one long axis), flat, and one without spread along an axis [m].
SHAPES = [(0.01, 0.01, 0.01), (0.001, 0.002, 0.03), (0.0001, 0.02, 0.02), (0.0, 0.005, 0.02)]


@pytest.mark.parametrize("stds", SHAPES)
@pytest.mark.parametrize("offset", [0.0, 0.01, 0.02, 0.05])
def test_ball_probability_agrees_with_sampling(stds, offset):
    rng = np.random.default_rng([7, SHAPES.index(stds), int(1000 * offset)])
    direction = rng.normal(size=3)
    mean, covariance = offset * direction / np.linalg.norm(direction), covariance_of(rng, stds)
    samples = rng.multivariate_normal(mean, covariance, size=200_000, check_valid="ignore")
    sampled = np.mean(np.linalg.norm(samples, axis=1) <= 0.02)
    assert ball_probability(mean, covariance, 0.02) == pytest.approx(sampled, abs=0.004)


@pytest.mark.parametrize("stds", SHAPES)
def test_the_std_of_a_long_vector_is_that_along_it(stds):
    rng = np.random.default_rng(1)
    mean, covariance = rng.normal(size=3), covariance_of(rng, stds)
    mean *= 0.5 / np.linalg.norm(mean)  # [m]
    sampled = np.linalg.norm(
        rng.multivariate_normal(mean, covariance, size=100_000, check_valid="ignore"), axis=1
    )
    assert norm_std(mean, covariance) == pytest.approx(sampled.std(), rel=0.05)


@pytest.mark.parametrize("stds", SHAPES)
@pytest.mark.parametrize("offset", [0.0, 1e-9, 0.003])
def test_the_std_of_a_short_vector_neither_vanishes_nor_blows_up(stds, offset):
    rng = np.random.default_rng(2)
    covariance = covariance_of(rng, stds)
    sampled = rng.multivariate_normal([offset, 0, 0], covariance, size=100_000, check_valid="ignore")
    error = np.sqrt(np.mean((np.linalg.norm(sampled, axis=1) - offset) ** 2))  # of the stated distance
    std = norm_std(np.array([offset, 0, 0]), covariance)
    assert 0.5 * error < std <= 1.001 * max(stds)


def test_the_std_is_continuous_at_zero():
    covariance = np.diag([1e-4, 4e-4, 9e-4])
    near = [norm_std(np.array([x, 0, 0]), covariance) for x in (0.0, 1e-12, 1e-6)]
    assert_allclose(near, near[0], rtol=1e-4)


def test_without_spread_success_is_a_fact():
    nothing = np.zeros((3, 3))
    assert ball_probability(np.array([0.01, 0, 0]), nothing, 0.02) == 1.0
    assert ball_probability(np.array([0.03, 0, 0]), nothing, 0.02) == 0.0
    assert norm_std(np.array([0.03, 0, 0]), nothing) == 0.0
    assert interval_probability(0.1, 0.0, 0.2) == 1.0


def test_unknown_spread_leaves_the_std_unknown_and_judges_the_distance_as_it_is():
    unknown = np.full((3, 3), np.nan)
    assert np.isnan(norm_std(np.array([0.01, 0, 0]), unknown))
    assert ball_probability(np.array([0.01, 0, 0]), unknown, 0.02) == 1.0
    assert interval_probability(0.3, np.nan, 0.2) == 0.0


def test_a_larger_ball_is_never_less_probable():
    covariance = covariance_of(np.random.default_rng(3), (0.002, 0.01, 0.03))
    values = [ball_probability(np.array([0.02, 0.01, 0]), covariance, r) for r in np.linspace(0, 0.3, 60)]
    assert np.all(np.diff(values) > -1e-3) and values[0] == 0.0 and values[-1] == pytest.approx(1, abs=1e-6)

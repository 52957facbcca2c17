"""The length of an uncertain vector: its standard deviation and how probably it is short."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from spatial_reward.camera import Array

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
REACH = 6.0  # standard deviations that an integral covers; 2e-9 of the mass lies outside


class Gap(NamedTuple):
    """How far from a goal: distance [m], its standard deviation [m], and P(distance <= within)."""

    distance: float
    std: float
    success: float


def norm_std(mean: Array, covariance: Array) -> float:
    """Return the standard deviation of the length of a vector (3,) with a covariance (3, 3).

    First order, n'Sn with n the direction, but averaged over the directions that the vector may have
    (second moment M = (mm' + S) / (m'm + tr S)): tr(SM) tends to n'Sn for long vectors and stays between
    the smallest and the largest eigenvalue of S for short ones, where n means nothing.
    """
    spread = float(np.trace(covariance))
    if spread == 0.0:
        return 0.0
    directions = (np.outer(mean, mean) + covariance) / (mean @ mean + spread)
    return float(np.sqrt(np.sum(covariance * directions)))


def ball_probability(mean: Array, covariance: Array, radius: float) -> float:
    """Return P(|x| <= radius) for x ~ N(mean (3,), covariance (3, 3)).

    The axis of the largest variance is integrated in closed form, the other two by Gauss-Legendre
    quadrature over the part of the ball that they reach; the error is below 1e-3. A vector without
    spread, or with unknown spread (NaN), is taken as exact.
    """
    if radius < 0:
        return 0.0
    if not np.trace(covariance) > 0:
        return float(np.linalg.norm(mean) <= radius)
    variances, axes = np.linalg.eigh(covariance)
    x, y, z = axes.T @ mean
    # An axis without spread becomes one of negligible spread, so that it needs no case of its own.
    sx, sy, sz = np.sqrt(np.maximum(variances, 1e-12 * variances[2]))
    xs, x_mass = _quadrature(x, sx, np.asarray(radius))
    ys, y_mass = _quadrature(y, sy, np.sqrt(np.maximum(radius**2 - xs**2, 0.0))[:, None])
    half = np.sqrt(np.maximum(radius**2 - xs[:, None] ** 2 - ys**2, 0.0))
    z_mass = ndtr((half - z) / sz) - ndtr((-half - z) / sz)
    return float(np.clip(np.sum(x_mass[:, None] * y_mass * z_mass), 0.0, 1.0))


def interval_probability(mean: float, std: float, high: float) -> float:
    """Return P(x <= high) for x ~ N(mean, std^2); without (or with unknown) spread, whether it is so."""
    return float(ndtr((high - mean) / std)) if std > 0 else float(mean <= high)


def _quadrature(mean: float, std: float, limit: Array) -> tuple[Array, Array]:
    """Return nodes in [-limit, limit] and the normal probability mass that each stands for."""
    low = np.clip(mean - REACH * std, -limit, limit)
    high = np.clip(mean + REACH * std, -limit, limit)
    nodes = (high + low) / 2 + (high - low) / 2 * NODES
    density = np.exp(-0.5 * ((nodes - mean) / std) ** 2) / (np.sqrt(2 * np.pi) * std)
    return nodes, (high - low) / 2 * WEIGHTS * density

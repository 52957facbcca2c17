"""Matched points with their noise, and how they look from a candidate motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array, transform
from spatial_reward.geometry.consensus import CHI2_GATE, CHI2_MEDIAN
from spatial_reward.geometry.rotations import skew

_FLOOR = 1e-6  # [m]; no point is better known than this


@dataclass(frozen=True, eq=False)
class Matches:
    """The finite matches with positive weight, and where they stood among those given."""

    source: Array
    target: Array
    source_covariance: Array
    target_covariance: Array
    weights: Array
    stated: bool  # whether the covariances are real ones, not units
    used: NDArray[np.bool_]
    dropped: int

    @property
    def floor(self) -> float:
        """Smallest factor of the covariances: never below the stated noise."""
        return 1.0 if self.stated else _FLOOR**2

    def information(self, rotation: Array) -> Array:
        """Return the inverse covariances (N, 3, 3) of the residuals."""
        if not self.stated:
            return np.broadcast_to(np.eye(3), (len(self.source), 3, 3))
        covariance: Array = rotation @ self.source_covariance @ rotation.T + self.target_covariance
        return np.asarray(np.linalg.inv(covariance + _FLOOR**2 * np.eye(3)))

    def variance(self) -> Array:
        """Return the mean variance (N,) of one coordinate of the residuals."""
        total: Array = np.trace(self.source_covariance + self.target_covariance, axis1=1, axis2=2)
        variance: Array = total / 3 + _FLOOR**2
        return variance


@dataclass(frozen=True, eq=False)
class Residuals:
    """The matches seen from a candidate motion: linearised about `centre`."""

    error: Array  # (N, 3)
    squared: Array  # (N,) Mahalanobis distance squared
    jacobian: Array  # (N, 3, 6)
    information: Array  # (N, 3, 3)
    centre: Array  # (3,)


def matched(
    source: ArrayLike,
    target: ArrayLike,
    source_covariance: ArrayLike | None,
    target_covariance: ArrayLike | None,
    weights: ArrayLike | None,
) -> Matches:
    """Check shapes and keep the matches that are finite and count.

    Args:
        source: (N, 3) points [m].
        target: (N, 3) the same points after the motion [m].
        source_covariance: (N, 3, 3) [m^2].
        target_covariance: (N, 3, 3) [m^2].
        weights: (N,) how much each point counts; all the same without.

    Raises:
        ValueError: If shapes disagree or a weight is negative.
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    if source.ndim != 2 or source.shape[1] != 3 or target.shape != source.shape:
        raise ValueError(f"`source` and `target` must both be (N, 3), got {source.shape} and {target.shape}.")
    count = len(source)
    stated = source_covariance is not None or target_covariance is not None
    unit = 0.0 if stated else 0.5  # without covariances each residual has unit variance, up to a factor
    first = _covariances("source_covariance", source_covariance, count, unit)
    second = _covariances("target_covariance", target_covariance, count, unit)
    weight = np.ones(count) if weights is None else np.asarray(weights, float)
    if weight.shape != (count,) or (weight < 0).any():
        raise ValueError(f"`weights` must be ({count},) and not negative, got {weight.shape}: {weight}.")
    finite = np.isfinite(source).all(axis=1) & np.isfinite(target).all(axis=1) & np.isfinite(weight)
    finite &= np.isfinite(first).all(axis=(1, 2)) & np.isfinite(second).all(axis=(1, 2))
    used = finite & (weight > 0)
    chosen = (source[used], target[used], first[used], second[used], weight[used])
    return Matches(*chosen, stated=stated, used=used, dropped=int((~finite).sum()))


def _covariances(name: str, covariances: ArrayLike | None, count: int, unit: float) -> Array:
    if covariances is None:
        return np.broadcast_to(unit * np.eye(3), (count, 3, 3))
    array = np.asarray(covariances, float)
    if array.shape != (count, 3, 3):
        raise ValueError(f"`{name}` must be ({count}, 3, 3) [m^2], got {array.shape}.")
    return array


def residuals_of(matches: Matches, motion: Array, weights: Array) -> Residuals:
    """Linearise about the weighted centroid after the motion (4, 4)."""
    moved = transform(motion, matches.source)
    error = matches.target - moved
    information = matches.information(motion[:3, :3])
    share = weights * np.trace(information, axis1=1, axis2=2)
    centre = share @ moved / share.sum()
    squared = ((information @ error[:, :, None])[:, :, 0] * error).sum(axis=1)
    return Residuals(error, squared, motion_jacobian(moved - centre), information, centre)


def motion_jacobian(arms: Array) -> Array:
    """Return how points at `arms` (..., 3) from the centre follow a small motion: (..., 3, 6)."""
    identity = np.broadcast_to(np.eye(3), (*arms.shape, 3))
    return np.concatenate([-skew(arms), identity], axis=-1)


def noise_scale(matches: Matches, squared: Array) -> float:
    """Return by what factor the variances are larger than stated, roughly, whatever the outliers.

    From the weighted median of all squared distances (N,), then from that of those it does not exclude.
    """
    first = _median_scale(squared, matches.weights)
    near = squared <= CHI2_GATE * first
    return max(matches.floor, _median_scale(squared[near], matches.weights[near]))


def _median_scale(squared: Array, weights: Array) -> float:
    order = np.argsort(squared)
    below = np.cumsum(weights[order])
    median = float(squared[order[np.searchsorted(below, below[-1] / 2)]])
    few = 1 + 5 / max(3 * len(squared) - 6, 1)  # the fit takes much of few residuals (Rousseeuw, 1987)
    return few**2 * median / CHI2_MEDIAN


def noise_factor(matches: Matches, squared: Array, weights: Array, parameters: float) -> float:
    """Return by what factor the variances are larger than stated, from what the fit leaves over.

    Never below one for stated noise. Noise that is not stated is itself an estimate, which makes the law
    Student's, of a variance that is larger the fewer the points; NaN where they are too few to tell.

    Args:
        matches: What was fitted.
        squared: (N,) Mahalanobis distances squared.
        weights: (N,) how much each match counted in the end.
        parameters: How many numbers the matches determined.
    """
    spare = 3 * float(weights.sum()) - parameters
    left = float(weights @ squared)
    if matches.stated:
        return max(1.0, left / spare) if spare > 0.5 else 1.0
    return max(matches.floor, left / (spare - 2)) if spare > 2.5 else float("nan")


def trust(squared: Array, soft: bool) -> Array:
    """Return how much a match of that squared distance, in standard deviations, counts: (N,) in [0, 1]."""
    if soft:  # Geman-McClure: far points pull little, but may come back
        return 1 / (1 + squared / CHI2_GATE) ** 2
    return (squared <= CHI2_GATE).astype(float)


def normal_equations(residuals: Residuals, weights: Array) -> tuple[Array, Array]:
    """Return the information (6, 6) on a small motion, and the gradient (6,) that asks for it."""
    jacobian = residuals.jacobian.reshape(-1, 6)
    weighted = (weights[:, None, None] * residuals.information @ residuals.jacobian).reshape(-1, 6)
    return jacobian.T @ weighted, weighted.T @ residuals.error.reshape(-1)

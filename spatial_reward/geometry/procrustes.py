"""The rigid motion between matched 3-D points, with an honest covariance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_reward.camera import Array, invert, rigid, transform
from spatial_reward.geometry.consensus import closed_form, first_guess
from spatial_reward.geometry.matches import (
    Matches,
    Residuals,
    matched,
    motion_jacobian,
    noise_factor,
    noise_scale,
    normal_equations,
    residuals_of,
    trust,
)
from spatial_reward.geometry.rotations import rotation_angle, rotation_matrix, rotation_vector

_FLATNESS = 1e-8  # ratio of rotational informations below which points lie on a line or in one place
_WORST_ROTATION = np.radians(20.0)  # [rad] std beyond which a plain rigid fit has not seen the rotation
_SOFT_STEPS, _STEPS = 3, 15


@dataclass(frozen=True, eq=False)
class RigidFit:
    """A rigid motion fitted to matched points.

    Attributes:
        b_from_a: (4, 4) transform from the source's axes to the target's; NaN where nothing tells it.
        covariance: (6, 6) of the small motion [rotation vector rad, translation m] that, applied after
            `b_from_a` about `centre`, would give the truth: p -> centre + Exp(w) (p - centre) + v.
            It holds for independent errors of the points. NaN where nothing tells the noise.
        centre: (3,) weighted centroid of the points used [m], in the target's axes.
        inliers: (N,) which of the given points agree.
        residual: Root mean square distance [m] of the inliers.
        dropped: How many points were left out because they or their covariances were not finite.
        valid: Whether the points determine the motion.
    """

    b_from_a: Array
    covariance: Array
    centre: Array
    inliers: NDArray[np.bool_]
    residual: float
    dropped: int
    valid: bool

    @classmethod
    def unknown(cls, count: int = 0, dropped: int = 0) -> RigidFit:
        """Make the fit of `count` points that do not determine a motion."""
        nan = float("nan")
        none = np.zeros(count, bool)
        return cls(np.full((4, 4), nan), np.full((6, 6), nan), np.full(3, nan), none, nan, dropped, False)

    @property
    def rotation_std(self) -> float:
        """Standard deviation of the worst known axis of rotation [deg]."""
        return _worst_std_degrees(self.covariance[:3, :3])

    def inverse(self) -> RigidFit:
        """Return the motion from target to source, with its covariance."""
        back = invert(self.b_from_a)
        turn = np.kron(np.eye(2), back[:3, :3])
        return replace(
            self,
            b_from_a=back,
            covariance=turn @ self.covariance @ turn.T,
            centre=transform(back, self.centre),
        )


def moved_point(fit: RigidFit, point: ArrayLike, covariance: ArrayLike | None = None) -> tuple[Array, Array]:
    """Move points (..., 3) by a fit and return them with their covariances (..., 3, 3) [m^2].

    Args:
        fit: The motion.
        point: (..., 3) in the source's axes [m].
        covariance: (..., 3, 3) of the points themselves, where they are not exact.
    """
    moved = transform(fit.b_from_a, point)
    jacobian = motion_jacobian(moved - fit.centre)
    spread = jacobian @ fit.covariance @ np.swapaxes(jacobian, -1, -2)
    if covariance is not None:
        rotation = fit.b_from_a[:3, :3]
        spread = spread + rotation @ np.asarray(covariance, float) @ rotation.T
    return moved, spread


def fit_rigid(
    source: ArrayLike,
    target: ArrayLike,
    *,
    source_covariance: ArrayLike | None = None,
    target_covariance: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    robust: bool = True,
) -> RigidFit:
    """Fit the rigid motion that maps source points onto target points.

    Weighted Procrustes on the best of many small fits, then Gauss-Newton steps with the full
    covariances, soft weights first and a 99.9 % gate last; survives 40 % gross outliers. Not valid with
    fewer than three points that agree, on a line, in one place, or worse known than 20 degrees.

    Args:
        source: (N, 3) points [m].
        target: (N, 3) the same points after the motion [m].
        source_covariance: (N, 3, 3) [m^2]; without any covariance the noise is read from the residuals,
            which ten points or more can tell where some may be wrong.
        target_covariance: (N, 3, 3) [m^2].
        weights: (N,) how much each point counts, such as the probability that it belongs to the body.
        robust: Whether some points may be wrong altogether.

    Raises:
        ValueError: If shapes disagree or a weight is negative.
    """
    matches = matched(source, target, source_covariance, target_covariance, weights)
    if len(matches.source) < 3:
        return RigidFit.unknown(len(matches.used), matches.dropped)
    fit = _fit(matches, np.inf, robust)
    determined = fit.inliers.sum() >= 3 and _rotation_is_seen(matches, fit)
    return fit if determined else RigidFit.unknown(len(matches.used), matches.dropped)


def fit_motion(
    source: ArrayLike,
    target: ArrayLike,
    *,
    source_covariance: ArrayLike | None = None,
    target_covariance: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    robust: bool = True,
    rotation_prior: float = 10.0,  # [deg]
) -> RigidFit:
    """Fit the rigid motion of a body, however little of it is seen; one point is enough.

    As `fit_rigid`, with the expectation that bodies turn by about `rotation_prior` (a heavy-tailed
    prior: its variance grows with the turn itself, so that clear evidence of a big turn is believed).
    Axes that the points do not determine fall back to no rotation and keep the prior in the covariance.
    """
    matches = matched(source, target, source_covariance, target_covariance, weights)
    if len(matches.source) < 1:
        return RigidFit.unknown(len(matches.used), matches.dropped)
    return _fit(matches, float(np.radians(rotation_prior)), robust)


def fit_translation(
    source: ArrayLike,
    target: ArrayLike,
    *,
    source_covariance: ArrayLike | None = None,
    target_covariance: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    robust: bool = True,
    rotation_std: float = 10.0,  # [deg]
) -> RigidFit:
    """Fit a motion without rotation, which may in truth turn by `rotation_std` about the centre."""
    matches = matched(source, target, source_covariance, target_covariance, weights)
    if len(matches.source) < 1:
        return RigidFit.unknown(len(matches.used), matches.dropped)
    fit = _fit(matches, 0.0, robust)
    covariance = fit.covariance.copy()
    covariance[:3, :3] = np.eye(3) * np.radians(rotation_std) ** 2
    return replace(fit, covariance=covariance)


def _fit(matches: Matches, rotation_prior: float, robust: bool) -> RigidFit:
    motion = _start(matches, rotation_prior, robust)
    weights, scale = matches.weights, matches.floor
    for step in range(_STEPS):
        residuals = residuals_of(matches, motion, weights)
        before = weights
        if robust:
            scale = noise_scale(matches, residuals.squared)
            weights = matches.weights * trust(residuals.squared / scale, soft=step < _SOFT_STEPS)
        elif not matches.stated:
            scale = max(matches.floor, float(np.average(residuals.squared, weights=weights)) / 3)
        change = _step(residuals, weights / scale, rotation_prior, motion)
        motion = _perturbed(motion, change, residuals.centre)
        settled = step >= _SOFT_STEPS and np.array_equal(before > 0, weights > 0)
        if settled and np.abs(change).max() < 1e-10:
            break
    return _described(matches, motion, weights, scale, rotation_prior)


def _start(matches: Matches, rotation_prior: float, robust: bool) -> Array:
    source, target, weights, variance = matches.source, matches.target, matches.weights, matches.variance()
    if rotation_prior == 0:
        return rigid(np.eye(3), np.median(target - source, axis=0))
    if robust:
        return first_guess(source, target, variance, weights, matches.floor, rotation_prior)
    return closed_form(source, target, weights / variance)


def _step(residuals: Residuals, weights: Array, rotation_prior: float, motion: Array) -> Array:
    hessian, gradient = normal_equations(residuals, weights)
    if rotation_prior == 0:
        hessian[:3, 3:] = hessian[3:, :3] = 0.0
        return np.concatenate([np.zeros(3), np.linalg.solve(hessian[3:, 3:], gradient[3:])])
    if np.isfinite(rotation_prior):
        known = _prior_information(rotation_prior, motion)
        hessian[:3, :3] += known * np.eye(3)
        gradient[:3] -= known * rotation_vector(motion[:3, :3])
    damped = hessian + 1e-12 * np.diag(np.diag(hessian) + np.trace(hessian) * 1e-3)
    return np.asarray(np.linalg.solve(damped, gradient))


def _prior_information(rotation_prior: float, motion: Array) -> float:
    return 1 / (rotation_prior**2 + float(rotation_angle(motion[:3, :3])) ** 2)


def _perturbed(motion: Array, change: Array, centre: Array) -> Array:
    rotation = rotation_matrix(change[:3])
    return rigid(rotation @ motion[:3, :3], rotation @ (motion[:3, 3] - centre) + centre + change[3:])


def _described(
    matches: Matches, motion: Array, weights: Array, scale: float, rotation_prior: float
) -> RigidFit:
    """Put the result and its covariance together."""
    residuals = residuals_of(matches, motion, weights)
    agreeing = weights > 0
    inliers = np.zeros(len(matches.used), bool)
    inliers[np.flatnonzero(matches.used)[agreeing]] = True
    squared = np.square(residuals.error[agreeing]).sum(axis=1)
    return RigidFit(
        b_from_a=motion,
        covariance=_covariance(matches, residuals, weights, scale, _prior(rotation_prior, motion)),
        centre=residuals.centre,
        inliers=inliers,
        residual=float(np.sqrt(squared.mean())) if agreeing.any() else float("nan"),
        dropped=matches.dropped,
        valid=bool(agreeing.any()),
    )


def _prior(rotation_prior: float, motion: Array) -> Array:
    """Return the information (6, 6) there was before, or (3, 3) on the translation of what does not turn."""
    if rotation_prior == 0:
        return np.zeros((3, 3))
    return np.diag([_prior_information(rotation_prior, motion)] * 3 + [0.0] * 3)


def _covariance(matches: Matches, residuals: Residuals, weights: Array, scale: float, prior: Array) -> Array:
    """Invert the information, on the last of the six numbers if `prior` is small, for the noise there is."""
    first = 6 - len(prior)
    measured = normal_equations(residuals, weights)[0][first:, first:]
    parameters = float(np.trace(_inverse(measured / scale + prior) @ measured)) / scale
    factor = noise_factor(matches, residuals.squared, weights, parameters)
    if np.isnan(factor):
        return np.full((6, 6), np.nan)
    covariance = np.zeros((6, 6))
    covariance[first:, first:] = _inverse(measured / factor + prior)
    return covariance


def _inverse(information: Array) -> Array:
    return np.asarray(np.linalg.pinv(information, rcond=1e-14, hermitian=True))


def _rotation_is_seen(matches: Matches, fit: RigidFit) -> bool:
    """Tell whether the agreeing points are neither on a line nor in one place, for their noise."""
    arms = transform(fit.b_from_a, matches.source[fit.inliers[matches.used]]) - fit.centre
    inertia = np.linalg.eigvalsh(np.square(arms).sum() * np.eye(3) - arms.T @ arms)
    flat = inertia[0] <= _FLATNESS * max(float(inertia[-1]), 1e-300)
    return not flat and fit.rotation_std < np.degrees(_WORST_ROTATION)


def _worst_std_degrees(covariance: Array) -> float:
    if not np.isfinite(covariance).all():
        return float("nan")
    return float(np.degrees(np.sqrt(max(np.linalg.eigvalsh(covariance)[-1], 0.0))))

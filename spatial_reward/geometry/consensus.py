"""A first guess of a rigid motion that survives gross outliers: the best of many small exact fits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, rigid
from spatial_reward.geometry.rotations import rotation_angle

CHI2_MEDIAN = 2.366  # median of a chi-square of 3 degrees of freedom: one point's squared error
CHI2_GATE = 16.266  # its 99.9 % quantile: beyond it a match counts as an outlier

_TRIPLETS = 96  # with 40 % outliers one in five is clean; all spoilt: 1e-10
_TESTED = 128  # points that a guess is tried on


def closed_form(source: Array, target: Array, weights: Array) -> Array:
    """Return the rigid transform (4, 4) that maps (N, 3) onto (N, 3) with the least weighted squares.

    Arun, Huang and Blostein (1987), with Umeyama's guard against reflections (1991).
    """
    shares = weights / weights.sum()
    source_centre, target_centre = shares @ source, shares @ target
    left, _, right = np.linalg.svd((target - target_centre).T @ ((source - source_centre) * shares[:, None]))
    right[2] *= np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0
    rotation = left @ right
    return rigid(rotation, target_centre - rotation @ source_centre)


def first_guess(
    source: Array, target: Array, variance: Array, weights: Array, floor: float, rotation_prior: float
) -> Array:
    """Return the candidate (4, 4) with the smallest truncated squared error.

    Candidates are no rotation, the plain closed form, and exact fits of triplets. Always the same for
    the same input.

    Args:
        source: (N, 3) points [m].
        target: (N, 3) the same points after the motion [m].
        variance: (N,) of one coordinate of the error [m^2], up to a common factor.
        weights: (N,) how much each point counts.
        floor: Smallest common factor to believe in.
        rotation_prior: Expected size of the rotation [rad]; infinite where any is as likely.
    """
    rng = np.random.default_rng(0)
    shares = weights / weights.sum()
    candidates = _candidates(
        source, target, weights / variance, rng.choice(len(source), (_TRIPLETS, 3), p=shares)
    )
    tested = rng.choice(len(source), _TESTED, p=shares)
    moved = source[tested] @ np.swapaxes(candidates[:, :3, :3], 1, 2) + candidates[:, None, :3, 3]
    squared = ((target[tested] - moved) ** 2).sum(axis=-1) / variance[tested]  # (K, tested)
    scale = max(floor, float(np.median(squared, axis=1).min()) / CHI2_MEDIAN)
    cost = np.minimum(squared / scale, CHI2_GATE).mean(axis=1) * len(source)
    surprise = np.log1p((rotation_angle(candidates[:, :3, :3]) / rotation_prior) ** 2)
    best: Array = candidates[np.argmin(cost + surprise)]
    return best


def _candidates(source: Array, target: Array, weights: Array, triplets: NDArray[np.int64]) -> Array:
    still = rigid(np.eye(3), np.median(target - source, axis=0))[None]
    if len(source) < 2:
        return still
    plain = closed_form(source, target, weights)[None]
    return np.concatenate([still, plain, _exact_fits(source[triplets], target[triplets])])


def _exact_fits(source: Array, target: Array) -> Array:
    """Align triplets (K, 3, 3), leaving out those that span no plane."""
    source_axes, target_axes = _axes(source), _axes(target)
    usable = np.isfinite(source_axes).all(axis=(1, 2)) & np.isfinite(target_axes).all(axis=(1, 2))
    rotations = target_axes[usable] @ np.swapaxes(source_axes[usable], 1, 2)
    fits = np.tile(np.eye(4), (len(rotations), 1, 1))
    fits[:, :3, :3] = rotations
    fits[:, :3, 3] = target[usable].mean(axis=1) - np.einsum(
        "kij,kj->ki", rotations, source[usable].mean(axis=1)
    )
    return fits


def _axes(triplets: Array) -> Array:
    """Build right-handed axes (K, 3, 3), as columns, on each triplet; NaN where it spans no plane."""
    first = triplets[:, 1] - triplets[:, 0]
    normal = np.cross(first, triplets[:, 2] - triplets[:, 0])
    with np.errstate(invalid="ignore", divide="ignore"):
        x = first / np.linalg.norm(first, axis=1, keepdims=True)
        z = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    axes: Array = np.stack([x, np.cross(z, x), z], axis=2)
    return axes

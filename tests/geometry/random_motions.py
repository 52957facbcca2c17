"""Random motions, noise, and how far a fit is from the truth."""

import numpy as np
from scipy.spatial.transform import Rotation

from spatial_reward.camera import invert, rigid, transform
from spatial_reward.geometry.rotations import rotation_vector


def any_motion(rng, angle=180.0, shift=1.0):
    turn = Rotation.from_rotvec(np.radians(angle) * rng.uniform(-1, 1, 3) / np.sqrt(3))
    return rigid(turn.as_matrix(), rng.normal(0, shift, 3))


def any_covariances(rng, count, low=0.001, high=0.006):
    """Random shapes of noise, from `low` to `high` [m] along random axes."""
    turns = Rotation.random(count, random_state=int(rng.integers(2**31))).as_matrix()
    return np.einsum("nij,nj,nkj->nik", turns, rng.uniform(low, high, (count, 3)) ** 2, turns)


def noise(rng, covariances):
    return np.einsum("nij,nj->ni", np.linalg.cholesky(covariances), rng.normal(size=(len(covariances), 3)))


def left_error(fit, truth):
    """The small motion (6,) that, applied after the fit about its centre, gives the truth."""
    change = truth @ invert(fit.b_from_a)
    turn = rotation_vector(change[:3, :3])
    return np.concatenate([turn, transform(change, fit.centre) - fit.centre])

"""How answers about things bear the error of a camera's motion that had to be found first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spatial_reward.geometry import RigidFit
from spatial_reward.types import Answer

LOST_CAMERA = "Too little matches to be sure how the camera moved."


def unsure(answer: Answer) -> Answer:
    """Return an answer as a guess: it rests on a motion of the camera that is not believed."""
    return replace(answer, valid=False, text=LOST_CAMERA, motion=None)


def unsteady(answer: Answer, fit: RigidFit, scale: float, vague: float) -> Answer:
    """Return how a thing moved, less sure by the error of the camera's motion; a guess where that is one.

    Args:
        answer: As if the camera's motion were exact.
        fit: The camera's motion.
        scale: By which the standard deviations of `fit` are too small.
        vague: Standard deviation [m] from which the answer is not valid.
    """
    widened = blurred(answer, fit, scale)
    if not fit.valid:
        return unsure(widened)
    std = np.sqrt(np.square(np.broadcast_to(widened.std, 3)).sum())
    return replace(widened, valid=widened.valid and bool(std < vague))


def blurred(answer: Answer, fit: RigidFit, scale: float) -> Answer:
    """Return a length or vector [m] in the reference's axes, less sure by the error of the camera's motion.

    The error is that of what is in the middle of the picture.
    """
    turn = fit.b_from_a[:3, :3]
    spread = scale**2 * turn.T @ fit.covariance[3:, 3:] @ turn
    if answer.covariance is None:
        return replace(answer, std=float(np.hypot(np.max(answer.std), np.sqrt(np.trace(spread) / 3))))
    covariance = answer.covariance + spread
    return replace(answer, covariance=covariance, std=np.sqrt(np.diag(covariance)))

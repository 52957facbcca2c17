"""How the depth of a thing changes that slides, which keeps its height; and how likely it is that it does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spatial_reward.camera import Array, Camera, transform

LIFTED = 0.2  # [m] standard deviation of the change of height of a thing that does not, unless calibrated
STEEPEST = 0.05  # least fall or rise of a ray for each metre of depth, with which it meets a height
_ASIDE = 0.5 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])  # [px]


class Change(NamedTuple):
    """A change of log depth, and its standard deviation."""

    value: float
    std: float


class Sliding(NamedTuple):
    """What a point that keeps its height would do.

    Attributes:
        found: Change of its log depth if it is at the pixel where the network sees it.
        placed: The same at the pixel where it was found in the end.
        std: Of the second, from that of the pixel.
        lifted: Change of log depth for each metre of height.
    """

    found: float
    placed: float
    std: float
    lifted: float


def sliding(
    first: Camera, second: Camera, pixel: Array, depth: float, found: Array, placed: Array, std: float
) -> Sliding | None:
    """Tell how the depth of a point changes that is seen again at its old height.

    Args:
        first: Camera of the first frame.
        second: Of the second.
        pixel: (2,) of the point in the first frame.
        depth: There [m].
        found: (2,) pixel of the second frame.
        placed: (2,) a better one.
        std: Standard deviation of its coordinates [px].

    Returns:
        None where the rays do not meet that height in front of the camera.
    """
    height = transform(first.world_from_camera, first.rays(pixel) * depth)[2]
    below = height - second.world_from_camera[2, 3]
    falls = second.rays(np.vstack([found, placed + _ASIDE])) @ second.world_from_camera[2, :3]
    if not ((np.abs(falls) > STEEPEST) & (falls * below > 0)).all():
        return None
    change = np.log(below / falls / depth)
    slope = np.hypot(change[2] - change[3], change[4] - change[5])
    return Sliding(float(change[0]), float(change[1]), float(std * slope), float(1 / abs(below)))


def weighed(told: Change, slides: Sliding | None, prior: float = 0.5, lifts: float = LIFTED) -> Change:
    """Weigh the change that the network tells against that of a thing that slides.

    `prior` is how likely a thing that moves keeps its height, before the network is asked; `lifts` how far
    one that does not is lifted or lowered [m].

    Both are compared where the network sees the thing; if it slides, its change follows from the better
    pixel alone. The mean and the variance are those of the mixture of both cases.
    """
    if slides is None:
        return told
    share = _share(told, slides, prior, lifts)
    value = share * slides.placed + (1 - share) * told.value
    apart = share * (1 - share) * (slides.placed - told.value) ** 2
    return Change(value, float(np.sqrt(share * slides.std**2 + (1 - share) * told.std**2 + apart)))


def _share(told: Change, slides: Sliding, prior: float, lifts: float) -> float:
    """Return the probability that a thing slides, by Bayes' rule from how far the network is from it."""
    off, std = told.value - slides.found, max(told.std, 1e-6)
    wide = float(np.hypot(std, lifts * slides.lifted))
    log_odds = np.log(prior / (1 - prior) * wide / std) - 0.5 * off**2 * (std**-2 - wide**-2)
    return float(1 / (1 + np.exp(-np.clip(log_odds, -50, 50))))

"""A camera near another one: how the same camera might stand tomorrow."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from spatial_reward.camera import Array, rigid

# Spread of a placement: azimuth and elevation around what is looked at [deg], logarithm of the distance to
# it, and how far the camera itself is turned right, down and clockwise [deg].
SPREAD = np.array([12.0, 6.0, 0.10, 3.0, 3.0, 2.0])
DRIFT = 0.3  # share of the spread by which a moving camera goes on between frames


@dataclass
class Nudged:
    """A camera path that stays `away` from its base, wherever that goes, until it is nudged again.

    Attributes:
        base: Name of the camera it starts from: one of the model, "default" or "free".
        away: (6,) of a placement, as in `SPREAD`.
    """

    base: str
    away: Array = field(default_factory=lambda: np.zeros(6))

    def place(self, rng: np.random.Generator) -> None:
        """Place it anew: most often near its base, now and then at the end of the spread."""
        self.away = rng.uniform(0.1, 1.3) * SPREAD * rng.normal(size=6)

    def drift(self, rng: np.random.Generator) -> None:
        """Move it on by a small step."""
        self.away = 0.9 * self.away + DRIFT * SPREAD * rng.normal(size=6)

    def pose(self, world_from_base: Array, distance: float, time: float) -> Array:
        """Return `world_from_camera` (4, 4)."""
        azimuth, elevation, farther, *own = self.away
        rotation, eye = world_from_base[:3, :3], world_from_base[:3, 3]
        target = eye + distance * rotation[:, 2]
        around = Rotation.from_euler("z", azimuth, degrees=True) * Rotation.from_rotvec(
            -np.radians(elevation) * rotation[:, 0]
        )
        turned = around.as_matrix()
        looking = turned @ rotation @ Rotation.from_euler("yxz", own, degrees=True).as_matrix()
        return rigid(looking, target + np.exp(farther) * (turned @ (eye - target)))

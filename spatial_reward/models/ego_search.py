"""Where a camera may be now: motions over a table that agree with both pictures, wherever it was before."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from spatial_reward.camera import Array, rigid
from spatial_reward.geometry.rotations import rotation_matrix
from spatial_reward.models.ego_pictures import Pictures, Way
from spatial_reward.models.overhead import overhead_motions
from spatial_reward.models.region import Region
from spatial_reward.models.relocation import apart, shares

SWINGS = np.radians([-12.0, -6.0, 6.0, 12.0])  # [rad] that are tried in any case
DENIED = 1.5  # how much more what is contradicted counts than what agrees


class _Sieve(NamedTuple):
    """How motions are compared."""

    probes: int  # points of a picture that they are judged by
    slack: float  # [m] that they may be off
    kept: int  # motions, at most,
    spaced: float  # [m] that they put what is seen from one another


class _Grid(NamedTuple):
    """Motions beside one."""

    step: float  # [m] to the side
    turn: float  # [deg] about the vertical
    rounds: int


COARSE = _Sieve(80, 0.04, 150, 0.08)
FINER = (
    (_Grid(0.06, 3.0, 2), _Sieve(60, 0.04, 60, 0.03)),
    (_Grid(0.03, 1.5, 1), _Sieve(60, 0.02, 30, 0.03)),
    (_Grid(0.015, 0.8, 1), _Sieve(60, 0.015, 30, 0.0)),
)
LAST = _Sieve(150, 0.015, 10, 0.03)


def likeliest(pictures: Pictures, more: list[Array]) -> list[Array]:
    """Return a few motions (4, 4) that agree best with what is seen, both ways.

    Args:
        pictures: The two.
        more: Motions to try, beside those that the pictures seen from above tell.
    """
    region, sight = pictures.there
    seen = overhead_motions(pictures.back.sight.view, sight.view, sight.up)
    swings = [_swing(region, sight.up, angle) for angle in SWINGS]
    motions = _sifted(pictures, np.stack([*seen, *more, *swings]), COARSE)
    for grid, sieve in FINER:
        for _ in range(grid.rounds):
            motions = _shifted(pictures, motions, grid, sieve)
        motions = _sifted(pictures, motions, sieve)
    return list(_sifted(pictures, motions, LAST))


def _sifted(pictures: Pictures, motions: Array, sieve: _Sieve) -> Array:
    """Return the motions (K, 4, 4) that fit best and differ, the best first."""
    order = np.argsort(_misfits(pictures, motions, sieve))
    return np.stack(apart(pictures.there.region, list(motions[order]), sieve.kept, sieve.spaced))


def _shifted(pictures: Pictures, motions: Array, grid: _Grid, sieve: _Sieve) -> Array:
    """Return the best motion beside each of those given (K, 4, 4), or itself."""
    region, sight = pictures.there
    beside = motions[:, None] @ _around(np.median(region.points, axis=0), sight.up, grid)
    misfits = _misfits(pictures, beside.reshape(-1, 4, 4), sieve).reshape(beside.shape[:2])
    return np.asarray(beside[np.arange(len(motions)), misfits.argmin(axis=1)])


def _misfits(pictures: Pictures, motions: Array, sieve: _Sieve) -> Array:
    """Return how badly motions (K, 4, 4) fit, both ways, roughly."""
    there, back = Way(pictures.telling, pictures.there.sight), pictures.back
    returns = np.asarray(np.linalg.inv(motions), float)
    like, contradicted, _ = shares(*there, motions, sieve.probes, sieve.slack) + shares(
        *back, returns, sieve.probes, sieve.slack
    )
    return np.asarray(DENIED * contradicted - like)


def _around(centre: Array, up: Array, grid: _Grid) -> Array:
    """Return small motions (27, 4, 4) along the ground and about the vertical through a centre (3,)."""
    aside = np.cross(up, np.eye(3)[int(np.argmin(np.abs(up)))])
    aside /= np.linalg.norm(aside)
    ahead = np.cross(up, aside)
    motions = []
    for x, y, angle in product((-1, 0, 1), repeat=3):
        turn = rotation_matrix(angle * np.radians(grid.turn) * up)
        motions.append(rigid(turn, centre - turn @ centre + grid.step * (x * aside + y * ahead)))
    return np.stack(motions)


def _swing(everything: Region, up: Array, angle: float) -> Array:
    """Return the motion (4, 4) of a camera that turns [rad] around the middle of what it sees."""
    turn, centre = rotation_matrix(angle * up), everything.origin
    return rigid(turn, centre - turn @ centre)

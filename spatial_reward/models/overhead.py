"""Wide baselines: two pictures of one table compared as seen from above, whatever the cameras did.

What stands on a plane looks the same from above for every camera. Both pictures are laid out as maps of
height and colour over the plane that they show most of, and turns and shifts are found at which the maps
agree, all shifts at once by Fourier transforms, or at which two things that look alike lie on one another.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, invert, rigid
from spatial_reward.models.region import View

SIDE = 64  # cells of a map
TURN = 4.0  # [deg] between the turns that are tried
SAMPLED = 6000  # points of a picture
PLANES = 2  # of the second picture that are tried
TRIALS = 300  # random planes
FLAT = 0.006  # [m] around a plane
BELOW, ABOVE = -0.03, 0.40  # [m] of what is mapped
HEIGHT, LIGHTNESS, HUE = 0.015, 14.0, 8.0  # [m] and grey levels that count as one unit of difference
MOST = 3.0  # units; more is no more different
PLAIN = 0.25  # units squared that agreement is worth in a cell that either map knows,
STANDING = 2.0  # and more where something stands out
PEAKS = 5  # shifts at which the maps agree best, of each turn
THING_CELL = 0.012  # [m] between neighbouring points of one thing
FEWEST = 12  # points of a thing
WITHIN = 3.0  # [m] of the middle of a picture that things are looked for
PAIRS = 12  # of things that look alike
CONSTELLATIONS = 400  # of two things and two others, at most:
NEIGHBOURS = 0.05  # [m] that two things are from one another, at least,
MOVED = 0.05  # [m] by which the distance of the others may differ,
STRETCHED = 0.01  # [m] of that which are worth one unit of difference
ALIKE = 6.0  # and units by which both may look different


class Cloud(NamedTuple):
    """Surface points (N, 3) in camera axes [m], and their colours (N, 3) as in `View`."""

    points: Array
    colour: Array


def overhead_motions(reference: View, current: View, up: Array) -> list[Array]:
    """Return motions `current_from_reference` (4, 4) that lay one map onto the other; none without a plane.

    Args:
        reference: The first picture.
        current: The second picture, of any pose.
        up: (3,) against gravity, in the first camera's axes.
    """
    first, second = _cloud(reference), _cloud(current)
    rng = np.random.default_rng(0)
    grounds = _planes(first, up, np.cos(np.radians(8)), rng)[:1]
    others = _planes(second, np.array([0.0, -1.0, 0.0]), 0.2, rng)[:PLANES]
    return [
        motion for ground in grounds for other in others for motion in _matches(first, second, ground, other)
    ]


def _cloud(view: View) -> Cloud:
    known = np.isfinite(view.depth)
    points, colour = view.points[known], np.asarray(view.colour[known], float)
    kept = np.linspace(0, len(points) - 1, min(SAMPLED, len(points))).astype(int)
    return Cloud(points[kept], colour[kept])


def _planes(cloud: Cloud, up: Array, least: float, rng: np.random.Generator) -> list[Array]:
    """Find planes that much lies on, and return their axes `plane_from_camera` (4, 4), z away from them.

    Args:
        cloud: Points.
        up: (3,) where the plane's normal may point,
        least: to within this cosine.
        rng: Draws the planes that are tried.
    """
    points = cloud.points
    if len(points) < 3:
        return []
    corners = points[rng.integers(len(points), size=(TRIALS, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1)
    normals, corners = normals[length > 1e-9] / length[length > 1e-9, None], corners[length > 1e-9, 0]
    normals *= np.sign(normals @ up)[:, None]
    upright = normals @ up > least
    normals, corners = normals[upright], corners[upright]
    some = points[:: max(1, len(points) // 1500)]
    on = np.abs(np.einsum("nk,mk->mn", some, normals) - (corners * normals).sum(1)[:, None]) < FLAT
    planes: list[Array] = []
    taken = np.zeros(len(some), bool)
    while len(planes) < PLANES and len(normals):
        best = int(np.argmax((on & ~taken).sum(axis=1)))
        if (on[best] & ~taken).sum() < 0.05 * len(some):
            break
        planes.append(_axes(some[on[best]], normals[best]))
        taken |= on[best]
    return planes


def _axes(points: Array, normal: Array) -> Array:
    """Return `plane_from_camera` (4, 4) of the plane through points (N, 3), z along the normal."""
    centre = points.mean(axis=0)
    fitted = np.linalg.svd(points - centre, full_matrices=False)[2][2]
    fitted = fitted * np.sign(fitted @ normal)
    across = np.cross(fitted, np.eye(3)[int(np.argmin(np.abs(fitted)))])
    across /= np.linalg.norm(across)
    rotation = np.stack([across, np.cross(fitted, across), fitted])
    return rigid(rotation, -rotation @ centre)


class _Laid(NamedTuple):
    """What is near a plane: places on it (N, 2) [m], and height and colour (N, 4) in units of difference."""

    places: Array
    looks: Array


def _laid(cloud: Cloud, plane_from_camera: Array) -> _Laid:
    points = cloud.points @ plane_from_camera[:3, :3].T + plane_from_camera[:3, 3]
    near = (points[:, 2] > BELOW) & (points[:, 2] < ABOVE)
    looks = np.column_stack(
        [points[:, 2] / HEIGHT, cloud.colour[:, 0] / LIGHTNESS, cloud.colour[:, 1:] / HUE]
    )
    flat = near & (np.abs(points[:, 2]) < FLAT)
    usual = np.median(looks[flat], axis=0) if flat.any() else np.zeros(4)
    return _Laid(points[near, :2], np.clip(looks[near] - usual, -MOST, MOST))


def _matches(first: Cloud, second: Cloud, plane_from_first: Array, plane_from_second: Array) -> list[Array]:
    """Return turns and shifts of the second map onto the first, as motions (4, 4)."""
    here, there = _laid(first, plane_from_first), _laid(second, plane_from_second)
    if min(len(here.places), len(there.places)) < SIDE:
        return []
    (first_middle, reach), (second_middle, far) = _extent(here), _extent(there)
    cell = float(np.clip(2.2 * max(reach, far) / SIDE, 0.006, 0.05))
    mine = np.conj(_spectra(here.places - first_middle, here.looks, cell))
    things, others = _things(here), _things(there)
    pairs = _pairs(things, others)
    placed = _constellations(things, others)
    for angle in np.radians(np.arange(0, 360, TURN)):
        turn = _turn(angle)
        theirs = _spectra((there.places - second_middle) @ turn.T, there.looks, cell)
        shifts = [first_middle - turn @ second_middle - shift * cell for shift in _best_shifts(mine, theirs)]
        shifts += [first_place - turn @ second_place for first_place, second_place in pairs]
        placed += [_Placed(turn, shift) for shift in shifts]
    second_from_plane = invert(plane_from_second)
    return [second_from_plane @ invert(one.motion) @ plane_from_first for one in placed]


class _Placed(NamedTuple):
    """How the second map lies on the first: a turn (2, 2) and a shift (2,) [m]."""

    turn: Array
    shift: Array

    @property
    def motion(self) -> Array:
        """The motion (4, 4) from plane to plane."""
        motion = np.eye(4)
        motion[:2, :2], motion[:2, 3] = self
        return motion


def _turn(angle: float) -> Array:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _things(laid: _Laid) -> _Laid:
    """Return the middles (n, 2) [m] and mean looks (n, 4) of what stands out."""
    central = np.abs(laid.places - np.median(laid.places, axis=0)).max(axis=1) < WITHIN
    standing = (laid.looks[:, 0] > 1) & central
    index = np.floor(laid.places[standing] / THING_CELL).astype(int)
    if not len(index):
        return _Laid(np.empty((0, 2)), np.empty((0, 4)))
    index -= index.min(axis=0)
    taken = np.zeros(index.max(axis=0) + 1, np.uint8)
    taken[tuple(index.T)] = 1
    labels = cv2.connectedComponents(taken, connectivity=8)[1][tuple(index.T)]
    large = [label for label in np.unique(labels) if (labels == label).sum() >= FEWEST]
    members = [np.flatnonzero(standing)[labels == label] for label in large]
    places = np.array([laid.places[one].mean(axis=0) for one in members]).reshape(-1, 2)
    return _Laid(places, np.array([laid.looks[one].mean(axis=0) for one in members]).reshape(-1, 4))


def _pairs(first: _Laid, second: _Laid) -> list[tuple[Array, Array]]:
    """Return the places of things that look alike, the most alike first."""
    unlike = np.linalg.norm(first.looks[:, None] - second.looks[None], axis=-1)
    order = np.argsort(unlike, axis=None)[:PAIRS]
    rows, columns = np.unravel_index(order, unlike.shape)
    return [(first.places[i], second.places[j]) for i, j in zip(rows, columns, strict=True)]


def _constellations(first: _Laid, second: _Laid) -> list[_Placed]:
    """Lay two things onto two others that look alike and are as far from one another, the likeliest first."""
    unlike = np.linalg.norm(first.looks[:, None] - second.looks[None], axis=-1)
    (i, j), (k, m) = (
        np.triu_indices(len(first.places), 1),
        np.nonzero(~np.eye(len(second.places), dtype=bool)),
    )
    here, there = first.places[j] - first.places[i], second.places[m] - second.places[k]
    lengths, others = (np.linalg.norm(one, axis=1) for one in (here, there))
    stretched = np.abs(lengths[:, None] - others)
    looks = unlike[i][:, k] + unlike[j][:, m]
    fits = (stretched < MOVED) & (lengths[:, None] > NEIGHBOURS) & (looks < ALIKE)
    rows, columns = np.nonzero(fits)
    order = np.argsort((looks + stretched / STRETCHED)[fits])[:CONSTELLATIONS]
    placed = []
    for row, column in zip(rows[order], columns[order], strict=True):
        turn = _turn(np.arctan2(*here[row][::-1]) - np.arctan2(*there[column][::-1]))
        middle = (first.places[i[row]] + first.places[j[row]]) / 2
        other = (second.places[k[column]] + second.places[m[column]]) / 2
        placed.append(_Placed(turn, middle - turn @ other))
    return placed


def _extent(laid: _Laid) -> tuple[Array, float]:
    """Return the middle (2,) of what stands out, else of everything, and how far it reaches [m]."""
    places = laid.places[(np.abs(laid.looks) > 1).any(axis=1)]
    places = places if len(places) >= SIDE else laid.places
    middle = np.median(places, axis=0)
    return middle, float(np.percentile(np.abs(places - middle), 95))


def _spectra(places: Array, looks: Array, cell: float) -> NDArray[np.complex128]:
    """Return the Fourier transforms (6, ...) of a map: what is known, what agreement is worth, the looks."""
    index = np.floor(places / cell).astype(int) + SIDE // 2
    inside = ((index >= 0) & (index < SIDE)).all(axis=1)
    flat = index[inside, 1] * SIDE + index[inside, 0]
    number = np.bincount(flat, minlength=SIDE * SIDE)
    looks = np.stack([np.bincount(flat, one, SIDE * SIDE) / np.maximum(number, 1) for one in looks[inside].T])
    known, size = (number > 0).astype(float), (looks**2).sum(axis=0)
    worth = PLAIN * known + STANDING * np.minimum(size / 2, 1)
    maps = np.stack([known, worth - size, *looks])
    return np.fft.rfft2(maps.reshape(-1, SIDE, SIDE), s=(2 * SIDE, 2 * SIDE))


def _best_shifts(mine: NDArray[np.complex128], theirs: NDArray[np.complex128]) -> list[Array]:
    """Return by how many cells (x, y) their map may lie beside mine, the likeliest first.

    The score of a shift sums over the cells known in both: what agreement is worth, minus the difference
    squared. Cells that stand out are worth more, or a bare table would fit anywhere.
    """
    spectrum = mine[1] * theirs[0] + mine[0] * theirs[1] + 2 * (mine[2:] * theirs[2:]).sum(axis=0)
    scores = np.fft.irfft2(spectrum, s=(2 * SIDE, 2 * SIDE))
    shifts = []
    for _ in range(PEAKS):
        row, column = np.unravel_index(int(np.argmax(scores)), scores.shape)
        shift = np.array([column, row], float)
        shifts.append(np.where(shift >= SIDE, shift - 2 * SIDE, shift))
        scores[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = -np.inf
    return shifts

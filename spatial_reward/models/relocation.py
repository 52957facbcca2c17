"""Where a patch of surface may be now, if it can be anywhere: surfaces of its colours, tried turned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, invert, transform
from spatial_reward.geometry.rotations import rotation_matrix
from spatial_reward.models.region import Region
from spatial_reward.models.registration import SAME_COLOUR, Sight, tolerance

YAWS = np.radians([0, 15, -15, 30, -30, 45, -45, 65, -65, 90, -90])  # [rad] about the vertical
PLACES = 3000  # pixels of the picture that are tried, about
ANCHORS = 3  # points of the patch that are put there
PROBES = 16, 80  # points of the patch that tell how well it fits: for all candidates, for the best
KEPT = 120  # candidates that are looked at more closely
MOST = 16000  # candidates
CELL = 0.01  # [m] within which candidates are the same
SLACK = 0.004  # [m] that a candidate may be off
APART = 0.02  # [m] between those that are returned


def relocations(region: Region, sight: Sight, count: int = 8) -> list[Array]:
    """Return the likeliest motions (4, 4) of a patch that may be anywhere, the best first."""
    motions = _candidates(region, sight)
    for probes, kept in zip(PROBES, (KEPT, len(motions)), strict=True):
        like, contradicted, unseen = shares(region, sight, motions, probes)
        motions = motions[np.argsort(0.5 * contradicted + 0.3 * unseen - like)[:kept]]
    return apart(region, motions, count)


def _candidates(region: Region, sight: Sight) -> Array:
    """Return motions (K, 4, 4) that put some point of the patch onto a surface of its colour."""
    turns = np.stack([rotation_matrix(angle * sight.up) for angle in YAWS])
    places, colours = _places(sight)
    motions = []
    for index in _spread(region, ANCHORS):
        alike = np.linalg.norm(colours - region.colour[index], axis=1) < SAME_COLOUR
        shifts = places[alike][:, None] - (turns @ region.points[index])[None]  # (P, T, 3)
        block = np.zeros((*shifts.shape[:2], 4, 4))
        block[..., :3, :3], block[..., :3, 3], block[..., 3, 3] = turns, shifts, 1
        motions.append(block.reshape(-1, 4, 4))
    found = np.concatenate(motions)
    moved = found[:, :3, :3] @ region.origin + found[:, :3, 3]
    key = np.column_stack([np.round(moved / CELL), np.round(found[:, :3, :3].reshape(-1, 9) * 100)])
    different = np.sort(np.unique(key, axis=0, return_index=True)[1])
    return found[different[:: len(different) // MOST + 1]]


def _places(sight: Sight) -> tuple[Array, NDArray[np.float32]]:
    """Return surface points (P, 3) in the reference camera's axes, and their colours (P, 3)."""
    stride = max(1, round(np.sqrt(sight.view.depth.size / PLACES)))
    points = sight.view.points[::stride, ::stride].reshape(-1, 3)
    colours = sight.view.colour[::stride, ::stride].reshape(-1, 3)
    known = np.isfinite(points).all(axis=1)
    return transform(invert(sight.current_from_reference), points[known]), colours[known]


def _spread(region: Region, count: int) -> NDArray[np.int64]:
    """Return the numbers of the likeliest points of a patch, spread evenly over what they are of."""
    likely = np.flatnonzero(region.weight >= np.quantile(region.weight, 0.3))
    chosen: NDArray[np.int64] = likely[np.linspace(0, len(likely) - 1, min(count, len(likely))).astype(int)]
    return chosen


def shares(region: Region, sight: Sight, motions: Array, probes: int, slack: float = SLACK) -> Array:
    """Return how motions (K, 4, 4) fit, roughly: (3, K) likeness, contradicted, unseen as in `Support`.

    Args:
        region: What moves.
        sight: Where it is looked for.
        motions: To compare.
        probes: Points of the region that are looked at.
        slack: [m] that a motion may be off.
    """
    chosen = _spread(region, probes)
    view, weight = sight.view, region.weight[chosen] / region.weight[chosen].sum()
    moved = sight.current_from_reference @ motions
    seen = np.einsum("kij,nj->kni", moved[:, :3, :3], region.points[chosen]) + moved[:, None, :3, 3]
    pixels = view.camera.pixels(seen)
    height, width = view.depth.shape
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=-1)
    column, row = (np.where(inside, pixels[..., i], 0).astype(int) for i in (0, 1))
    error = view.depth[row, column] - seen[..., 2]
    unlike = np.linalg.norm(view.colour[row, column] - region.colour[chosen], axis=-1)
    allowed = 1.5 * tolerance(region, sight, seen[..., 2]) + slack
    like = np.exp(-0.5 * (error / allowed) ** 2 - 0.5 * (unlike / 13) ** 2)
    like = np.where(inside & np.isfinite(error), like, 0)
    free = inside & ~(error < -allowed)  # not behind something else
    contradicted = free & ((error > allowed) | (unlike > SAME_COLOUR))
    unseen = ~inside | (np.isnan(error) & ~contradicted)
    return np.asarray(np.stack([like, contradicted, unseen]) @ weight)


def apart(region: Region, motions: Array | list[Array], count: int, least: float = APART) -> list[Array]:
    """Return the first `count` motions (4, 4) that put the patch at least so far [m] from one another."""
    points = region.points[:: max(1, len(region.points) // 20)]
    found = np.reshape(motions, (-1, 4, 4))
    moved = np.einsum("kij,nj->kni", found[:, :3, :3], points) + found[:, None, :3, 3]
    left, kept = np.arange(len(found)), list[Array]()
    while len(left) and len(kept) < count:
        kept.append(found[left[0]])
        gaps = np.linalg.norm(moved[left] - moved[left[0]], axis=-1).mean(axis=1)
        left = left[gaps > least]
    return kept

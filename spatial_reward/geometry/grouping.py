"""Which tracked points ride on one rigid body: those whose distances stay (MultiSPA, appendix G)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from spatial_reward.camera import Array


def rigid_groups(
    tracks: ArrayLike,
    *,
    gate: float = 0.01,  # [m] per frame
    cut: float = 0.1,  # [m]
    fewest: int = 6,
    slow: bool = False,
) -> NDArray[np.int64]:
    """Group tracked points by average linkage of how much their distances change.

    As published, a change below `gate` from one frame to the next counts as none, so bodies that part more
    slowly are one group, unless `slow`. Memory grows with the pairs of points
    (four float arrays of N (N - 1) / 2), not with the frames.

    Args:
        tracks: (T, N, 3) points in any axes, moving or not [m].
        gate: Change of a distance from frame to frame that counts.
        cut: Average summed change at which groups are kept apart.
        fewest: Points that a group needs.
        slow: Compare with the frame in which a distance last counted, so that slow changes add up.

    Returns:
        (N,) number of the group, the largest group first from 0; -1 for points in none.

    Raises:
        ValueError: If `tracks` is not a finite (T, N, 3) array.
    """
    tracks = np.asarray(tracks, float)
    if tracks.ndim != 3 or tracks.shape[2] != 3 or not np.isfinite(tracks).all():
        raise ValueError(f"`tracks` must be a finite (T, N, 3) array, got shape {tracks.shape}.")
    if tracks.shape[0] == 0 or tracks.shape[1] < max(fewest, 2):
        return np.full(tracks.shape[1], -1)
    tree = linkage(summed_changes(tracks, gate, slow), method="average")
    return _renumbered(fcluster(tree, cut, criterion="distance"), fewest)


def summed_changes(tracks: Array, gate: float, slow: bool = False) -> Array:
    """Sum the changes of each pair's distance beyond `gate` [m]: (N (N - 1) / 2,).

    From frame to frame; if `slow`, from the frame in which the pair's distance last counted.
    """
    before = pdist(tracks[0])
    total: Array = np.zeros_like(before)
    for points in tracks[1:]:
        now = pdist(points)
        change = np.abs(now - before)
        counts = change > gate
        np.add(total, change, out=total, where=counts)
        np.copyto(before, now, where=counts if slow else True)
    return total


def _renumbered(clusters: NDArray[np.integer], fewest: int) -> NDArray[np.int64]:
    names, place, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    numbers = np.empty(len(names), np.int64)
    numbers[order] = np.arange(len(names))
    return np.where(counts[place] >= fewest, numbers[place], -1)

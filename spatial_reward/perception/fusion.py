"""One point cloud of many depth pictures: averages of voxels, without what has moved away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera
from spatial_reward.perception.cloud import PointCloud
from spatial_reward.perception.depth_maps import DepthMap, nearest_around, pixel_grid, smooth


@dataclass(frozen=True, eq=False)
class DepthView:
    """A depth picture where it was taken from.

    Attributes:
        camera: With its pose in the common world.
        rgb: (H, W, 3) uint8.
        depth: Of every pixel.
    """

    camera: Camera
    rgb: NDArray[np.uint8]
    depth: DepthMap

    def lifted(self, farthest: float, max_std: float) -> PointCloud:
        """Return the surface points that are not seen at a grazing angle, up to a depth and its std [m]."""
        with np.errstate(invalid="ignore"):
            kept = smooth(self.depth.depth, self.camera) & (self.depth.depth <= farthest)
            kept &= self.depth.std <= max_std
        pixels = pixel_grid(self.camera.width, self.camera.height)[kept]
        points = self.camera.unproject(pixels, self.depth.depth[kept])
        along = np.linalg.norm(self.camera.rays(pixels), axis=-1)
        return PointCloud(points, self.rgb[kept], self.depth.std[kept] * along)


def fuse_voxels(
    views: Sequence[DepthView], voxel: float = 0.005, farthest: float = 4.0, max_std: float = np.inf
) -> PointCloud:
    """Fuse a clip to a cloud of how things are at its end.

    The points in a voxel are averaged with the inverse of their variances as weights. Errors of one
    camera go together, so the stated std is the weighted mean of theirs, not less. Points that a later
    picture sees through, because the thing has moved, are left out.

    Args:
        views: In order of time.
        voxel: Side of a voxel [m].
        farthest: Depth [m] up to which pixels count.
        max_std: Standard deviation of the depth [m] up to which they count.

    Raises:
        ValueError: If there are no views, `voxel` is not positive, or nothing was seen.
    """
    if not views or not voxel > 0:
        raise ValueError(f"A cloud needs frames and a positive `voxel` [m], got {len(views)} and {voxel}.")
    clouds = [view.lifted(farthest, max_std) for view in views]
    if not any(map(len, clouds)):
        raise ValueError(
            f"No depth up to `farthest`={farthest} m, known to `max_std`={max_std} m, was seen in "
            f"{len(views)} frames."
        )
    time = np.repeat(np.arange(len(views)), [len(cloud) for cloud in clouds])
    fused, last_seen = _averaged(
        np.concatenate([cloud.points for cloud in clouds]),
        np.concatenate([cloud.colours for cloud in clouds]),
        np.concatenate([cloud.std for cloud in clouds]),
        time,
        voxel,
    )
    gone = np.zeros(len(fused), bool)
    for number, view in enumerate(views):
        gone |= (last_seen < number) & _seen_through(fused, view, voxel)
    return fused.chosen(~gone)


def _averaged(
    points: Array, colours: NDArray[np.uint8], std: Array, time: NDArray[np.int64], voxel: float
) -> tuple[PointCloud, NDArray[np.int64]]:
    """Average what falls into a voxel; return the cloud, and when each of its points was seen last."""
    cells = np.floor(points / voxel).astype(np.int64)
    _, inverse = np.unique(cells, axis=0, return_inverse=True)
    inverse, count = inverse.ravel(), int(inverse.max()) + 1
    weight = 1 / np.square(np.maximum(std, 1e-6))
    total = np.bincount(inverse, weight, count)

    def mean(values: Array) -> Array:
        return np.bincount(inverse, weight * values, count) / total

    last_seen = np.zeros(count, np.int64)
    np.maximum.at(last_seen, inverse, time)
    average = np.stack([mean(column) for column in points.T], -1)
    shades = np.stack([mean(column) for column in colours.T.astype(float)], -1).round().astype(np.uint8)
    return PointCloud(average, shades, mean(std)), last_seen


def _seen_through(cloud: PointCloud, view: DepthView, voxel: float) -> NDArray[np.bool_]:
    """Tell which points lie clearly before the nearest surface that a picture shows around them."""
    pixel, z = view.camera.project(cloud.points)
    inside = view.camera.contains(pixel)
    column, row = np.floor(np.where(inside[:, None], pixel, 0)).astype(int).T
    surface = nearest_around(view.depth.depth)[row, column]
    doubt = np.hypot(cloud.std, np.nan_to_num(view.depth.std[row, column]))
    through: NDArray[np.bool_] = inside & (z < surface - 3 * doubt - voxel)
    return through

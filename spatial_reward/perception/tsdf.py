"""Fusion of depth pictures by a truncated signed distance function (Open3D): for scenes that stand still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from spatial_reward.perception.cloud import PointCloud
from spatial_reward.perception.depth_maps import smooth
from spatial_reward.perception.fusion import DepthView, fuse_voxels

_BLOCK = 16  # voxels along the side of a block
_TRUNCATION = 4.0  # voxels


def load_open3d() -> Any:
    """Import Open3D.

    Raises:
        ImportError: If it is missing, or a library of the system that it needs; says what to install.
    """
    try:
        import open3d
    except ModuleNotFoundError as error:
        message = 'open3d is needed for TSDF fusion and boxes: pip install "spatial-reward[pointcloud]"'
        raise ImportError(message, name="open3d") from error
    except ImportError as error:
        needs = "apt-get install libegl1 libgl1 libx11-6 libusb-1.0-0"
        raise ImportError(f"open3d cannot be loaded ({error}): {needs}", name="open3d") from error
    return open3d


def fuse_tsdf(
    views: Sequence[DepthView], voxel: float = 0.005, farthest: float = 4.0, max_std: float = np.inf
) -> PointCloud:
    """Fuse a clip of a scene that stands still: smoother surfaces than voxels, but moving things smear.

    The std is that of the nearest point of `fuse_voxels`.

    Args:
        views: Of one scene.
        voxel: Side of a voxel [m].
        farthest: Depth [m] up to which pixels count.
        max_std: Standard deviation of the depth [m] up to which they count.

    Raises:
        ImportError: If Open3D is not installed.
        ValueError: As `fuse_voxels`.
    """
    known = fuse_voxels(views, voxel, farthest, max_std)
    o3d = load_open3d()
    grid = o3d.t.geometry.VoxelBlockGrid(
        ("tsdf", "weight", "color"),
        (o3d.core.float32, o3d.core.float32, o3d.core.float32),
        ((1), (1), (3)),
        float(voxel),
        _BLOCK,
        20_000,
    )
    for view in views:
        _integrate(o3d, grid, view, float(farthest), max_std)  # it takes no whole numbers
    extracted = grid.extract_point_cloud(weight_threshold=0.5)
    points = extracted.point.positions.numpy().astype(float)
    colours = (extracted.point.colors.numpy().clip(0, 1) * 255).round().astype(np.uint8)
    return PointCloud(points, colours, known.std[cKDTree(known.points).query(points)[1]])


def _integrate(o3d: Any, grid: Any, view: DepthView, farthest: float, max_std: float) -> None:
    with np.errstate(invalid="ignore"):
        kept = smooth(view.depth.depth, view.camera) & (view.depth.depth <= farthest)
        kept &= view.depth.std <= max_std
    depth = o3d.t.geometry.Image(np.where(kept, view.depth.depth, 0).astype(np.float32))
    colour = o3d.t.geometry.Image(np.ascontiguousarray(view.rgb.astype(np.float32) / 255))
    intrinsics = view.camera.intrinsics.copy()
    intrinsics[:2, 2] -= 0.5  # Open3D puts pixel centres at integers
    lens, pose = o3d.core.Tensor(intrinsics), o3d.core.Tensor(view.camera.camera_from_world)
    blocks = grid.compute_unique_block_coordinates(depth, lens, pose, 1.0, farthest, _TRUNCATION)
    grid.integrate(blocks, depth, colour, lens, lens, pose, 1.0, farthest, _TRUNCATION)

"""Upright boxes around the things of a point cloud: what stands on planes, taken apart by gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, rigid, transform
from spatial_reward.perception.cloud import PointCloud
from spatial_reward.perception.tsdf import load_open3d

FLAT = 0.005  # [m] that points of one plane differ from it, at least what their std says
LEVEL = np.cos(
    np.radians(10.0)
)  # of the angle between a plane and the horizon, under which things stand on it
PLANE = 0.05  # share of the points that a plane holds, at least
PLANES = 4  # that are taken away, at most
FEWEST = 30  # points of a thing
_SEED = 0


@dataclass(frozen=True, eq=False)
class Box:
    """A box that stands upright.

    Attributes:
        world_from_box: (4, 4) pose of its centre; z is up, x along the longer side.
        size: (3,) length, width and height [m].
        std: (3,) their standard deviations [m], for the part that was seen.
        count: Points inside.
    """

    world_from_box: Array
    size: Array
    std: Array
    count: int

    @property
    def corners(self) -> Array:
        """(8, 3) corners [m, world]."""
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), -1).reshape(-1, 3)
        return transform(self.world_from_box, signs * self.size / 2)


def find_boxes(cloud: PointCloud, gap: float = 0.015, largest: float = 0.5) -> list[Box]:
    """Return the boxes around things that stand on level planes, the largest first.

    The planes are found by RANSAC and left out, the rest is parted by DBSCAN. What was seen from one side
    only gets a box around that side.

    Args:
        cloud: In a world whose z axis points up.
        gap: Distance [m] from which points are of two things.
        largest: Length [m] of a side above which something is no thing, but a wall or a robot; what is flat
            is none either.

    Raises:
        ImportError: If Open3D is not installed.
    """
    o3d = load_open3d()
    o3d.utility.random.seed(_SEED)
    rest, floors = _without_planes(o3d, cloud)
    if not len(rest):
        return []
    labels = np.asarray(_legacy(o3d, rest).cluster_dbscan(eps=gap, min_points=4))
    things = [rest.chosen(labels == label) for label in range(labels.max() + 1)]
    boxes = [_box(thing, floors) for thing in things if len(thing) >= FEWEST]
    small = [box for box in boxes if box.size.max() <= largest and box.size.min() > FLAT]
    return sorted(small, key=lambda box: -float(box.size.prod()))


def _legacy(o3d: Any, cloud: PointCloud) -> Any:
    return o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cloud.points))


def _without_planes(o3d: Any, cloud: PointCloud) -> tuple[PointCloud, list[float]]:
    """Take the large level planes away; return the rest, and their heights [m]."""
    heights: list[float] = []
    fewest, rest = PLANE * len(cloud), cloud
    for _ in range(PLANES):
        if len(rest) < max(fewest, 3):
            break
        near = max(FLAT, 2 * float(np.median(rest.std)))
        plane, inside = _legacy(o3d, rest).segment_plane(near, 3, 500)
        if len(inside) < fewest:
            break
        on_plane = np.zeros(len(rest), bool)
        on_plane[inside] = True
        if abs(plane[2]) > LEVEL:
            heights.append(float(np.median(rest.points[on_plane, 2])))
        rest = rest.chosen(~on_plane)
    return rest, heights


def _box(thing: PointCloud, floors: list[float]) -> Box:
    flat = thing.points[:, :2]
    middle = flat.mean(axis=0)  # OpenCV takes single precision
    centre, sides, degrees = cv2.minAreaRect((flat - middle).astype(np.float32))
    if sides[0] < sides[1]:
        sides, degrees = sides[::-1], degrees + 90
    low, high = _heights(thing, floors)
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    pose = rigid(turn, [*(np.array(centre) + middle), (low + high) / 2])
    spread = np.sqrt(2) * float(np.median(thing.std))  # a side is the difference of two points
    return Box(pose, np.array([*sides, high - low]), np.full(3, spread), len(thing))


def _heights(thing: PointCloud, floors: list[float]) -> tuple[float, float]:
    """Return the lowest and highest height [m]; a thing close above a floor reaches down to it."""
    low, high = float(thing.points[:, 2].min()), float(thing.points[:, 2].max())
    under: list[float] = [floor for floor in floors if 0 <= low - floor < 0.02]
    return (max(under) if under else low), high


def inside(box: Box, points: Array, slack: float = 0.0) -> NDArray[np.bool_]:
    """Tell which points (N, 3) [m] lie in a box, give or take `slack` [m]."""
    own = (points - box.world_from_box[:3, 3]) @ box.world_from_box[:3, :3]
    return np.asarray((np.abs(own) <= box.size / 2 + slack).all(-1), bool)

"""See in metres outside of RL: depth, matches, motion, size and point clouds, each with its uncertainty."""

from spatial_reward.perception.boxes import Box, find_boxes
from spatial_reward.perception.cloud import PointCloud, read_ply
from spatial_reward.perception.depth_maps import DepthMap, depth_map
from spatial_reward.perception.fusion import fuse_voxels
from spatial_reward.perception.perception import Perception, PixelMatches, perceive
from spatial_reward.perception.tsdf import fuse_tsdf

__all__ = [
    "Box",
    "DepthMap",
    "Perception",
    "PixelMatches",
    "PointCloud",
    "depth_map",
    "find_boxes",
    "fuse_tsdf",
    "fuse_voxels",
    "perceive",
    "read_ply",
]

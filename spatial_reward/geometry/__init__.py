"""From depth and matches to camera motion, object motion and size, each with its covariance."""

from spatial_reward.geometry.camera_motion import CameraMotion, camera_motion, estimated_camera_motion
from spatial_reward.geometry.coverage import minimal_sets
from spatial_reward.geometry.extent import Extents, extents
from spatial_reward.geometry.grouping import rigid_groups
from spatial_reward.geometry.lifting import depth_noise, lift, sample_depth
from spatial_reward.geometry.object_motion import STATIC, distance, object_motion
from spatial_reward.geometry.procrustes import RigidFit, fit_motion, fit_rigid, fit_translation, moved_point
from spatial_reward.geometry.visibility import overlap, visible

__all__ = [
    "STATIC",
    "CameraMotion",
    "Extents",
    "RigidFit",
    "camera_motion",
    "depth_noise",
    "distance",
    "estimated_camera_motion",
    "extents",
    "fit_motion",
    "fit_rigid",
    "fit_translation",
    "lift",
    "minimal_sets",
    "moved_point",
    "object_motion",
    "overlap",
    "rigid_groups",
    "sample_depth",
    "visible",
]

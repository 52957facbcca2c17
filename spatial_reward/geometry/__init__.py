"""From depth and matches to camera motion, object motion and size, each with its covariance."""

from spatial_reward.geometry.camera_motion import CameraMotion, camera_motion, estimated_camera_motion
from spatial_reward.geometry.extent import extents
from spatial_reward.geometry.lifting import depth_noise, lift, sample_depth
from spatial_reward.geometry.object_motion import STATIC, distance, object_motion
from spatial_reward.geometry.procrustes import RigidFit, fit_motion, fit_rigid, fit_translation, moved_point

__all__ = [
    "STATIC",
    "CameraMotion",
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
    "moved_point",
    "object_motion",
    "sample_depth",
]

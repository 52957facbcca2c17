"""The camera's own motion, from what stands still in both pictures."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.geometry import depth_noise, fit_rigid, lift, sample_depth
from spatial_reward.geometry.procrustes import RigidFit
from spatial_reward.types import Frame

RATIO = 0.8  # of the distances to the best and second best feature, under which a match is distinct
ROUND_TRIP = 1.0  # [px] that a tracked corner may miss its start when tracked back
MATCH_STD = 0.5  # [px]


def ego_motion(reference: Frame, current: Frame) -> RigidFit:
    """Fit `current_from_reference` to matched surface points: wide matches and tracked corners together.

    Not valid where fewer than three points agree.

    Raises:
        ValueError: If a frame has no depth or no camera.
    """
    grey = [cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY) for frame in (reference, current)]
    pairs = np.concatenate([_distinct_features(*grey), _tracked_corners(*grey)])
    if len(pairs) < 3:
        return RigidFit.unknown(len(pairs))
    lifted = [_lifted(reference, pairs[:, 0]), _lifted(current, pairs[:, 1])]
    (source, first), (target, second) = lifted
    return fit_rigid(source, target, source_covariance=first, target_covariance=second)


def _lifted(frame: Frame, pixels: Array) -> tuple[Array, Array]:
    """Return the surface points (N, 3) under pixels in camera axes, and their covariances."""
    if frame.camera is None or frame.depth is None:
        raise ValueError(f"The camera's motion needs depth and a camera; view {frame.view!r} lacks one.")
    depth, _ = sample_depth(frame.depth, pixels)
    return lift(frame.camera, pixels, depth, MATCH_STD, depth_noise(depth))


def _distinct_features(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Array:
    """Match SIFT features that are each other's best; return pairs (N, 2, 2) of pixels."""
    sift: Any = cv2.SIFT.create(nfeatures=1000, contrastThreshold=0.02)
    (points_1, described_1), (points_2, described_2) = (
        sift.detectAndCompute(image, None) for image in (first, second)
    )
    if described_1 is None or described_2 is None or min(len(points_1), len(points_2)) < 2:
        return np.empty((0, 2, 2))
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    back = {m[0].queryIdx: m[0].trainIdx for m in matcher.knnMatch(described_2, described_1, k=1)}
    forth = [m for m, n in matcher.knnMatch(described_1, described_2, k=2) if m.distance < RATIO * n.distance]
    mutual = [m for m in forth if back.get(m.trainIdx) == m.queryIdx]
    pixels = [(points_1[m.queryIdx].pt, points_2[m.trainIdx].pt) for m in mutual]
    return np.array(pixels, float).reshape(-1, 2, 2) + 0.5  # OpenCV puts pixel centres at integers


def _tracked_corners(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Array:
    """Track corners that come back to where they started; return pairs (N, 2, 2) of pixels."""
    corners = cv2.goodFeaturesToTrack(first, 300, 0.01, 5)
    if corners is None:
        return np.empty((0, 2, 2))
    there, found, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, None, winSize=(15, 15), maxLevel=3)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(second, first, there, None, winSize=(15, 15), maxLevel=3)
    miss = np.linalg.norm((back - corners).reshape(-1, 2), axis=1)
    good = (found.ravel() == 1) & (returned.ravel() == 1) & (miss < ROUND_TRIP)
    pairs = np.stack([corners.reshape(-1, 2), there.reshape(-1, 2)], axis=1)[good]
    return np.asarray(pairs, float) + 0.5

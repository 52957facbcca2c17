"""The camera's own motion, from what stands still in both pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, rigid, transform
from spatial_reward.geometry import depth_noise, fit_rigid, lift, sample_depth
from spatial_reward.geometry.procrustes import RigidFit
from spatial_reward.geometry.rotations import rotation_matrix
from spatial_reward.models.following import CORRELATION
from spatial_reward.models.overhead import overhead_motions
from spatial_reward.models.region import Region, View, whole
from spatial_reward.models.registration import Sight, Support, align, support
from spatial_reward.types import Frame

RATIO = 0.8  # of the distances to the best and second best feature, under which a match is distinct
ROUND_TRIP = 1.0  # [px] that a tracked corner may miss its start when tracked back
MATCH_STD = 0.5  # [px]
STEPS = 20  # of an alignment, at most
SWINGS = np.radians([-12.0, -6.0, 6.0, 12.0])  # [rad] that are tried where nothing matches
AGREEING = 0.7  # share of the picture that agrees with a motion beyond which no other is looked for
DENIED = 1.5  # how much more what is contradicted counts than what agrees
SEEN_AGAIN = 0.15  # share of the picture that must agree with the camera's motion,
UNDENIED = 0.87  # and that share of what agrees or is contradicted


def ego_motion(reference: Frame, current: Frame) -> RigidFit:
    """Find `current_from_reference`: from matched surface points, or from rest, laid onto the whole picture.

    Where that does not fit, the pictures are compared as seen from above, for any motion over a table. Not
    valid where too little of the picture agrees with it, or too much contradicts it.

    Raises:
        ValueError: If a frame has no depth or no camera.
    """
    matches, everything, current_view = (
        _fit_matches(reference, current),
        whole(View.of(reference)),
        View.of(current),
    )
    if everything is None or reference.camera is None:
        return RigidFit.unknown(len(matches.inliers))
    sight = Sight(current_view, np.eye(4), up=reference.camera.camera_from_world[:3, 2])
    laid = [_laid(everything, sight, np.eye(4))]
    if matches.valid:
        laid.append(_laid(everything, sight, matches.b_from_a))
    if max(fit.agreeing for *_, fit in laid) < AGREEING:
        starts = [_swing(everything, sight.up, angle) for angle in SWINGS]
        starts += overhead_motions(View.of(reference), current_view, sight.up)
        laid += [_laid(everything, sight, start, wide=True) for start in starts]
    motion, information, fit = max(laid, key=lambda one: one[2].likeness - DENIED * one[2].contradicted)
    return replace(
        matches,
        b_from_a=motion,
        covariance=np.asarray(CORRELATION * np.linalg.inv(information + 1e-6 * np.eye(6)), float),
        centre=transform(motion, everything.points).mean(axis=0),
        valid=believed(fit),
    )


def believed(fit: Support) -> bool:
    """Tell whether enough of the picture agrees with a motion, and hardly anything contradicts it."""
    return fit.agreeing >= max(SEEN_AGAIN, UNDENIED * (fit.agreeing + fit.contradicted))


def _laid(everything: Region, sight: Sight, start: Array, wide: bool = False) -> tuple[Array, Array, Support]:
    motion, information = align(everything, sight, start, steps=STEPS, turn=True, wide=wide)
    return motion, information, support(everything, sight, motion)


def _swing(everything: Region, up: Array, angle: float) -> Array:
    """Return the motion (4, 4) of a camera that turns [rad] around the middle of what it sees."""
    turn, centre = rotation_matrix(angle * up), everything.origin
    return rigid(turn, centre - turn @ centre)


def _fit_matches(reference: Frame, current: Frame) -> RigidFit:
    """Fit wide matches and tracked corners together."""
    grey = [cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY) for frame in (reference, current)]
    pairs = np.concatenate([_distinct_features(*grey), _tracked_corners(*grey)])
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

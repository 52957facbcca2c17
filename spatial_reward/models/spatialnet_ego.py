"""The camera's own motion from matched pixels and predicted depth: a robust perspective fit."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, rigid, transform
from spatial_reward.geometry import RigidFit
from spatial_reward.geometry.rotations import skew
from spatial_reward.models.spatialnet_sight import Seen

GRID = 16  # matches of the network along each side of the picture
RATIO = 0.8  # of the distances to the best and second best feature, under which a match is distinct
AGREES = 0.015  # share of the picture's width that a match may be off
FEWEST, LEAST_SHARE = 12, 0.25  # matches that must agree, and their share
PIXEL_STD = 1.0  # [px] of a match that agrees
CORRELATION = 10.0  # by how much errors of neighbouring matches are larger than independent ones


def grid_pixels(width: int, height: int) -> Array:
    """Return pixels (N, 2) spread over a picture."""
    x, y = (side * (np.arange(GRID) + 0.5) / GRID for side in (width, height))
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


def distinct_features(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Array:
    """Match SIFT features of two pictures that are each other's best; return pairs (N, 2, 2) of pixels."""
    sift: Any = cv2.SIFT.create(nfeatures=500, contrastThreshold=0.02)
    found = [sift.detectAndCompute(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), None) for rgb in (first, second)]
    if any(described is None or len(points) < 2 for points, described in found):
        return np.empty((0, 2, 2))
    (points_1, described_1), (points_2, described_2) = found
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    back = {m[0].queryIdx: m[0].trainIdx for m in matcher.knnMatch(described_2, described_1, k=1)}
    forth = [m for m, n in matcher.knnMatch(described_1, described_2, k=2) if m.distance < RATIO * n.distance]
    mutual = [m for m in forth if back.get(m.trainIdx) == m.queryIdx]
    pairs = [(points_1[m.queryIdx].pt, points_2[m.trainIdx].pt) for m in mutual]
    return np.array(pairs, float).reshape(-1, 2, 2) + 0.5  # OpenCV puts pixel centres at integers


def camera_fit(reference: Seen, current: Seen, pairs: Array, depth_scale: float) -> RigidFit:
    """Fit `current_from_reference` to matched pixels (N, 2, 2) with the reference's predicted depth.

    Its depths err together; that error scales the translation and is added to the covariance along it.
    Not valid where too few matches agree.
    """
    depth, depth_std = reference.depth_at(pairs[:, 0])
    points = reference.camera.rays(pairs[:, 0]) * depth[:, None]
    motion, inliers = _perspective(points, pairs[:, 1], current.camera)
    if motion is None or inliers.sum() < max(FEWEST, LEAST_SHARE * len(pairs)):
        return RigidFit.unknown(len(pairs))
    seen = transform(motion, points[inliers])
    centre = seen.mean(axis=0)
    information = _information(seen, centre, current.camera)
    covariance = np.asarray(CORRELATION * PIXEL_STD**2 * np.linalg.pinv(information), np.float64)
    common = (
        depth_scale * float(np.median(depth_std)) * (centre - motion[:3, :3] @ points[inliers].mean(axis=0))
    )
    covariance[3:, 3:] += np.outer(common, common)
    missed = np.linalg.norm(current.camera.pixels(seen) - pairs[inliers, 1], axis=1)
    size = float(np.median(seen[:, 2])) / float(current.camera.intrinsics[0, 0])
    residual = float(np.sqrt(np.mean(missed**2))) * size
    return RigidFit(motion, covariance, centre, inliers, residual, 0, True)


def _perspective(points: Array, pixels: Array, camera: Camera) -> tuple[Array | None, NDArray[np.bool_]]:
    inliers = np.zeros(len(points), bool)
    if len(points) < FEWEST:
        return None, inliers
    cv2.setRNGSeed(0)
    matrix, off = camera.intrinsics.copy(), AGREES * camera.width
    found, turn, shift, chosen = cv2.solvePnPRansac(
        points, pixels, matrix, None, iterationsCount=200, reprojectionError=off, flags=cv2.SOLVEPNP_EPNP
    )
    if not found or chosen is None:
        return None, inliers
    inliers[chosen.ravel()] = True
    turn, shift = cv2.solvePnPRefineLM(points[inliers], pixels[inliers], matrix, None, turn, shift)
    return rigid(cv2.Rodrigues(turn)[0], shift.ravel()), inliers


def _information(seen: Array, centre: Array, camera: Camera) -> Array:
    """Return the information (6, 6) [1/px^2] of pixels on a small turn about the centre and a shift."""
    x, y, z = seen.T
    focal_x, focal_y = camera.intrinsics[0, 0], camera.intrinsics[1, 1]
    zero = np.zeros_like(z)
    rows = np.stack(
        [focal_x / z, zero, -focal_x * x / z**2, zero, focal_y / z, -focal_y * y / z**2], axis=-1
    ).reshape(-1, 2, 3)
    moved = np.concatenate([-skew(seen - centre), np.broadcast_to(np.eye(3), (len(seen), 3, 3))], axis=2)
    jacobian = (rows @ moved).reshape(-1, 6)
    information: Array = jacobian.T @ jacobian
    return information

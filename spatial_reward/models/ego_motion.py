"""The camera's own motion, from what stands still in both pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, invert, rigid, transform
from spatial_reward.geometry import depth_noise, fit_rigid, lift, sample_depth
from spatial_reward.geometry.procrustes import RigidFit
from spatial_reward.geometry.rotations import rotation_matrix
from spatial_reward.models.following import CORRELATION
from spatial_reward.models.ground import ground_level
from spatial_reward.models.overhead import overhead_motions
from spatial_reward.models.region import Region, View, whole
from spatial_reward.models.registration import Sight, Support, align, support
from spatial_reward.models.relocation import apart, shares
from spatial_reward.types import Frame

RATIO = 0.8  # of the distances to the best and second best feature, under which a match is distinct
ROUND_TRIP = 1.0  # [px] that a tracked corner may miss its start when tracked back
MATCH_STD = 0.5  # [px]
OFF_GROUND = 0.008  # [m] from which something stands on the ground,
MOST = 5.0  # and how much more it then counts, at most
STEPS = 20  # of an alignment, at most
SWINGS = np.radians([-12.0, -6.0, 6.0, 12.0])  # [rad] that are tried where nothing matches
PROBES = 150  # points of the picture that motions seen from above are judged by,
COARSE = 0.015  # [m] that these are off,
FEW = 12  # and how many of them are laid onto the picture
AGREEING = 0.7  # share of the picture that agrees with a motion,
SURELY = 0.03  # and the share that contradicts it, from which no other is looked for
DENIED = 1.5  # how much more what is contradicted counts than what agrees
SEEN_AGAIN = 0.15  # share of the picture that must agree with the camera's motion,
UNDENIED = 0.87  # and that share of what agrees or is contradicted,
UNRIVALLED = 0.02  # and by so much more than with any motion
ELSEWHERE = 0.1  # that puts what is seen so far [m] from there


def ego_motion(reference: Frame, current: Frame) -> RigidFit:
    """Find `current_from_reference`: from matched surface points, or from rest, laid onto the whole picture.

    Where that does not fit, the pictures are compared as seen from above, for any motion over a table. Not
    valid where too little of the picture agrees with it, or too much contradicts it.

    Raises:
        ValueError: If a frame has no depth or no camera.
    """
    matches, pictures = _fit_matches(reference, current), _pictures(View.of(reference), View.of(current))
    if pictures is None:
        return RigidFit.unknown(len(matches.inliers))
    everything = pictures.there.region
    laid = [_laid(pictures, np.eye(4))]
    if matches.valid:
        laid.append(_laid(pictures, matches.b_from_a))
    if not any(fit.agreeing >= AGREEING and fit.contradicted <= SURELY for *_, fit in laid):
        starts = [_swing(everything, pictures.there.sight.up, angle) for angle in SWINGS]
        starts += _likeliest(pictures)
        laid += [_laid(pictures, start, wide=True) for start in starts]
    motion, information, fit = max(laid, key=lambda one: _rank(one[2]))
    rivals = [_rank(other) for at, _, other in laid if _apart(everything, at, motion) > ELSEWHERE]
    return replace(
        matches,
        b_from_a=motion,
        covariance=np.asarray(CORRELATION * np.linalg.inv(information + 1e-6 * np.eye(6)), float),
        centre=transform(motion, everything.points).mean(axis=0),
        valid=believed(fit) and _rank(fit) > max(rivals, default=-np.inf) + UNRIVALLED,
    )


class _Way(NamedTuple):
    """All that one picture shows, to be found in the other one."""

    region: Region
    sight: Sight


class _Pictures(NamedTuple):
    """From the first picture to the second, and back."""

    there: _Way
    back: _Way


def _pictures(reference: View, current: View) -> _Pictures | None:
    """Prepare two pictures to be laid onto one another; None where nothing was measured in one."""
    up, first, second = reference.camera.camera_from_world[:3, 2], whole(reference), whole(current)
    if first is None or second is None:
        return None
    there = _Way(_telling(first, reference), Sight(current, np.eye(4), up))
    return _Pictures(there, _Way(second, Sight(reference, np.eye(4), up)))


def _telling(everything: Region, view: View) -> Region:
    """Weigh what stands on the ground more: the bare ground would fit anywhere."""
    height = transform(view.camera.world_from_camera, everything.points)[:, 2]
    standing = np.abs(height - ground_level(height)) > OFF_GROUND
    more = np.clip((~standing).sum() / max(standing.sum(), 1), 1.0, MOST)
    weight = np.where(standing, more, 1.0)
    return replace(everything, weight=weight / weight.sum())


def believed(fit: Support) -> bool:
    """Tell whether enough of the picture agrees with a motion, and hardly anything contradicts it.

    More must agree than is hidden: behind something else there is room for anything.
    """
    return fit.agreeing >= max(SEEN_AGAIN, fit.hidden, UNDENIED * (fit.agreeing + fit.contradicted))


def _rank(fit: Support) -> float:
    return fit.likeness - DENIED * fit.contradicted


def _apart(everything: Region, first: Array, second: Array) -> float:
    """Return how far apart [m] two motions put what is seen, on average."""
    return float(
        np.linalg.norm(
            transform(first, everything.points) - transform(second, everything.points), axis=1
        ).mean()
    )


def _laid(pictures: _Pictures, start: Array, wide: bool = False) -> tuple[Array, Array, Support]:
    """Improve a motion; return it with its information, and how well the pictures agree, both ways."""
    there, back = pictures
    motion, information = align(there.region, there.sight, start, steps=STEPS, turn=True, wide=wide)
    fits = [support(*there, motion), support(*back, invert(motion))]
    return motion, information, Support(*np.mean(fits, axis=0).tolist())


def _likeliest(pictures: _Pictures) -> list[Array]:
    """Return a few motions (4, 4) over a table: those that agree best with what is seen, both ways."""
    there, back = pictures
    motions = overhead_motions(back.sight.view, there.sight.view, there.sight.up)
    if not motions:
        return []
    tried = np.asarray(np.stack(motions), float)
    returns = np.asarray(np.linalg.inv(tried), float)
    like, contradicted, _ = shares(*there, tried, PROBES, COARSE) + shares(*back, returns, PROBES, COARSE)
    return apart(there.region, tried[np.argsort(DENIED * contradicted - like)], FEW)


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

"""The camera's own motion, from what stands still in both pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, invert, transform
from spatial_reward.geometry import depth_noise, fit_rigid, lift, sample_depth
from spatial_reward.geometry.procrustes import RigidFit
from spatial_reward.models.ego_pictures import Pictures, laid_onto, prepare
from spatial_reward.models.ego_search import DENIED, likeliest
from spatial_reward.models.exposure import evened
from spatial_reward.models.following import CORRELATION
from spatial_reward.models.region import View
from spatial_reward.models.registration import Support, align, judged, support
from spatial_reward.types import Frame

RATIO = 0.8  # of the distances to the best and second best feature, under which a match is distinct
ROUND_TRIP = 1.0  # [px] that a tracked corner may miss its start when tracked back
MATCH_STD = 0.5  # [px]
AGREEING = 0.7  # share of the picture that agrees with a motion,
SURELY = 0.03  # and the share that contradicts it, from which no other is looked for
MOSTLY = 0.6  # share of the picture that agrees, at least, where the camera stands still,
STAYS = 0.2  # the same of what stands on the ground,
SAME = 0.02  # and the rank by which what is near by may be better
SEEN_AGAIN = 0.15  # share of the picture that must agree with the camera's motion,
UNDENIED = 0.87  # and that share of what agrees or is contradicted,
UNDENIED_BY_THINGS = 0.75  # the same of what stands on the ground, some of which may move,
BEHIND = 0.8  # share of the highest rank that a motion must have to be taken instead, being credible
UNDENIED_WITHOUT_RIVAL = 0.8  # the same of everything, where the rank of the second best motion
FAR_BEHIND = 0.6  # is under this share of the best one's
RIVAL = 0.05  # and by so much more, among what both show, than with any motion
COMPARABLE = 0.75  # share of the evidence, at least, of such a motion,
ELSEWHERE = 0.1  # [m] by which it puts what is seen elsewhere;
MANY = 40  # matches from which they are not of things that look alike
STAYED = 0.05  # [m] up to which one is still where it began
TAILS = 6.0  # by how much variances are larger for the few that are wrong and believed
VAGUE = 0.1  # [m] what is known no better than this is not measured


def ego_motion(reference: Frame, current: Frame) -> RigidFit:
    """Find `current_from_reference`: from matched surface points, or from rest, laid onto the whole picture.

    Where that does not fit, the pictures are compared as seen from above, for any motion over a table. Not
    valid where too little of the picture agrees with it, too much contradicts it, nothing determines it, or
    another motion fits as well.

    Raises:
        ValueError: If a frame has no depth or no camera.
    """
    matches = _fit_matches(reference, current)
    even = evened(reference, current, matches.b_from_a if matches.valid else np.eye(4))
    pictures = prepare(View.of(reference), View.of(even))
    if pictures is None:
        return RigidFit.unknown(len(matches.inliers))
    starts = [np.eye(4), matches.b_from_a] if matches.valid else [np.eye(4)]
    laid = [_laid(pictures, start) for start in starts]
    rest, told = _at_rest(pictures), starts if matches.inliers.sum() >= MANY else starts[:1]
    rests = _rests(pictures, rest, laid[0])
    if not rests and not any(_surely(pictures, *one) for one in zip(told, laid, strict=False)):
        laid += [_laid(pictures, start) for start in likeliest(pictures, starts)]
    best = rest if rests else _best(laid)
    spread = np.asarray(CORRELATION * np.linalg.inv(best.information + 1e-6 * np.eye(6)), float)
    sharp = bool(np.diag(spread)[3:].max() < VAGUE**2) and _depth_error(pictures) < VAGUE
    return replace(
        matches,
        b_from_a=best.motion,
        covariance=TAILS * spread,
        centre=transform(best.motion, pictures.there.region.points).mean(axis=0),
        valid=sharp and (rests or _told(pictures, best, laid)),
    )


class _Laid(NamedTuple):
    """A motion (4, 4), its information (6, 6), and how it fits: evenly judged, and by what stands out."""

    motion: Array
    information: Array
    fit: Support
    telling: Support

    @property
    def credible(self) -> bool:
        """Whether both judgments believe it."""
        return believed(self.fit) and believed(self.telling, UNDENIED_BY_THINGS)


def believed(fit: Support, undenied: float = UNDENIED) -> bool:
    """Tell whether enough of the picture agrees with a motion, and hardly anything contradicts it.

    More must agree than is hidden: behind something else there is room for anything.
    """
    return fit.agreeing >= max(SEEN_AGAIN, fit.hidden, undenied * (fit.agreeing + fit.contradicted))


def _rank(fit: Support) -> float:
    return fit.likeness - DENIED * fit.contradicted


def _best(laid: list[_Laid]) -> _Laid:
    """Return the motion of the highest rank, or the best credible one if its rank is not much lower."""
    first = max(laid, key=lambda one: _rank(one.fit))
    credible = [one for one in laid if one.credible and _rank(one.fit) > BEHIND * _rank(first.fit)]
    return max(credible, key=lambda one: _rank(one.fit), default=first)


def _depth_error(pictures: Pictures) -> float:
    """Return the noise [m] of depth in the median, of the worse picture: with large noise anything agrees."""
    regions = pictures.there.region, pictures.back.region
    return float(max(one.noise * np.median(one.points[:, 2]) ** 2 for one in regions))


def _surely(pictures: Pictures, start: Array, laid: _Laid) -> bool:
    """Tell whether a motion fits so well, where it began, that no other need be looked for."""
    near = _apart(pictures, start, laid.motion) < STAYED
    fits = laid.fit.agreeing >= AGREEING and laid.fit.contradicted <= SURELY
    return near and fits


def _rests(pictures: Pictures, rest: _Laid, moved: _Laid) -> bool:
    """Tell whether the camera stands still, whatever else moves: nothing near by fits better.

    Some of what stands on the ground must stay too: a bare table would fit anywhere.
    """
    if len(pictures.levels) == 1:  # too little stands there to tell
        return False
    same = all(_rank(ours) > _rank(theirs) - SAME for ours, theirs in zip(rest[2:], moved[2:], strict=True))
    stays = judged(*pictures.there, rest.motion)[1, pictures.standing].mean() > STAYS
    return same and bool(stays) and min(rest.fit.agreeing, rest.telling.agreeing) >= MOSTLY


def _apart(pictures: Pictures, first: Array, second: Array) -> float:
    """Return how far [m] two motions (4, 4) put what is seen from one another, on average."""
    points = pictures.there.region.points
    return float(np.linalg.norm(transform(first, points) - transform(second, points), axis=1).mean())


def _told(pictures: Pictures, best: _Laid, laid: list[_Laid]) -> bool:
    """Tell whether a motion is credible and has no rival, or fits so much better that things have moved."""
    others = [one for one in laid if _apart(pictures, one.motion, best.motion) > ELSEWHERE]
    resting = best is laid[0] and _apart(pictures, best.motion, np.eye(4)) < STAYED
    if best.credible and not _rivalled(best, laid, others, resting):
        return True
    second = max((_rank(one.fit) for one in others), default=np.inf)
    return believed(best.fit, UNDENIED_WITHOUT_RIVAL) and second < FAR_BEHIND * _rank(best.fit)


def _rivalled(best: _Laid, laid: list[_Laid], others: list[_Laid], resting: bool) -> bool:
    """Tell whether one of the others fits as well in what both show, or better in what stands out."""
    least = COMPARABLE * _rank(best.fit)
    rivals = [one for one in others if one.credible and _rank(one.fit) > least]
    told = any(_rank(one.telling) > _rank(best.telling) for one in rivals)
    if resting:  # what may have stayed, has stayed
        return told
    return told or any(_share(one.fit) > _share(best.fit) - RIVAL for one in rivals if one is not laid[0])


def _share(fit: Support) -> float:
    """Return the rank of a motion among what both pictures show."""
    return _rank(fit) / max(1 - fit.unseen - fit.hidden, 1e-6)


def _laid(pictures: Pictures, start: Array) -> _Laid:
    """Improve a motion, and judge it both ways."""
    return _judged(pictures, *laid_onto(pictures, start))


def _at_rest(pictures: Pictures) -> _Laid:
    """Judge rest as it is."""
    region, sight = pictures.levels[-1].way
    return _judged(pictures, np.eye(4), align(region, sight, np.eye(4), steps=1, turn=True)[1])


def _judged(pictures: Pictures, motion: Array, information: Array) -> _Laid:
    returned = support(*pictures.back, invert(motion))
    fits = [
        support(region, pictures.there.sight, motion) for region in (pictures.there.region, pictures.telling)
    ]
    return _Laid(motion, information, *(Support(*np.mean([fit, returned], axis=0).tolist()) for fit in fits))


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

"""Where a patch of surface has gone: candidate motions, improved, judged by what the picture says."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from spatial_reward.camera import Array, invert, rigid, transform
from spatial_reward.geometry.rotations import rotation_matrix, skew
from spatial_reward.models.region import Region, footprint
from spatial_reward.models.registration import Sight, Support, align, nearby, support
from spatial_reward.models.relocation import relocations

STEPS = 8  # of an alignment, at most
STILL_BONUS = 0.05  # of likeness: what may have stayed, has stayed
LOST = 0.3  # share of agreeing points under which the last motion is no help
LEFT = 0.85  # the same for standing still, where there is no last motion
FAR = 0.15  # [m] from where it was last seen that a thing is hardly expected
STAYED = 0.01  # likeness that a small motion must gain to be one
MOVED = 0.03  # [m] beyond which a thing that stands where it stood has come back
DOUBTFUL = 0.15  # share of contradicting points from which a thing may have turned meanwhile
CONTRADICTED = 0.3  # share of contradicting points beyond which no motion is believed
TURNS = np.radians([-60.0, -30.0, 30.0, 60.0])  # [rad] about the vertical that are tried then
RIVAL = 0.06  # likeness by which the place of what was searched for must be better than
ELSEWHERE = 0.05  # [m] any that is so far from there
ALIKE = 0.15  # likeness by which a turn must be better than a smaller one
APART = 0.02  # [m] that puts it elsewhere,
SQUARE = np.radians(45.0)  # [rad] where it turned more: a square thing looks as if it had turned less
SHIFTED = 0.02  # likeness that a rotation must gain to be believed
CORRELATION = 25.0  # by how much errors of neighbouring pixels are larger than independent ones
FLOOR = 0.3  # [px]; no motion is better known than this,
OTHERWISE = 0.5  # nor than by this share of how far aside it was measured: as much as 30 degrees turn it off
UNWATCHED = 2.0  # times larger errors are where a thing was not seen on its way, than of one that was,
UNALIKE = 3  # and, by this power, the less it looks alike (of 425 valid motions in validation scenes)
LEAST_ALIKE = 0.3  # likeness from which it says no more
TURN_STD = np.radians(10.0)  # [rad] of a rotation that nothing tells

# Shares of agreeing points from which a motion is believed, by how it was found.
BELIEVED = {"still": 0.3, "followed": 0.3, "searched": 0.7, "found again": 0.85}


@dataclass(frozen=True, eq=False)
class Found:
    """A motion of a region.

    Attributes:
        motion: (4, 4) in the reference camera's axes.
        information: (6, 6) [rotation rad, translation m] about the region's centre.
        support: How well the picture agrees.
        how: "still", "followed", "searched", or "found again" somewhere else than where it was last seen.
        alone: Whether nothing else fits as well somewhere else.
        doubt: By how much its standard deviations are larger than the evidence alone says.
    """

    motion: Array
    information: Array
    support: Support
    how: str
    alone: bool = True
    doubt: float = 1.0

    @property
    def valid(self) -> bool:
        """Whether the evidence is enough."""
        enough = self.support.agreeing >= BELIEVED[self.how] and self.support.contradicted <= CONTRADICTED
        return enough and self.alone

    def displacement(self, region: Region, sight: Sight, point: Array) -> tuple[Array, Array]:
        """Return how far a point (3,) of the thing moved, and its covariance (3, 3) [m^2].

        Args:
            region: What was followed.
            sight: Where it was found.
            point: (3,) in the reference camera's axes [m].
        """
        moved = transform(self.motion, point)
        centre = transform(self.motion, region.points).mean(axis=0)
        jacobian = np.concatenate([-skew(moved - centre), np.eye(3)], axis=1)
        prior = np.diag([1 / TURN_STD**2] * 3 + [1 / FAR**2] * 3)
        spread = np.linalg.inv(self.information / CORRELATION + prior)
        covariance = jacobian @ spread @ jacobian.T + _least(region, sight, self.motion)
        return moved - point, self.doubt**2 * covariance


def _least(region: Region, sight: Sight, motion: Array) -> Array:
    """Return the covariance (3, 3) [m^2] of what no evidence can tell: parts of a pixel, and the depth.

    The noise of neighbours goes together, so that either surface may be off as far as one point of it.
    """
    seen = transform(sight.current_from_reference, transform(motion, region.origin))
    before = region.noise * region.origin[2] * region.origin  # [m] along the ray
    after = sight.view.noise * seen[2] * (sight.current_from_reference[:3, :3].T @ seen)
    floor = np.hypot(FLOOR * footprint(sight.view.camera, seen), OTHERWISE * region.aside)
    return np.asarray(floor**2 * np.eye(3) + np.outer(before, before) + np.outer(after, after))


def follow(region: Region, sight: Sight, previous: Array | None) -> Found:
    """Find the motion of a region, from standing still and from its last motion (4, 4), else anywhere."""
    last = np.eye(4) if previous is None else previous
    returned = _gap(region, last, np.eye(4)) > MOVED
    candidates = [_candidate(region, sight, np.eye(4), "found again" if returned else "still", turn=False)]
    if previous is not None:
        candidates.append(_candidate(region, sight, last, "followed", turn=False))
    if not _best(region, candidates, previous).support.certain:
        candidates += _near(region, sight, candidates[1:], last)
    turned: list[Found] = []
    if _best(region, candidates, previous).support.contradicted > DOUBTFUL:
        starts = _turned(region, sight, last)
        turned = [_candidate(region, sight, start, "followed", turn=True) for start in starts]
        candidates += turned
    enough, how = (LEFT, "searched") if previous is None else (LOST, "found again")
    seen = _best(region, candidates, previous).support
    if seen.agreeing < max(LOST, enough * (1 - seen.hidden)):
        sighted = _search(region, sight)
        candidates += [_candidate(region, sight, at, how, turn=False, wide=True) for at in sighted]
        placed = relocations(region, sight) if previous is None else []
        candidates += [_candidate(region, sight, at, how, turn=True, wide=True) for at in placed]
    best = _best(region, candidates, previous)
    rivalled = best.how == "searched" and _rivals(region, best, candidates)
    if previous is None:  # with a history, the nearest turn is meant
        rivalled |= _twin(region, sight, best, turned)
    found = _settled(region, sight, _polished(region, sight, best))
    watched = found.how == "still" or (previous is not None and found.how == "followed")
    return replace(found, alone=not rivalled, doubt=1.0 if watched else _doubt(found.support))


def _doubt(fit: Support) -> float:
    """Return by how much the errors are larger of what was not seen on its way."""
    return UNWATCHED / max(fit.likeness, LEAST_ALIKE) ** UNALIKE


def _rivals(region: Region, best: Found, candidates: list[Found]) -> bool:
    """Tell whether the thing may as well be somewhere else."""
    return any(
        _score(other.support) > _score(best.support) - RIVAL
        and _gap(region, other.motion, best.motion) > ELSEWHERE
        for other in candidates
    )


def _twin(region: Region, sight: Sight, best: Found, turned: list[Found]) -> bool:
    """Tell whether what seems to have turned far may as well have turned less."""
    if best not in turned or _angle(best.motion) < SQUARE:
        return False
    less = [_polished(region, sight, one) for one in turned if _angle(one.motion) < SQUARE]
    return any(
        _score(one.support) > _score(best.support) - ALIKE and _gap(region, one.motion, best.motion) > APART
        for one in less
    )


def _angle(motion: Array) -> float:
    """Return by how much [rad] a motion turns."""
    return float(np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1)))


def _near(region: Region, sight: Sight, tried: list[Found], last: Array) -> list[Found]:
    """Try shifts of the last motion (4, 4), then turns of these and of what was tried."""
    shifted = [
        _candidate(region, sight, start, "followed", turn=False) for start in nearby(region, sight, last)
    ]
    if any(found.support.certain for found in shifted):
        return shifted
    return shifted + [
        _candidate(region, sight, found.motion, "followed", turn=True) for found in tried + shifted
    ]


def _candidate(
    region: Region, sight: Sight, start: Array, how: str, *, turn: bool, wide: bool = False
) -> Found:
    motion, information = align(region, sight, start, steps=STEPS, turn=turn, wide=wide)
    return Found(motion, information, support(region, sight, motion), how)


def _best(region: Region, candidates: list[Found], previous: Array | None) -> Found:
    """Choose the candidate that the picture supports, near where the thing was last seen."""

    def rank(found: Found) -> float:
        jump = 0.0 if previous is None else _gap(region, found.motion, previous)
        bonus = STILL_BONUS if found.how == "still" else 0.0
        return _score(found.support) - 0.3 * found.support.unseen + bonus - 0.5 * min(1.0, jump / FAR)

    return max(candidates, key=rank)


def _gap(region: Region, first: Array, second: Array) -> float:
    """Return how far apart [m] two motions put the region's origin."""
    return float(np.linalg.norm(transform(first, region.origin) - transform(second, region.origin)))


def _score(support: Support) -> float:
    return support.likeness - 0.5 * support.contradicted


def _polished(region: Region, sight: Sight, found: Found) -> Found:
    """Align once more, and with a rotation where that clearly fits better."""
    for turn in (False, True):
        again = _candidate(region, sight, found.motion, found.how, turn=turn)
        if _score(again.support) > _score(found.support) + (SHIFTED if turn else -SHIFTED):
            found = again
    return _nudged(region, sight, found)


def _settled(region: Region, sight: Sight, found: Found) -> Found:
    """Return no motion at all where a thing may as well not have moved."""
    fit = support(region, sight, np.eye(4))
    if found.how != "still" or _score(fit) < _score(found.support) - STAYED:
        return found
    return replace(found, motion=np.eye(4), support=fit)


def _nudged(region: Region, sight: Sight, found: Found) -> Found:
    """Climb to the best fit by shifts of a pixel and less: plain surfaces have edges, but hardly a slope."""
    to_reference = invert(sight.current_from_reference)[:3, :3]
    camera = sight.view.camera
    for size in (1.0, 0.5, 0.25):  # [px]
        seen = transform(sight.current_from_reference, transform(found.motion, region.origin))
        footprint = size * seen[2] / camera.intrinsics[0, 0]
        for step in np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]) * footprint:
            motion = rigid(np.eye(3), to_reference @ step) @ found.motion
            fit = support(region, sight, motion)
            if _score(fit) > _score(found.support) + 1e-6:
                found = replace(found, motion=motion, support=fit)
    return found


def _turned(region: Region, sight: Sight, motion: Array) -> list[Array]:
    """Return the motion turned about the vertical through the region, as a pushed thing turns."""
    centre = region.weight @ transform(motion, region.points)
    turns = [rotation_matrix(angle * sight.up) for angle in TURNS]
    return [rigid(turn, centre - turn @ centre) @ motion for turn in turns]


def _search(region: Region, sight: Sight) -> list[Array]:
    """Look for the region's picture everywhere; return up to four motions (4, 4)."""
    height, width = sight.view.depth.shape
    size = region.picture.shape[:2]
    if size[0] > height // 2 or size[1] > width // 2:
        return []
    mask = np.repeat(region.mask[region.box][..., None], 3, axis=2).astype(np.float32)
    unlike = cv2.matchTemplate(sight.view.colour, region.picture, cv2.TM_SQDIFF, mask=mask)
    motions = []
    for _ in range(4):
        left, top = cv2.minMaxLoc(unlike)[2]
        shift = np.array([left - region.box[1].start, top - region.box[0].start])
        motions.append(_to_pixel(region, sight, region.pixel + shift))
        unlike[max(0, top - 3) : top + 4, max(0, left - 3) : left + 4] = np.inf
    return [motion for motion in motions if motion is not None]


def _to_pixel(region: Region, sight: Sight, pixel: Array) -> Array | None:
    """Return the shift (4, 4) that brings the region's origin to the surface at a pixel (2,)."""
    column, row = pixel.astype(int)
    window = sight.view.points[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].reshape(-1, 3)
    window = window[np.isfinite(window).all(axis=1)]
    if not len(window):
        return None
    target = transform(invert(sight.current_from_reference), np.median(window, axis=0))
    return rigid(np.eye(3), target - region.origin)

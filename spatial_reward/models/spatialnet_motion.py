"""From SpatialNet's matches and depths to the motion of a body around a pixel, for known camera poses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spatial_reward.camera import Array, rigid, transform
from spatial_reward.geometry import lift
from spatial_reward.models.spatialnet_patch import Place
from spatial_reward.models.spatialnet_sight import Matched, Seen
from spatial_reward.models.spatialnet_sliding import Change, sliding, weighed

REGION = 8  # pixels of a body that are matched beside the one asked about: more tell no more
REACH = 12  # cells from the pixel that a body may extend
EXTENT = 96  # [px of the network's picture] from the pixel that a body is measured to
SAME = 0.5  # probability from which a cell counts as of the same body
ANCHOR_DEPTH = 0.03  # [m] that a body's centre is apart, in depth, from its surface
AGREES = 4.0  # [px of a small picture] from the network's match within which its change of depth holds
STILL_SHARE = 0.5  # of the error of a place that what did not move has


@dataclass(frozen=True, eq=False)
class BodyMotion:
    """How a body moved, in the reference camera's axes.

    Attributes:
        motion: (4, 4).
        displacement: (3,) of the point asked about [m].
        covariance: (3, 3) of it [m^2], not calibrated.
    """

    motion: Array
    displacement: Array
    covariance: Array


def region_pixels(seen: Seen, same: Array, pixel: tuple[float, float]) -> tuple[Array, Array]:
    """Choose pixels (1 + N, 2) of a body, first the one asked about, with how likely each belongs to it.

    Args:
        seen: The reference frame.
        same: (h, w) probability of each cell to move with the pixel.
        pixel: The one asked about.
    """
    centres = seen.cell_pixels()
    near = np.abs((centres - pixel) * seen.scale).max(-1) <= 4 * REACH
    share = np.where(near & (same > SAME), same, 0.0)
    order = np.argsort(-share.ravel(), kind="stable")[: int((share > 0).sum())]
    chosen = (
        order[np.linspace(0, len(order) - 1, min(REGION, len(order))).astype(int)] if len(order) else order
    )
    pixels = np.concatenate([[pixel], centres.reshape(-1, 2)[chosen]])
    weight = np.concatenate([[1.0], share.ravel()[chosen]])
    missing = REGION + 1 - len(pixels)  # of one length, so that bodies are matched in one batch
    return np.concatenate([pixels, np.repeat([pixel], missing, 0)]), np.append(weight, np.zeros(missing))


def body_points(seen: Seen, pixel: tuple[float, float]) -> tuple[Array, float]:
    """Return the world points (N, 3) of the body at a pixel, and what a cell covers there [m]."""
    pixels = np.concatenate([[pixel], seen.cell_pixels()[seen.same_body(pixel) > SAME]])
    near = (np.abs((pixels - pixel) * seen.scale) <= EXTENT).all(-1)
    depth, _ = seen.depth_at(pixels[near])
    lifted = seen.camera.rays(pixels[near]) * depth[:, None]
    cell = 4 / float(seen.scale.mean()) * float(depth[0]) / float(seen.camera.intrinsics[0, 0])
    return transform(seen.camera.world_from_camera, lifted), cell


def body_motion(
    reference: Seen,
    current: Seen,
    pixels: Array,
    weight: Array,
    matched: Matched,
    place: Place,
    anchor: Array | None,
    scales: Mapping[str, float],
) -> BodyMotion:
    """Tell how a body moved from where its patch is and how its depth changed, camera poses being known.

    A turn of the body is not measured. The error of depth itself stretches both the motion and what the
    camera's own motion makes of it.

    Args:
        reference: First frame.
        current: Second frame.
        pixels: (N, 2) of the body, first the one asked about.
        weight: (N,) how likely each belongs to it.
        matched: Where the network sees them.
        place: Where the first one was found.
        anchor: (3,) point asked about in the reference camera's axes [m]; None is the surface itself.
        scales: Calibration of "depth", "match", "ratio", "slides" and "lifts".
    """
    depth, depth_std = reference.depth_at(pixels)
    relative = scales["depth"] * depth_std[0]
    if anchor is not None:
        depth, relative = _anchored(depth, relative, anchor)
    first_from_second = reference.camera.camera_from_world @ current.camera.world_from_camera
    rotation, shift = first_from_second[:3, :3], first_from_second[:3, 3]
    told = _depth_change(reference, current, pixels, weight, matched, place, scales)
    seen, spread = _lifted(reference, current, pixels[0], depth[0], told, matched, place, scales)
    before = reference.camera.rays(pixels[0]) * depth[0]
    displacement = rotation @ seen + shift - before
    covariance = rotation @ spread @ rotation.T
    if place.how == "still":
        return BodyMotion(np.eye(4), np.zeros(3), STILL_SHARE**2 * covariance)
    stretched = relative * (displacement - shift)
    return BodyMotion(
        rigid(np.eye(3), displacement), displacement, covariance + np.outer(stretched, stretched)
    )


def _lifted(
    reference: Seen,
    current: Seen,
    pixel: Array,
    depth: float,
    told: Change,
    matched: Matched,
    place: Place,
    scales: Mapping[str, float],
) -> tuple[Array, Array]:
    """Return the point (3,) in the second camera's axes, and its covariance (3, 3)."""
    std = scales["match"] * place.std
    slides = sliding(reference.camera, current.camera, pixel, depth, matched.pixel[0], place.pixel, std)
    change = weighed(told, slides, scales["slides"], scales["lifts"])
    there = depth * np.exp([change.value])
    seen, spread = lift(current.camera, place.pixel[None], there, std, there * change.std)
    return seen[0], spread[0]


def _depth_change(
    reference: Seen,
    current: Seen,
    pixels: Array,
    weight: Array,
    matched: Matched,
    place: Place,
    scales: Mapping[str, float],
) -> Change:
    """Return the change of log depth of the body that the network tells.

    That of the matches, over the body's region; where the body was found elsewhere, that of both depths.
    """
    if np.linalg.norm(place.pixel - matched.pixel[0]) <= AGREES * place.unit:
        trust = weight * matched.visible / matched.ratio_std**2
        trust = trust / trust.sum()
        return Change(float(trust @ matched.log_ratio), scales["ratio"] * float(trust @ matched.ratio_std))
    (before, before_std), (after, after_std) = (
        seen.depth_at(at[None]) for seen, at in ((reference, pixels[0]), (current, place.pixel))
    )
    std = scales["depth"] * float(np.hypot(before_std[0], after_std[0]))
    return Change(float(np.log(after[0] / before[0])), std)


def _anchored(depth: Array, relative: float, anchor: Array) -> tuple[Array, float]:
    """Scale predicted depths (N,) so that the first agrees with a known point, as far as it is known."""
    known = ANCHOR_DEPTH / max(float(anchor[2]), ANCHOR_DEPTH)
    share = relative**2 / (relative**2 + known**2)
    scale = (max(float(anchor[2]) - ANCHOR_DEPTH / 2, ANCHOR_DEPTH) / depth[0]) ** share
    return depth * scale, float(relative * known / np.hypot(relative, known))

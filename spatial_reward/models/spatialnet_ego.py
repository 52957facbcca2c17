"""The camera's own motion from colours: the first picture, with its predicted depth, laid onto the second.

Motions that a camera may make are tried on small pictures, the likeliest improved on larger ones
(`photometric.align`). Things that moved are few points that look different, which robust weights leave out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, Camera, invert, rigid, transform
from spatial_reward.geometry import RigidFit
from spatial_reward.geometry.rotations import rotation_matrix
from spatial_reward.models.photometric import Layer, Points, align, misfit, misfits
from spatial_reward.models.spatialnet_sight import Seen
from spatial_reward.types import Frame

# Of each size of the pictures: width [px], points that are laid, motions that are improved, steps of each.
SIZES = ((24, 300, 16, 12), (48, 800, 8, 10), (96, 1500, 3, 8), (192, 1500, 2, 8))
PROBES = 160  # points that all motions are tried on
ORBITS = np.radians([-24, -12, 0, 12, 24]), np.radians([-8, 0, 8])  # [rad] around what is seen: aside, up
CLOSER = (-0.25, 0.0, 0.25)  # share of the way to what is seen
TURNS = np.linspace(-0.45, 0.45, 9), np.linspace(-0.35, 0.35, 7)  # shares of the field of view: aside, up
APART = 0.06, 0.01  # share of the distance by which motions differ that are tried, and that are improved
PLAIN = 0.15  # share of the mean contrast that a pixel has at least when points are chosen,
SHARP = 4.0  # and of which it has at most
CORRELATION = 25.0  # by how much errors of neighbouring pixels are larger than independent ones
UNLIKE = 0.7  # misfit from which the pictures do not show the same
RIVAL = 0.01  # misfit by which a motion must be better than any other, and than rest
VAGUE = 0.2  # [m] what is known no better than this is not measured


@dataclass(frozen=True)
class CameraFit(RigidFit):
    """The motion of a camera.

    Attributes:
        directed: Whether it is told which way it went and how it turned, even if not how far it went.
    """

    directed: bool = False


class _Tried(NamedTuple):
    misfit: float
    motion: Array
    information: Array


def camera_fit(
    reference: Seen, first: NDArray[np.uint8], second: NDArray[np.uint8], camera: Camera, depth_scale: float
) -> CameraFit:
    """Find `current_from_reference` by laying the first picture onto the second.

    Predicted depths err together; that error scales the translation and is added to the covariance along it.
    Not valid where the pictures hardly agree, or another motion fits as well.

    Args:
        reference: What the network says of the first picture.
        first: (H, W, 3).
        second: (H, W, 3).
        camera: Of the second picture; its pose is not used.
        depth_scale: By which predicted standard deviations of depth are too small.
    """
    rng = np.random.default_rng(0)
    tried = list[_Tried]()
    for width, count, most, steps in SIZES:
        layer = Layer.of(second, camera, width)
        points = _points(reference, Layer.of(first, reference.camera, width), count, depth_scale, rng)
        starts = [one.motion for one in tried] or _starts(layer, points, reference, most)
        tried = _improved(layer, points, starts[:most], steps)
    best, rivalled = tried[0], len(tried) > 1 and tried[1].misfit < tried[0].misfit + RIVAL
    if misfit(layer, points, np.eye(4)) < best.misfit + RIVAL:  # what may have stayed, has stayed
        best, rivalled = best._replace(motion=np.eye(4)), False
    centre = transform(best.motion, points.places).mean(axis=0)
    covariance = np.asarray(CORRELATION * np.linalg.inv(best.information + 1e-6 * np.eye(6)), float)
    directed = best.misfit < UNLIKE and not rivalled and _sharp(covariance)
    common = float(np.median(points.doubt)) * (centre - best.motion[:3, :3] @ points.places.mean(axis=0))
    covariance[3:, 3:] += np.outer(common, common)
    valid = directed and _sharp(covariance)
    return CameraFit(best.motion, covariance, centre, np.zeros(0, bool), float("nan"), 0, valid, directed)


def directed(fit: RigidFit) -> bool:
    """Tell whether a fit says which way a camera went, even if not how far, for want of a scale."""
    return isinstance(fit, CameraFit) and fit.directed


def _sharp(covariance: Array) -> bool:
    return bool(np.diag(covariance)[3:].sum() < VAGUE**2)


def posed(frame: Frame, reference: Frame, fit: RigidFit) -> Frame:
    """Return a frame whose camera is where the fit of `frame_from_reference` puts it."""
    assert frame.camera is not None and reference.camera is not None
    pose = reference.camera.world_from_camera @ invert(fit.b_from_a)
    return replace(frame, camera=replace(frame.camera, world_from_camera=pose))


def _points(seen: Seen, layer: Layer, count: int, depth_scale: float, rng: np.random.Generator) -> Points:
    """Choose points of a layer, more of them where colours change, and lift them."""
    contrast = layer.contrast
    likely = np.clip(contrast, PLAIN * contrast.mean() + 1e-6, SHARP * contrast.mean() + 1e-6)
    likely[[0, -1]] = likely[:, [0, -1]] = 0
    count = min(count, int((likely > 0).sum()))
    chosen = rng.choice(likely.size, count, replace=False, p=(likely / likely.sum(dtype=float)).ravel())
    row, column = np.divmod(chosen, likely.shape[1])
    pixels = np.stack([column, row], 1) + 0.5
    large = pixels * (seen.camera.width / layer.camera.width, seen.camera.height / layer.camera.height)
    depth, doubt = seen.depth_at(large)
    return Points(layer.camera.rays(pixels) * depth[:, None], layer.colour[row, column], depth_scale * doubt)


def _starts(layer: Layer, points: Points, reference: Seen, count: int) -> list[Array]:
    """Return rest, and the likeliest of the motions that a camera may make."""
    centre, some = np.median(points.places, axis=0), _some(points)
    motions = _motions(centre, reference.camera)
    ordered = motions[np.argsort(misfits(layer, some, motions))]
    return _apart([np.eye(4), *ordered], some.places, APART[0] * float(centre[2]), count)


def _some(points: Points) -> Points:
    return Points(points.places[:PROBES], points.colour[:PROBES], points.doubt[:PROBES])


def _motions(centre: Array, camera: Camera) -> Array:
    """Return motions (K, 4, 4): around what is seen, closer to it, and turned aside and up."""
    up, right = camera.camera_from_world[:3, 2], np.array([1.0, 0.0, 0.0])
    fov = 2 * np.arctan(camera.width / 2 / camera.intrinsics[0, 0])
    around = [
        rotation_matrix(aside * up) @ rotation_matrix(above * right) for aside, above in product(*ORBITS)
    ]
    orbits = [rigid(turn, centre - turn @ centre) for turn in around]
    ways = [rigid(np.eye(3), np.array([0.0, 0.0, share * centre[2]])) for share in CLOSER]
    turns = [
        rigid(
            rotation_matrix([0.0, aside * fov, 0.0]) @ rotation_matrix([above * fov, 0.0, 0.0]), np.zeros(3)
        )
        for aside, above in product(*TURNS)
    ]
    moved = np.einsum("aij,bjk->abik", np.stack(ways), np.stack(orbits)).reshape(-1, 4, 4)
    return np.asarray(np.einsum("aij,bjk->abik", np.stack(turns), moved).reshape(-1, 4, 4), float)


def _improved(layer: Layer, points: Points, starts: list[Array], steps: int) -> list[_Tried]:
    """Improve motions; return those that differ, the best first."""
    found = list[_Tried]()
    for start in starts:
        motion, information = align(layer, points, start, steps=steps)
        found.append(_Tried(misfit(layer, points, motion), motion, information))
    found.sort(key=lambda one: one.misfit)
    near = APART[1] * float(np.median(points.places[:, 2]))
    kept = _apart([one.motion for one in found], points.places[:50], near, len(found))
    return [one for one in found if any(one.motion is motion for motion in kept)]


def _apart(motions: list[Array], places: Array, least: float, count: int) -> list[Array]:
    """Return the first motions that put points (N, 3) at least so far [m] from one another."""
    kept, moved = list[Array](), list[Array]()
    for motion in motions:
        here = transform(motion, places)
        if all(np.linalg.norm(here - there, axis=1).mean() > least for there in moved):
            kept.append(motion)
            moved.append(here)
        if len(kept) == count:
            break
    return kept

"""Where the references of a step started and where they are now, in the world and in the pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spatial_reward.camera import Array, Camera
from spatial_reward.types import Answer, Frame, Reference
from spatial_reward.viz.step import Step

Pixel = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Track:
    """A reference at one step. What is unknown is None, never a guess.

    Attributes:
        name: Name of the reference.
        start: (3,) world position in the reference frame [m].
        now: (3,) world position in the current frame [m].
        covariance: (3, 3) of `now` in world axes [m^2].
        pixel: Where it is in the reference frame [px].
        match: Where it is in the current frame [px].
        followed: Whether it is followed through the pictures; else it is a fixed point of the world.
        valid: Whether it was found; a fixed point always is.
        reason: Why it was not found.
    """

    name: str
    start: Array | None = None
    now: Array | None = None
    covariance: Array | None = None
    pixel: Pixel | None = None
    match: Pixel | None = None
    followed: bool = True
    valid: bool = True
    reason: str = ""

    @property
    def displacement(self) -> Array | None:
        """(3,) motion since the reference frame in world axes [m]."""
        return None if self.start is None or self.now is None else self.now - self.start

    @property
    def moved(self) -> tuple[float, float]:
        """Length of the displacement and its standard deviation along it [m]; NaN where unknown."""
        if self.displacement is None:
            return float("nan"), float("nan")
        length = float(np.linalg.norm(self.displacement))
        if self.covariance is None:
            return length, float("nan")
        if length == 0:
            return length, float(np.sqrt(np.trace(self.covariance) / 3))
        along = self.displacement / length
        return length, float(np.sqrt(along @ self.covariance @ along))


def tracks(step: Step) -> list[Track]:
    """Return where every reference of a step is, in the order of `step.references`."""
    return [_track(step, name, reference) for name, reference in step.references.items()]


def _track(step: Step, name: str, reference: Reference) -> Track:
    start = _start(step.reference_frame, reference)
    pixel = reference.pixel or _seen(step.reference_frame, start)
    if reference.pixel is None:
        return Track(name, start, start, pixel=pixel, match=_seen(step.frame, start), followed=False)
    answer = step.signal.answers.get(name)
    motion = _motion(answer)
    if answer is None or motion is None:
        reason = answer.text if answer is not None and answer.text else "no usable measurement"
        return Track(name, start, pixel=pixel, valid=False, reason=reason)
    now = covariance = None
    if start is not None and step.reference_frame.camera is not None:
        rotation = step.reference_frame.camera.world_from_camera[:3, :3]
        now = start + rotation @ motion
        covariance = _rotated(rotation, answer)
    return Track(name, start, now, covariance, pixel, answer.match or _seen(step.frame, now))


def _start(frame: Frame, reference: Reference) -> Array | None:
    """Return the start of a reference [m, world], measured by the frame's depth where not given."""
    if reference.position is not None:
        return np.asarray(reference.position, float)
    if frame.camera is None or frame.depth is None or not frame.camera.contains(reference.pixel or (-1, -1)):
        return None
    column, row = np.floor(reference.pixel or ()).astype(int)
    depth = float(frame.depth[row, column])
    return frame.camera.unproject(reference.pixel or (), depth) if np.isfinite(depth) and depth > 0 else None


def _motion(answer: Answer | None) -> Array | None:
    """Return the (3,) displacement in camera-1 axes [m] that an answer states, if it may be used."""
    if answer is None or not answer.valid or not isinstance(answer.value, np.ndarray):
        return None
    usable = answer.value.shape == (3,) and bool(np.isfinite(answer.value).all())
    return np.asarray(answer.value, float) if usable else None


def _rotated(rotation: Array, answer: Answer) -> Array | None:
    """Return the covariance of an answer in world axes [m^2]; None where it states no finite spread."""
    covariance = answer.covariance
    if covariance is None:
        covariance = np.diag(np.broadcast_to(np.square(answer.std), 3))
    return rotation @ covariance @ rotation.T if np.isfinite(covariance).all() else None


def _seen(frame: Frame, point: Array | None) -> Pixel | None:
    """Project a world point into a frame; None where its camera is unknown or it is out of view."""
    if frame.camera is None or point is None:
        return None
    pixel, _ = frame.camera.project(point)
    return (float(pixel[0]), float(pixel[1])) if frame.camera.contains(pixel) else None


def image_covariance(camera: Camera, point: Array, covariance: Array) -> Array:
    """Project the covariance (3, 3) [m^2] of a world point to the image, to first order: (2, 2) [px^2]."""
    x, y, depth = camera.camera_from_world[:3, :3] @ point + camera.camera_from_world[:3, 3]
    pixel = camera.pixels((x, y, depth))
    pixels_from_camera = (camera.intrinsics[:2] - np.outer(pixel, (0.0, 0.0, 1.0))) / depth
    pixels_from_world = pixels_from_camera @ camera.camera_from_world[:3, :3]
    projected: Array = pixels_from_world @ covariance @ pixels_from_world.T
    return projected

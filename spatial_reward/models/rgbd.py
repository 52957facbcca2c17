"""The classical model: measured depth, registration of surfaces by colour and depth, and geometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, invert, transform
from spatial_reward.geometry import (
    CameraMotion,
    RigidFit,
    camera_motion,
    depth_noise,
    estimated_camera_motion,
    extents,
    sample_depth,
)
from spatial_reward.models.asking import fault
from spatial_reward.models.camera_answer import camera_answer, vector_or_length
from spatial_reward.models.camera_error import LOST_CAMERA, unsteady, unsure
from spatial_reward.models.ego_motion import ego_motion
from spatial_reward.models.exposure import evened
from spatial_reward.models.following import Found, follow
from spatial_reward.models.naming import colour_of, middle, named_patches
from spatial_reward.models.one_thing import Patch, one_thing
from spatial_reward.models.region import HOLE, Region, View, footprint, grow
from spatial_reward.models.registration import Sight
from spatial_reward.types import Answer, Frame, PixelPoint, Question, Value

PoseSource = Literal["auto", "estimated"]
Masks = list[tuple[float, NDArray[np.bool_]]]  # scores and pixels (H, W)
FEWEST = 20  # pixels of a surface that can be followed
SURE = 0.85  # share of a surface that must agree where it is not known how the camera moved
VAGUE = 0.05  # [m]; what is known no better than this is not measured


class Unanswerable(ValueError):
    """Why a question has no answer."""


class RGBD:
    """Measure with depth and classical matching; everything that it cannot see is not valid.

    Args:
        pose: "auto" takes the frames' camera poses as known; "estimated" uses only the first one, for the
            direction of gravity, and measures the camera's motion from the pictures.

    Raises:
        ValueError: If `pose` is unknown.
    """

    name = "rgbd"
    needs = frozenset({"depth", "camera"})

    def __init__(self, pose: PoseSource = "auto") -> None:
        """Check the option."""
        if pose not in get_args(PoseSource):
            raise ValueError(f"`pose` must be one of {get_args(PoseSource)}, got {pose!r}.")
        self.pose = pose
        # What was computed of a frame lives as long as the frame.
        self._views: WeakKeyDictionary[Frame, View] = WeakKeyDictionary()
        self._egos: WeakKeyDictionary[Frame, WeakKeyDictionary[Frame, RigidFit]] = WeakKeyDictionary()
        self._regions: WeakKeyDictionary[Frame, dict[PixelPoint, Region]] = WeakKeyDictionary()
        self._things: WeakKeyDictionary[Frame, dict[str, Masks]] = WeakKeyDictionary()

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer every question, or say why not."""
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Answer:
        if wrong := fault(question):
            return Answer.unknown(wrong, source=self.name)
        try:
            answer = self._method(question.kind)(self._pointed(question))
        except ValueError as reason:
            return Answer.unknown(str(reason), source=self.name)
        return replace(answer, source=self.name)

    def _method(self, kind: str) -> Callable[[Question], Answer]:
        methods = {
            "depth_est": self._depth,
            "depth_cmp": self._compared_depth,
            "vc_coord": self._match,
            "vc_mcq": self._choice,
            "cam": self._camera,
            "obj": self._object,
            "size": self._size,
        }
        for prefix, method in methods.items():
            if kind.startswith(prefix):
                return method
        raise Unanswerable(f"{self.name} does not know questions of kind {kind!r}.")

    def _depth(self, question: Question) -> Answer:
        depth, std = self._depths(question)
        return Answer(float(depth[0]), "m", float(std[0]))

    def _compared_depth(self, question: Question) -> Answer:
        (first, second), std = self._depths(question)
        sure = abs(first - second) > self._apart(question.frames[0], std)
        closer = question.labels[-1] == "closer"
        chosen = 0 if (first < second) == closer else 1
        point = question.points[chosen]
        value: Value = "AB"[chosen] if question.kind.endswith("dot") else np.array([point.x, point.y])
        return Answer(value, "1" if question.kind.endswith("dot") else "px", 0.0, valid=sure)

    def _apart(self, frame: Frame, std: Array) -> float:
        """Return by how much [m] two depths of a frame must differ to be compared; `std` (2,) are theirs."""
        return float(np.hypot(*std))

    def _depths(self, question: Question) -> tuple[Array, Array]:
        frame = question.frames[0]
        if frame.depth is None:
            raise Unanswerable(
                f"The frame of view {frame.view!r} has no depth, which this model measures with."
            )
        pixels = np.array([(point.x, point.y) for point in question.points if point.frame == 0])
        depth, std = sample_depth(frame.depth, pixels)
        if not np.isfinite(depth).all():
            raise Unanswerable(f"No depth was measured at {pixels[~np.isfinite(depth)].tolist()}.")
        return depth, np.hypot(std, depth_noise(depth))

    def _match(self, question: Question) -> Answer:
        lost = self._lost(*_pair(question))
        relative = np.eye(4) if lost else self._relative(*_pair(question))
        sight, region, found = self._followed(question, relative)
        moved = transform(sight.current_from_reference, transform(found.motion, region.origin))
        pixel = sight.view.camera.pixels(moved)
        inside = bool(sight.view.camera.contains(pixel))
        _, covariance = found.displacement(region, sight, region.origin)
        std = np.sqrt(np.diag(covariance)[:2]) / footprint(sight.view.camera, moved)
        match = (float(pixel[0]), float(pixel[1]))
        if lost:  # the camera has moved, so that nothing stands where it stood
            sure = found.valid and found.how == "searched" and found.support.agreeing >= SURE
            return Answer(pixel, "px", std, valid=sure and inside, match=match)
        return Answer(pixel, "px", std, valid=found.valid and inside, match=match, motion=found.motion)

    def _choice(self, question: Question) -> Answer:
        match = self._match(question)
        x, y = np.asarray(match.value, float)
        pairs = zip(question.points, question.labels, strict=True)
        offered = [(np.hypot(at.x - x, at.y - y), letter) for at, letter in pairs if at.frame == 1]
        return Answer(min(offered)[1], "1", 0.0, valid=match.valid, match=match.match)

    def _camera(self, question: Question) -> Answer:
        answer = camera_answer(question, self._camera_motion(*_pair(question)))
        return unsure(answer) if self._doubts(question) else answer

    def _doubts(self, question: Question) -> bool:
        """Tell whether what is asked of the camera's motion is but a guess."""
        return self._lost(*_pair(question))

    def _camera_motion(self, reference: Frame, current: Frame) -> CameraMotion:
        if reference.camera is None or current.camera is None:
            raise Unanswerable("The camera's motion needs the cameras of both frames.")
        if self.pose == "auto":
            return camera_motion(reference.camera.world_from_camera, current.camera.world_from_camera)
        return estimated_camera_motion(
            self._likeliest(reference, current), reference.camera.world_from_camera
        )

    def _object(self, question: Question) -> Answer:
        answer = self._moved(question)
        return answer if self.pose == "auto" else unsteady(answer, self._ego(*_pair(question)), 1.0, VAGUE)

    def _moved(self, question: Question) -> Answer:
        sight, region, found = self._followed(question, self._relative(*_pair(question)))
        anchor = region.origin if question.anchor is None else np.asarray(question.anchor, float)
        moved = transform(sight.current_from_reference, transform(found.motion, region.origin))
        displacement, covariance = found.displacement(region, sight, anchor)
        pixel = sight.view.camera.pixels(moved)
        answer = vector_or_length(question, displacement, covariance)
        text = f"{found.how}: {found.support.agreeing:.0%} agree, {found.support.hidden:.0%} hidden"
        match = (float(pixel[0]), float(pixel[1])) if np.isfinite(pixel).all() else None
        std = np.sqrt(np.trace(covariance))  # [m]
        if std >= VAGUE:
            text += f"; known only to {1000 * std:.0f} mm"
        return replace(
            answer, valid=found.valid and bool(std < VAGUE), text=text, match=match, motion=found.motion
        )

    def _followed(self, question: Question, relative: Array) -> tuple[Sight, Region, Found]:
        """Follow the surface under the first point into the last frame; `relative` as `_relative` says."""
        reference, current = _pair(question)
        region = self._region(reference, question.points[0])
        view, even = self._view(current), evened(reference, current, relative)
        if even is not current:
            view = View.of(even)
        sight = Sight(view, relative, up=self._view(reference).camera.camera_from_world[:3, 2])
        previous = None if question.previous is None else question.previous.motion
        return sight, region, follow(region, sight, previous)

    def _likeliest(self, reference: Frame, current: Frame) -> RigidFit:
        """Return how the camera moved most likely, whether that is believed or not."""
        fit = self._ego(reference, current)
        if not np.isfinite(fit.b_from_a).all():
            raise Unanswerable(LOST_CAMERA)
        return fit

    def _placed(self, first: Frame, frame: Frame) -> bool:
        """Tell whether it is known where a frame was taken, given where the first was."""
        return frame is first or not self._lost(first, frame)

    def _lost(self, reference: Frame, current: Frame) -> bool:
        """Tell whether how the camera moved is but a guess."""
        return self.pose == "estimated" and not self._ego(reference, current).valid

    def _relative(self, reference: Frame, current: Frame) -> Array:
        """Return `current_from_reference` (4, 4) of the cameras."""
        if self.pose == "estimated":
            return self._likeliest(reference, current).b_from_a
        return self._view(current).camera.camera_from_world @ self._view(reference).camera.world_from_camera

    def _pointed(self, question: Question) -> Question:
        """Point at the thing that a question names, in every picture of which is known where it was taken."""
        if not question.kind.startswith("size") or question.points or not question.labels:
            return question
        name, first = question.labels[0], question.frames[0]
        if colour_of(name) is None:
            raise Unanswerable(
                f"The name {name!r} says no colour, and this model finds things by that alone."
            )
        placed = [(n, frame) for n, frame in enumerate(question.frames) if self._placed(first, frame)]
        chosen = one_thing([self._patches(first, frame, name) for _, frame in placed])
        found = [(n, patch) for (n, _), patch in zip(placed, chosen, strict=True) if patch is not None]
        if not found:
            raise Unanswerable(f"Nothing of the colour of {name!r} is seen.")
        points = tuple(PixelPoint(*middle(patch.mask), number) for number, patch in found)
        return replace(question, points=points)

    def _patches(self, first: Frame, frame: Frame, name: str) -> list[Patch]:
        """Return the patches of a frame that may show what is named, with their points."""
        masks = self._named(frame, name)
        return [Patch(score, mask, self._points(first, frame, mask)) for score, mask in masks]

    def _named(self, frame: Frame, name: str) -> Masks:
        known = self._things.setdefault(frame, {})
        if name not in known:
            known[name] = named_patches(frame, name)
        return known[name]

    def _size(self, question: Question) -> Answer:
        """Measure the extent of what is seen of the thing that the points are on."""
        if not question.points:
            raise Unanswerable("A size needs a point on the object, or its name.")
        parts = [self._part(question, point) for point in question.points]
        height, length, width = extents(np.concatenate(parts))[:3]
        value = {"size_height": height, "size_length": length, "size_width": width}[question.kind]
        camera = self._view(question.frames[question.points[-1].frame]).camera
        centre = transform(camera.camera_from_world, parts[-1].mean(axis=0))
        answer = Answer(float(value), "m", 2 * footprint(camera, centre))
        seen = [question.frames[point.frame] for point in question.points]
        return answer if all(self._placed(question.frames[0], frame) for frame in seen) else unsure(answer)

    def _part(self, question: Question, point: PixelPoint) -> Array:
        """Return the points (N, 3) [m, world] around a pixel: of the named patch, else of its surface."""
        first, frame = question.frames[0], question.frames[point.frame]
        masks = [mask for _, mask in self._named(frame, question.labels[0])] if question.labels else []
        named = (mask for mask in masks if mask[int(point.y), int(point.x)])
        mask = next(named, None)
        return self._points(first, frame, self._region(frame, point).mask if mask is None else mask)

    def _points(self, first: Frame, frame: Frame, mask: NDArray[np.bool_]) -> Array:
        """Return the surface points (N, 3) [m, world] of a frame's pixels (H, W); none without depth."""
        if frame.depth is None or first.camera is None:
            return np.zeros((0, 3))
        view, world_from_frame = self._view(frame), first.camera.world_from_camera
        if frame is not first:
            world_from_frame = world_from_frame @ invert(self._relative(first, frame))
        return transform(world_from_frame, view.points[mask & np.isfinite(view.depth)])

    def _ego(self, reference: Frame, current: Frame) -> RigidFit:
        known = self._egos.setdefault(reference, WeakKeyDictionary())
        if current not in known:
            known[current] = ego_motion(reference, current)
        return known[current]

    def _view(self, frame: Frame) -> View:
        if frame not in self._views:
            self._views[frame] = View.of(frame)
        return self._views[frame]

    def _region(self, frame: Frame, point: PixelPoint) -> Region:
        known = self._regions.setdefault(frame, {})
        if point not in known:
            region = grow(self._view(frame), (point.x, point.y))
            if region is None:
                raise Unanswerable(
                    f"No depth was measured at pixel ({point.x:.1f}, {point.y:.1f}), nor within {HOLE} px "
                    "on what looks alike: point elsewhere."
                )
            if (size := int(region.mask.sum())) < FEWEST:
                raise Unanswerable(
                    f"No surface to follow around pixel ({point.x:.1f}, {point.y:.1f}): {size} pixels of one "
                    f"surface with depth, but it takes {FEWEST}: point at a larger one."
                )
            known[point] = region
        return known[point]


def _pair(question: Question) -> tuple[Frame, Frame]:
    if len(question.frames) < 2:
        raise Unanswerable(f"{question.kind!r} compares two frames, got {len(question.frames)}.")
    return question.frames[0], question.frames[-1]

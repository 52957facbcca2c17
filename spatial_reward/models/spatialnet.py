"""The embedded model: a small network that predicts depth and matches, and geometry that does the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np

from spatial_reward.camera import Array, transform
from spatial_reward.geometry import CameraMotion, RigidFit, extents
from spatial_reward.models.asking import ends, fault, number, same_pose
from spatial_reward.models.camera_answer import vector_or_length
from spatial_reward.models.camera_error import unsteady
from spatial_reward.models.rgbd import RGBD, PoseSource, Unanswerable
from spatial_reward.models.spatialnet_ego import camera_fit, directed, posed
from spatial_reward.models.spatialnet_motion import SAME, body_motion, body_points, region_pixels
from spatial_reward.models.spatialnet_patch import Place, Prepared, cut, place
from spatial_reward.models.spatialnet_sight import LARGEST, SMALLEST, STEP, STRIDE, Eyes, Matched
from spatial_reward.models.spatialnet_weights import SHIPPED, load_runtime
from spatial_reward.models.spatialnet_window import Windows, closer, shifted
from spatial_reward.types import Answer, Frame, PixelPoint, Question

DepthSource = Literal["auto", "predicted", "measured"]
SEEN = 0.5  # probability from which a point counts as seen
VAGUE = 0.20  # [m]; what is known no better than this is not measured
DOUBTFUL = 6.0  # [px of a small picture]; a place known no better than this is none
RAISED = 0.025  # [m] that the lowest known point, the middle of a thing, lies above what it stands on
UNSHARED = (
    0.3  # of the errors of two predicted depths: most of it, the scale, is the same (validation scenes)
)

Body = tuple[Array, Array]  # pixels (N, 2) and how likely each belongs to it


class SpatialNet(RGBD):
    """Measure with a trained network, from pictures alone or with measured depth.

    Depth is predicted where it is not measured; then matches and depth come from the network, and the motion
    of a body from one rigid fit over its region. With measured depth, surfaces are registered as by `RGBD`.

    Args:
        weights: Folder of a model; None takes the one that comes with the package.
        depth: "auto" uses measured depth where both frames have it; "predicted" never, "measured" always.
        pose: As for `RGBD`.
        support: Height of the horizontal plane that things stand on [m, world], where it is known: the
            scale that a single picture lacks. None takes it to be just below the lowest point whose place
            a question knows, if any, and else leaves the scale to the look of things.
        slides: Probability in (0, 1) that what moves keeps its height, before it is looked at; low for hands
            and what they carry. None takes that of calibration.
        size: Longer side [px] of the pictures that the network sees.
        device: Of the network; anything but "cpu" needs torch.

    Raises:
        FileNotFoundError: If there is no model.
        ValueError: If an option is unknown, or the weights are damaged.
    """

    name = "spatialnet"
    needs = frozenset({"camera"})
    uses: frozenset[str] = frozenset()

    def __init__(
        self,
        weights: str | Path | None = None,
        depth: DepthSource = "auto",
        pose: PoseSource = "auto",
        support: float | None = None,  # [m]
        slides: float | None = None,
        size: int = 128,  # [px]
        device: str = "cpu",
    ) -> None:
        """Load the weights."""
        super().__init__(pose)
        if depth not in get_args(DepthSource):
            raise ValueError(f"`depth` must be one of {get_args(DepthSource)}, got {depth!r}.")
        if size % STEP or not SMALLEST <= size <= LARGEST:
            raise ValueError(f"`size` must be a multiple of {STEP} from {SMALLEST} to {LARGEST}, got {size}.")
        if support is not None and not np.isfinite(number(support)):
            raise ValueError(f"`support` must be a height [m] or None (not known), got {support!r}.")
        if slides is not None and not 0 < number(slides) < 1:
            raise ValueError(
                f"`slides` must be a probability in (0, 1) or None (calibrated), got {slides!r}."
            )
        self.depth = depth
        if depth == "auto":
            self.uses = frozenset({"depth"})
        if depth == "measured":
            self.needs = frozenset({"camera", "depth"})
        runtime, self.calibration = load_runtime(SHIPPED if weights is None else Path(weights), device)
        if slides is not None:
            self.calibration = {**self.calibration, "slides": float(slides)}
        self.eyes = Eyes(runtime, size, support, depth != "predicted")
        self.windows = Windows(size)
        self._bodies: WeakKeyDictionary[Frame, dict[PixelPoint, Body]] = WeakKeyDictionary()
        self._pictures: WeakKeyDictionary[Frame, Prepared] = WeakKeyDictionary()
        self._lowest: WeakKeyDictionary[Frame, float] = WeakKeyDictionary()
        self._reposed: WeakKeyDictionary[Frame, WeakKeyDictionary[Frame, Frame]] = WeakKeyDictionary()
        self._found: dict[int, tuple[Matched, Place]] = {}

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer every question, or say why not; what is alike is computed in one batch."""
        self._guess_supports(questions)
        faults = [fault(question) for question in questions]
        good = [question for question, wrong in zip(questions, faults, strict=True) if not wrong]
        answers = self._answers([self._posed(question) for question in good])
        known = map(self._unsteady, good, answers)
        return [Answer.unknown(wrong, source=self.name) if wrong else next(known) for wrong in faults]

    def _answers(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer from windows where bodies were last, else from whole pictures and windows where they are."""
        last = {i: q.previous.match for i, q in enumerate(questions) if q.previous and q.previous.match}
        answers = {i: a for i, a in self._closely(questions, last).items() if a.valid}
        rest = [i for i in range(len(questions)) if i not in answers]
        whole = dict(zip(rest, self._asked([questions[i] for i in rest]), strict=True))
        near = self._closely(questions, {i: answer.match for i, answer in whole.items() if answer.match})
        answers |= {i: near[i] if i in near and near[i].valid else answer for i, answer in whole.items()}
        return [answers[i] for i in range(len(questions))]

    def _closely(
        self, questions: Sequence[Question], places: Mapping[int, tuple[float, float]]
    ) -> dict[int, Answer]:
        """Answer questions, by number, from windows around places of their last frames, where these pay."""
        sides = {i: self._side(questions[i]) for i in places}
        cut = {
            i: closer(self.windows, questions[i], np.array(places[i]), side)
            for i, side in sides.items()
            if side is not None
        }
        for i, (question, _) in cut.items():
            if questions[i].frames[0] in self._lowest:
                self._lowest[question.frames[0]] = self._lowest[questions[i].frames[0]]
        answers = self._asked([question for question, _ in cut.values()])
        return {i: shifted(a, corner) for (i, (_, corner)), a in zip(cut.items(), answers, strict=True)}

    def _side(self, question: Question) -> int | None:
        """Return the side of a window on a question's body [px]; None where the whole picture will do."""
        frame = question.frames[0]
        asked = question.kind.startswith(("obj", "vc_coord")) and self._predicts(question)
        if not asked or self.windows.side(frame, 0.0) is None:
            return None
        self.eyes.look([frame], self._supports([question]))
        seen, point = self.eyes.seen(frame), question.points[0]
        cells = (seen.same_body((point.x, point.y)) > SAME).sum()
        return self.windows.side(frame, float(cells * STRIDE**2 / np.prod(seen.scale)))

    def _asked(self, questions: Sequence[Question]) -> list[Answer]:
        frames = [f for q in questions for f in q.frames if not self._measured(f)]
        self.eyes.look(frames, self._supports(questions))
        moving = [q for q in questions if q.kind.startswith(("obj", "vc")) and self._predicts(q)]
        matched = self.eyes.match([(*ends(q), self._body(q.frames[0], q.points[0])[0]) for q in moving])
        self._found = {
            id(q): (found, self._place(q, found)) for q, found in zip(moving, matched, strict=True)
        }
        try:
            return super().answer(questions)
        finally:
            self._found = {}

    def _estimates(self, question: Question) -> bool:
        """Tell whether a question about a thing needs the camera's motion, which is to be found."""
        asked = question.kind.startswith(("obj", "vc"))
        return self.pose == "estimated" and asked and self._predicts(question)

    def _posed(self, question: Question) -> Question:
        """Put the last camera where it is found to be, in place of a pose that is not to be trusted.

        A match is looked for without it where that is but a guess.
        """
        if not self._estimates(question):
            return question
        first, last = ends(question)
        fit = self._ego(first, last)
        if not fit.valid and not question.kind.startswith("obj"):
            return question
        known = self._reposed.setdefault(last, WeakKeyDictionary())
        if first not in known:
            known[first] = posed(last, first, fit)
        return replace(question, frames=(*question.frames[:-1], known[first]))

    def _unsteady(self, question: Question, answer: Answer) -> Answer:
        """Add the error of the camera's motion to that of a thing, where it was found."""
        if not self._estimates(question) or answer.unit != "m" or answer.value is None:
            return answer
        return unsteady(answer, self._ego(*ends(question)), self.calibration["camera"], VAGUE)

    def _guess_supports(self, questions: Sequence[Question]) -> None:
        """Guess how high the plane under a frame's things is, from the lowest point that is known of it."""
        for question in questions:
            first = question.frames[0]
            if question.anchor is not None and first.camera is not None:
                height = transform(first.camera.world_from_camera, question.anchor)[2] - RAISED
                self._lowest[first] = min(self._lowest.get(first, np.inf), float(height))

    def _supports(self, questions: Sequence[Question]) -> dict[Frame, float]:
        """Return how high the plane is for each frame where that was guessed: as of the first frame."""
        if np.isfinite(self.eyes.support):
            return {}
        known = [question for question in questions if question.frames[0] in self._lowest]
        return {frame: self._lowest[question.frames[0]] for question in known for frame in question.frames}

    def _measured(self, frame: Frame) -> bool:
        return self.depth == "measured" or (self.depth == "auto" and frame.depth is not None)

    def _predicts(self, question: Question) -> bool:
        """Tell whether a question about two frames is answered with predicted depth."""
        frames = question.frames
        calibrated = all(frame.camera is not None for frame in frames)
        return (
            len(frames) > 1 and calibrated and not all(map(self._measured, frames)) and bool(question.points)
        )

    def _depths(self, question: Question) -> tuple[Array, Array]:
        frame = question.frames[0]
        if self._measured(frame):
            return super()._depths(question)
        pixels = np.array([(point.x, point.y) for point in question.points if point.frame == 0])
        depth, relative = self.eyes.seen(frame).depth_at(pixels)
        return depth, self.calibration["depth"] * relative * depth

    def _apart(self, frame: Frame, std: Array) -> float:
        return super()._apart(frame, std) * (1.0 if self._measured(frame) else UNSHARED)

    def _body(self, frame: Frame, point: PixelPoint) -> Body:
        """Return the pixels of a frame that move with a point, found once."""
        known = self._bodies.setdefault(frame, {})
        if point not in known:
            at = (point.x, point.y)
            known[point] = region_pixels(self.eyes.seen(frame), self.eyes.seen(frame).same_body(at), at)
        return known[point]

    def _place(self, question: Question, matched: Matched) -> Place:
        """Improve the network's match of the first point by comparing pictures."""
        first, second = ends(question)
        at = np.array([question.points[0][:2]])
        depth, _ = self.eyes.seen(first).depth_at(at)
        camera = self.eyes.seen(second).camera
        unmoved = camera.project(self.eyes.seen(first).camera.unproject(at, depth))[0][0]
        patch = cut(self._picture(first), question.points[0][:2])
        seen = unmoved if camera.contains(unmoved) else None
        last = None if question.previous is None else question.previous.match
        where = None if last is None else np.array(last)
        stays = same_pose(first, second)
        spread = float(matched.std[0])
        network = matched.pixel[0]
        return place(patch, self._picture(second), seen, network, where, spread=spread, stays=stays)

    def _picture(self, frame: Frame) -> Prepared:
        if frame not in self._pictures:
            self._pictures[frame] = Prepared.of(frame.rgb)
        return self._pictures[frame]

    def _match(self, question: Question) -> Answer:
        if not self._predicts(question):
            return super()._match(question)
        _, at = self._found[id(question)]
        std, (x, y) = np.full(2, self.calibration["match"] * at.std), at.pixel
        return Answer(at.pixel, "px", std, valid=self._sees(question), match=(float(x), float(y)))

    def _sees(self, question: Question) -> bool:
        matched, at = self._found[id(question)]
        inside = self.eyes.seen(question.frames[-1]).camera.contains(at.pixel)
        return bool(matched.visible[0] > SEEN and inside and at.doubt < DOUBTFUL)

    def _object(self, question: Question) -> Answer:
        if not self._predicts(question):
            return super()._object(question)
        reference, current = (self.eyes.seen(frame) for frame in ends(question))
        pixels, weight = self._body(question.frames[0], question.points[0])
        matched, at = self._found[id(question)]
        moved = body_motion(
            reference, current, pixels, weight, matched, at, question.anchor, self.calibration
        )
        covariance = self.calibration["object"] ** 2 * moved.covariance
        valid = self._sees(question) and bool(np.trace(covariance) < VAGUE**2)
        text = f"{at.how}: {at.unlike:.0f} grey levels off, seen with probability {matched.visible[0]:.0%}"
        answer = vector_or_length(question, moved.displacement, covariance)
        match = (float(at.pixel[0]), float(at.pixel[1]))
        return replace(answer, valid=valid, text=text, match=match, motion=moved.motion)

    def _doubts(self, question: Question) -> bool:
        scaled = not question.kind.startswith(("cam_dir", "cam_deg"))
        return super()._doubts(question) and (scaled or not directed(self._ego(*ends(question))))

    def _placed(self, first: Frame, frame: Frame) -> bool:
        known = self.pose == "auto" or (self._measured(first) and self._measured(frame))
        return super()._placed(first, frame) if known else frame is first

    def _camera_motion(self, reference: Frame, current: Frame) -> CameraMotion:
        motion = super()._camera_motion(reference, current)
        if self.pose == "auto" or (self._measured(reference) and self._measured(current)):
            return motion
        scale = np.repeat([self.calibration["camera"], self.calibration["angle"]], [3, 2])
        return replace(motion, covariance=motion.covariance * np.outer(scale, scale))

    def _ego(self, reference: Frame, current: Frame) -> RigidFit:
        if self._measured(reference) and self._measured(current):
            return super()._ego(reference, current)
        known = self._egos.setdefault(reference, WeakKeyDictionary())
        if current not in known and current.camera is not None:
            self.eyes.look([reference], {reference: self._lowest.get(reference, self.eyes.support)})
            first, scale = self.eyes.seen(reference), self.calibration["depth"]
            known[current] = camera_fit(first, reference.rgb, current.rgb, current.camera, scale)
        return known[current]

    def _size(self, question: Question) -> Answer:
        if all(self._measured(frame) for frame in question.frames):
            return super()._size(question)
        first, shown = question.frames[0], [(question.frames[at.frame], at) for at in question.points]
        seen = [(self.eyes.seen(frame), at) for frame, at in shown if self._placed(first, frame)]
        if not seen:
            raise Unanswerable("A size needs a point on the object, in a picture whose pose is known.")
        points, spread = zip(*(body_points(one, (at.x, at.y)) for one, at in seen), strict=True)
        height, length, width = extents(np.concatenate(points))[:3]
        value = {"size_height": height, "size_length": length, "size_width": width}[question.kind]
        return Answer(float(value), "m", float(np.hypot(max(spread), 0.2 * value)))

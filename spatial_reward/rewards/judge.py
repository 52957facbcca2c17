"""The judge: asks where the things of a goal went since the reference frame, and says how far it is."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real

import numpy as np

from spatial_reward.camera import Array, Camera, transform
from spatial_reward.rewards.goal_base import Goal, Track, Watch
from spatial_reward.rewards.goal_text import parse_goal
from spatial_reward.types import Answer, Frame, Model, PixelPoint, Question, Reference, Signal

MOTION, DEPTH = "obj_vec_coord", "depth_est_coord"  # the two kinds of question that it asks


class Judge:
    """Judge the frames of one episode: `reset`, then `questions` and `signal` for every frame.

    Asking and judging are apart so that the questions of many judges can be answered in one batch;
    `observe` does both. What it remembers of the episode: the references, the last usable answer about
    each (the `previous` of the next question), and the stage of a staged goal. It holds no potentials.

    Args:
        goal: A goal, or its text.
    """

    def __init__(self, goal: Goal | str) -> None:
        """Read the goal."""
        self.goal = parse_goal(goal)

    def reset(
        self,
        frame: Frame,
        references: Mapping[str, Reference],
        truth: Mapping[str, Array] | None = None,
    ) -> None:
        """Begin an episode.

        Args:
            frame: The reference frame; motion is measured since it.
            references: The things of the goal, by name. Without a pixel they are fixed points of the world;
                without a position, that is asked as a depth in the reference frame.
            truth: True (3,) world positions [m] by name, which questions then carry as their answers.

        Raises:
            ValueError: If a name of the goal has no reference, or a pixel is outside the picture or its
                camera unknown.
        """
        self.frame = frame
        self.references = {name: _reference(name, references) for name in self.goal.names}
        self._camera = _camera(frame, self.references)
        self._truth = truth
        known = {name: reference.position for name, reference in self.references.items()}
        self._starts = {n: Track(np.asarray(p, float)) for n, p in known.items() if p is not None}
        self._previous: dict[str, Answer] = {}
        self._asked: list[tuple[str, str]] = []
        self._still: dict[str, Answer] = {}
        self._watch: Watch | None = None

    def questions(self, frame: Frame, truth: Mapping[str, Array] | None = None) -> list[Question]:
        """Return what must be answered about a frame: the motion of every reference with a pixel.

        Where a reference started is asked as well while it is unknown. Nothing has moved in the reference
        frame itself (the very object given to `reset`), so motion is not asked there.

        Args:
            frame: The frame to judge.
            truth: True (3,) world positions [m] by name in this frame.

        Raises:
            RuntimeError: Before the first reset.
        """
        if not hasattr(self, "references"):
            raise RuntimeError("Call Judge.reset(frame, references) before asking about a frame.")
        followed = [name for name, reference in self.references.items() if reference.pixel is not None]
        depths = [name for name in followed if name not in self._starts]
        motions = followed if frame is not self.frame else []
        self._still = {name: _still(self.references[name]) for name in followed if name not in motions}
        self._asked = [(name, DEPTH) for name in depths] + [(name, MOTION) for name in motions]
        asked = [self._depth_question(name) for name in depths]
        return asked + [self._motion_question(name, frame, truth) for name in motions]

    def signal(self, answers: Sequence[Answer]) -> Signal:
        """Judge the frame of the last `questions` by their answers, in their order.

        Raises:
            ValueError: If there are not as many answers as questions.
        """
        if len(answers) != len(self._asked):
            raise ValueError(f"{len(self._asked)} questions were asked, but {len(answers)} answers given.")
        motions = [pair for pair in zip(self._asked, answers, strict=True) if pair[0][1] == MOTION]
        depths = [pair for pair in zip(self._asked, answers, strict=True) if pair[0][1] == DEPTH]
        named = {**self._still, **{name: answer for (name, _), answer in motions}}
        for (name, _), answer in motions:
            self._remember(name, answer)
        for (name, _), answer in depths:
            if not self._locate(name, answer):  # its motion says nothing without its start
                named[name] = replace(answer, valid=False)
        return self._verdict(named)

    def observe(self, frame: Frame, model: Model) -> Signal:
        """Ask a model about a frame and judge its answers."""
        questions = self.questions(frame)
        return self.signal(model.answer(questions) if questions else [])

    def _verdict(self, answers: Mapping[str, Answer]) -> Signal:
        """Judge where the answers say that things are."""
        if len(self._starts) < len(self.references) or not all(map(_is_motion, answers.values())):
            return Signal.unknown(answers)
        moved = {name: self._moved(name, answer) for name, answer in answers.items()}
        if self._watch is None:
            self._watch = self.goal.watch(self._starts)
        verdict = self._watch.see({**self._starts, **moved})
        return Signal(
            potential=0.0 - verdict.distance,
            progress=verdict.progress,
            success=verdict.success,
            std=verdict.std,
            valid=True,
            answers=answers,
        )

    def _moved(self, name: str, answer: Answer) -> Track:
        """Return where a reference is, in the world: its start plus its motion."""
        position, _, start = self._starts[name]
        rotation = _known(self._camera).world_from_camera[:3, :3]
        motion = rotation @ np.asarray(answer.value, float)
        return Track(position + motion, rotation @ _covariance(answer) @ rotation.T, start)

    def _remember(self, name: str, answer: Answer) -> None:
        if _is_motion(answer):
            self._previous[name] = answer

    def _locate(self, name: str, answer: Answer) -> bool:
        """Place a reference on the ray of its pixel, at the measured depth; tell whether there is one."""
        depth = answer.value
        if not answer.valid or not isinstance(depth, Real) or not 0 < float(depth) < np.inf:
            return False
        camera, pixel = _known(self._camera), _point(self.references[name])[:2]
        ray = camera.world_from_camera[:3, :3] @ camera.rays(pixel)
        variance = float(np.mean(np.square(answer.std)))
        self._starts[name] = Track(camera.unproject(pixel, float(depth)), start=variance * np.outer(ray, ray))
        return True

    def _depth_question(self, name: str) -> Question:
        answer = None
        if self._truth is not None and name in self._truth:
            depth = transform(_known(self._camera).camera_from_world, self._truth[name])[2]
            answer = Answer(float(depth), "m", 0.0, source="truth")
        return Question(DEPTH, (self.frame,), (_point(self.references[name]),), answer=answer)

    def _motion_question(self, name: str, frame: Frame, truth: Mapping[str, Array] | None) -> Question:
        reference, camera_from_world = self.references[name], _known(self._camera).camera_from_world
        answer = None
        if self._truth is not None and truth is not None and name in truth and name in self._truth:
            motion = camera_from_world[:3, :3] @ (truth[name] - self._truth[name])
            answer = Answer(motion, "m", 0.0, source="truth", covariance=np.zeros((3, 3)))
        anchor = None if reference.position is None else transform(camera_from_world, reference.position)
        return Question(
            MOTION,
            (self.frame, frame),
            (_point(reference),),
            answer=answer,
            anchor=anchor,
            previous=self._previous.get(name),
        )


def _reference(name: str, references: Mapping[str, Reference]) -> Reference:
    if name not in references:
        near = difflib.get_close_matches(name, references, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"The goal speaks of {name!r}, but the references are {sorted(references)}.{hint}")
    return references[name]


def _camera(frame: Frame, references: Mapping[str, Reference]) -> Camera | None:
    """Return the camera of the reference frame, checked against the pixels that need it."""
    for name, reference in references.items():
        if reference.pixel is None:
            continue
        if frame.camera is None:
            raise ValueError(
                f"{name!r} is followed from a pixel, but its frame has no camera: metres need a calibrated "
                "Camera (`calibration=`), or give only positions."
            )
        if not frame.camera.contains(reference.pixel):
            size = f"{frame.width} x {frame.height}"
            raise ValueError(f"The pixel {reference.pixel} of {name!r} is outside the {size} picture.")
    return frame.camera


def _known(camera: Camera | None) -> Camera:
    """Return the camera, which `reset` has checked wherever it is used."""
    if camera is None:
        raise RuntimeError("A reference with a pixel has no camera: call Judge.reset first.")
    return camera


def _point(reference: Reference) -> PixelPoint:
    x, y = reference.pixel or (np.nan, np.nan)
    return PixelPoint(float(x), float(y), 0)


def _still(reference: Reference) -> Answer:
    """Make the answer that holds by definition: nothing has moved since the reference frame in it."""
    zero = np.zeros(3)
    return Answer(zero, "m", zero, text="reference frame", covariance=np.zeros((3, 3)), match=reference.pixel)


def _is_motion(answer: Answer) -> bool:
    """Tell whether an answer states a finite vector (3,) in metres that may be used."""
    if not answer.valid or not isinstance(answer.value, np.ndarray) or answer.value.shape != (3,):
        return False
    return bool(np.isfinite(answer.value).all())


def _covariance(answer: Answer) -> Array:
    """Return the covariance (3, 3) [m^2] that an answer states; NaN where it states none."""
    if answer.covariance is not None:
        return np.asarray(answer.covariance, float)
    return np.diag(np.broadcast_to(np.square(np.asarray(answer.std, float)), 3))

"""Score episodes together, frame by frame, through the judge of the online wrapper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from spatial_reward.annotate.jobs import Job
from spatial_reward.annotate.settings import Settings
from spatial_reward.camera import Camera
from spatial_reward.data.episodes import BadEpisode, Calibration, EpisodeReader
from spatial_reward.data.sources.base import unread
from spatial_reward.rewards import Judge
from spatial_reward.types import Answer, Frame, Model, Question, Signal, uses_depth

CHUNK = 32  # frames that are held at a time when an episode is read backwards


@dataclass(eq=False)
class Scored:
    """What was found out about an episode.

    Attributes:
        job: The episode.
        steps: Numbers of the frames that were scored.
        times: (T,) of all frames that were read [s], by step.
        signals: One for each of `steps`.
        looked_again: How many frames were recovered looking backwards.
    """

    job: Job
    steps: list[int]
    times: list[float] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    looked_again: int = 0


class Frames:
    """The frames of a job, with cameras, one at a time."""

    def __init__(self, reader: EpisodeReader, job: Job, camera: str, depth: bool) -> None:
        """Remember; nothing is read yet."""
        self._reader, self._job, self._view, self._depth = reader, job, camera, depth
        self._size: tuple[int, int] | None = None
        self._still: Camera | None = None

    def __call__(self, steps: Sequence[int]) -> Iterator[Frame]:
        """Yield the frames of ascending steps.

        Raises:
            BadEpisode: If they cannot be read, or their sizes differ.
        """
        for step, seen in zip(
            steps, self._reader.frames(self._job.episode, self._view, steps, self._depth), strict=True
        ):
            height, width = seen.rgb.shape[:2]
            self._size = self._size or (width, height)
            if self._size != (width, height):
                raise BadEpisode(f"frame {step} is {width} x {height}, but the first is {self._size}")
            camera = self._camera(step, width, height)
            yield Frame(seen.rgb, seen.time, self._view, camera, seen.depth)

    def _camera(self, step: int, width: int, height: int) -> Camera | None:
        calibration = self._job.calibration
        if calibration is None:
            return None
        if calibration.moving:
            return calibration.camera(step, width, height)
        if self._still is None:
            self._still = _fitted(calibration, self._job.assumed, width, height)
        return self._still


def _fitted(calibration: Calibration, assumed: float | None, width: int, height: int) -> Camera:
    if assumed is None:
        return calibration.camera(0, width, height)
    level = calibration.camera(0, calibration.width, calibration.height).world_from_camera
    return Camera.from_fov(assumed, width, height, level)


def scored_steps(length: int, stride: int) -> list[int]:
    """Return the frames to score: every n-th, and the last.

    >>> scored_steps(10, 4)
    [0, 4, 8, 9]
    """
    steps = list(range(0, length, stride))
    return steps if not length or steps[-1] == length - 1 else [*steps, length - 1]


class _Run:
    """An episode on its way: the next frame, its questions, the answers so far."""

    def __init__(self, job: Job, frames: Frames, stride: int) -> None:
        self.job, self.frames = job, frames
        self.scored = Scored(job, scored_steps(job.episode.length, stride))
        self.judge, self.answers = Judge(job.goal), list[list[Answer]]()
        self.asked: list[Question] = []
        self.first: Frame | None = None
        self._coming = frames(self.scored.steps)

    def ask(self) -> list[Question] | None:
        """Go to the next frame and return its questions; None at the end."""
        frame = next(self._coming, None)
        if frame is None:
            return None
        if self.first is None:
            self.first = frame
            self.judge.reset(frame, self.job.references)
        self.scored.times.append(frame.time)
        self.asked = self.judge.questions(frame)
        return self.asked

    def take(self, answers: list[Answer]) -> None:
        """Judge the frame by its answers."""
        self.answers.append(answers)
        self.scored.signals.append(self.judge.signal(answers))


def score(
    jobs: Sequence[Job], reader: EpisodeReader, camera: str, model: Model, settings: Settings
) -> Iterator[Scored | tuple[Job, BadEpisode]]:
    """Score episodes in step, with one call of the model for each step; yield each when it is through.

    An episode that cannot be read is yielded with the reason, and the others go on.
    """
    running = []
    depth = settings.depth and uses_depth(model) and reader.has_depth(camera)
    for job in jobs:
        if job.episode.length < 1 and (fault := _fault(job, reader, camera)):
            yield job, fault
            continue
        running.append(_Run(job, Frames(reader, job, camera, depth), settings.stride))
    while running:
        going: list[_Run] = []
        for run in running:
            questions, bad = _asked(run)
            if bad is not None:
                yield run.job, bad
            elif questions is None:
                yield _finished(run, model, settings)
            else:
                going.append(run)
        _answer(going, model)
        running = going


def _fault(job: Job, reader: EpisodeReader, camera: str) -> BadEpisode:
    """Return the reason why an episode has no frames."""
    try:
        next(iter(reader.frames(job.episode, camera, [0])))
    except BadEpisode as fault:
        return fault
    except (IndexError, StopIteration):
        pass
    return BadEpisode("it has no frames")


def _asked(run: _Run) -> tuple[list[Question] | None, BadEpisode | None]:
    try:
        return run.ask(), None
    except BadEpisode as fault:
        return None, fault
    except ValueError as fault:  # of the judge: a pixel outside the picture
        return None, BadEpisode(str(fault))


def _answer(runs: Sequence[_Run], model: Model) -> None:
    """Answer the questions of all runs in one batch.

    Raises:
        RuntimeError: If the model does not give one answer per question.
    """
    flat = [question for run in runs for question in run.asked]
    answers = model.answer(flat) if flat else []
    if len(answers) != len(flat):
        raise RuntimeError(f"Model {model.name!r} gave {len(answers)} answers to {len(flat)} questions.")
    remaining = iter(answers)
    for run in runs:
        run.take([next(remaining) for _ in run.asked])


def _finished(run: _Run, model: Model, settings: Settings) -> Scored | tuple[Job, BadEpisode]:
    if settings.mode == "offline":
        try:
            _look_again(run, model)
        except BadEpisode as fault:
            return run.job, fault
    return run.scored


def _look_again(run: _Run, model: Model) -> None:
    """Ask again, backwards, about frames in which something was lost and after which it was found again."""
    lost = np.array([not signal.valid for signal in run.scored.signals])
    edges = np.flatnonzero(np.diff(np.pad(lost.astype(int), 1))).reshape(-1, 2)
    for first, after in edges:
        if after < len(lost):
            run.scored.looked_again += _walk_back(run, model, int(first), int(after))
    if run.scored.looked_again:
        _judge_again(run)


def _walk_back(run: _Run, model: Model, first: int, after: int) -> int:
    """Go from one before `after` back to `first`; return how many frames were found."""
    later = dict(run.scored.signals[after].answers)
    found = 0
    for end in range(after, first, -CHUNK):
        numbers = range(max(first, end - CHUNK), end)
        held = list(run.frames([run.scored.steps[number] for number in numbers]))
        for number, frame in zip(reversed(numbers), reversed(held), strict=True):
            found += _ask_again(run, model, number, frame, later)
    return found


def _ask_again(run: _Run, model: Model, number: int, frame: Frame, later: dict[str, Answer]) -> bool:
    """Ask about what was lost in a frame, beginning where it was later; tell whether something was found."""
    names = [name for name, reference in run.judge.references.items() if reference.pixel is not None]
    if number == 0 or not names:  # nothing has moved in the reference frame
        return False
    questions = run.judge.questions(frame)[-len(names) :]  # those about motion come last
    known = run.answers[number]
    first, motions = known[: -len(names)], known[-len(names) :]
    lost = [index for index, answer in enumerate(motions) if not answer.valid]
    asked = [replace(questions[index], previous=later.get(names[index])) for index in lost]
    for index, answer in zip(lost, model.answer(asked) if asked else [], strict=True):
        motions[index] = answer if answer.valid else motions[index]
    later.update({name: answer for name, answer in zip(names, motions, strict=True) if answer.valid})
    run.answers[number] = [*first, *motions]
    return any(motions[index].valid for index in lost)


def _judge_again(run: _Run) -> None:
    """Judge all frames anew by their answers, in order."""
    first = run.judge.frame
    judge = Judge(run.job.goal)
    judge.reset(first, run.job.references)
    blank = Frame(unread(first.width, first.height), camera=first.camera)
    signals = []
    for number, answers in enumerate(run.answers):
        judge.questions(blank if number else first)
        signals.append(judge.signal(answers))
    run.scored.signals = signals

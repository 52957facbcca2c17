"""Scores that come after the step: the schedules "lagged" and "episode"."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from spatial_reward.envs.observed import Observation
from spatial_reward.envs.schedules import Schedule
from spatial_reward.envs.scoring import (
    Recorder,
    Score,
    ScoredEpisode,
    TrueDistance,
    answer_all,
    entries,
    note,
)
from spatial_reward.envs.turns import PromptScorer, Scorer, Tally, Turn
from spatial_reward.rewards.asked import question_key
from spatial_reward.types import Answer, Model, Signal


class LateReward(NamedTuple):
    """The final reward of a step, which is what the schedule "sync" would have given.

    Attributes:
        step: Number of the call of `step` that it belongs to, from 0, over the wrapper's life.
        slot: Number of the environment.
        reward: The reward.
        info: Its entries of `info`.
    """

    step: int
    slot: int
    reward: float
    info: dict[str, float | bool]


OnLate = Callable[[LateReward], object]


def make_scorer(
    schedule: Schedule, model: Model, recorder: Recorder | None, on_late: OnLate | None
) -> Scorer:
    """Return what scores turns as the schedule says.

    Raises:
        ValueError: If `on_late` is given, but no reward is late.
    """
    if schedule.late:
        return LateScorer(schedule, model, recorder, on_late)
    if on_late is not None:
        raise ValueError(f"`on_late` needs schedule='lagged(k)' or 'episode': with {schedule} none is late.")
    return PromptScorer(model, recorder)


class LateScorer:
    """Gives provisional scores at once, and the final ones when the model has answered in its thread.

    Which measurement a provisional score uses depends on the schedule alone, not on how fast the model is,
    so that a run can be repeated.

    Args:
        schedule: "lagged(k)" or "episode".
        model: What answers.
        recorder: Gets the steps of the first environment.
        on_late: Gets every final reward, in the order of the steps; without it, the last step of an episode
            waits, so that its provisional score settles the account.
    """

    def __init__(
        self, schedule: Schedule, model: Model, recorder: Recorder | None, on_late: OnLate | None
    ) -> None:
        """Nothing is asked yet."""
        self.tally, self.on_late, self._schedule, self._recorder = Tally(), on_late, schedule, recorder
        self._worker = Worker(model)
        self._jobs: deque[Job] = deque()  # given to the worker
        self._kept: deque[Job] = deque()  # not yet given
        self._provisional: WeakKeyDictionary[ScoredEpisode, Provisional] = WeakKeyDictionary()
        self._step = -1

    def take(self, turns: Sequence[Turn], *, stepped: bool) -> list[Score]:
        """Return provisional scores of turns, and finish what is due."""
        self._step += stepped
        for turn in turns:
            if turn.begins:
                self._provisional[turn.episode] = Provisional(turn.episode)
        self._kept.append(Job(self._step, tuple(turns)))
        ended = {turn.slot for turn in turns if turn.over}
        if self._schedule.name == "episode":
            self._give(ended)
            self._finish(0)
        else:
            self._give(None)
            self._finish(0 if ended and self.on_late is None else self._schedule.steps)
        return [self._provisional[turn.episode].score(turn) for turn in turns]

    def settle(self) -> None:
        """Finish everything; episodes under way are judged as far as they went."""
        self._give(None)
        self._finish(0)

    def close(self) -> None:
        """Stop the thread; what is unfinished stays so."""
        self._worker.close()

    def _give(self, slots: set[int] | None) -> None:
        """Give the worker the turns of some environments, or of all."""
        jobs = []
        for job in self._kept:
            chosen = tuple(turn for turn in job.turns if slots is None or turn.slot in slots)
            jobs.append(Job(job.step, chosen))
            job.turns = tuple(turn for turn in job.turns if turn not in chosen)
        self._kept = deque(job for job in self._kept if job.turns)
        jobs = [job for job in jobs if job.turns]
        if jobs:
            self._jobs.extend(jobs)
            self._worker.give(jobs)

    def _finish(self, left: int) -> None:
        """Wait for the oldest jobs until so many are left, and pass their final scores on."""
        while len(self._jobs) > left:
            job = self._jobs.popleft()
            for turn, score in zip(job.turns, job.result(), strict=True):
                self.tally.count(turn, score)
                self._provisional[turn.episode].measured(score)
                note(self._recorder if turn.slot == 0 else None, turn.episode, turn.seen, score, job.latency)
                if self.on_late is not None and not turn.begins:
                    self.on_late(LateReward(job.step, turn.slot, score.reward, score.info))


class Provisional:
    """The provisional scores of an episode, by the newest measurement there is.

    Args:
        episode: At its reset.
    """

    def __init__(self, episode: ScoredEpisode) -> None:
        """Nothing is measured yet."""
        self._shaping, self._signal, self._fresh = episode.scoring.shaping(), None, False
        self._truth = TrueDistance(episode.scoring.goal, episode.first)
        self._measured_at, self._steps = float("nan"), 0

    _signal: Signal | None

    def measured(self, score: Score) -> None:
        """Take note of a final score."""
        if score.signal is not None:
            if self._shaping.value is None:  # counts from the frame before this step
                self._shaping.reset(score.signal)
            self._signal, self._measured_at, self._fresh = score.signal, score.number, True

    def score(self, turn: Turn) -> Score:
        """Score a turn with what is known now."""
        fresh, self._fresh = self._signal if self._fresh else None, False
        if turn.begins:
            held = not self._shaping.reset(fresh)
            return Score(0.0, False, self._info(turn.seen, 0.0, 0.0, held))
        self._steps += 1
        total, extra, held = self._shaping.step(fresh, turn.reward, terminated=turn.terminated)
        return Score(total, turn.terminated, self._info(turn.seen, turn.reward, extra, held))

    def _info(
        self, seen: Observation | None, env_reward: float, extra: float, held: bool
    ) -> dict[str, float | bool]:
        info = entries(self._signal, env_reward, extra, held, lag=float(self._steps - self._measured_at))
        return {**info, **self._truth.entry(seen)}


class Job:
    """Turns of one step that are scored in the worker.

    Args:
        step: Number of the step.
        turns: In order.
    """

    def __init__(self, step: int, turns: tuple[Turn, ...]) -> None:
        """Nothing is done yet."""
        self.step, self.turns, self.latency = step, turns, 0.0
        self.done = threading.Event()
        self.scores: list[Score] = []
        self.error: BaseException | None = None

    def result(self) -> list[Score]:
        """Wait for the scores; raise what the model has raised."""
        self.done.wait()
        if self.error is not None:
            raise self.error
        return self.scores


class Worker:
    """A thread that scores jobs in their order.

    A model whose answers do not depend on `Question.previous` says so by `follows = False`: then all that
    waits is answered in one batch. Else each step is asked after the one before is answered, as with "sync".

    Args:
        model: What answers.
    """

    def __init__(self, model: Model) -> None:
        """The thread starts with the first jobs."""
        self._model, self._follows = model, bool(getattr(model, "follows", True))
        self._queue: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def give(self, jobs: list[Job]) -> None:
        """Queue jobs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="spatial-reward model", daemon=True)
            self._thread.start()
        self._queue.put(jobs)

    def close(self) -> None:
        """End the thread after the call of the model that it is in."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (jobs := self._queue.get()) is not None:
            while not self._follows and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    return self._score(jobs)
                jobs = jobs + more
            for batch in [[job] for job in jobs] if self._follows else [jobs]:
                self._score(batch)

    def _score(self, jobs: list[Job]) -> None:
        try:
            score_jobs(self._model, jobs)
        except BaseException as error:
            for job in jobs:
                job.error = error
        for job in jobs:
            job.done.set()


def score_jobs(model: Model, jobs: Sequence[Job]) -> None:
    """Score the turns of jobs with one call of the model.

    An episode may ask less about a later frame once the answers about an earlier one are known; so it is
    asked again, and gets the answers to what it still asks.
    """
    turns = [turn for job in jobs for turn in job.turns]
    asked = [turn.episode.questions(turn.seen) for turn in turns]
    answers, latency = answer_all(model, asked)
    known = iter(
        [dict(zip(map(question_key, q), a, strict=True)) for q, a in zip(asked, answers, strict=True)]
    )
    for job in jobs:
        job.scores = [turn.score(_answers(turn, next(known))) for turn in job.turns]
        job.latency = latency


def _answers(turn: Turn, known: dict[object, Answer]) -> list[Answer]:
    return [known[question_key(question)] for question in turn.episode.questions(turn.seen)]

"""The thread that scores late steps, in their order, with as few calls of the model as can be."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from spatial_reward.envs.scoring import Score, ScoredEpisode, answer_all
from spatial_reward.envs.turns import Turn
from spatial_reward.rewards.asked import question_key
from spatial_reward.types import Answer, Model


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
        self.scores: dict[int, Score] = {}  # by the number of the turn
        self.error: BaseException | None = None

    def put(self, number: int, score: Score) -> None:
        """Take the score of a turn; the last one completes the job."""
        self.scores[number] = score
        if len(self.scores) == len(self.turns):
            self.done.set()

    def fail(self, error: BaseException) -> None:
        """Take note that there will be no more scores."""
        self.error = error
        self.done.set()

    def result(self) -> list[Score]:
        """Wait for the scores; raise what the model has raised."""
        self.done.wait()
        if self.error is not None:
            raise self.error
        return [self.scores[number] for number in range(len(self.turns))]


class Waiting(NamedTuple):
    """A turn between two measurements, the second of which is to come."""

    job: Job
    number: int
    turn: Turn


class Release(NamedTuple):
    """Asks that turns go without the measurement that they wait for: those of a job, of a slot, or all."""

    job: Job | None = None
    slot: int | None = None

    def holds(self, waiting: Waiting) -> bool:
        """Tell whether a turn is meant."""
        return self.job in (None, waiting.job) and self.slot in (None, waiting.turn.slot)


class Worker:
    """A thread that scores jobs in their order.

    A model whose answers do not depend on `Question.previous` says so by `follows = False`: then all that
    waits is answered in one batch. Else each step is asked after the one before is answered, as with "sync".
    A turn that is not measured waits for the next one of its episode that is.

    Args:
        model: What answers.
    """

    def __init__(self, model: Model) -> None:
        """The thread starts with the first jobs."""
        self._model, self._follows = model, bool(getattr(model, "follows", True))
        self._queue: queue.SimpleQueue[list[Job | Release] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting: WeakKeyDictionary[ScoredEpisode, list[Waiting]] = WeakKeyDictionary()

    def give(self, jobs: list[Job]) -> None:
        """Queue jobs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="spatial-reward model", daemon=True)
            self._thread.start()
        self._queue.put([*jobs])

    def finish(self, job: Job) -> list[Score]:
        """Wait for the scores of a job; raise what the model has raised.

        Turns for which nothing that was given so far is a measurement go without one.
        """
        if not job.done.is_set():
            self._queue.put([Release(job)])
        return job.result()

    def close(self) -> None:
        """End the thread after the call of the model that it is in; what waits goes without a measurement."""
        if self._thread is not None:
            self.leave()
            self._thread.join()
            self._thread = None

    def leave(self) -> None:
        """Let the thread end, as `close` does, without waiting for it."""
        self._queue.put([Release()])
        self._queue.put(None)

    def _work(self) -> None:
        while (jobs := self._queue.get()) is not None:
            while not self._follows and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    return self._score(jobs)
                jobs = jobs + more
            for batch in [[job] for job in jobs] if self._follows else [jobs]:
                self._score(batch)

    def _score(self, given: Sequence[Job | Release]) -> None:
        jobs = [one for one in given if isinstance(one, Job)]
        try:
            self._score_all(given, jobs)
        except BaseException as error:
            unfinished = [one.job for waiting in self._waiting.values() for one in waiting]
            for job in [*jobs, *unfinished]:
                job.fail(error)

    def _score_all(self, given: Sequence[Job | Release], jobs: Sequence[Job]) -> None:
        """Score the turns of jobs with one call of the model.

        An episode may ask less about a later frame once the answers about an earlier one are known; so it
        is asked again, and gets the answers to what it still asks.
        """
        asked = [turn.episode.questions(turn.seen) for job in jobs for turn in job.turns]
        answers, latency = answer_all(self._model, asked)
        known = iter(
            [dict(zip(map(question_key, q), a, strict=True)) for q, a in zip(asked, answers, strict=True)]
        )
        for one in given:
            if isinstance(one, Release):
                self._release(one)
                continue
            one.latency = latency
            for number, turn in enumerate(one.turns):
                self._place(Waiting(one, number, turn), next(known))

    def _place(self, new: Waiting, known: Mapping[object, Answer]) -> None:
        """Score a turn that was measured, and those of its episode that have waited for that."""
        episode, seen = new.turn.episode, new.turn.seen
        if new.turn.begins:
            self._release(Release(slot=new.turn.slot))  # of an episode that was left before its end
        waiting = self._waiting.setdefault(episode, [])
        waiting.append(new)
        if seen is None and not new.turn.begins and not new.turn.over:
            return
        answers = [known[question_key(question)] for question in episode.questions(seen)]
        scores = new.turn.scores_after([one.turn for one in waiting[:-1]], answers)
        for one, score in zip(self._waiting.pop(episode), scores, strict=True):
            one.job.put(one.number, score)

    def _release(self, which: Release) -> None:
        """Score turns that wait as held."""
        for episode, waiting in list(self._waiting.items()):
            for one in filter(which.holds, waiting):
                one.job.put(one.number, one.turn.score([]))
            left = [one for one in waiting if not which.holds(one)]
            if left:
                self._waiting[episode] = left
            else:
                del self._waiting[episode]

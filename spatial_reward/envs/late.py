"""Scores that come after the step: the schedules "lagged" and "episode"."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary, finalize

from spatial_reward.envs.late_worker import Job, Worker
from spatial_reward.envs.observed import Observation
from spatial_reward.envs.schedules import Schedule
from spatial_reward.envs.scoring import Recorder, Score, ScoredEpisode, TrueDistance, entries, note
from spatial_reward.envs.turns import PromptScorer, Scorer, Tally, Turn
from spatial_reward.types import Model, Signal


class LateReward(NamedTuple):
    """The final reward of a step: what the schedule "sync" would have given.

    Where only every k-th step is measured, those between are given values on the line from the measurement
    before to the one after, as far as that comes in time: `settle` does not wait for it.

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
        on_late: Gets every final reward, in the order of the steps of an environment; without it, the last
            step of an episode waits, so that its provisional score settles the account.
    """

    def __init__(
        self, schedule: Schedule, model: Model, recorder: Recorder | None, on_late: OnLate | None
    ) -> None:
        """Nothing is asked yet."""
        self.tally, self.on_late, self._schedule, self._recorder = Tally(), on_late, schedule, recorder
        self._worker = Worker(model)
        finalize(self, self._worker.leave).atexit = False  # an environment that nobody closes
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
        kept = {turn.slot for job in self._kept for turn in job.turns}
        ended = {turn.slot for turn in turns if turn.over or (turn.begins and turn.slot in kept)}
        self._kept.append(Job(self._step, tuple(turns)))
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
            for turn, score in zip(job.turns, self._worker.finish(job), strict=True):
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

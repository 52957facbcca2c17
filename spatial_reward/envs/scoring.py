"""Score an episode step by step: the one code path of the single and the vector wrapper."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TypedDict

from spatial_reward.camera import Array
from spatial_reward.envs.observed import Observation
from spatial_reward.envs.schedules import Schedule
from spatial_reward.rewards import Goal, Judge, Shaping, Track
from spatial_reward.rewards.shaping import Mode, Uncertainty
from spatial_reward.types import Answer, Model, Question, Signal

PREFIX = "spatial_reward/"  # of the keys of `info`


class Recorder(Protocol):
    """Anything that takes the steps of episodes, such as `spatial_reward.viz.recording.Recorder`."""

    def log(self, step: Any) -> None:
        """Take a `spatial_reward.viz.step.Step`."""
        ...


class ScoringOptions(TypedDict, total=False):
    """Keyword arguments that `Scoring` takes besides the goal."""

    reward: Mode
    gamma: float
    weight: float
    env_weight: float
    uncertainty: Uncertainty
    max_std: float
    beta: float
    terminate_on_success: bool
    success_threshold: float
    success_votes: tuple[int, int]
    timing: bool


@dataclass(frozen=True)
class Scoring:
    """How episodes are scored.

    Attributes:
        goal: What counts.
        reward: "shaping", "delta", "progress", "success" or "metric"; see `rewards.Shaping`, which takes
            this and the following six.
        gamma: Discount of the learner.
        weight: Reward per metre, or per unit of progress or success.
        env_weight: Of the environment's own reward.
        uncertainty: "hold", "lcb", "env" or "none".
        max_std: Of the potential [m].
        beta: Standard deviations below the potential.
        terminate_on_success: End an episode where success was predicted.
        success_threshold: Probability from which a judged frame votes for success.
        success_votes: (k, n): k of the last n judged frames must vote.
        timing: Note the latency of the model in `info`.

    Raises:
        ValueError: If one of them is unknown or out of range.
    """

    goal: Goal
    reward: Mode = "shaping"
    gamma: float = 0.99
    weight: float = 1.0
    env_weight: float = 1.0
    uncertainty: Uncertainty = "hold"
    max_std: float = 0.05
    beta: float = 1.0
    terminate_on_success: bool = False
    success_threshold: float = 0.9
    success_votes: tuple[int, int] = (2, 3)
    timing: bool = False  # a time is never the same twice, and `check_env` compares infos

    def __post_init__(self) -> None:
        """Check everything once, `Shaping` its own part."""
        self.shaping()
        if not 0 < self.success_threshold <= 1:
            raise ValueError(f"`success_threshold` must lie in (0, 1], got {self.success_threshold}.")
        votes, frames = self.success_votes
        if not 1 <= votes <= frames:
            raise ValueError(f"`success_votes` must be (k, n) with 1 <= k <= n, got {self.success_votes}.")

    def check(self, schedule: Schedule) -> None:
        """Refuse what a schedule cannot do.

        Raises:
            ValueError: If success would have to end an episode that has gone on.
        """
        if self.terminate_on_success and schedule.late:
            raise ValueError(
                f"terminate_on_success=True does not go with schedule={str(schedule)!r}, which knows of a "
                "success when the episode has gone on: take 'sync' or 'hold(k)'."
            )

    def shaping(self) -> Shaping:
        """Return fresh shaping for an episode."""
        return Shaping(
            self.reward,
            gamma=self.gamma,
            weight=self.weight,
            env_weight=self.env_weight,
            uncertainty=self.uncertainty,
            max_std=self.max_std,
            beta=self.beta,
        )


class Score(NamedTuple):
    """What a step is worth.

    Attributes:
        reward: For the learner.
        terminated: Whether the episode ends here.
        info: The entries of `info`.
        signal: What was measured; None where the step was not judged.
        number: Steps of the episode so far.
    """

    reward: float
    terminated: bool
    info: dict[str, float | bool]
    signal: Signal | None = None
    number: int = 0


class TrueDistance:
    """The goal's true distance, by the positions that observations bring along.

    Args:
        goal: Whose distance.
        first: What was observed at the reset.
    """

    def __init__(self, goal: Goal, first: Observation) -> None:
        """Begin the episode."""
        known = first.truth is not None and set(goal.names) <= set(first.truth)
        self.asked, self._watch = first.truth is not None, goal.watch(_tracks(first)) if known else None

    def entry(self, seen: Observation | None) -> dict[str, float]:
        """Return the entry of `info`; none where the truth was not asked for."""
        if not self.asked:
            return {}
        known = self._watch is not None and seen is not None and seen.truth is not None
        distance = self._watch.see(_tracks(seen)).distance if known and self._watch else float("nan")
        return {PREFIX + "truth_distance": distance}


class ScoredEpisode:
    """An episode being scored, from the observation of its reset.

    An episode whose things were not found is not judged: its reward is the environment's own.

    Args:
        scoring: How.
        first: What was observed at the reset, with references.
    """

    def __init__(self, scoring: Scoring, first: Observation) -> None:
        """Begin the episode."""
        if first.references is None:
            raise RuntimeError("An episode begins with the observation of a reset, which has references.")
        self.scoring, self.steps, self.first = scoring, 0, first
        self.seen = 0  # steps that the loop has taken; `steps` are those scored
        self.judge = Judge(scoring.goal)
        if not first.missing:
            self.judge.reset(first.frame, first.references, first.truth)
        self.shaping = scoring.shaping()
        self._votes: deque[bool] = deque(maxlen=scoring.success_votes[1])
        self._truth = TrueDistance(scoring.goal, first)

    def questions(self, seen: Observation | None) -> list[Question]:
        """Return what must be answered about an observation; nothing where there is none."""
        if seen is None or self.first.missing:
            return []
        return self.judge.questions(seen.frame, seen.truth)

    def begin(self, answers: Sequence[Answer]) -> Score:
        """Score the reset: there is no reward, but a signal."""
        signal = self._signal(self.first, answers)
        held = not self.shaping.reset(signal)
        info = {**entries(signal, 0.0, 0.0, held), **self._truth.entry(self.first)}
        return Score(0.0, False, info, signal)

    def step(
        self, seen: Observation | None, answers: Sequence[Answer], env_reward: float, terminated: bool
    ) -> Score:
        """Score a step by what was observed after it; None: this step is not judged."""
        return self._paid(seen, self._signal(seen, answers), env_reward, terminated)

    def catch_up(
        self,
        env_rewards: Sequence[float],
        seen: Observation | None,
        answers: Sequence[Answer],
        env_reward: float,
        terminated: bool,
    ) -> list[Score]:
        """Score steps that were not judged, by their rewards, and then the one that was, as `step`.

        The values of the former lie on the line from the one used last to that of the latter.
        """
        signal = self._signal(seen, answers)
        line = self.shaping.line(signal, len(env_rewards))
        scores = [
            self._paid(None, None, own, False, value) for own, value in zip(env_rewards, line, strict=True)
        ]
        return [*scores, self._paid(seen, signal, env_reward, terminated)]

    def _paid(
        self,
        seen: Observation | None,
        signal: Signal | None,
        env_reward: float,
        terminated: bool,
        value: float | None = None,
    ) -> Score:
        self.steps += 1
        terminated = terminated or (self._succeeded(signal) and self.scoring.terminate_on_success)
        total, extra, held = self.shaping.step(signal, env_reward, terminated=terminated, value=value)
        info = {**entries(signal, env_reward, extra, held), **self._truth.entry(seen)}
        return Score(total, terminated, info, signal, self.steps)

    def _signal(self, seen: Observation | None, answers: Sequence[Answer]) -> Signal | None:
        if seen is None:
            return None
        return Signal.unknown() if self.first.missing else self.judge.signal(answers)

    def _succeeded(self, signal: Signal | None) -> bool:
        """Take the vote of the signal; tell whether enough of the last ones are for success."""
        if signal is not None:
            self._votes.append(signal.valid and signal.success >= self.scoring.success_threshold)
        return sum(self._votes) >= self.scoring.success_votes[0]


def entries(
    signal: Signal | None, env_reward: float, extra: float, held: bool, **more: float
) -> dict[str, float | bool]:
    """Return the entries of `info` about a step."""
    signal = signal or Signal.unknown()
    info = {
        "potential": float(signal.potential),
        "progress": float(signal.progress),
        "success": float(signal.success),
        "std": float(signal.std),
        "valid": bool(signal.valid),
        "held": held,
        "env_reward": env_reward,
        "shaping": extra,
        **more,
    }
    return {PREFIX + key: value for key, value in info.items()}


def answer_all(model: Model, asked: Sequence[Sequence[Question]]) -> tuple[list[list[Answer]], float]:
    """Answer lists of questions in one batch; return the lists of answers, and the time it took [s].

    Raises:
        RuntimeError: If the model does not give one answer per question.
    """
    begin = perf_counter()
    flat = [question for questions in asked for question in questions]
    answers = model.answer(flat) if flat else []
    if len(answers) != len(flat):
        raise RuntimeError(f"Model {model.name!r} gave {len(answers)} answers to {len(flat)} questions.")
    remaining = iter(answers)
    lists = [[next(remaining) for _ in questions] for questions in asked]
    return lists, perf_counter() - begin


def note(
    recorder: Recorder | None, episode: ScoredEpisode, seen: Observation | None, score: Score, latency: float
) -> None:
    """Log a judged step, if there is a recorder; add its latency [s] to the score, if asked for."""
    if episode.scoring.timing:
        score.info[PREFIX + "latency_s"] = latency
    if recorder is None or seen is None or score.signal is None or episode.first.missing:
        return
    from spatial_reward.viz.step import Step

    step = Step(
        index=score.number,
        frame=seen.frame,
        reference_frame=episode.judge.frame,
        references=episode.judge.references,
        signal=score.signal,
        reward=score.reward,
        env_reward=float(score.info[PREFIX + "env_reward"]),
        truth=float(score.info.get(PREFIX + "truth_distance", float("nan"))),
        latency=latency,
        motion=_motion(episode.first.truth or {}, seen.truth or {}),
    )
    recorder.log(step)


def _motion(start: Mapping[str, Array], now: Mapping[str, Array]) -> dict[str, Array]:
    return {name: now[name] - start[name] for name in now if name in start}


def _tracks(seen: Observation | None) -> dict[str, Track]:
    truth = (seen.truth if seen is not None else None) or {}
    return {name: Track(position) for name, position in truth.items()}

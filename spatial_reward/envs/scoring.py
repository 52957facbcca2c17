"""Score an episode step by step: the one code path of the single and the vector wrapper."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TypedDict

from spatial_reward.camera import Array
from spatial_reward.envs.observed import Observation
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
    """What a step is worth: reward, whether the episode ends here, and the entries of `info`."""

    reward: float
    terminated: bool
    info: dict[str, float | bool]


class ScoredEpisode:
    """An episode being scored, from the observation of its reset.

    Args:
        scoring: How.
        first: What was observed at the reset, with references.
    """

    def __init__(self, scoring: Scoring, first: Observation) -> None:
        """Begin the episode."""
        if first.references is None:
            raise RuntimeError("An episode begins with the observation of a reset, which has references.")
        self.scoring, self.steps, self.first = scoring, 0, first
        self.judge = Judge(scoring.goal)
        self.judge.reset(first.frame, first.references, first.truth)
        self.shaping = scoring.shaping()
        self._votes: deque[bool] = deque(maxlen=scoring.success_votes[1])
        self._truth = None if first.truth is None else scoring.goal.watch(_tracks(first))

    def questions(self, seen: Observation | None) -> list[Question]:
        """Return what must be answered about an observation; nothing where there is none."""
        return [] if seen is None else self.judge.questions(seen.frame, seen.truth)

    def begin(self, answers: Sequence[Answer]) -> Score:
        """Score the reset: there is no reward, but a signal."""
        self.signal: Signal | None = self.judge.signal(answers)
        usable = self.shaping.reset(self.signal)
        return Score(0.0, False, self._info(self.first, 0.0, 0.0, held=not usable))

    def step(
        self, seen: Observation | None, answers: Sequence[Answer], env_reward: float, terminated: bool
    ) -> Score:
        """Score a step by what was observed after it; None: this step is not judged."""
        self.steps += 1
        self.signal = None if seen is None else self.judge.signal(answers)
        terminated = terminated or (self._succeeded() and self.scoring.terminate_on_success)
        total, extra, held = self.shaping.step(self.signal, env_reward, terminated=terminated)
        return Score(total, terminated, self._info(seen, env_reward, extra, held=held))

    def _succeeded(self) -> bool:
        """Take the vote of the signal; tell whether enough of the last ones are for success."""
        if self.signal is not None:
            self._votes.append(self.signal.valid and self.signal.success >= self.scoring.success_threshold)
        return sum(self._votes) >= self.scoring.success_votes[0]

    def _info(
        self, seen: Observation | None, env_reward: float, extra: float, *, held: bool
    ) -> dict[str, float | bool]:
        signal = self.signal or Signal.unknown()
        info = {
            "potential": float(signal.potential),
            "progress": float(signal.progress),
            "success": float(signal.success),
            "std": float(signal.std),
            "valid": bool(signal.valid),
            "held": held,
            "env_reward": env_reward,
            "shaping": extra,
        }
        if self._truth is not None:
            unknown = seen is None or seen.truth is None
            info["truth_distance"] = float("nan") if unknown else self._truth.see(_tracks(seen)).distance
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
    if recorder is None or seen is None or episode.signal is None:
        return
    from spatial_reward.viz.step import Step

    step = Step(
        index=episode.steps,
        frame=seen.frame,
        reference_frame=episode.judge.frame,
        references=episode.judge.references,
        signal=episode.signal,
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

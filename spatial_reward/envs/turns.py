"""What happens to environments in a step, and its scoring at once: the schedules "sync" and "hold"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from spatial_reward._counted import CountedWarning
from spatial_reward.envs.observed import Observation
from spatial_reward.envs.scoring import PREFIX, Recorder, Score, ScoredEpisode, answer_all, note
from spatial_reward.types import Answer, Model


class Turn(NamedTuple):
    """What happens to an environment: its episode goes on, is `over`, or `begins`.

    Attributes:
        slot: Number of the environment.
        episode: The episode.
        seen: What was observed; None where it is not the turn of this step to be judged.
        begins: Whether this is its reset.
        over: Whether it has ended, terminated or truncated.
        reward: Of the environment.
        terminated: As the environment says.
    """

    slot: int
    episode: ScoredEpisode
    seen: Observation | None
    begins: bool = False
    over: bool = False
    reward: float = 0.0
    terminated: bool = False

    def score(self, answers: Sequence[Answer]) -> Score:
        """Return what the turn is worth by the answers to `episode.questions`."""
        if self.begins:
            return self.episode.begin(answers)
        return self.episode.step(self.seen, answers, self.reward, self.terminated)

    def scores_after(self, others: Sequence[Turn], answers: Sequence[Answer]) -> list[Score]:
        """Return the scores of turns of this episode that were not judged, and of this one, which was."""
        if not others:
            return [self.score(answers)]
        rewards = [turn.reward for turn in others]
        return self.episode.catch_up(rewards, self.seen, answers, self.reward, self.terminated)


class Tally:
    """Counts of a training: steps, how many of them had no new measurement, and episodes.

    Attributes:
        steps: Steps that were scored.
        held: Of these, the ones whose reward used no new measurement.
        episodes: Episodes that began.
        missing: Of these, the ones whose things were not found, so that they are not judged.
    """

    def __init__(self) -> None:
        """Start from zero."""
        self.steps = self.held = self.episodes = 0
        self._missing = CountedWarning()

    @property
    def missing(self) -> int:
        """Episodes that were not judged."""
        return self._missing.count

    @property
    def held_share(self) -> float:
        """Share of steps without a new measurement; NaN before the first."""
        return self.held / self.steps if self.steps else float("nan")

    def count(self, turn: Turn, score: Score) -> None:
        """Count a turn, and warn of an episode that cannot be judged."""
        if turn.begins:
            self.episodes += 1
            if turn.episode.first.missing:
                self._missing.add(f"An episode is not judged: {turn.episode.first.missing}")
        else:
            self.steps += 1
            self.held += bool(score.info[PREFIX + "held"])


class Scorer(Protocol):
    """Gives every turn its score.

    Attributes:
        tally: Counts of what was scored.
    """

    tally: Tally

    def take(self, turns: Sequence[Turn], *, stepped: bool) -> list[Score]:
        """Score turns, those of a step or of a reset."""
        ...

    def settle(self) -> None:
        """Wait until everything taken so far has its final score."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


class PromptScorer:
    """Scores every turn when it comes, with one call of the model.

    Args:
        model: What answers.
        recorder: Gets the steps of the first environment.
    """

    def __init__(self, model: Model, recorder: Recorder | None) -> None:
        """Nothing is asked yet."""
        self.model, self.tally, self._recorder = model, Tally(), recorder

    def take(self, turns: Sequence[Turn], *, stepped: bool) -> list[Score]:
        """Score turns by the answers to all their questions."""
        answers, latency = answer_all(self.model, [turn.episode.questions(turn.seen) for turn in turns])
        scores = [turn.score(own) for turn, own in zip(turns, answers, strict=True)]
        for turn, score in zip(turns, scores, strict=True):
            self.tally.count(turn, score)
            note(self._recorder if turn.slot == 0 else None, turn.episode, turn.seen, score, latency)
        return scores

    def settle(self) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """There is nothing to stop."""

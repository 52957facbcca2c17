"""What a set of questions is worth: the scores of baselines that see no picture, beside chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spatial_reward.data.blind_guesses import (
    Guess,
    Plain,
    answer_to,
    by_name,
    by_position,
    central,
    copied,
    lettered_where,
    low,
    majority,
    median,
    near_first,
    nearer_where,
    opposite,
    plain_truth,
    still,
)
from spatial_reward.questions import KINDS, Mode
from spatial_reward.types import Question

MODES: tuple[Mode, ...] = ("strict", "paper")
ALLOWED = 0.10  # a blind baseline may beat chance by this share of the questions
_CONSTANTS = 30  # answers of the set that are tried as a constant,
_SEARCHED = 200  # on so many questions
_DRAWN = 3000  # random answers in all, for chance,
_DRAWS = (3, 20)  # per question at least, at most
_OPTIONS = {"vc_mcq": 4}  # words to choose from; elsewhere two


@dataclass(frozen=True)
class BlindRow:
    """How one subtask is answered without its pictures.

    Attributes:
        subtask: Its name.
        mode: How answers were scored.
        n: Number of questions.
        chance: Share that random answers get right: one of the options, or another question's answer.
        scores: Share that each baseline gets right.
    """

    subtask: str
    mode: Mode
    n: int
    chance: float
    scores: Mapping[str, float]

    @property
    def best(self) -> str:
        """Name of the best baseline."""
        return max(self.scores, key=lambda name: self.scores[name])

    @property
    def margin(self) -> float:
        """By what share of the questions the best baseline beats chance."""
        return self.scores[self.best] - self.chance

    @property
    def flagged(self) -> bool:
        """Whether the pictures are needed too little: more than 10 points above chance without them."""
        return self.margin > ALLOWED


def blind_table(questions: Mapping[str, Sequence[Question]]) -> list[BlindRow]:
    """Score the blind baselines on questions with truths, by subtask, each subtask in both modes.

    The best constant is chosen on the very questions it is scored on, so on few questions it flatters.
    Fits and medians by name come from one half of the questions and are scored on the other.

    Raises:
        ValueError: If a question carries no truth, or a subtask mixes kinds.
    """
    return [row for subtask, asked in questions.items() if asked for row in _rows(subtask, asked)]


def _rows(subtask: str, questions: Sequence[Question]) -> list[BlindRow]:
    kinds = {question.kind for question in questions}
    if len(kinds) > 1:
        raise ValueError(f"Subtask {subtask!r} mixes the kinds {sorted(kinds)}: give one kind per subtask.")
    guesses = {name: guess(questions) for name, guess in _baselines(questions[0]).items()}
    rows = []
    for mode in MODES:
        scores = {name: _share(questions, plains, mode) for name, plains in guesses.items()}
        if not _in_words(questions[0]):
            scores["constant"] = _share(questions, _best_constant(questions, mode), mode)
        rows.append(BlindRow(subtask, mode, len(questions), chance(questions, mode), scores))
    return rows


def chance(questions: Sequence[Question], mode: Mode) -> float:
    """Return the share of questions of one kind that random answers get right.

    Words: one of the options. Numbers, vectors and pixels: the answers of other questions of the set.
    """
    kind = questions[0].kind
    truths = [plain_truth(question) for question in questions]
    if _in_words(questions[0]):
        return 1 / _OPTIONS.get(kind, 2)
    rng = np.random.default_rng(0)
    times = int(np.clip(_DRAWN // len(truths), *_DRAWS))
    draws = [rng.permutation(len(truths)) for _ in range(times)]
    return float(np.mean([_share(questions, [truths[i] for i in draw], mode) for draw in draws]))


def _best_constant(questions: Sequence[Question], mode: Mode) -> list[Plain]:
    truths = [plain_truth(question) for question in questions]
    rng = np.random.default_rng(0)
    some = [questions[i] for i in rng.permutation(len(questions))[:_SEARCHED]]
    best = max(_spread(truths), key=lambda plain: _share(some, [plain] * len(some), mode))
    return [best] * len(questions)


def _spread(truths: Sequence[Plain]) -> list[Plain]:
    """Choose answers to try, evenly over the order of their size."""
    order = sorted(range(len(truths)), key=lambda i: float(np.linalg.norm(np.asarray(truths[i], float))))
    chosen = np.linspace(0, len(order) - 1, min(_CONSTANTS, len(order))).astype(int)
    return [truths[order[i]] for i in chosen]


def _share(questions: Sequence[Question], plains: Sequence[Plain], mode: Mode) -> float:
    score = KINDS[questions[0].kind].score
    pairs = zip(questions, plains, strict=True)
    return float(np.mean([score(answer_to(question, plain), question, mode) for question, plain in pairs]))


def _baselines(question: Question) -> dict[str, Guess]:
    """List the baselines that fit questions of this kind."""
    kind = KINDS[question.kind]
    fits: dict[str, Guess] = {"majority": majority} if _in_words(question) else {"median": median}
    if kind.name.startswith("depth_cmp"):
        fits |= {name: nearer_where(measure) for name, measure in _NEARER.items()}
    elif kind.name == "vc_mcq":
        fits |= {name: lettered_where(measure) for name, measure in _LETTERED.items()}
    elif question.points:
        fits["position"] = by_position
    return fits | _OF_KIND.get(kind.name, _OF_FAMILY.get(kind.family, {}))


def _in_words(question: Question) -> bool:
    return isinstance(plain_truth(question), str)


_NEARER = {
    "lower is closer": low,
    "upper is closer": opposite(low),
    "central is closer": central,
    "outer is closer": opposite(central),
}
_LETTERED = {"nearest to the dot": near_first, "most central": central}
_OF_KIND: dict[str, dict[str, Guess]] = {"vc_coord": {"copied": copied}}
_OF_FAMILY: dict[str, dict[str, Guess]] = {
    "object_motion": {"still": still},
    "object_size": {"name": by_name},
}

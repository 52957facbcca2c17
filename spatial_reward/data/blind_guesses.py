"""Answers that need no picture: from the answers of other questions, from points, and from names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array
from spatial_reward.questions import KINDS, asks_closer
from spatial_reward.types import Answer, PixelPoint, Question

Plain = str | Array  # an answer that another question of the kind could have as well
Guess = Callable[[Sequence[Question]], list[Plain]]

_SMALLEST = 1e-3  # [m] or [deg]: less counts as this much where logarithms are taken


def plain_truth(question: Question) -> Plain:
    """Return the truth without what belongs to this one question.

    A word stays as it is; a number or vector becomes (D,); a pixel becomes its share (2,) of width and
    height; the point chosen in a depth comparison becomes its place, "0" or "1", in the question.

    Raises:
        ValueError: If the question carries no truth.
    """
    if question.answer is None or question.answer.value is None:
        raise ValueError(f"A {question.kind!r} question without a truth says nothing about guessing.")
    value = question.answer.value
    if isinstance(value, str):
        return value
    numbers = np.atleast_1d(np.asarray(value, float))
    if question.kind == "depth_cmp_coord":
        gaps = [np.linalg.norm(numbers - point[:2]) for point in question.points]
        return str(int(np.argmin(gaps)))
    return numbers / _size(question, -1) if KINDS[question.kind].unit == "px" else numbers


def answer_to(question: Question, plain: Plain) -> Answer:
    """Turn a plain answer into one to this question."""
    unit = KINDS[question.kind].unit
    if question.kind == "depth_cmp_coord":
        return Answer(np.array(question.points[int(str(plain))][:2]), unit)
    if isinstance(plain, str):
        return Answer(plain, unit)
    if unit == "px":
        return Answer(plain * _size(question, -1), unit)
    return Answer(float(plain[0]) if len(plain) == 1 else plain, unit)


def median(questions: Sequence[Question]) -> list[Plain]:
    """Answer with the median of the truths, of each component."""
    return [np.median(_numbers(questions), axis=0)] * len(questions)


def majority(questions: Sequence[Question]) -> list[Plain]:
    """Answer with the most frequent word."""
    words = Counter(str(plain_truth(question)) for question in questions)
    return [words.most_common(1)[0][0]] * len(questions)


def still(questions: Sequence[Question]) -> list[Plain]:
    """Answer that nothing moved."""
    return [np.zeros_like(plain) for plain in _numbers(questions)]


def copied(questions: Sequence[Question]) -> list[Plain]:
    """Answer with the coordinates that the question names."""
    return list(_positions(questions))


def by_name(questions: Sequence[Question]) -> list[Plain]:
    """Answer with the median size of the things of that name in the other half of the questions."""

    def learn(known: Sequence[Question]) -> Callable[[Sequence[Question]], list[Plain]]:
        sizes: dict[str, list[Array]] = defaultdict(list)
        for question in known:
            sizes[_name(question)].append(np.asarray(plain_truth(question)))
        anything = np.median(_numbers(known), axis=0)
        medians = {name: np.median(same, axis=0) for name, same in sizes.items()}
        return lambda asked: [medians.get(_name(question), anything) for question in asked]

    return _crosswise(questions, learn)


def by_position(questions: Sequence[Question]) -> list[Plain]:
    """Answer with a square surface over the first point's position, fitted to the other half.

    Lengths are fitted by their logarithm.
    """

    def learn(known: Sequence[Question]) -> Callable[[Sequence[Question]], list[Plain]]:
        truths = _numbers(known)
        scalar = truths.shape[1] == 1
        targets = np.log(np.maximum(truths, _SMALLEST)) if scalar else truths
        surface = np.linalg.lstsq(_square(_positions(known)), targets, rcond=None)[0]

        def guess(asked: Sequence[Question]) -> list[Plain]:
            fitted = _square(_positions(asked)) @ surface
            return list(np.exp(fitted) if scalar else fitted)

        return guess

    return _crosswise(questions, learn)


def nearer_where(measure: Callable[[PixelPoint, Question], float]) -> Guess:
    """Make the guess that of two points the one with the larger measure is the closer one."""

    def guess(questions: Sequence[Question]) -> list[Plain]:
        return [_chosen(question, measure) for question in questions]

    return guess


def lettered_where(measure: Callable[[PixelPoint, Question], float]) -> Guess:
    """Make the guess that of the lettered points the one with the largest measure is meant."""

    def guess(questions: Sequence[Question]) -> list[Plain]:
        return [
            q.labels[1 + int(np.argmax([measure(point, q) for point in q.points[1:]]))] for q in questions
        ]

    return guess


def low(point: PixelPoint, question: Question) -> float:
    """Measure how far down in its picture a point is, as a share of the height."""
    return point.y / question.frames[point.frame].height


def central(point: PixelPoint, question: Question) -> float:
    """Measure how near the centre of its picture a point is: minus its distance, as a share of the size."""
    return -float(np.linalg.norm(np.array(point[:2]) / _size(question, point.frame) - 0.5))


def near_first(point: PixelPoint, question: Question) -> float:
    """Measure how near a point is to the place of the first one in the other picture: minus the distance."""
    first = question.points[0]
    here = np.array(point[:2]) / _size(question, point.frame)
    return -float(np.linalg.norm(here - np.array(first[:2]) / _size(question, first.frame)))


def opposite(measure: Callable[[PixelPoint, Question], float]) -> Callable[[PixelPoint, Question], float]:
    """Turn a measure round."""
    return lambda point, question: -measure(point, question)


def _chosen(question: Question, measure: Callable[[PixelPoint, Question], float]) -> Plain:
    measures = [measure(point, question) for point in question.points[:2]]
    index = int(np.argmax(measures) if asks_closer(question) else np.argmin(measures))
    return question.labels[index] if question.kind == "depth_cmp_dot" else str(index)


def _crosswise(
    questions: Sequence[Question],
    learn: Callable[[Sequence[Question]], Callable[[Sequence[Question]], list[Plain]]],
) -> list[Plain]:
    """Answer each half of the questions by what is learnt from the other."""
    answers: list[Plain] = [np.zeros(0)] * len(questions)
    first = np.random.default_rng(0).permutation(len(questions)) % 2 == 0
    for known in (first, ~first):
        guess = learn([questions[i] for i in np.flatnonzero(known).tolist()])
        asked = np.flatnonzero(~known).tolist()
        for index, plain in zip(asked, guess([questions[i] for i in asked]), strict=True):
            answers[index] = plain
    return answers


def _numbers(questions: Sequence[Question]) -> Array:
    """Stack the truths (N, D)."""
    return np.stack([np.asarray(plain_truth(question), float) for question in questions])


def _positions(questions: Sequence[Question]) -> Array:
    """Return the first point (N, 2) of each question as shares of width and height."""
    return np.stack([np.array(q.points[0][:2]) / _size(q, q.points[0].frame) for q in questions])


def _square(positions: Array) -> Array:
    x, y = positions.T
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


def _size(question: Question, frame: int) -> NDArray[np.int64]:
    return np.array([question.frames[frame].width, question.frames[frame].height])


def _name(question: Question) -> str:
    return question.labels[0] if question.labels else ""

"""When an answer counts as correct: the published rules, and a strict variant that is fair to still things.

MultiSPA: numbers and vectors within 20 % of the truth (inclusive, so a still truth asks for exactly 0);
coordinates within 5 % of the image's width; words exactly.
"""

from __future__ import annotations

import math

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.questions.base import Mode
from spatial_reward.questions.wording import to_degrees, to_thousandths
from spatial_reward.types import Answer, Question, Value

RELATIVE = 0.2  # share of the truth
PIXEL_SHARE = 0.05  # of the image's width, in both directions
STILL_LENGTH = 0.010  # [m] strict: as exact as a still truth can be asked to be
STILL_ANGLE = 1.0  # [deg] strict
_ROUND_OFF = 1e-9  # share: floating point must not fail an inclusive boundary


def truth_of(question: Question) -> Value:
    """Return the truth that a question carries.

    Raises:
        ValueError: If it carries none.
    """
    if question.answer is None or question.answer.value is None:
        raise ValueError(f"A {question.kind!r} question without a truth cannot be scored: set its `answer`.")
    return question.answer.value


def score_length(answer: Answer, question: Question, mode: Mode) -> bool:
    """Score a length or a vector [m] within 20 % of the truth's norm."""
    return _within(answer, truth_of(question), "m", STILL_LENGTH if mode == "strict" else 0.0)


def score_angle(answer: Answer, question: Question, mode: Mode) -> bool:
    """Score an angle [deg] within 20 %; the published truths and answers are whole, truncated degrees."""
    truth = truth_of(question)
    if mode == "strict":
        return _within(answer, truth, "deg", STILL_ANGLE)
    predicted = _numbers(answer, "deg", 1)
    if predicted is None or predicted[0] < 0:
        return False
    whole = Answer(float(to_degrees(float(predicted[0]))), "deg")
    return _within(whole, float(to_degrees(float(np.asarray(truth, float)))), "deg", 0.0)


def score_pixel(answer: Answer, question: Question, mode: Mode) -> bool:
    """Score a pixel of the last frame within 5 % of its width, by Euclidean distance [px]."""
    truth = np.asarray(truth_of(question), float)
    predicted = _numbers(answer, "px", 2)
    limit = PIXEL_SHARE * question.frames[-1].width
    return predicted is not None and math.dist(predicted, truth) <= limit * (1 + _ROUND_OFF)


def score_word(answer: Answer, question: Question, mode: Mode) -> bool:
    """Score a letter or direction by equality."""
    return bool(answer.valid and isinstance(answer.value, str) and answer.value == truth_of(question))


def score_candidate(answer: Answer, question: Question, mode: Mode) -> bool:
    """Score a pixel that names one of the question's points.

    Paper: it must be the right one to within one thousandth of the image, and no nearer to the other.
    Strict: the right one must be the nearest.
    """
    predicted = _numbers(answer, "px", 2)
    if predicted is None:
        return False
    size = (question.frames[0].width, question.frames[0].height)
    truth = np.asarray(truth_of(question), float)
    gaps = [math.dist(predicted, (point.x, point.y)) for point in question.points]
    others = [
        gap
        for gap, point in zip(gaps, question.points, strict=True)
        if math.dist(truth, point[:2]) > _ROUND_OFF
    ]
    nearest = all(math.dist(predicted, truth) < gap for gap in others)
    if mode == "strict":
        return nearest
    steps = [
        abs(float(p) / s * 1000 - t)
        for p, s, t in zip(predicted, size, to_thousandths(truth, size), strict=True)
    ]
    return nearest and max(steps) <= 1 + _ROUND_OFF


def _within(answer: Answer, truth: Value, unit: str, floor: float) -> bool:
    expected = np.atleast_1d(np.asarray(truth, float))
    predicted = _numbers(answer, unit, expected.size)
    if predicted is None:
        return False
    norm = math.hypot(*expected)
    limit = max(RELATIVE * norm, floor if norm < floor else 0.0)
    return math.dist(predicted, expected) <= limit * (1 + _ROUND_OFF)


def _numbers(answer: Answer, unit: str, size: int) -> Array | None:
    """Return the value as `size` finite numbers in the right unit, or None."""
    if not answer.valid or answer.value is None or isinstance(answer.value, str) or answer.unit != unit:
        return None
    values = np.atleast_1d(np.asarray(answer.value, float))
    return values if values.shape == (size,) and np.isfinite(values).all() else None

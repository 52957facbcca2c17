"""Questions and answers in words, for people: lengths in millimetres, with their standard deviations."""

from __future__ import annotations

import numpy as np

from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Question
from spatial_reward.viz.step import Step

_SCALES = {"m": (1000.0, " mm"), "deg": (1.0, " deg"), "px": (1.0, " px"), "1": (1.0, "")}


def asked_words(question: Question) -> str:
    """Return the words of a question: its own, or the first of its kind's phrases."""
    if question.prompt:
        return question.prompt
    try:
        return KINDS[question.kind].phrase(question, np.random.default_rng(0), False)
    except (KeyError, IndexError, ValueError):  # a user's own, of which the kind's phrases do not know enough
        return f"{question.kind} at {[tuple(point) for point in question.points]}"


def answer_words(answer: Answer) -> str:
    """Say an answer: the value with its std, and why it may not be used.

    >>> answer_words(Answer(0.125, "m", 0.002))
    '125 ± 2 mm'
    >>> answer_words(Answer.unknown("hidden behind the arm", "m"))
    'unknown: hidden behind the arm'
    """
    if answer.value is None:
        return f"unknown: {answer.text}" if answer.text else "unknown"
    if isinstance(answer.value, str):
        words = answer.value
    else:
        factor, unit = _SCALES.get(answer.unit, (1.0, f" {answer.unit}"))
        words = f"{_numbers(answer.value, factor)}{_spread(answer.std, factor)}{unit}"
    return words if answer.valid else f"{words} (not valid{f': {answer.text}' if answer.text else ''})"


def step_words(step: Step) -> str:
    """Say in Markdown what was asked and answered about a frame, and what the judge makes of it."""
    lines = []
    for name, answer in step.signal.answers.items():
        lines.append(f"**How did `{name}` move** since the reference frame, to the right, down and forward?")
        lines.append(
            f"{_source(answer)}: **{answer_words(answer)}**{_moved(answer)}{_true_motion(step, name)}"
        )
    signal = step.signal
    if np.isfinite(signal.potential):
        lines.append(
            f"Distance to the goal **{_numbers(step.predicted, 1000)}{_spread(signal.std, 1000)} mm**"
            f"{_true_distance(step)}, progress {signal.progress:.0%}, success {signal.success:.0%}"
        )
    else:
        lines.append(f"Distance to the goal unknown{_true_distance(step)}")
    return "\n\n".join(lines)


def _source(answer: Answer) -> str:
    return answer.source or answer.text or "answer"


def _moved(answer: Answer) -> str:
    if not isinstance(answer.value, np.ndarray) or answer.value.shape != (3,):
        return ""
    return f", {1000 * float(np.linalg.norm(answer.value)):.0f} mm in all"


def _true_motion(step: Step, name: str) -> str:
    camera = step.reference_frame.camera
    if name not in step.motion or camera is None:
        return ""
    return f"; in truth {_numbers(camera.camera_from_world[:3, :3] @ step.motion[name], 1000)} mm"


def _true_distance(step: Step) -> str:
    return f"; in truth {_numbers(step.truth, 1000)} mm" if np.isfinite(step.truth) else ""


def _spread(std: object, factor: float) -> str:
    known = bool(np.isfinite(np.asarray(std, float)).all())
    return f" ± {_numbers(std, factor)}" if known and np.any(np.asarray(std, float) != 0) else ""


def _numbers(value: object, factor: float) -> str:
    scaled = np.atleast_1d(np.asarray(value, float)) * factor
    words = [f"{number:.0f}" if abs(number) >= 10 else f"{number:.3g}" for number in scaled]
    return words[0] if len(words) == 1 else f"({', '.join(words)})"

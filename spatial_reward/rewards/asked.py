"""Telling the questions about a frame apart."""

from __future__ import annotations

from spatial_reward.types import Question


def question_key(question: Question) -> object:
    """Return what tells the questions about a frame apart; the same one if it is asked again."""
    anchor = () if question.anchor is None else tuple(question.anchor.tolist())
    return question.kind, question.points, anchor

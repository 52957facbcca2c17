"""Answers from probabilities: where a reply states its value, what else could have stood there?"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.chat_tokens import continued_ids
from spatial_reward.models.answer_format import CHOICES, VECTORS
from spatial_reward.models.coordinates import Space
from spatial_reward.models.number_grammar import Grammar, TokenGrammar
from spatial_reward.models.token_values import (
    BEAM,
    Distribution,
    first_tokens,
    number_distributions,
    offered_probabilities,
)
from spatial_reward.models.vlm_engine import Engine, State
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Question

_MARKED = re.compile(r"`([^`]*)`")
_SAME = 1e-6  # share


class Stated(NamedTuple):
    """A reply that was read: its question, its words, and the answer they state."""

    question: Question
    space: Space
    text: str
    answer: Answer


class Lead(NamedTuple):
    """The tokens up to where a value starts.

    Attributes:
        ids: The tokens.
        written: The numbers that follow in the reply, where they do.
        firsts: The tokens with which the choices may go on, where there are choices.
    """

    ids: list[int]
    written: tuple[float, ...] = ()
    firsts: tuple[int, ...] = ()


def check_choices(tokenizer: Any) -> None:
    """See to it that every choice starts with a token of its own.

    Raises:
        ValueError: If two choices of a kind start alike.
    """
    for words in CHOICES.values():
        first_tokens(tokenizer, words, "`")


def expected_answers(
    engine: Engine, state: State, stated: Sequence[Stated | None], tokens: TokenGrammar, tokenizer: Any
) -> list[Answer | None]:
    """Replace the answers of a batch by expectations; None stays None.

    Args:
        engine: Of the model.
        state: Behind the prompts, before the replies.
        stated: The replies that were read, one per row.
        tokens: Of the tokenizer.
        tokenizer: Of the model.
    """
    forms = [_form(said) if said else None for said in stated]
    leads = [
        _lead(said, form, tokenizer) if said else Lead([]) for said, form in zip(stated, forms, strict=True)
    ]
    state = engine.extend(engine.rewind(state), [lead.ids for lead in leads])
    spread = number_distributions(engine, state, forms, tokens, BEAM)
    answers: list[Answer | None] = []
    for row, (said, lead) in enumerate(zip(stated, leads, strict=True)):
        if said is None:
            answers.append(None)
        elif said.question.kind in CHOICES:
            answers.append(_chosen(said, offered_probabilities(state.logits[row], lead.firsts)))
        else:
            answers.append(_expected(said, spread[row], lead))
    return answers


def _form(said: Stated) -> Grammar | None:
    """Return how the value of a question is written; None for words."""
    kind = KINDS[said.question.kind]
    if kind.name in CHOICES:
        return None
    if kind.name in VECTORS:
        return Grammar(3, minus=True, spaces=True)
    if kind.unit == "px":
        return Grammar(2, digits=4, tenths=said.space.full != 1000, spaces=True)
    return Grammar(digits=3 if kind.unit == "deg" else 5)


def _lead(said: Stated, form: Grammar | None, tokenizer: Any) -> Lead:
    """Find where a reply states its value, between its last backticks; else begin as the format asks."""
    found = list(_MARKED.finditer(said.text))
    if form is None:
        words = CHOICES[said.question.kind]
        before = said.text[: found[-1].start(1)] if found and found[-1][1] in words else "`"
        ids, firsts = first_tokens(tokenizer, words, before)
        return Lead(ids, firsts=tuple(firsts))
    opening = "`[" if form.count > 1 else "`"
    if found:
        start = found[-1].start() + len(opening)
        if said.text.startswith(opening, found[-1].start()) and form.fits(said.text[start:]):
            return Lead(continued_ids(tokenizer, said.text[:start]), form.values(said.text[start:]))
    return Lead(continued_ids(tokenizer, opening))


def _chosen(said: Stated, shares: Array) -> Answer:
    """Choose the likeliest word; its std is the root mean square of an error of 1 if it is wrong."""
    words, best = CHOICES[said.question.kind], int(shares.argmax())
    return replace(said.answer, value=words[best], std=math.sqrt(max(0.0, 1 - float(shares[best]))))


def _expected(said: Stated, spread: Distribution | None, lead: Lead) -> Answer:
    """Turn a distribution of written numbers into an answer; it is the reply's own in other units."""
    scale, order = _units(said)
    if lead.written:
        written = np.array(lead.written)[order] * scale
        if not np.allclose(written, np.asarray(said.answer.value, float), rtol=_SAME, atol=_SAME):
            return said.answer
    if spread is None:
        return said.answer
    value = spread.mean[order] * scale
    covariance = spread.covariance[np.ix_(order, order)] * np.outer(scale, scale)
    std: Array = np.sqrt(np.clip(np.diag(covariance), 0, None))
    if len(value) == 1:
        return replace(said.answer, value=float(value[0]), std=float(std[0]))
    return replace(said.answer, value=value, std=std, covariance=covariance if len(value) == 3 else None)


def _units(said: Stated) -> tuple[Array, list[int]]:
    """Return what a written unit is worth, per component, and the order of the components."""
    kind = KINDS[said.question.kind]
    if kind.unit != "px":
        count = 3 if kind.name in VECTORS else 1
        return np.full(count, 1e-3 if kind.unit == "m" else 1.0), list(range(count))
    frame = said.question.frames[-1]
    extent = said.space.extent((frame.width, frame.height))
    return np.array([frame.width, frame.height]) / extent, [1, 0] if said.space.y_first else [0, 1]

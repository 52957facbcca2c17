"""Values from probabilities: not the likeliest number, but its expectation and standard deviation.

The numbers that a reply could state, where it states one, are followed as a tree: every token that the
grammar allows is a branch with the model's probability for it; the unlikely branches are dropped (a beam).
The weights are the model's own probabilities, given that it writes such a number at all; texts that are no
such number weigh nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.chat_tokens import continued_ids
from spatial_reward.models.number_grammar import Grammar, Place, TokenGrammar
from spatial_reward.models.vlm_engine import Engine, State

if TYPE_CHECKING:
    from torch import Tensor

BEAM = 64  # branches kept per level


class Branch(NamedTuple):
    """The beginning of a written value, where it has got, its log probability, the columns of its tokens."""

    text: str
    place: Place
    weight: float
    columns: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Distribution:
    """What a value could be.

    Attributes:
        values: (M, count) numbers as written.
        shares: (M,) probabilities, whose sum is 1.
        given: Probability of all finished texts: how sure the model is to write such a number at all.
        dropped: Probability of the dropped branches, which bounds what is missing in `given`.
    """

    values: Array
    shares: Array
    given: float
    dropped: float

    @property
    def mean(self) -> Array:
        """(count,) expectation."""
        return np.asarray(self.shares @ self.values)

    @property
    def covariance(self) -> Array:
        """(count, count)."""
        apart = self.values - self.mean
        return np.asarray((self.shares[:, None] * apart).T @ apart)


def number_distributions(
    engine: Engine,
    state: State,
    grammars: Sequence[Grammar | None],
    tokens: TokenGrammar,
    beam: int = BEAM,
) -> list[Distribution | None]:
    """Follow the numbers that the rows of a batch could state next.

    Args:
        engine: Of the model.
        state: Behind the opening mark; what was read after it is forgotten.
        grammars: Of each row; None for rows without a number.
        tokens: Of the model's tokenizer.
        beam: Branches kept per level; with as many as there are numbers, the result is exact.

    Returns:
        The distribution of each row; None without a grammar, or where no number has any probability.
    """
    rows = [_Row(grammar, tokens, beam) for grammar in grammars]
    engine.rewind(state)
    width, depth, tree = state.seen.shape[1], 0, state
    logits: Tensor = state.logits[:, None]
    while any(row.alive for row in rows):
        logs = _chosen_logs(logits, tokens)
        for index, row in enumerate(rows):
            row.grow(logs[index])
        most = max(len(row.alive) for row in rows)
        if not most:
            break
        start = tree.seen.shape[1]
        ids, visible = _level(rows, most, state, start)
        for row in rows:
            row.place_at(start)
        logits, tree = engine.branch(tree, ids, depth, visible)
        depth += 1
    engine.rewind(state)
    if state.seen.shape[1] != width:
        raise RuntimeError("The state grew while a tree was read.")
    return [row.distribution() for row in rows]


class _Row:
    """The tree of one row: its living branches, and the finished texts."""

    def __init__(self, grammar: Grammar | None, tokens: TokenGrammar, beam: int) -> None:
        self.grammar = grammar
        self.tokens = tokens
        self.beam = beam
        self.alive = [Branch("", Place(), 0.0)] if grammar else []
        self.last: list[int] = []  # the token with which each living branch ends
        self.finished: dict[tuple[float, ...], float] = {}
        self.dropped = 0.0

    def grow(self, logs: Array) -> None:
        """Replace the living branches by their likeliest continuations, by log probabilities (n, tokens)."""
        grown: list[tuple[Branch, int]] = []
        for branch, found in zip(self.alive, logs, strict=False):
            grown += self._grown(branch, found)
        grown.sort(key=lambda pair: -pair[0].weight)
        self.dropped += sum(math.exp(branch.weight) for branch, _ in grown[self.beam :])
        self.alive = [branch for branch, _ in grown[: self.beam]]
        self.last = [token for _, token in grown[: self.beam]]

    def _grown(self, branch: Branch, logs: Array) -> list[tuple[Branch, int]]:
        grammar, alive = self.grammar, []
        if grammar is None:
            return []
        for token, after in self.tokens.moves(grammar, branch.place):
            weight = branch.weight + float(logs[self.tokens.columns[token]])
            if grammar.done(after):
                values = grammar.values(branch.text)
                self.finished[values] = self.finished.get(values, 0.0) + math.exp(weight)
            else:
                text = branch.text + self.tokens.pieces[token]
                alive.append((Branch(text, after, weight, branch.columns), token))
        return alive

    def place_at(self, column: int) -> None:
        """Note the columns at which the tokens of the living branches are read."""
        self.alive = [
            branch._replace(columns=(*branch.columns, column + n)) for n, branch in enumerate(self.alive)
        ]

    def distribution(self) -> Distribution | None:
        given = sum(self.finished.values())
        if not given > 0:
            return None
        shares = np.array(list(self.finished.values())) / given
        return Distribution(np.array(list(self.finished), float), shares, given, self.dropped)


def _chosen_logs(logits: Tensor, tokens: TokenGrammar) -> Array:
    """Return the log probabilities (B, n, tokens) of the tokens of numbers, among all tokens."""
    import torch

    chosen = torch.tensor(tokens.tokens, device=logits.device)
    logs = logits[..., chosen] - logits.logsumexp(-1, keepdim=True)
    return np.asarray(logs.cpu().numpy(), float)


def _level(rows: list[_Row], most: int, state: State, start: int) -> tuple[Tensor, Tensor]:
    """Return the tokens (B, n) of the living branches, and which columns (B, n, K) stand before each."""
    import torch

    device = state.seen.device
    ids = torch.zeros(len(rows), most, dtype=torch.long)
    visible = torch.zeros(len(rows), most, start, dtype=torch.bool)
    visible[:, :, : state.seen.shape[1]] = state.seen[:, None].cpu()
    for index, row in enumerate(rows):
        for n, (branch, token) in enumerate(zip(row.alive, row.last, strict=True)):
            ids[index, n] = token
            visible[index, n, list(branch.columns)] = True
    return ids.to(device), visible.to(device)


def first_tokens(tokenizer: Any, offered: Sequence[str], lead: str = "") -> tuple[list[int], list[int]]:
    """Return the tokens that all offered words begin with, behind `lead`, and the first of each word's own.

    Raises:
        ValueError: If two words' own tokens start alike: then the first does not tell which is meant.
    """
    spelt = [continued_ids(tokenizer, lead + word) for word in offered]
    shared = 0
    while all(len(ids) > shared + 1 and ids[shared] == spelt[0][shared] for ids in spelt):
        shared += 1
    firsts = [ids[shared] for ids in spelt]
    if len(set(firsts)) < len(firsts):
        words = ", ".join(map(repr, offered))
        raise ValueError(
            f"The words {words} do not start with tokens of their own: offer others, as letters."
        )
    return spelt[0][:shared], firsts


def offered_probabilities(logits: Tensor, tokens: Sequence[int]) -> Array:
    """Return the probabilities (..., n) of offered tokens, normalised over them, from logits (..., V)."""
    return np.asarray(logits[..., list(tokens)].cpu().double().softmax(-1).numpy())

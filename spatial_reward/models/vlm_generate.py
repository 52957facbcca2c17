"""Greedy replies: the likeliest token, one after the other, for a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from spatial_reward.models.vlm_engine import Engine, State


class Reply(NamedTuple):
    """The tokens of a reply, without the one that ends it; `whole` is False where it was cut off."""

    ids: list[int]
    whole: bool


def greedy(engine: Engine, state: State, stops: frozenset[int], most: int) -> list[Reply]:
    """Reply to every row of a batch, with at most `most` tokens."""
    rows = len(state.logits)
    replies: list[list[int]] = [[] for _ in range(rows)]
    going = [True] * rows
    for count in range(most):
        for row, token in enumerate(state.logits.argmax(-1).tolist()):
            if going[row] and token in stops:
                going[row] = False
            elif going[row]:
                replies[row].append(token)
        if not any(going) or count + 1 == most:
            break
        state = engine.extend(state, [ids[-1:] if on else [] for ids, on in zip(replies, going, strict=True)])
    return [Reply(ids, not on) for ids, on in zip(replies, going, strict=True)]


def stop_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Return the tokens that end a reply."""
    configured = model.generation_config.eos_token_id
    listed: Sequence[int] = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in (*listed, tokenizer.eos_token_id) if token is not None)

"""What a chat completion says: its text, what it cost, and how sure the model was of its choice."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spatial_reward.models.endpoint_http import BUSY, NoReply

LONGEST_TEXT = 200_000  # [characters]

Token = Mapping[str, Any]  # "token", "logprob", "top_logprobs": OpenAI's form


@dataclass(frozen=True)
class Reply:
    """The first choice of a chat completion.

    Attributes:
        text: The assistant's words.
        finish: Why it stopped; "length" = cut off.
        prompt_tokens: Of the request; None where the server does not say.
        completion_tokens: Of the reply; None where the server does not say.
        tokens: Tokens of the text with their log probabilities, where asked for and given.
    """

    text: str
    finish: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens: Sequence[Token] = ()


def parse(data: Any) -> Reply:
    """Read the JSON of a chat completion.

    Raises:
        NoReply: If it is no usable one.
    """
    if isinstance(data, dict) and data.get("error"):
        raise _failure(data["error"])
    try:
        choice = data["choices"][0]
        text, usage = _text(choice["message"].get("content")), data.get("usage") or {}
        prompt, completion = (_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
        tokens = (choice.get("logprobs") or {}).get("content") or ()
    except (AttributeError, IndexError, KeyError, TypeError):
        raise NoReply(f"the reply is no chat completion: {str(data)[:200]}") from None
    if len(text) > LONGEST_TEXT:
        raise NoReply(f"the reply has {len(text)} characters, more than {LONGEST_TEXT}")
    return Reply(text, str(choice.get("finish_reason") or "stop"), prompt, completion, tokens)


def _failure(error: Any) -> NoReply:
    """Turn an error that came with HTTP 200 into a reason."""
    message, code = (
        (error.get("message", error), error.get("code")) if isinstance(error, dict) else (error, 0)
    )
    passing = isinstance(code, int) and (code in BUSY or code >= 500)
    return NoReply(f"the server reports an error: {str(message)[:300]}", passing)


def _text(content: Any) -> str:
    """Join a message's content: words, or a list of parts; nothing where the model only thought."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    if content is not None and not isinstance(content, str):
        raise TypeError(f"content {content!r}")
    return content or ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def choice_probabilities(
    tokens: Sequence[Token], chosen: str, choices: Sequence[str]
) -> dict[str, float] | None:
    """Return the probabilities of the choices, normalised over them; None where the tokens do not tell.

    Read at the token with which the chosen word starts. A choice that is not among the listed tokens
    is given the probability of the least likely listed one, which it cannot exceed.

    Args:
        tokens: Tokens of the reply with `top_logprobs`.
        chosen: The choice that the reply states.
        choices: All choices, such as ("A", "B") or ("True", "False").
    """
    try:
        listed = _listed(tokens, chosen)
        shares = [(str(entry["token"]), math.exp(min(0.0, float(entry["logprob"])))) for entry in listed]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    if len(shares) < 2:
        return None
    least = min(share for _, share in shares)
    mass = {
        choice: sum(share for token, share in shares if _starts(choice, token, choices)) for choice in choices
    }
    if not mass.get(chosen):
        return None
    mass = {choice: share or least for choice, share in mass.items()}
    return {choice: share / sum(mass.values()) for choice, share in mass.items()}


def _listed(tokens: Sequence[Token], chosen: str) -> Sequence[Token]:
    """Return the alternatives at the token with which the last mention of a word starts."""
    text = "".join(token["token"] for token in tokens)
    word = rf"\b{re.escape(chosen)}\b"
    mentions = list(re.finditer(word, text)) or list(re.finditer(word, text, re.IGNORECASE))
    position = 0
    for token in tokens:
        position += len(token["token"])
        if mentions and position > mentions[-1].start():
            found: Sequence[Token] = token["top_logprobs"]
            return found
    return ()


def _starts(choice: str, token: str, choices: Sequence[str]) -> bool:
    """Tell whether a token is the start of this choice and of no other."""
    word = re.sub("[^a-z]", "", token.lower())
    return bool(word) and [other for other in choices if other.lower().startswith(word)] == [choice]

"""What an endpoint was asked, and what that cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spatial_reward.models.endpoint_reply import Reply


@dataclass
class Usage:
    """What an endpoint was asked and what that cost so far.

    Attributes:
        questions: Put to `answer`.
        requests: Sent, with retries.
        cached: Questions answered out of the cache.
        failed: Questions to which no usable reply came.
        unread: Questions whose reply states no usable answer.
        prompt_tokens: As the server counts them.
        completion_tokens: As the server counts them.
        unmetered: Replies without counts; tokens and cost then are lower bounds.
        prices: Of a million prompt tokens and of a million completion tokens, in any currency.

    Raises:
        ValueError: If `prices` are not two.
    """

    questions: int = 0
    requests: int = 0
    cached: int = 0
    failed: int = 0
    unread: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unmetered: int = 0
    prices: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the prices."""
        prices = self.prices
        if prices is not None and (len(prices) != 2 or not all(price >= 0 for price in prices)):
            raise ValueError(
                f"`prices` must be two numbers, per million prompt and completion tokens: {prices!r}."
            )

    @property
    def cost(self) -> float:
        """In the currency of `prices`; NaN without prices."""
        if self.prices is None:
            return math.nan
        return (self.prices[0] * self.prompt_tokens + self.prices[1] * self.completion_tokens) / 1e6

    def add(self, reply: Reply) -> None:
        """Count the tokens of a reply."""
        self.prompt_tokens += reply.prompt_tokens or 0
        self.completion_tokens += reply.completion_tokens or 0
        self.unmetered += reply.prompt_tokens is None or reply.completion_tokens is None

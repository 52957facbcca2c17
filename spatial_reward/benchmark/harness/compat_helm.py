"""How HELM scores RoboRewardBench, with its quirks.

As src/helm/benchmark/metrics/robo_reward_bench_metrics.py has it for scores (its class
RoboRewardBenchProgressPredictionMetric; stanford-crfm/helm, of late 2025): the number behind the first
"answer:", of any size and sign, else a number at the start of the reply. The absolute error counts; a reply
that cannot be read has an error of 4.
"""

from __future__ import annotations

import re

from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.scored import Scored

UNREAD_ERROR = 4.0
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_ANSWER = re.compile(rf"\banswer\b\s*:\s*{_NUMBER}", re.IGNORECASE)
_START = re.compile(rf"\s*{_NUMBER}\b")


def answer_error(item: Item, reply: str) -> Scored:
    """Return the absolute error of a score."""
    text = reply.strip()
    match = _ANSWER.search(text) or _START.match(text)
    if not match:
        return Scored("", UNREAD_ERROR)
    return Scored(match[1], abs(float(match[1]) - float(item.answer)))

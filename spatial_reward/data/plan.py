"""Who draws what: a number of questions divided over subtasks, scenes and parts, by arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spatial_reward.questions import KINDS, SUBTASKS

# From what a scene holds little of to what it holds without end, so that a later one makes up for an earlier.
_FAMILIES = ("object_size", "camera_motion", "object_motion", "correspondence", "depth")
ORDER = tuple(
    subtask.name
    for family in _FAMILIES
    for subtask in reversed(SUBTASKS)
    if KINDS[subtask.kind].family == family
)
_GROUPS = 6  # parts that share a scene: each has a subtask of points, of which there are many

Quotas = Mapping[str, int]  # questions by subtask, in the order of drawing


@dataclass(frozen=True)
class Part:
    """What one worker draws in one go.

    Attributes:
        number: Names its shards.
        turn: 0, or the turn in which it makes up for what other parts lacked.
        shares: Questions by scene and subtask.
    """

    number: int
    turn: int
    shares: Mapping[str, Quotas]

    @property
    def total(self) -> int:
        """Number of questions."""
        return sum(_total(quotas) for quotas in self.shares.values())

    def as_json(self) -> dict[str, Any]:
        """Return plain values that tell one part from another."""
        shares = {scene: dict(quotas) for scene, quotas in self.shares.items()}
        return {"number": self.number, "turn": self.turn, "shares": shares}


def plan_parts(
    count: int, scenes: Mapping[str, Sequence[str]], per_shard: int, *, first: int = 0, turn: int = 0
) -> list[Part]:
    """Divide `count` questions evenly over subtasks, then over the scenes that support each, then into parts.

    All questions of one subtask about one scene are in one part, so that none is asked twice. A part has
    the whole of several scenes, or some of the subtasks of one that has more than `per_shard` questions.

    Args:
        count: Number of questions.
        scenes: The subtasks that are to be asked about each scene, in order.
        per_shard: Questions of a part; only the part of a large scene may have more.
        first: Number of the first part.
        turn: That of all parts.
    """
    quotas = _quotas(count, scenes)
    shares = _gathered({scene: own for scene, own in quotas.items() if _total(own) <= per_shard}, per_shard)
    for scene, own in quotas.items():
        if _total(own) > per_shard:
            shares += [{scene: group} for group in _dealt(own, -(-_total(own) // per_shard))]
    return [Part(first + number, turn, share) for number, share in enumerate(shares)]


def _total(quotas: Quotas) -> int:
    return sum(quotas.values())


def _gathered(scenes: Mapping[str, Quotas], most: int) -> list[dict[str, Quotas]]:
    """Gather scenes in order into as few parts as possible, of about equal size, none over `most`."""
    total = sum(map(_total, scenes.values()))
    for number in range(-(-total // most), len(scenes) + 1):
        shares = _filled(scenes, most, total / max(1, number))
        if len(shares) <= number:
            return shares
    return [{scene: quotas} for scene, quotas in scenes.items()]


def _filled(scenes: Mapping[str, Quotas], most: int, goal: float) -> list[dict[str, Quotas]]:
    """Fill one part after the other up to about `goal` questions."""
    shares: list[dict[str, Quotas]] = [{}]
    held = 0
    for scene, quotas in scenes.items():
        own = _total(quotas)
        if shares[-1] and (held + own > most or held + own / 2 > goal):
            shares, held = [*shares, {}], 0
        shares[-1][scene] = quotas
        held += own
    return [share for share in shares if share]


def _quotas(count: int, scenes: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """Return the questions by scene and subtask; none where there are none to ask."""
    asked = [name for name in ORDER if any(name in supported for supported in scenes.values())]
    quotas: dict[str, dict[str, int]] = {scene: {} for scene in scenes}
    for index, (name, total) in enumerate(zip(asked, _split(count, len(asked)), strict=True)):
        fit = [scene for scene, supported in scenes.items() if name in supported]
        turned = [fit[(place + index) % len(fit)] for place in range(len(fit))]  # remainders fall on others
        for scene, number in zip(turned, _split(total, len(fit)), strict=True):
            if number:
                quotas[scene][name] = number
    return {scene: quota for scene, quota in quotas.items() if quota}


def _split(total: int, parts: int) -> Iterator[int]:
    """Split a number evenly, the first parts one more.

    >>> list(_split(8, 3))
    [3, 3, 2]
    """
    return (total // parts + (index < total % parts) for index in range(parts))


def _dealt(quotas: Quotas, parts: int) -> list[Quotas]:
    """Deal the subtasks out like cards, so that each part has scarce ones and plentiful ones."""
    names, parts = list(quotas), min(parts, _GROUPS, len(quotas))
    return [{name: quotas[name] for name in names[start::parts]} for start in range(parts)]

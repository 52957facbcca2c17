"""Where the things of a goal are in the first frame of an episode: pixels, boxes, positions, other names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spatial_reward.types import Reference

APART = ("cameras", "episodes")  # keys of `points.json` that are no names
NUMBERS = {2: "pixel", 3: "position", 4: "box"}


def points_for(points: Mapping[str, Any], episode: int, camera: str) -> dict[str, Any]:
    """Return the entries that hold for an episode and a camera: the more special ones win.

    >>> points_for({"a": [1, 2], "episodes": {"3": {"a": [5, 6]}}}, 3, "front")
    {'a': [5, 6]}
    """
    special = points.get("episodes", {})
    own = special.get(str(episode), special.get(episode, {}))  # the command line has numbers, JSON has not
    layers = [points, points.get("cameras", {}).get(camera, {}), own, own.get("cameras", {}).get(camera, {})]
    return {name: entry for layer in layers for name, entry in layer.items() if name not in APART}


def missing_points(names: Sequence[str], entries: Mapping[str, Any]) -> list[str]:
    """Return the names of a goal that nothing is said about."""
    return [name for name in names if name not in entries]


def references_of(names: Sequence[str], entries: Mapping[str, Any], *, posed: bool) -> dict[str, Reference]:
    """Return the references of a goal's names.

    Args:
        names: Of the goal.
        entries: Of `points_for`.
        posed: Whether the camera's pose is known: without it, positions in the world say nothing.

    Raises:
        ValueError: If a name is missing, or an entry says nothing that can be used.
    """
    return {name: _reference(name, _entry(name, entries), posed) for name in names}


def _entry(name: str, entries: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow other names to an entry, written out."""
    seen = [name]
    while isinstance(entries.get(seen[-1]), str):
        if entries[seen[-1]] in seen:
            raise ValueError(f"The points {', '.join(seen)} are names of one another.")
        seen.append(entries[seen[-1]])
    if seen[-1] not in entries:
        near = difflib.get_close_matches(seen[-1], entries, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"No point is given for {seen[-1]!r}, only for {sorted(entries)}: say where it is in the first "
            f"frame, as in points={{{seen[-1]}:[120,80]}}, or points=pick to click it.{hint}"
        )
    found = entries[seen[-1]]
    if isinstance(found, Mapping):
        return found
    if isinstance(found, Sequence) and len(found) in NUMBERS:
        return {NUMBERS[len(found)]: found}
    raise ValueError(f"The point of {name!r} must be a pixel [x, y], a box or a position, got {found!r}.")


def _reference(name: str, entry: Mapping[str, Any], posed: bool) -> Reference:
    pixel, position = entry.get("pixel"), entry.get("position")
    if "box" in entry:
        left, top, right, bottom = (float(value) for value in entry["box"])
        if not (left < right and top < bottom):
            raise ValueError(f"The box of {name!r} must be [left, top, right, bottom], got {entry['box']}.")
        pixel = [(left + right) / 2, (top + bottom) / 2]
    if pixel is None and position is None:
        raise ValueError(f"The point of {name!r} needs `pixel`, `box` or `position`, got {dict(entry)}.")
    if pixel is None and not posed:
        raise ValueError(
            f"{name!r} is a position in the world, but the camera's pose is unknown: give a pixel."
        )
    at = None if pixel is None else (float(pixel[0]), float(pixel[1]))
    where = np.asarray(position, float) if position is not None and posed else None
    return Reference(name, at, where)

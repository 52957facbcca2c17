"""Choosing questions for multispa-sim so that words, points and habits do not answer them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_reward.benchmark.multispa_sim_rows import Row
from spatial_reward.benchmark.multispa_sim_scenes import Clip
from spatial_reward.data.draw.balance import evenly, log_bins
from spatial_reward.questions import KINDS

Indices = NDArray[np.int64]
NEAR = 0.06  # share of the width: a match within it is answered by the place asked about, or nearly so
_PER_CLIP = 16  # questions of a subtask, at most
_FINE = 4.0  # bins of a size per doubling
_SELDOM = 0.06  # share of questions whose point stays: still ones, and matches near their first place


def choose(rows: Sequence[Row], clips: dict[str, Clip], count: int, rng: np.random.Generator) -> list[Row]:
    """Choose `count` questions of one subtask, evenly over what could give the answer away.

    Raises:
        ValueError: If there are too few.
    """
    rows = _few_of_each([rows[int(i)] for i in rng.permutation(len(rows))])
    if len(rows) < count:
        raise ValueError(f"{count} questions wanted, but there are {len(rows)}: draw more of them.")
    kind = str(rows[0]["kind"])
    stays = _stays(kind, rows, clips)
    few = rng.permutation(np.flatnonzero(stays))[: round(_SELDOM * count)]
    rest = np.flatnonzero(~stays)
    groups = _GROUPS[kind if kind in _GROUPS else KINDS[kind].family]([rows[int(i)] for i in rest], clips)
    chosen = np.concatenate([few, rest[evenly(groups, count - len(few), rng)]])
    return [rows[int(i)] for i in rng.permutation(chosen)]


def _few_of_each(rows: Sequence[Row]) -> list[Row]:
    """Keep one question about the size of a thing, and a few about each clip."""
    kept, count = [], Counter[str]()
    for row in rows:
        sized = KINDS[row["kind"]].family == "object_size"
        key = row["clip"].rpartition("-")[0] + row["labels"][0] if sized else row["clip"]
        count[key] += 1
        if count[key] <= (1 if sized else _PER_CLIP):
            kept.append(row)
    return kept


def _stays(kind: str, rows: Sequence[Row], clips: dict[str, Clip]) -> NDArray[np.bool_]:
    if kind == "vc_coord":
        return np.array([_shift(row, clips) < NEAR for row in rows])
    if KINDS[kind].family == "object_motion":
        return np.array([not np.any(row["truth"]) for row in rows])
    return np.zeros(len(rows), bool)


def _shift(row: Row, clips: dict[str, Clip]) -> float:
    """Return how far a match is from its first place, as a share of the width."""
    width = clips[row["clip"]].width
    return float(np.linalg.norm(np.array(row["truth"]) - row["points"][0][:2]) / width)


def _places(rows: Sequence[Row], clips: dict[str, Clip], point: int) -> NDArray[np.float64]:
    """Return point number `point` (N, 2) of each question as shares of width and height."""
    sizes = np.array([(clips[row["clip"]].width, clips[row["clip"]].height) for row in rows])
    shares: NDArray[np.float64] = np.array([row["points"][point][:2] for row in rows], float) / sizes
    return shares


def _by_depth(rows: Sequence[Row], clips: dict[str, Clip]) -> Indices:
    """Every depth as often, and every height in the picture as often at each depth."""
    third = np.floor(3 * _places(rows, clips, 0)[:, 1]).astype(np.int64)
    return 3 * log_bins([row["truth"] for row in rows]) + third


def _by_cue(rows: Sequence[Row], clips: dict[str, Clip]) -> Indices:
    """The lower point is the closer one as often as not, so is the more central one, so is the first."""
    first, second = _places(rows, clips, 0), _places(rows, clips, 1)
    right = np.array([_chosen(row) for row in rows])
    farther = np.array([row["labels"][-1] == "farther" for row in rows])
    closer = np.where(farther, 1 - right, right)
    lower = (second[:, 1] > first[:, 1]) == closer
    away = [np.linalg.norm(place - 0.5, axis=1) for place in (first, second)]
    central = (away[1] < away[0]) == closer
    return np.asarray(8 * lower + 4 * central + 2 * farther + right, np.int64)


def _chosen(row: Row) -> int:
    if isinstance(row["truth"], str):
        return "AB".index(row["truth"])
    return int(np.argmin([np.linalg.norm(np.subtract(row["truth"], point[:2])) for point in row["points"]]))


def _by_shift(rows: Sequence[Row], clips: dict[str, Clip]) -> Indices:
    return log_bins([_shift(row, clips) for row in rows])


def _by_rank(rows: Sequence[Row], clips: dict[str, Clip]) -> Indices:
    """Every letter, and every rank of the right one by nearness to the dot and to the centre, as often."""
    places = np.stack([_places(rows, clips, point) for point in range(5)])
    right = np.array(["ABCD".index(row["truth"]) for row in rows])
    near = np.linalg.norm(places[1:] - places[0], axis=-1).argsort(axis=0).argsort(axis=0)
    middle = np.linalg.norm(places[1:] - 0.5, axis=-1).argsort(axis=0).argsort(axis=0)
    every = np.arange(len(rows))
    return np.asarray(16 * right + 4 * near[right, every] + middle[right, every], np.int64)


def _by_size(rows: Sequence[Row], clips: dict[str, Clip]) -> Indices:
    return log_bins([float(np.linalg.norm(row["truth"])) for row in rows], _FINE)


def _by_word(rows: Sequence[Row], clips: dict[str, Clip]) -> Indices:
    return np.unique([str(row["truth"]) for row in rows], return_inverse=True)[1].astype(np.int64)


_GROUPS: dict[str, Callable[[Sequence[Row], dict[str, Clip]], Indices]] = {
    "depth_cmp_dot": _by_cue,
    "depth_cmp_coord": _by_cue,
    "depth": _by_depth,
    "vc_coord": _by_shift,
    "vc_mcq": _by_rank,
    **{f"cam_dir_{name}": _by_word for name in ("x", "y", "z", "yaw", "pitch")},
    "camera_motion": _by_size,
    "object_motion": _by_size,
    "object_size": _by_size,
}

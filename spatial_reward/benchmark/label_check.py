"""A second opinion on every label of multispa-sim, from the simulator's state alone.

Nothing here comes from the code that asks questions: cameras are made from the quaternions written down,
surfaces are found by MuJoCo's ray casting, motions are those of bodies, sizes those of geoms.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spatial_reward.benchmark.multispa_sim_scenes import Scenes
from spatial_reward.benchmark.witness import Hit, Vector, Witness

Row = Mapping[str, Any]  # a question as it is written down

STILL = 0.010  # [m] less is no motion


class Tolerance(NamedTuple):
    """How far a label may be from the second opinion: absolute, in its unit, plus a share of it."""

    absolute: float
    share: float = 0.0


# Pictures show round things as polyhedra and depth in float32; rays meet the exact shapes. Labels of size
# come from sampled surface points, which end a little before the thing does.
TOLERANCES = {
    "depth": Tolerance(0.002, 0.004),
    "vc": Tolerance(1.0),
    "word": Tolerance(0.0),
    "deg": Tolerance(1e-3),
    "cam": Tolerance(1e-5),
    "obj": Tolerance(0.002, 0.01),
    "size": Tolerance(0.002, 0.05),
}


@dataclass(frozen=True)
class Check:
    """One label, looked at again.

    Attributes:
        id: Of the question.
        subtask: Of the question.
        deviation: From the second opinion [m], [deg] or [px]; 0 or infinite for words.
        agrees: Whether it is within the tolerance.
        why: What is wrong, else "".
    """

    id: str
    subtask: str
    deviation: float
    agrees: bool
    why: str = ""


def check_labels(rows: Iterable[Row], scenes: Scenes) -> list[Check]:
    """Compare the labels of questions, as written down, with the second opinion; in the order of clips."""
    by_clip: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_clip[row["clip"]].append(row)
    return [check for clip, some in by_clip.items() for check in check_clip(some, Witness(scenes, clip))]


def check_clip(rows: Sequence[Row], witness: Witness) -> list[Check]:
    """Compare the labels of questions about one clip."""
    return [_check(row, witness) for row in rows]


def summary(checks: Iterable[Check]) -> dict[str, dict[str, float]]:
    """Count by subtask: questions, those that agree, and the largest deviation of these."""
    table: dict[str, dict[str, float]] = {}
    for check in checks:
        row = table.setdefault(check.subtask, {"n": 0, "agree": 0, "largest": 0.0})
        row["n"] += 1
        if check.agrees:
            row["agree"] += 1
            row["largest"] = max(row["largest"], check.deviation)
    return table


def _check(row: Row, witness: Witness) -> Check:
    kind = str(row["kind"])
    opinion = _FAMILIES[next(prefix for prefix in _FAMILIES if kind.startswith(prefix))]
    deviation, limit, why = opinion(row, witness)
    agrees = not why and deviation <= limit
    return Check(
        row["id"], row["subtask"], float(deviation), bool(agrees), why or ("" if agrees else "too far apart")
    )


Opinion = tuple[float, float, str]  # deviation, limit, what is wrong
_WRONG: Opinion = (math.inf, 0.0, "another answer")


def _limit(name: str, size: float = 0.0) -> float:
    return TOLERANCES[name].absolute + TOLERANCES[name].share * size


def _first_hit(row: Row, witness: Witness, point: int = 0) -> Hit | None:
    x, y, frame = row["points"][point]
    return witness.hit(row["frames"][frame], (x, y))


def _depth_estimate(row: Row, witness: Witness) -> Opinion:
    hit = _first_hit(row, witness)
    if hit is None:
        return math.inf, 0.0, "nothing under the point"
    return abs(row["truth"] - hit.depth), _limit("depth", hit.depth), ""


def _depth_comparison(row: Row, witness: Witness) -> Opinion:
    hits = [_first_hit(row, witness, point) for point in (0, 1)]
    if hits[0] is None or hits[1] is None:
        return math.inf, 0.0, "nothing under a point"
    nearer = 0 if hits[0].depth < hits[1].depth else 1
    meant = 1 - nearer if row["labels"][-1] == "farther" else nearer
    if row["kind"] == "depth_cmp_dot":
        return (0.0, 0.0, "") if row["truth"] == "AB"[meant] else _WRONG
    return math.dist(row["truth"], row["points"][meant][:2]), 0.0, ""


def _match(row: Row, witness: Witness) -> tuple[Vector | None, str]:
    """Follow the first point into the last frame [px]; it must be seen there."""
    hit = _first_hit(row, witness)
    if hit is None:
        return None, "nothing under the point"
    there = witness.carried(hit, row["frames"][-1])
    pixel = witness.pixel(there, row["frames"][-1])
    seen = witness.hit(row["frames"][-1], (float(pixel[0]), float(pixel[1])))
    if seen is None or seen.body != hit.body or math.dist(seen.world, there) > 0.01 + 0.02 * seen.depth:
        return None, "hidden in the last frame"
    return pixel, ""


def _correspondence(row: Row, witness: Witness) -> Opinion:
    pixel, why = _match(row, witness)
    if pixel is None:
        return math.inf, 0.0, why
    if row["kind"] == "vc_coord":
        return math.dist(row["truth"], pixel), _limit("vc"), ""
    gaps = [math.dist(point[:2], pixel) for point in row["points"][1:]]
    if row["truth"] != row["labels"][1 + int(np.argmin(gaps))]:
        return _WRONG
    return min(gaps), _limit("vc"), ""


def _camera(row: Row, witness: Witness) -> Opinion:
    (eye_1, axes_1), (eye_2, axes_2) = (witness.eye(row["frames"][place]) for place in (0, -1))
    shift = axes_1.T @ (eye_2 - eye_1)
    headings = [math.atan2(axes[1, 2], axes[0, 2]) for axes in (axes_1, axes_2)]
    rises = [math.asin(axes[2, 2]) for axes in (axes_1, axes_2)]
    yaw = math.degrees(math.remainder(headings[1] - headings[0], math.tau))
    pitch = math.degrees(rises[1] - rises[0])
    kind = str(row["kind"])
    if kind in _WORDS:
        index, words = _WORDS[kind]
        said = words[0] if (*shift, yaw, pitch)[index] > 0 else words[1]
        return (0.0, 0.0, "") if row["truth"] == said else _WRONG
    if kind.startswith("cam_deg"):
        return abs(row["truth"] - abs(yaw if kind == "cam_deg_yaw" else pitch)), _limit("deg"), ""
    if kind == "cam_dist":
        return abs(row["truth"] - float(np.linalg.norm(shift))), _limit("cam"), ""
    return math.dist(row["truth"], shift), _limit("cam"), ""


# Number among x, y, z, yaw, pitch; the word for a positive and for a negative one.
_WORDS = {
    "cam_dir_x": (0, ("right", "left")),
    "cam_dir_y": (1, ("down", "up")),
    "cam_dir_z": (2, ("forward", "backward")),
    "cam_dir_yaw": (3, ("left", "right")),
    "cam_dir_pitch": (4, ("up", "down")),
}


def _motion(row: Row, witness: Witness) -> Opinion:
    hit = _first_hit(row, witness)
    if hit is None:
        return math.inf, 0.0, "nothing under the point"
    moved = witness.carried(hit, row["frames"][-1]) - hit.world
    length = float(np.linalg.norm(moved))
    moved, length = (moved, length) if length >= STILL else (np.zeros(3), 0.0)
    limit = _limit("obj", length)
    if row["kind"].startswith("obj_dist"):
        return abs(row["truth"] - length), limit, ""
    return math.dist(row["truth"], witness.eye(row["frames"][0])[1].T @ moved), limit, ""


def _size(row: Row, witness: Witness) -> Opinion:
    body = int(witness.stage.model.body(witness.named[row["labels"][0]]).id)
    x, y, z = witness.box(body, row["frames"][0])
    size = {"size_height": z, "size_length": max(x, y), "size_width": min(x, y)}[str(row["kind"])]
    return abs(row["truth"] - size), _limit("size", size), ""


_FAMILIES: dict[str, Callable[[Row, Witness], Opinion]] = {
    "depth_est": _depth_estimate,
    "depth_cmp": _depth_comparison,
    "vc": _correspondence,
    "cam": _camera,
    "obj": _motion,
    "size": _size,
}

"""From the name of a body, geom or site to a pixel that shows it, or to a fixed position."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, invert, rigid, transform
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.labels import Labels
from spatial_reward.types import Reference

FOLLOWABLE = 25  # [px] of a thing that can be followed
INSIDE = 4.0  # [px] from the silhouette that is far enough
OBJECTS = {"body": "xipos", "geom": "geom_xpos", "site": "site_xpos"}  # and where MjData keeps their anchors


@dataclass(frozen=True, eq=False)
class Grounding:
    """A name, grounded in a picture.

    Attributes:
        reference: For goals: pixel and start position, or only the position of a thing that cannot move.
        body: Number of the body that it rides on.
        local: (3,) anchor in the axes of the body [m].
        name: Of the body, geom or site.
        surface: (3,) point of the surface under the pixel, in the axes of the body [m]; the anchor of a
            thing without a pixel.
    """

    reference: Reference
    body: int
    local: Array
    name: str
    surface: Array


class Target(NamedTuple):
    """What a name means: "body", "geom" or "site", its number, and the body it belongs to."""

    kind: str
    number: int
    body: int


def find(model: Any, name: str) -> Target:
    """Look a name up: bodies first, then geoms, then sites.

    Raises:
        ValueError: If there is none; lists near matches.
    """
    mujoco = load_mujoco()
    for kind in OBJECTS:
        number = mujoco.mj_name2id(model, _object_type(kind), name)
        if number >= 0:
            body = number if kind == "body" else int(getattr(model, f"{kind}_bodyid")[number])
            return Target(kind, number, body)
    known = names(model)
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.5) or known[:20]
    raise ValueError(
        f"No body, geom or site is called {name!r}. Near: {', '.join(near) or 'none has a name'}."
    )


def names(model: Any) -> list[str]:
    """Return the names of all bodies, geoms and sites, without the nameless and the world."""
    found = [getattr(model, kind)(i).name for kind in OBJECTS for i in range(getattr(model, f"n{kind}"))]
    return [name for name in dict.fromkeys(found) if name and name != "world"]


def anchor(data: Any, target: Target) -> Array:
    """Return the world position (3,) [m] of a thing: a body's centre of mass, a geom's or site's centre."""
    return np.array(getattr(data, OBJECTS[target.kind])[target.number])


def body_pose(data: Any, body: int) -> Array:
    """Return `world_from_body` (4, 4) [m]."""
    return rigid(data.xmat[body].reshape(3, 3), data.xpos[body])


def in_body(data: Any, body: int, point: Array) -> Array:
    """Express a world point (3,) [m] in the axes of a body."""
    return transform(invert(body_pose(data, body)), point)


def carriers(model: Any) -> NDArray[np.int64]:
    """Return (nbody,) what each body is welded to: the next one up with a joint or mocap; 0 is the world.

    Bodies of one carrier move as one; those of carrier 0 cannot move.
    """
    carrier = np.arange(model.nbody)
    for body in range(1, model.nbody):
        if model.body_jntnum[body] == 0 and model.body_mocapid[body] < 0:
            carrier[body] = carrier[model.body_parentid[body]]
    return carrier


def shown_bodies(model: Any, labels: Labels) -> NDArray[np.int32]:
    """Return the body (H, W) each pixel shows: as a geom or, of a body that can move, a site; else -1."""
    ids, types = labels.objects.T
    body = np.full(len(ids), -1, np.int32)
    as_geom, as_site = (types == _object_type(kind) for kind in ("geom", "site"))
    body[as_geom] = model.geom_bodyid[ids[as_geom]]
    if as_site.any():
        riding = np.where(carriers(model)[model.site_bodyid] > 0, model.site_bodyid, -1)
        body[as_site] = riding[ids[as_site]]
    return labels.pick(body)


def shows(model: Any, labels: Labels, column: int, row: int, target: Target) -> bool:
    """Tell whether a pixel shows the very thing."""
    if target.kind == "body":
        return bool(shown_bodies(model, labels)[row, column] == target.body)
    return bool(_shown(labels, target.kind)[row, column] == target.number)


def _shown(labels: Labels, kind: str) -> NDArray[np.int32]:
    """Return the geom or site (H, W) that each pixel shows; -1 for what is none."""
    return np.where(labels.types == _object_type(kind), labels.ids, -1)


def _object_type(kind: str) -> int:
    return int(getattr(load_mujoco().mjtObj, f"mjOBJ_{kind.upper()}"))


def visible_pixel(model: Any, target: Target, labels: Labels, near: Array) -> tuple[int, int] | None:
    """Return (column, row) of a pixel that moves with `target`; None where none is seen.

    The geom itself comes first, then its body, then all that is welded to it, whichever shows enough to be
    followed. Of it the largest connected area is taken, and in it the pixel nearest to `near` (2,) [px]
    that is not at the border.

    Args:
        model: MjModel.
        target: What to look for.
        labels: Of the picture.
        near: (2,) projection of the anchor [px]; NaN if it has none.
    """
    carrier = carriers(model)
    welded = np.flatnonzero(carrier == carrier[target.body])
    bodies = shown_bodies(model, labels)
    choices = [bodies == target.body, np.isin(bodies, welded)]
    if target.kind == "geom":
        choices.insert(0, _shown(labels, "geom") == target.number)
    enough = next((mask for mask in choices if mask.sum() >= FOLLOWABLE), choices[-1])
    return _inner_pixel(enough, near) if enough.any() else None


def _inner_pixel(mask: NDArray[np.bool_], near: Array) -> tuple[int, int]:
    depth_inside = cv2.distanceTransform(np.pad(_largest_part(mask), 1).astype(np.uint8), cv2.DIST_L2, 5)
    depth_inside = depth_inside[1:-1, 1:-1]  # the border of the picture counts as one of the silhouette
    rows, columns = np.nonzero(depth_inside >= min(INSIDE, 0.7 * depth_inside.max()))
    centres = np.stack([columns, rows], axis=1) + 0.5
    if not np.isfinite(near).all():
        near = centres.mean(axis=0)
    best = int(np.argmin(np.linalg.norm(centres - near, axis=1)))
    return int(columns[best]), int(rows[best])


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    largest: NDArray[np.bool_] = parts == 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    return largest

"""What ScanNet says about the mesh of a scene: its alignment, and which vertices belong to which object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array, transform
from spatial_reward.data.sources.base import BadScene
from spatial_reward.data.sources.calibration import rigid_poses
from spatial_reward.data.sources.ply import read_vertices
from spatial_reward.data.sources.scannet_recordings import bad_scene

FARTHEST = 1e5  # [m] from the origin of a scan that a number is believed
LEAST_KEPT = 100  # points of each object, where it has so many, before others are thinned out


class Mesh(NamedTuple):
    """Vertices (N, 3) [m], the object (N,) each belongs to or -1, and the names of the objects."""

    points: Array
    body: NDArray[np.int64]
    names: tuple[str, ...]


def read_meta(path: Path) -> dict[str, str]:
    """Read `<scene>.txt`: a line `name = value` for each property.

    Raises:
        BadScene: "missing file" or "no axis alignment".
    """
    with bad_scene("no axis alignment"):
        lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines]
    return {name.strip(): value.strip() for name, _, value in pairs}


def axis_alignment(meta: dict[str, str]) -> Array:
    """Return the transform (4, 4) from the world of the scan to one whose axes are those of the room.

    Raises:
        BadScene: "no axis alignment", also where it is not a rotation and a translation.
    """
    with bad_scene("no axis alignment"):
        matrix = np.array(meta["axisAlignment"].split(), float).reshape(4, 4)
    try:
        return rigid_poses(matrix, "axisAlignment")
    except BadScene as error:
        raise BadScene("no axis alignment", str(error)) from error


def depth_intrinsics(meta: dict[str, str]) -> Array | None:
    """Return the intrinsics (3, 3) of the depths [px], or None where `<scene>.txt` does not state them."""
    try:
        fx, fy, cx, cy = (float(meta[f"{name}_depth"]) for name in ("fx", "fy", "mx", "my"))
    except (KeyError, ValueError):
        return None
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def read_mesh(folder: Path, scene: str, world_from_scan: Array) -> Mesh:
    """Read the cleaned mesh of a scene with its objects, in the aligned world.

    The names are the raw categories. An object whose vertices all belong to later ones, a duplicate, is
    left out.

    Args:
        folder: `scans/<scene>`.
        scene: Its id.
        world_from_scan: The alignment.

    Raises:
        BadScene: "missing file", "file cut short", "unreadable mesh", "unreadable objects", or "object
            without size" where all vertices of one coincide.
    """
    with bad_scene("unreadable mesh"):
        points = read_vertices(folder / f"{scene}_vh_clean_2.ply")
    if not (np.abs(points) < FARTHEST).all():
        raise BadScene("unreadable mesh", f"a vertex is {np.abs(points).max()} m away")
    with bad_scene("unreadable objects"):
        groups = _json(folder / f"{scene}.aggregation.json")["segGroups"]
        segments = _whole(_json(folder / f"{scene}_vh_clean_2.0.010000.segs.json")["segIndices"])
        names = [_text(group["label"]) for group in groups]
        body = _owners(segments, [_whole(group["segments"]) for group in groups])
    if body.shape != (len(points),):
        raise BadScene("unreadable objects", f"{len(body)} segments for {len(points)} vertices")
    _check_sizes(points, body, names)
    held, first = np.unique(body, return_inverse=True)
    with_none = int(held[0] == -1)
    kept = tuple(names[index] for index in held[with_none:])
    return Mesh(transform(world_from_scan, points), first.astype(np.int64) - with_none, kept)


def thinned(mesh: Mesh, most: int | None, rng: np.random.Generator) -> Mesh:
    """Keep up to `most` vertices, drawn at random, without changing the size of any object.

    The extremes of each object along the three axes are always kept, even if they are more than `most`; then
    come up to 100 vertices of each object, then all others alike.
    """
    if most is None or len(mesh.points) <= most:
        return mesh
    order = rng.permutation(len(mesh.points))
    priority = np.full(len(order), 2)
    for index in range(len(mesh.names)):
        members = order[mesh.body[order] == index]
        priority[members[:LEAST_KEPT]] = 1
        along = mesh.points[members]
        priority[members[np.concatenate([along.argmin(axis=0), along.argmax(axis=0)])]] = 0
    count = max(most, int((priority == 0).sum()))
    kept = np.sort(order[np.argsort(priority[order], kind="stable")[:count]])
    return Mesh(mesh.points[kept], mesh.body[kept], mesh.names)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _text(label: object) -> str:
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"The label of an object must be a word, got {label!r}.")
    return label.strip()


def _whole(numbers: object) -> NDArray[np.int64]:
    array = np.array(numbers)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"Segments must be a list of whole numbers, got {array.shape} {array.dtype}.")
    return array.astype(np.int64)


def _owners(segments: NDArray[np.int64], groups: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the last of the groups of segments that the segment of each vertex belongs to, or -1."""
    known, place = np.unique(segments, return_inverse=True)
    owner = np.full(len(known), -1)
    for index, group in enumerate(groups):
        if not np.isin(group, known).all():
            raise ValueError(f"Object {index} has segments that no vertex belongs to.")
        owner[np.searchsorted(known, group)] = index
    return owner[place]


def _check_sizes(points: Array, body: NDArray[np.int64], names: list[str]) -> None:
    for index, name in enumerate(names):
        members = points[body == index]
        if len(members) and not np.ptp(members, axis=0).any():
            raise BadScene("object without size", f"{name!r}, number {index}, at {members[0]}")

"""Points that span a body exactly: where it ends in many directions, whatever a picture resolves of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from spatial_reward.camera import Array
from spatial_reward.envs.gl import load_mujoco

DRAWN_GROUPS = 3  # geom groups 0, 1 and 2 are drawn by default
AXES = np.concatenate([np.eye(3), -np.eye(3)])


def outline(model: Any, body: int, world_from_body: Array, count: int) -> Array:
    """Return up to `count` points (K, 3) [m], in the body's axes, that bound what is drawn of it.

    Along the world's axes they are exact in the pose given, so that height, length and width are; between
    them they are spread evenly, for when the body turns.

    Args:
        model: MjModel.
        body: Number of the body.
        world_from_body: (3, 3) rotation now.
        count: Directions, at least the six of the world's axes.
    """
    directions = np.concatenate([AXES, _sphere(max(count - len(AXES), 0))]) @ world_from_body
    found = [_support(model, geom, directions) for geom in _drawn(model, body)]
    known = [points for points in found if points is not None]
    if not known:
        return np.zeros((0, 3))
    reached = np.stack(known)
    along = np.einsum("gki,ki->gk", reached, directions)
    farthest = reached[np.argmax(along, axis=0), np.arange(len(directions))]
    return np.unique(farthest.round(9), axis=0)


def _drawn(model: Any, body: int) -> list[int]:
    first = int(model.body_geomadr[body])
    geoms = range(first, first + int(model.body_geomnum[body]))
    return [geom for geom in geoms if model.geom_group[geom] < DRAWN_GROUPS and model.geom_rgba[geom, 3] > 0]


def _support(model: Any, geom: int, directions: Array) -> Array | None:
    """Return the points (K, 3) of a geom farthest along directions (K, 3); both in the body's axes."""
    kinds, kind, size = load_mujoco().mjtGeom, int(model.geom_type[geom]), model.geom_size[geom]
    w, x, y, z = model.geom_quat[geom]
    body_from_geom = Rotation.from_quat([x, y, z, w]).as_matrix()
    d = directions @ body_from_geom
    upright = np.array([0.0, 0.0, size[1]]) * np.sign(d[:, 2:])
    if kind == int(kinds.mjGEOM_BOX):
        points = size * np.sign(d)
    elif kind == int(kinds.mjGEOM_SPHERE):
        points = size[0] * d
    elif kind == int(kinds.mjGEOM_ELLIPSOID):
        points = size**2 * d / np.linalg.norm(size * d, axis=1, keepdims=True)
    elif kind == int(kinds.mjGEOM_CAPSULE):
        points = size[0] * d + upright
    elif kind == int(kinds.mjGEOM_CYLINDER):
        level = d * [1.0, 1.0, 0.0]
        points = size[0] * level / np.maximum(np.linalg.norm(level, axis=1, keepdims=True), 1e-12) + upright
    elif kind == int(kinds.mjGEOM_MESH):
        points = _mesh(model, geom, d)
    else:
        return None
    moved: Array = points @ body_from_geom.T + model.geom_pos[geom]
    return moved


def _mesh(model: Any, geom: int, directions: Array) -> Array:
    mesh = int(model.geom_dataid[geom])
    first = int(model.mesh_vertadr[mesh])
    vertices = np.asarray(model.mesh_vert[first : first + int(model.mesh_vertnum[mesh])], float)
    farthest: Array = vertices[np.argmax(vertices @ directions.T, axis=0)]
    return farthest


def _sphere(count: int) -> Array:
    """Spread directions (count, 3) evenly: a Fibonacci spiral."""
    index = np.arange(count)
    z = 1 - (2 * index + 1) / max(count, 1)
    turn = index * np.pi * (3 - np.sqrt(5))
    level = np.sqrt(1 - z**2)
    return np.stack([level * np.cos(turn), level * np.sin(turn), z], axis=1)

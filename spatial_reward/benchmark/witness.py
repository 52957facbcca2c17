"""Looks at a simulator's state without pictures: rays, cameras and boxes, for checking labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial_reward.benchmark.multispa_sim_scenes import Scenes, Stage
from spatial_reward.envs.gl import load_mujoco

Vector = NDArray[np.float64]

DRAWN = np.array([1, 1, 1, 0, 0, 0], np.uint8)  # geom groups in the pictures


class Hit(NamedTuple):
    """What is under a pixel: a body, its planar depth [m], the point in the world and in the body's axes."""

    body: int
    depth: float
    world: Vector
    local: Vector


class Witness:
    """Looks at the states of one clip by ray casting.

    Args:
        scenes: The frozen scenes.
        clip: Id of the clip.
    """

    def __init__(self, scenes: Scenes, clip: str) -> None:
        """Compile the model."""
        self.stage = Stage(scenes, scenes.clips[clip])
        self.clip = scenes.clips[clip]
        self.named = {said: body for body, said in scenes.models[self.clip.model].names.items()}

    def eye(self, frame: int) -> tuple[Vector, Vector]:
        """Return where the camera is (3,) and its axes (3, 3) as columns: right, down, forward."""
        x, y, z, *quaternion = self.clip.cameras[frame]
        return np.array([x, y, z]), _rotation(quaternion)

    def hit(self, frame: int, pixel: Sequence[float]) -> Hit | None:
        """Return what is under a pixel of a frame; None where there is nothing."""
        self.stage.set_state(frame)
        eye, axes = self.eye(frame)
        ray = axes @ self._ray(pixel)
        geom = np.full(1, -1, np.int32)
        # The ray is scaled to depth 1, so the distance along it is the planar depth.
        depth = load_mujoco().mj_ray(self.stage.model, self.stage.data, eye, ray, DRAWN, 1, -1, geom)
        if depth < 0:
            return None
        body, point = int(self.stage.model.geom_bodyid[geom[0]]), eye + depth * ray
        origin, turn = self._body(body)
        return Hit(body, float(depth), point, turn.T @ (point - origin))

    def carried(self, hit: Hit, frame: int) -> Vector:
        """Return where a point that was hit is in another frame (3,) [m]."""
        self.stage.set_state(frame)
        origin, turn = self._body(hit.body)
        moved: Vector = origin + turn @ hit.local
        return moved

    def pixel(self, point: Vector, frame: int) -> Vector:
        """Project a point of the world into a frame (2,) [px]."""
        eye, axes = self.eye(frame)
        x, y, z = axes.T @ (point - eye)
        return np.array(
            [self.clip.width / 2 + self._focal() * x / z, self.clip.height / 2 + self._focal() * y / z]
        )

    def box(self, body: int, frame: int) -> Vector:
        """Return the extents (3,) [m] of a body along the axes of the world."""
        self.stage.set_state(frame)
        model, data = self.stage.model, self.stage.data
        first, count = model.body_geomadr[body], model.body_geomnum[body]
        drawn = [geom for geom in range(first, first + count) if DRAWN[model.geom_group[geom]]]
        spans = np.array([span(model, data, geom) for geom in drawn])
        extent: Vector = spans[:, 1].max(axis=0) - spans[:, 0].min(axis=0)
        return extent

    def _focal(self) -> float:
        return self.clip.height / 2 / math.tan(math.radians(self.clip.fovy) / 2)

    def _ray(self, pixel: Sequence[float]) -> Vector:
        x, y = pixel[0] - self.clip.width / 2, pixel[1] - self.clip.height / 2
        return np.array([x / self._focal(), y / self._focal(), 1.0])

    def _body(self, body: int) -> tuple[Vector, Vector]:
        data = self.stage.data
        return data.xpos[body].copy(), data.xmat[body].reshape(3, 3).copy()


def _rotation(quaternion: Sequence[float]) -> Vector:
    """Return the (3, 3) rotation of a quaternion (w, x, y, z)."""
    matrix = np.zeros(9)
    load_mujoco().mju_quat2Mat(matrix, np.array(quaternion) / np.linalg.norm(quaternion))
    return matrix.reshape(3, 3)


def span(model: Any, data: Any, geom: int) -> tuple[Vector, Vector]:
    """Return the lowest and highest corner (3,) [m] of the upright box around a geom."""
    mujoco = load_mujoco()
    turn, centre = data.geom_xmat[geom].reshape(3, 3), data.geom_xpos[geom]
    kind, size = int(model.geom_type[geom]), model.geom_size[geom]
    if kind == int(mujoco.mjtGeom.mjGEOM_MESH):
        mesh = int(model.geom_dataid[geom])
        start = int(model.mesh_vertadr[mesh])
        corners = model.mesh_vert[start : start + int(model.mesh_vertnum[mesh])] @ turn.T + centre
        return corners.min(axis=0), corners.max(axis=0)
    reach = _reach(mujoco.mjtGeom(kind), size, turn)
    return centre - reach, centre + reach


def _reach(kind: Any, size: Vector, turn: Vector) -> Vector:
    """Return how far (3,) [m] a primitive reaches from its centre along the axes of the world."""
    flat = np.sqrt(np.maximum(1 - turn[:, 2] ** 2, 0))  # of a disc whose axis is the geom's z
    reach: Vector
    match kind.name:
        case "mjGEOM_BOX":
            reach = np.abs(turn) @ size
        case "mjGEOM_ELLIPSOID":
            reach = np.sqrt(turn**2 @ size**2)
        case "mjGEOM_SPHERE":
            reach = np.full(3, size[0])
        case "mjGEOM_CYLINDER":
            reach = np.abs(turn[:, 2]) * size[1] + flat * size[0]
        case "mjGEOM_CAPSULE":
            reach = np.abs(turn[:, 2]) * size[1] + size[0]
        case _:
            raise ValueError(f"No size of a geom of type {kind.name!r}: leave it out of the names.")
    return reach

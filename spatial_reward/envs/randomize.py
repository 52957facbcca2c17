"""Draw the looks of a table-top scene and its distractors; every change is one that renderers read live."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import mujoco
import numpy as np

from spatial_reward.camera import Array, look_at

Randomize = Literal["all", "layout", "none"]
Segment = tuple[Array, Array]  # a stretch of the table (2,), (2,) [m] that must stay free

# All fields that are ever changed: restored at each reset, so that no episode leaks into the next.
_CHANGED = (
    "body_pos",
    "body_gravcomp",
    "geom_type",
    "geom_size",
    "geom_rgba",
    "geom_matid",
    "light_pos",
    "light_dir",
    "light_diffuse",
    "light_active",
    "cam_pos",
    "cam_quat",
    "cam_fovy",
)

VIEWS = {  # camera -> nominal eye, point looked at [m]
    "front": ((0.95, 0.0, 0.72), (-0.01, 0.0, 0.09)),
    "side": ((0.20, -0.80, 0.50), (-0.06, 0.0, 0.08)),
    "overhead": ((0.04, 0.0, 1.05), (0.03, 0.0, 0.0)),
}
SHAPES = ("BOX", "CYLINDER", "SPHERE", "CAPSULE")
SPREAD = np.array([[-0.15, -0.22], [0.20, 0.22]])  # [m] corners of the part of the table where things lie
LYING = np.array([1.0, 0.0, 1.0, 0.0]) / np.sqrt(2)  # quaternion that lays a long thing down
MAX_DISTRACTORS = 4


class Nominal:
    """The scene as its MJCF describes it, to go back to."""

    def __init__(self, model: Any) -> None:
        """Remember every field that is ever changed."""
        for name, (eye, target) in VIEWS.items():
            aim_camera(model, name, eye, target)
        self._fields = {field: getattr(model, field).copy() for field in _CHANGED}
        self._headlight = [model.vis.headlight.ambient.copy(), model.vis.headlight.diffuse.copy()]

    def restore(self, model: Any) -> None:
        """Undo whatever the last episode changed."""
        for field, value in self._fields.items():
            getattr(model, field)[:] = value
        model.vis.headlight.ambient[:], model.vis.headlight.diffuse[:] = self._headlight


def draw_looks(model: Any, rng: np.random.Generator, objects: Sequence[str]) -> None:
    """Draw materials, colours, lights and cameras anew; `objects` are geoms that get well-told-apart hues."""
    _draw_surfaces(model, rng)
    _draw_object_colours(model, rng, objects)
    _draw_lights(model, rng)
    _draw_cameras(model, rng)


def aim_camera(model: Any, name: str, eye: Sequence[float] | Array, target: Sequence[float] | Array) -> None:
    """Put a camera of the world at `eye` [m], looking at `target` [m]."""
    away = np.asarray(eye) - np.asarray(target)
    up = (0.0, 0.0, 1.0) if np.hypot(away[0], away[1]) > 0.3 * away[2] else (-1.0, 0.0, 0.0)
    world_from_camera = look_at(eye, target, up)
    turned = world_from_camera[:3, :3] * (1.0, -1.0, -1.0)  # MuJoCo cameras look along their -z, y up
    camera = model.camera(name).id
    model.cam_pos[camera] = eye
    mujoco.mju_mat2Quat(model.cam_quat[camera], turned.ravel())


def place_distractors(model: Any, data: Any, rng: np.random.Generator, busy: Iterable[Segment]) -> list[str]:
    """Put 0-4 primitives on the table, 10 cm clear of the `busy` stretches; return their names."""
    taken, placed = list(busy), []
    for index in range(int(rng.integers(MAX_DISTRACTORS + 1))):
        spot = free_spot(rng, taken, clearance=0.10)
        if spot is not None:
            name = f"distractor_{index}"
            _wake_distractor(model, data, rng, name, spot)
            taken.append((spot, spot))
            placed.append(name)
    return placed


def free_spot(
    rng: np.random.Generator, busy: Iterable[Segment], clearance: float, tries: int = 100
) -> Array | None:
    """Draw a place (2,) on the table at least `clearance` [m] from all `busy` stretches; None if full."""
    busy = list(busy)
    for _ in range(tries):
        spot: Array = rng.uniform(*SPREAD)
        if all(_gap(spot, stretch) > clearance for stretch in busy):
            return spot
    return None


def _gap(point: Array, stretch: Segment) -> float:
    start, along = stretch[0], stretch[1] - stretch[0]
    share = np.clip((point - start) @ along / max(float(along @ along), 1e-12), 0, 1)
    return float(np.linalg.norm(point - start - share * along))


def _wake_distractor(model: Any, data: Any, rng: np.random.Generator, name: str, spot: Array) -> None:
    body = model.body(name).id
    geom = int(model.body_geomadr[body])
    shape, size, height, upright = _draw_shape(rng)
    model.geom_type[geom], model.geom_size[geom] = shape, size
    model.geom_rgba[geom, 3] = 1.0
    model.body_gravcomp[body] = 0.0
    turned = np.empty(4)
    mujoco.mju_mulQuat(turned, yaw_quaternion(rng.uniform(-np.pi, np.pi)), upright)
    data.joint(int(model.body_jntadr[body])).qpos[:] = (*spot, height, *turned)


def _draw_shape(rng: np.random.Generator) -> tuple[int, Array, float, Array]:
    """Draw a primitive that fits a 6 cm box.

    Returns MuJoCo's type and sizes, the height of the resting centre [m], and how it is turned to rest.
    """
    name = SHAPES[int(rng.integers(len(SHAPES)))]
    first, second, third = rng.uniform(0.016, 0.028, 3)
    size, height = {
        "BOX": ((first, second, third), third),
        "CYLINDER": ((first, second, 0.0), second),
        "SPHERE": ((first, 0.0, 0.0), first),
        "CAPSULE": ((0.6 * first, 0.5 * second, 0.0), 0.6 * first),
    }[name]
    upright = LYING if name == "CAPSULE" else np.array([1.0, 0.0, 0.0, 0.0])
    return int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}")), np.array(size), height, upright


def yaw_quaternion(yaw: float) -> Array:
    """Return the quaternion (4,) w, x, y, z of a turn about the vertical by `yaw` [rad]."""
    return np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])


def _draw_surfaces(model: Any, rng: np.random.Generator) -> None:
    materials = _materials(model, "surface_")
    for name in ("table", "floor", "wall_back", "wall_left", "wall_right"):
        geom = model.geom(name).id
        model.geom_matid[geom] = rng.choice(materials)
        # Pale, so that the saturated objects stand out.
        model.geom_rgba[geom, :3] = _colour(rng.random(), rng.uniform(0, 0.35), rng.uniform(0.4, 0.88))


def _draw_object_colours(model: Any, rng: np.random.Generator, objects: Sequence[str]) -> None:
    materials = _materials(model, "object_")
    distractors = [model.body(f"distractor_{index}").geomadr[0] for index in range(MAX_DISTRACTORS)]
    geoms = [model.geom(name).id for name in objects] + [int(geom) for geom in distractors]
    hues = (rng.random() + rng.permutation(len(geoms)) / len(geoms)) % 1.0
    for geom, hue in zip(geoms, hues, strict=True):
        model.geom_matid[geom] = rng.choice(materials)
        model.geom_rgba[geom, :3] = _colour(hue, rng.uniform(0.65, 1.0), rng.uniform(0.55, 0.95))


def _materials(model: Any, prefix: str) -> list[int]:
    return [index for index in range(model.nmat) if model.material(index).name.startswith(prefix)]


def _colour(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    return colorsys.hsv_to_rgb(hue, saturation, value)


def _draw_lights(model: Any, rng: np.random.Generator) -> None:
    """Light the table by one to three lamps; the first always burns and casts the shadow."""
    model.light_active[1:] = rng.random(model.nlight - 1) < 0.7
    model.light_pos[:] += rng.uniform(-0.35, 0.35, (model.nlight, 3)) * (1, 1, 0.6)
    model.light_dir[:] = _unit(np.append(rng.uniform(-0.1, 0.1, 2), 0.0) - model.light_pos)
    model.light_diffuse[:] *= rng.uniform(0.7, 1.1, (model.nlight, 1)) * rng.uniform(0.92, 1.08, (1, 3))
    model.vis.headlight.ambient[:] = rng.uniform(0.25, 0.42)
    model.vis.headlight.diffuse[:] = rng.uniform(0.15, 0.32)


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def _draw_cameras(model: Any, rng: np.random.Generator) -> None:
    for name, (eye, target) in VIEWS.items():
        reach = 0.10 if name != "overhead" else 0.05  # [m]
        moved_eye = np.asarray(eye) + rng.uniform(-reach, reach, 3)
        aim_camera(model, name, moved_eye, np.asarray(target) + rng.uniform(-0.02, 0.02, 3))
        model.cam_fovy[model.camera(name).id] += rng.uniform(-2.0, 3.0)  # [deg]

"""Objects of random scenes: primitives and compositions, some of which a person could name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spatial_reward.envs.scene_meshes import Mesh

TEXTURES = 10  # textured materials m0, m1, ... of a scene, and as many plain ones p0, p1, ...
_TRAINED = ("box", "cylinder", "sphere", "capsule", "ellipsoid", "stack", "hammer", "bracket")
_HELD_OUT = ("mug", "cross", "bolt")
_NAMES = {"sphere": "ball", "stack": "tower"}  # where people say it otherwise
_COLOURS = {
    "red": (0.8, 0.08, 0.08),
    "green": (0.1, 0.6, 0.15),
    "blue": (0.1, 0.2, 0.8),
    "yellow": (0.9, 0.8, 0.1),
    "orange": (0.95, 0.45, 0.05),
    "purple": (0.45, 0.1, 0.6),
    "pink": (0.95, 0.5, 0.65),
    "brown": (0.35, 0.2, 0.1),
    "black": (0.05, 0.05, 0.05),
    "white": (0.92, 0.92, 0.92),
}


@dataclass(frozen=True)
class Thing:
    """An object.

    Attributes:
        xml: Its MJCF body.
        asset: MJCF of the mesh it is made of, if any.
        radius: Of a circle around it [m].
        height: Of its centre when it stands [m].
        name: What a person would call it, or "object".
    """

    xml: str
    asset: str
    radius: float
    height: float
    name: str


def draw_objects(
    radius: float, rng: np.random.Generator, *, held_out: bool = False, meshes: Sequence[Mesh] = ()
) -> list[Thing]:
    """Draw 2 to 12 objects of 2 to 8 cm radius for a work space of half side `radius` [m].

    About half are of one plain named colour, and no two of those have colour and shape in common, so that
    "red mug" means one thing; all others are textured and called "object". With `meshes`, a quarter of all
    objects are such.
    """
    things: list[Thing] = []
    for index in range(rng.integers(2, 13)):
        things.append(_draw(index, radius, rng, held_out, meshes, {thing.name for thing in things}))
    return things


def _draw(
    index: int,
    radius: float,
    rng: np.random.Generator,
    held_out: bool,
    meshes: Sequence[Mesh],
    taken: set[str],
) -> Thing:
    size = min(float(np.exp(rng.uniform(np.log(0.02), np.log(0.08)))), 0.3 * radius)
    shapes = _HELD_OUT if held_out else _TRAINED
    shape, shade = shapes[rng.integers(len(shapes))], list(_COLOURS)[rng.integers(len(_COLOURS))]
    looks = (f'material="m{rng.integers(TEXTURES)}"', pick_material(rng, 0.5))
    name, asset = "object", ""
    if meshes and rng.random() < 0.25:
        asset, geoms, height = _mesh(
            index, meshes[int(rng.integers(len(meshes)))], size, pick_material(rng, 0.4)
        )
    else:
        if rng.random() < 0.5 and (called := f"{shade} {_NAMES.get(shape, shape)}") not in taken:
            name, looks = called, (_plain(shade, rng),) * 2
        geoms, height = _shape(shape, size, looks, rng)
    xml = f'<body name="object{index}" mocap="true">{geoms}</body>'
    return Thing(xml, asset, 1.5 * size, float(height), name)


def _mesh(index: int, mesh: Mesh, size: float, look: str) -> tuple[str, str, float]:
    """Write a mesh scaled to `size` [m] and its geom; return its standing height too."""
    scale = size / float(mesh.half.max())
    asset = f'<mesh name="s{index}" file="{mesh.name}.stl" inertia="shell" scale="{numbers(*[scale] * 3)}"/>'
    geom = f'<geom type="mesh" mesh="s{index}" pos="{numbers(*(-scale * mesh.middle))}" {look}/>'
    return asset, geom, float(scale * mesh.half[2])


def numbers(*values: float) -> str:
    """Write numbers as MJCF wants them."""
    return " ".join(f"{value:.5g}" for value in values)


def pick_material(rng: np.random.Generator, textured: float) -> str:
    """Write a geom's material: textured with this probability, else plain."""
    return f'material="{"m" if rng.random() < textured else "p"}{rng.integers(TEXTURES)}"'


def _plain(shade: str, rng: np.random.Generator) -> str:
    rgb = np.clip(np.multiply(_COLOURS[shade], rng.uniform(0.85, 1.15)), 0, 1)
    return f'rgba="{numbers(*rgb)} 1"'


def _shape(kind: str, size: float, looks: tuple[str, str], rng: np.random.Generator) -> tuple[str, float]:
    """Write the geoms of an object about `size` [m] in radius; return them and its standing height."""
    look, other = looks
    a, b, c = size * rng.uniform(0.35, 1.0, 3)
    if kind in ("box", "ellipsoid"):
        return f'<geom type="{kind}" size="{numbers(a, b, c)}" {look}/>', c
    if kind == "sphere":
        return f'<geom type="sphere" size="{a:.5g}" {look}/>', a
    if kind == "cylinder":
        return f'<geom type="cylinder" size="{numbers(a, c)}" {look}/>', c
    if kind == "capsule":
        return f'<geom type="capsule" size="{numbers(0.5 * a, c)}" euler="1.5708 0 0" {look}/>', 0.5 * a
    parts = _PARTS[kind](a, b, c)
    geoms = "".join(f"<geom {part} {other if index else look}/>" for index, part in enumerate(parts))
    return geoms, c


def _part(kind: str, size: tuple[float, ...], pos: tuple[float, float, float], euler: str = "0 0 0") -> str:
    return f'type="{kind}" size="{numbers(*size)}" pos="{numbers(*pos)}" euler="{euler}"'


# Compositions: parts of an object whose centre is `c` above the table, from three lengths [m].
_PARTS = {
    "stack": lambda a, b, c: [
        _part("box", (a, a, c / 2), (0, 0, -c / 2)),
        _part("cylinder", (0.7 * b, c / 2), (0, 0, c / 2)),
    ],
    "hammer": lambda a, b, c: [
        _part("box", (0.4 * a, b, c), (1.2 * a, 0, 0)),
        _part("capsule", (0.5 * c, 1.2 * a), (0, 0, -0.4 * c), "0 1.5708 0"),
    ],
    "bracket": lambda a, b, c: [
        _part("box", (a, b, 0.25 * c), (0, 0, -0.75 * c)),
        _part("box", (0.25 * a, b, c), (-0.75 * a, 0, 0)),
    ],
    "mug": lambda a, b, c: [
        _part("cylinder", (0.7 * a, c), (0, 0, 0)),
        _part("box", (0.35 * a, 0.12 * a, 0.5 * c), (0.9 * a, 0, 0)),
    ],
    "cross": lambda a, b, c: [
        _part("box", (a, 0.3 * a, c), (0, 0, 0)),
        _part("box", (0.3 * b, b, c), (0, 0, 0)),
    ],
    "bolt": lambda a, b, c: [
        _part("cylinder", (a, 0.3 * c), (0, 0, -0.7 * c)),
        _part("cylinder", (0.4 * a, c), (0, 0, 0)),
    ],
}

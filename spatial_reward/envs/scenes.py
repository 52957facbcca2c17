"""Random scenes to learn from: tables, walls, objects, arms and grippers, with everything about them random.

A scene is written as MJCF with its textures, so that MuJoCo renders and measures it. Objects are moved by
hand (mocap), arms by their joints: no physics, only pictures of states.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from spatial_reward.envs.scene_textures import HELD_OUT, TRAINED, colour, paint

_TEXTURES = 10


@dataclass(frozen=True)
class RandomScene:
    """A scene as text, its texture files, and where its movable objects stand.

    Attributes:
        xml: MJCF.
        assets: PNG files that the MJCF refers to.
        radius: Half the side of the work space [m].
        table: Height of the surface that things stand on [m].
        objects: Radius of a circle around each object [m]; object i is the mocap body `object<i>`.
        heights: Height of each object's centre above the table when it stands [m].
        joints: Names of the arm's joints.
    """

    xml: str
    assets: dict[str, bytes]
    radius: float
    table: float
    objects: tuple[float, ...]
    heights: tuple[float, ...]
    joints: tuple[str, ...]


def random_scene(rng: np.random.Generator, *, held_out: bool = False) -> RandomScene:
    """Draw a scene; `held_out` scenes use textures and object shapes that training never sees."""
    radius = float(np.exp(rng.uniform(np.log(0.15), np.log(0.6))))
    table = float(rng.choice([0.0, rng.uniform(0.2, 0.9)]))
    families = HELD_OUT if held_out else TRAINED
    assets = {f"t{index}.png": _png(paint(families, rng)) for index in range(_TEXTURES)}
    bodies, radii, heights = _objects(radius, rng, held_out)
    arm, joints = _arm(radius, table, rng) if rng.random() < 0.75 else ("", ())
    light = (
        f'ambient="{_grey(rng, 0.1, 0.5)}" diffuse="{_grey(rng, 0.1, 0.6)}" specular="{_grey(rng, 0, 0.3)}"'
    )
    xml = f"""<mujoco><compiler angle="radian"/>
<visual><headlight {light}/><global offwidth="256" offheight="256"/>
<map znear="0.01" zfar="60"/><quality shadowsize="1024" offsamples="0"/></visual>
<statistic extent="1" center="0 0 {table:.4f}"/>
<asset>{_materials(rng)}</asset>
<worldbody><camera name="eye"/>{_lights(radius, table, rng)}{_room(radius, table, rng)}
{arm}{bodies}</worldbody></mujoco>"""
    return RandomScene(xml, assets, radius, table, radii, heights, joints)


def _png(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image)[1])


def _numbers(*values: float) -> str:
    return " ".join(f"{value:.5g}" for value in values)


def _grey(rng: np.random.Generator, low: float, high: float) -> str:
    return _numbers(*np.clip(rng.uniform(low, high) * rng.uniform(0.85, 1.15, 3), 0, 1))


def _materials(rng: np.random.Generator) -> str:
    """Write ten textured materials, and as many plain ones, which most real things have."""
    text = ""
    for index in range(_TEXTURES):
        kind = "2d" if rng.random() < 0.5 else "cube"
        repeat = _numbers(*rng.uniform(0.5, 4, 2)) if kind == "2d" else "1 1"
        shine = f'specular="{rng.uniform(0, 0.6):.3g}" shininess="{rng.uniform(0, 0.8):.3g}"'
        text += f'<texture name="t{index}" type="{kind}" file="t{index}.png"/>'
        text += (
            f'<material name="m{index}" texture="t{index}" texrepeat="{repeat}" texuniform="false" {shine}/>'
        )
        text += f'<material name="p{index}" rgba="{_numbers(*colour(rng))} 1" {shine}/>'
    return text


def _material(rng: np.random.Generator, textured: float) -> str:
    return f'material="{"m" if rng.random() < textured else "p"}{rng.integers(_TEXTURES)}"'


def _lights(radius: float, table: float, rng: np.random.Generator) -> str:
    text = ""
    for _ in range(rng.integers(1, 4)):
        x, y = rng.uniform(-3, 3, 2) * radius
        z = table + rng.uniform(1.5, 5) * radius
        shadow = "true" if rng.random() < 0.6 else "false"
        text += (
            f'<light pos="{_numbers(x, y, z)}" dir="{_numbers(-x, -y, table - z)}" cutoff="80" '
            f'diffuse="{_grey(rng, 0.1, 0.7)}" specular="{_grey(rng, 0, 0.4)}" castshadow="{shadow}"/>'
        )
    return text


def _room(radius: float, table: float, rng: np.random.Generator) -> str:
    """Write floor, table and walls."""
    floor = f'<geom type="plane" size="6 6 .1" {_material(rng, 0.6)}/>'
    top, thick = radius * rng.uniform(1.1, 2.5, 2), rng.uniform(0.01, 0.05)
    if table > 0:
        size, pos = _numbers(*top, thick), _numbers(0, 0, table - thick)
        floor += f'<geom type="box" size="{size}" pos="{pos}" {_material(rng, 0.5)}/>'
    for _ in range(rng.integers(0, 4)):
        angle, away = rng.uniform(0, 2 * np.pi), radius * rng.uniform(2.5, 6)
        where = _numbers(away * np.cos(angle), away * np.sin(angle), 1.2)
        floor += (
            f'<geom type="box" size=".02 3 1.2" pos="{where}" euler="0 0 {angle:.5g}" {_material(rng, 0.5)}/>'
        )
    return floor


def _objects(
    radius: float, rng: np.random.Generator, held_out: bool
) -> tuple[str, tuple[float, ...], tuple[float, ...]]:
    text, radii, heights = "", [], []
    for index in range(rng.integers(2, 13)):
        size = radius * rng.uniform(0.05, 0.25)
        geoms, height = _shape(size, rng, held_out)
        text += f'<body name="object{index}" mocap="true">{geoms}</body>'
        radii.append(float(size * 1.5))
        heights.append(float(height))
    return text, tuple(radii), tuple(heights)


def _shape(size: float, rng: np.random.Generator, held_out: bool) -> tuple[str, float]:
    """Write the geoms of an object about `size` [m] in radius; return them and its standing height."""
    kinds = (
        ("mug", "cross", "bolt")
        if held_out
        else ("box", "cylinder", "sphere", "capsule", "ellipsoid", "stack", "hammer", "bracket")
    )
    kind = kinds[rng.integers(len(kinds))]
    look, other = _material(rng, 0.5), _material(rng, 0.5)
    a, b, c = size * rng.uniform(0.35, 1.0, 3)
    if kind in ("box", "ellipsoid"):
        return f'<geom type="{kind}" size="{_numbers(a, b, c)}" {look}/>', c
    if kind == "sphere":
        return f'<geom type="sphere" size="{a:.5g}" {look}/>', a
    if kind == "cylinder":
        return f'<geom type="cylinder" size="{_numbers(a, c)}" {look}/>', c
    if kind == "capsule":
        return f'<geom type="capsule" size="{_numbers(0.5 * a, c)}" euler="1.5708 0 0" {look}/>', 0.5 * a
    parts = _PARTS[kind](a, b, c)
    geoms = "".join(f"<geom {part} {other if index else look}/>" for index, part in enumerate(parts))
    return geoms, c


def _part(kind: str, size: tuple[float, ...], pos: tuple[float, float, float], euler: str = "0 0 0") -> str:
    return f'type="{kind}" size="{_numbers(*size)}" pos="{_numbers(*pos)}" euler="{euler}"'


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


def _arm(radius: float, table: float, rng: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    """Write a chain of two to five links with a two-finger gripper at its end."""
    links = int(rng.integers(2, 6))
    angle, away = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.8, 1.4)
    length = (away + 0.4 * radius) / links
    thick = radius * rng.uniform(0.04, 0.12)
    names = tuple(f"joint{index}" for index in range(links + 1))
    kind = "capsule" if rng.random() < 0.6 else "box"
    text, end = "", ""
    for index, name in enumerate(names[:-1]):
        pos = _numbers(0, 0, thick if index == 0 else length)
        axis = "0 0 1" if index == 0 else "0 1 0"
        size = _numbers(thick, length / 2) if kind == "capsule" else _numbers(thick, thick, length / 2)
        text += (
            f'<body name="link{index}" pos="{pos}"><joint name="{name}" axis="{axis}"/>'
            f'<geom type="{kind}" size="{size}" pos="0 0 {length / 2:.5g}" {_material(rng, 0.3)}/>'
        )
        end += "</body>"
    text += _gripper(thick, length, names[-1], rng) + end
    x, y = away * np.cos(angle), away * np.sin(angle)
    return f'<body pos="{_numbers(x, y, table)}" euler="0 0 {angle + np.pi:.5g}">{text}</body>', names


def _gripper(thick: float, length: float, joint: str, rng: np.random.Generator) -> str:
    gap, finger = thick * rng.uniform(0.5, 1.5), thick * rng.uniform(0.6, 1.6)
    look = _material(rng, 0.3)
    fingers = "".join(
        f'<geom type="box" size="{_numbers(0.25 * thick, 0.4 * thick, finger)}" '
        f'pos="{_numbers(side * gap, 0, 0.6 * thick + finger)}" {look}/>'
        for side in (-1, 1)
    )
    size = _numbers(gap + 0.3 * thick, 0.6 * thick, 0.6 * thick)
    palm = f'<geom type="box" size="{size}" {_material(rng, 0.3)}/>'
    place = f'<body name="gripper" pos="0 0 {length:.5g}"><joint name="{joint}" axis="0 1 0"/>'
    return f"{place}{palm}{fingers}</body>"

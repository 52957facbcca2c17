"""Random scenes to learn from: tables, walls, objects, arms and grippers, with everything about them random.

A scene is written as MJCF with its textures, so that MuJoCo renders and measures it. Objects are moved by
hand (mocap), arms by their joints: no physics, only pictures of states.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from spatial_reward.envs.scene_meshes import kitchen_meshes
from spatial_reward.envs.scene_objects import TEXTURES, draw_objects, numbers, pick_material
from spatial_reward.envs.scene_textures import HELD_OUT, TRAINED, colour, paint


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
        names: What a person would call each object, such as "red mug", no two alike, or "object".
    """

    xml: str
    assets: dict[str, bytes]
    radius: float
    table: float
    objects: tuple[float, ...]
    heights: tuple[float, ...]
    joints: tuple[str, ...]
    names: tuple[str, ...]


def random_scene(rng: np.random.Generator, *, held_out: bool = False, meshes: bool = False) -> RandomScene:
    """Draw a scene; `held_out` scenes use textures and object shapes that training never sees.

    Raises:
        ImportError: If `meshes` are wanted and gymnasium-robotics, which they come with, is missing.
    """
    radius = float(np.exp(rng.uniform(np.log(0.2), np.log(0.5))))
    table = float(rng.choice([0.0, rng.uniform(0.2, 0.9)]))
    families = HELD_OUT if held_out else TRAINED
    assets = {f"t{index}.png": _png(paint(families, rng)) for index in range(TEXTURES)}
    shapes = kitchen_meshes(held_out) if meshes else ()
    things = draw_objects(radius, rng, held_out=held_out, meshes=shapes)
    assets |= {f"{mesh.name}.stl": mesh.data for mesh in shapes}
    arm, joints = _arm(radius, table, rng) if rng.random() < 0.75 else ("", ())
    light = (
        f'ambient="{_grey(rng, 0.1, 0.5)}" diffuse="{_grey(rng, 0.1, 0.6)}" specular="{_grey(rng, 0, 0.3)}"'
    )
    xml = f"""<mujoco><compiler angle="radian"/>
<visual><headlight {light}/><global offwidth="256" offheight="256"/>
<map znear="0.01" zfar="60"/><quality shadowsize="1024" offsamples="0"/></visual>
<statistic extent="1" center="0 0 {table:.4f}"/>
<asset>{_sky(rng)}{_materials(rng)}{"".join(thing.asset for thing in things)}</asset>
<worldbody><camera name="eye"/>{_lights(radius, table, rng)}{_room(radius, table, rng)}
{arm}{"".join(thing.xml for thing in things)}</worldbody></mujoco>"""
    return RandomScene(
        xml,
        assets,
        radius,
        table,
        tuple(thing.radius for thing in things),
        tuple(thing.height for thing in things),
        joints,
        tuple(thing.name for thing in things),
    )


def _png(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image)[1])


def _grey(rng: np.random.Generator, low: float, high: float) -> str:
    return numbers(*np.clip(rng.uniform(low, high) * rng.uniform(0.85, 1.15, 3), 0, 1))


def _sky(rng: np.random.Generator) -> str:
    """Write what is seen where there is no wall: black, as in many simulators, or a gradient."""
    if rng.random() < 0.4:
        return ""
    near, far = numbers(*colour(rng)), numbers(*colour(rng))
    return f'<texture type="skybox" builtin="gradient" rgb1="{near}" rgb2="{far}" width="64" height="384"/>'


def _materials(rng: np.random.Generator) -> str:
    """Write ten textured materials, and as many plain ones, which most real things have."""
    text = ""
    for index in range(TEXTURES):
        kind = "2d" if rng.random() < 0.5 else "cube"
        repeat = numbers(*rng.uniform(0.5, 4, 2)) if kind == "2d" else "1 1"
        shine = f'specular="{rng.uniform(0, 0.6):.3g}" shininess="{rng.uniform(0, 0.8):.3g}"'
        text += f'<texture name="t{index}" type="{kind}" file="t{index}.png"/>'
        text += (
            f'<material name="m{index}" texture="t{index}" texrepeat="{repeat}" texuniform="false" {shine}/>'
        )
        text += f'<material name="p{index}" rgba="{numbers(*colour(rng))} 1" {shine}/>'
    return text


def _lights(radius: float, table: float, rng: np.random.Generator) -> str:
    text = ""
    for _ in range(rng.integers(1, 4)):
        x, y = rng.uniform(-3, 3, 2) * radius
        z = table + rng.uniform(1.5, 5) * radius
        shadow = "true" if rng.random() < 0.6 else "false"
        text += (
            f'<light pos="{numbers(x, y, z)}" dir="{numbers(-x, -y, table - z)}" cutoff="80" '
            f'diffuse="{_grey(rng, 0.1, 0.7)}" specular="{_grey(rng, 0, 0.4)}" castshadow="{shadow}"/>'
        )
    return text


def _room(radius: float, table: float, rng: np.random.Generator) -> str:
    """Write floor, table and walls."""
    floor = f'<geom type="plane" size="6 6 .1" {pick_material(rng, 0.6)}/>'
    top, thick = radius * rng.uniform(1.1, 2.5, 2), rng.uniform(0.01, 0.05)
    if table > 0:
        size, pos = numbers(*top, thick), numbers(0, 0, table - thick)
        floor += f'<geom type="box" size="{size}" pos="{pos}" {pick_material(rng, 0.5)}/>'
    for _ in range(rng.integers(0, 4)):
        angle, away = rng.uniform(0, 2 * np.pi), radius * rng.uniform(2.5, 6)
        where = numbers(away * np.cos(angle), away * np.sin(angle), 1.2)
        turn, look = f"0 0 {angle:.5g}", pick_material(rng, 0.5)
        floor += f'<geom type="box" size=".02 3 1.2" pos="{where}" euler="{turn}" {look}/>'
    return floor


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
        pos = numbers(0, 0, thick if index == 0 else length)
        axis = "0 0 1" if index == 0 else "0 1 0"
        size = numbers(thick, length / 2) if kind == "capsule" else numbers(thick, thick, length / 2)
        text += (
            f'<body name="link{index}" pos="{pos}"><joint name="{name}" axis="{axis}"/>'
            f'<geom type="{kind}" size="{size}" pos="0 0 {length / 2:.5g}" {pick_material(rng, 0.3)}/>'
        )
        end += "</body>"
    text += _gripper(thick, length, names[-1], rng) + end
    x, y = away * np.cos(angle), away * np.sin(angle)
    return f'<body pos="{numbers(x, y, table)}" euler="0 0 {angle + np.pi:.5g}">{text}</body>', names


def _gripper(thick: float, length: float, joint: str, rng: np.random.Generator) -> str:
    gap, finger = thick * rng.uniform(0.5, 1.5), thick * rng.uniform(0.6, 1.6)
    look = pick_material(rng, 0.3)
    fingers = "".join(
        f'<geom type="box" size="{numbers(0.25 * thick, 0.4 * thick, finger)}" '
        f'pos="{numbers(side * gap, 0, 0.6 * thick + finger)}" {look}/>'
        for side in (-1, 1)
    )
    size = numbers(gap + 0.3 * thick, 0.6 * thick, 0.6 * thick)
    palm = f'<geom type="box" size="{size}" {pick_material(rng, 0.3)}/>'
    place = f'<body name="gripper" pos="0 0 {length:.5g}"><joint name="{joint}" axis="0 1 0"/>'
    return f"{place}{palm}{fingers}</body>"

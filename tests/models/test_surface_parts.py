"""Surfaces that are more, or less, than what moves with the pixel."""

import numpy as np
import pytest

from spatial_reward.camera import look_at, transform
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.simulator import Simulator
from spatial_reward.models.region import View, grow
from spatial_reward.models.rgbd import RGBD
from spatial_reward.types import PixelPoint, Question

CABINET = """
<mujoco>
  <worldbody>
    <light pos="0 -1 2" castshadow="false"/>
    <geom type="plane" size="1 1 .1" rgba=".5 .45 .4 1"/>
    <geom type="box" pos="0 .1 .12" size=".12 .1 .12" rgba=".4 .6 .4 1"/>
    <body name="drawer" mocap="true" pos="0 .06 .12">
      <geom type="box" size=".09 .065 .08" rgba=".4 .6 .4 1"/>
      <geom type="box" pos="0 -.075 0" size=".03 .01 .008" rgba=".9 .9 .9 1"/>
    </body>
    <body name="cube" pos=".22 -.1 .03" euler="0 0 30"><geom type="box" size=".03 .03 .03" rgba=".1 .5 .2 1"/></body>
  </worldbody>
</mujoco>"""
EYE = look_at((0.45, -0.75, 0.5), (0.05, -0.05, 0.1))
CENTRE = np.array([0.0, 0.06, 0.12])  # of the drawer [m]


class Path:
    """A camera that stays at one place."""

    base = "free"

    def pose(self, world_from_base, distance, time):
        return EYE


@pytest.fixture(scope="module")
def cabinet():
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(CABINET)
    data = mujoco.MjData(model)
    simulator = Simulator((model, data), Path(), 224, 224)

    def picture(out=0.0):
        data.mocap_pos[0] = CENTRE - [0, out, 0]
        mujoco.mj_forward(model, data)
        return simulator.frame(depth=True)

    yield picture
    simulator.close()


def test_a_drawer_in_a_cabinet_of_its_colour_is_followed_by_its_own_part(cabinet):
    first, model, previous = cabinet(), RGBD(), None
    x, y = first.camera.project(CENTRE + [0.0, -0.065, 0.03])[0]
    anchor = transform(first.camera.camera_from_world, CENTRE)
    valid = []
    for out in np.arange(1, 11) * 0.015:
        question = Question(
            "obj_vec_coord", (first, cabinet(out)), (PixelPoint(x, y),), anchor=anchor, previous=previous
        )
        [answer] = model.answer([question])
        valid.append(answer.valid)
        if answer.valid:
            previous = answer
            moved = first.camera.world_from_camera[:3, :3] @ answer.value
            assert np.linalg.norm(moved - [0, -out, 0]) < 0.02
    assert np.mean(valid) >= 0.7


def test_a_pixel_between_two_sides_is_of_one_of_them(cabinet):
    frame = cabinet()
    view, sizes = View.of(frame), []
    turn = np.radians(30)
    edge = np.array([0.03 * (np.cos(turn) + np.sin(turn)), 0.03 * (np.sin(turn) - np.cos(turn)), 0])
    for height in np.linspace(-0.015, 0.02, 8):  # down the upright edge nearest to the camera
        pixel = frame.camera.project(np.array([0.22, -0.1, 0.03]) + edge * 0.99 + [0, 0, height])[0]
        sizes.append(grow(view, tuple(pixel)).mask.sum())
    assert min(sizes) >= 20

"""Surfaces that are more, or less, than what moves with the pixel."""

import numpy as np
import pytest

from spatial_reward.camera import Camera, look_at, transform
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.simulator import Simulator
from spatial_reward.models.region import View, grow
from spatial_reward.models.rgbd import RGBD
from spatial_reward.types import Frame, PixelPoint, Question

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
  </worldbody>
</mujoco>"""
EYE = look_at((0.45, -0.75, 0.5), (0.05, -0.05, 0.1))
CENTRE = np.array([0.0, 0.06, 0.12])  # of the drawer [m]


class Still:
    """A camera that stays where it is."""

    base = "free"

    def pose(self, world_from_base, distance, time):
        return EYE


@pytest.fixture(scope="module")
def cabinet():
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(CABINET)
    data = mujoco.MjData(model)
    simulator = Simulator((model, data), Still(), 224, 224)

    def picture(out=0.0):
        data.mocap_pos[0] = CENTRE - [0, out, 0]
        mujoco.mj_forward(model, data)
        return simulator.frame(depth=True)

    yield picture
    simulator.close()


def flat(rgb) -> Frame:
    """Return a picture of a wall at one metre; a pixel covers 4 mm."""
    height, width = rgb.shape[:2]
    camera = Camera(
        np.array([[250, 0, width / 2], [0, 250, height / 2], [0, 0, 1.0]]), np.eye(4), width, height
    )
    return Frame(rgb, camera=camera, depth=np.ones((height, width), np.float32))


def test_a_drawer_in_a_cabinet_of_its_colour_is_followed(cabinet):
    first, model, previous = cabinet(), RGBD(), None
    x, y = first.camera.project(CENTRE + [0.0, -0.065, 0.03])[0]
    anchor = transform(first.camera.camera_from_world, CENTRE)
    for out in np.arange(1, 7) * 0.03:
        question = Question(
            "obj_vec_coord", (first, cabinet(out)), (PixelPoint(x, y),), anchor=anchor, previous=previous
        )
        [previous] = model.answer([question])
        assert previous.valid
        moved = first.camera.world_from_camera[:3, :3] @ previous.value
        assert np.linalg.norm(moved - [0, -out, 0]) < 0.01


def test_what_is_far_from_the_pixel_hardly_counts():
    region = grow(View.of(flat(np.full((100, 100, 3), 120, np.uint8))), (50.5, 50.5))
    far = np.linalg.norm(region.points - region.origin, axis=1) > 0.1
    assert 0.3 < far.mean() < 0.8  # the patch reaches that far
    assert region.weight[far].sum() < 0.06


def test_a_pixel_that_mixes_two_sides_is_of_one_of_them():
    rgb = np.zeros((60, 60, 3), np.uint8)
    rgb[:, :30], rgb[:, 30:] = (20, 90, 30), (60, 200, 80)
    rgb[28:32, 30] = (40, 145, 55)
    region = grow(View.of(flat(rgb)), (30.5, 30.5))
    assert region.mask.sum() > 200
    assert region.mask[:, :28].any() != region.mask[:, 33:].any()


def test_a_pixel_beside_unmeasured_depth_is_measured():
    frame = flat(np.full((60, 60, 3), 120, np.uint8))
    frame.depth[:, 31:] = np.nan
    region = grow(View.of(frame), (30.5, 30.5))
    assert region is not None
    assert region.origin[2] == pytest.approx(1.0)


@pytest.mark.parametrize("pixel", [(0.2, 30.5), (59.9, 0.1), (30.5, 59.9)])
def test_the_border_of_the_picture_is_a_place_like_others(pixel):
    region = grow(View.of(flat(np.full((60, 60, 3), 120, np.uint8))), pixel)
    assert np.linalg.norm(region.origin - [(pixel[0] - 30) / 250, (pixel[1] - 30) / 250, 1]) < 1e-9

import numpy as np
import pytest
from numpy.testing import assert_allclose

from conftest import Table
from spatial_reward.camera import look_at, transform
from spatial_reward.envs.simulator import Simulator
from spatial_reward.geometry.procrustes import RigidFit
from spatial_reward.models import rgbd
from spatial_reward.models.ground import ground_level
from spatial_reward.models.region import View, grow
from spatial_reward.models.registration import Sight
from spatial_reward.models.relocation import relocations
from spatial_reward.models.rgbd import RGBD
from spatial_reward.types import PixelPoint, Question

CENTRE = np.array([0.0, 0.0, 0.03])  # of the cube [m]
FRONT = np.array([0.0, -0.03, 0.035])  # a point of its front, seen by the camera
PLACES = [((0.12, 0.05, 0.03), 40), ((-0.06, -0.1, 0.03), -30), ((0.1, -0.02, 0.13), 20)]  # [m], [deg]


def question(table, first, second, kind="obj_vec_coord"):
    return Question(kind, (first, second), (table.point(first, FRONT),), anchor=table.anchor(first, CENTRE))


@pytest.mark.parametrize(("place", "yaw"), PLACES)
def test_what_was_carried_off_and_turned_is_found_in_a_second_picture(table, place, yaw):
    first, second = table.frame(), table.frame(cube=(place, np.radians(yaw)))
    [answer] = RGBD().answer([question(table, first, second)])
    moved = first.camera.world_from_camera[:3, :3] @ answer.value
    assert_allclose(moved, place - CENTRE, atol=0.008)


@pytest.mark.parametrize(("place", "yaw"), PLACES)
def test_one_of_the_candidates_is_near_the_truth(table, place, yaw):
    first, second = (View.of(table.frame(**poses)) for poses in ({}, {"cube": (place, np.radians(yaw))}))
    to_camera = first.camera.camera_from_world
    region = grow(first, table.point(table.frame(), FRONT)[:2])
    found = relocations(region, Sight(second, np.eye(4), up=to_camera[:3, 2]))
    truth = transform(to_camera, np.array(place))
    centres = [transform(motion, transform(to_camera, CENTRE)) for motion in found]
    assert len(found) <= 8 and min(np.linalg.norm(centre - truth) for centre in centres) < 0.02


def test_nothing_of_its_colours_is_no_candidate(table):
    first, second = View.of(table.frame()), table.frame()
    region = grow(first, table.point(second, FRONT)[:2])
    dark = View(first.camera, np.zeros_like(first.colour), first.depth)
    assert relocations(region, Sight(dark, np.eye(4), up=np.array([0.0, -1, 0]))) == []


def test_a_patch_knows_the_other_sides_of_its_thing_but_not_the_ground(table):
    frame = table.frame()
    region = grow(View.of(frame), table.point(frame, FRONT)[:2])
    height = transform(frame.camera.world_from_camera, region.points)[:, 2]
    top = height > 0.058
    assert top.any() and (height > 0.001).all()
    assert 0 < region.weight[top].sum() < 0.3
    ground = grow(View.of(frame), table.point(frame, (0.2, 0.1, 0.0))[:2])
    assert (transform(frame.camera.world_from_camera, ground.points)[:, 2] < 0.005).all()


def test_a_match_is_found_although_the_cameras_motion_is_not(table, monkeypatch):
    monkeypatch.setattr(rgbd, "ego_motion", lambda *_: RigidFit.unknown(0))
    first, second = table.frame(), table.frame(eye=look_at((0.12, -0.6, 0.5), (0.02, 0.01, 0.03)))
    match, moved = RGBD("estimated").answer(
        [question(table, first, second, kind) for kind in ("vc_coord", "obj_vec_coord")]
    )
    assert_allclose(match.value, table.point(second, FRONT)[:2], atol=2.0)
    assert match.motion is None  # it is that of the camera
    assert not moved.valid and "how the camera moved" in moved.text


def test_what_may_as_well_have_turned_less_is_not_valid():
    table = Table('rgba=".8 .2 .1 1"')
    table.simulator = Simulator((table.model, table.data), "eye", 320, 240)
    eye = look_at((-0.088, -0.594, 0.544), (0, 0, 0.03))
    first = table.frame(eye=eye, cube=((0.0038, -0.0164, 0.03), 0.3826))
    second = table.frame(eye=eye, cube=((0.0113, -0.0237, 0.03), 0.8755))  # 28 degrees on
    point = first.camera.project((0.0038, -0.0164, 0.03))[0].astype(int) + 0.5
    [answer] = RGBD().answer([Question("obj_vec_coord", (first, second), (PixelPoint(*point),))])
    table.simulator.close()
    assert not answer.valid or np.linalg.norm(answer.value) < 0.035  # its neighbour side is 60 mm away


def test_the_ground_level_is_that_of_most():
    height = np.concatenate([np.full(50, 0.3), np.linspace(0, 2, 40), [np.nan, 1e6]])
    assert ground_level(height) == pytest.approx(0.3)
    assert np.isnan(ground_level(np.full(3, np.nan)))

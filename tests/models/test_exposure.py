"""Pictures that are brighter, darker or of another tint than those before."""

import numpy as np
import pytest

from spatial_reward.camera import look_at
from spatial_reward.models.ego_motion import ego_motion
from spatial_reward.models.exposure import evened
from spatial_reward.models.rgbd import RGBD
from spatial_reward.types import Frame, Question

CENTRE = np.array([0.0, 0.0, 0.03])  # of the cube [m]
FRONT = np.array([0.0, -0.03, 0.035])  # a point of its front, seen by the camera
ASIDE = look_at((0.15, -0.58, 0.48), (0.02, 0.01, 0.03))
GAINS = [0.6, 0.75, 1.4, (1.25, 1.0, 0.8)]


def exposed(frame, gain):
    rgb = np.clip(frame.rgb * np.asarray(gain, float), 0, 255).astype(np.uint8)
    return Frame(rgb, camera=frame.camera, depth=frame.depth)


@pytest.mark.parametrize("gain", GAINS)
@pytest.mark.parametrize("step", [(0, 0, 0), (0.02, 0.01, 0), (0, 0, 0.03)])
def test_another_exposure_moves_nothing(table, gain, step):
    first, second = table.frame(), table.frame(cube=CENTRE + step)
    point, anchor = table.point(first, FRONT), table.anchor(first, CENTRE)
    [answer] = RGBD().answer(
        [Question("obj_vec_coord", (first, exposed(second, gain)), (point,), anchor=anchor)]
    )
    assert answer.valid
    assert np.linalg.norm(first.camera.world_from_camera[:3, :3] @ answer.value - step) < 0.005


@pytest.mark.parametrize("gain", GAINS)
@pytest.mark.parametrize("eye", [{}, {"eye": ASIDE}])
def test_another_exposure_does_not_hide_how_the_camera_moved(table, gain, eye):
    first, second = table.frame(), table.frame(**eye)
    fit = ego_motion(first, exposed(second, gain))
    truth = second.camera.camera_from_world @ first.camera.world_from_camera
    assert fit.valid
    assert np.linalg.norm(fit.b_from_a[:3, 3] - truth[:3, 3]) < 0.008


def test_a_picture_is_made_as_bright_as_the_other(table):
    first, second = table.frame(), table.frame(cube=(0.05, 0.0, 0.03))
    even = evened(first, exposed(second, 0.7), np.eye(4))
    assert np.abs(even.rgb.astype(float) - second.rgb).mean() < 2  # grey levels


def test_what_is_as_bright_stays_as_it_is(table):
    first = table.frame()
    for second in (table.frame(cube=(0.1, 0, 0.03)), table.frame(eye=ASIDE), exposed(first, 1.04)):
        relative = second.camera.camera_from_world @ first.camera.world_from_camera
        assert evened(first, second, relative) is second


def test_light_that_changes_unevenly_is_no_exposure(table):
    first = table.frame()
    fading = np.linspace(0.7, 1.4, first.rgb.shape[1])[:, None]  # across the picture
    second = exposed(first, fading)
    assert evened(first, second, np.eye(4)) is second


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("missing", [np.nan, np.inf, 0.0])
def test_holes_do_not_hide_the_exposure(table, missing):
    first = table.frame()
    depth = np.where(np.random.default_rng(0).random(first.depth.shape) < 0.3, missing, first.depth)
    holed = Frame(first.rgb, camera=first.camera, depth=depth.astype(np.float32))
    for one, other in ((first, exposed(holed, 0.7)), (holed, exposed(first, 0.7))):
        assert np.abs(evened(one, other, np.eye(4)).rgb.astype(float) - first.rgb).mean() < 2  # grey levels


def test_other_things_are_no_exposure(table):
    first = table.frame()
    rgb = np.random.default_rng(0).integers(20, 120, first.rgb.shape, np.uint8)
    strange = Frame(rgb, camera=first.camera, depth=first.depth)
    empty = Frame(exposed(first, 0.5).rgb, camera=first.camera, depth=np.full_like(first.depth, np.nan))
    for second in (strange, empty):
        assert evened(first, second, np.eye(4)) is second

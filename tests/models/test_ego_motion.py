from dataclasses import replace

import numpy as np
import pytest

from spatial_reward.camera import look_at
from spatial_reward.models.ego_motion import ego_motion
from spatial_reward.types import Frame

ASIDE = look_at((0.15, -0.58, 0.48), (0.02, 0.01, 0.03))


def test_the_camera_is_found_to_a_pixel_while_something_moves(table):
    first, second = table.frame(), table.frame(eye=ASIDE, cube=(0.05, 0.0, 0.03))
    fit = ego_motion(first, second)
    truth = second.camera.camera_from_world @ first.camera.world_from_camera
    turn = np.degrees(np.arccos(np.clip((np.trace(fit.b_from_a[:3, :3] @ truth[:3, :3].T) - 1) / 2, -1, 1)))
    assert fit.valid
    assert turn < 0.3
    assert np.linalg.norm(fit.b_from_a[:3, 3] - truth[:3, 3]) < 0.008


def test_what_cannot_be_laid_onto_the_other_picture_is_not_valid(table):
    first = table.frame()
    other = look_at((0.0, 0.8, 0.3), (0.0, 0.0, 0.1))
    assert not ego_motion(first, table.frame(eye=other, wall=(0, 0.4, 0.15))).valid


def test_a_blind_frame_tells_nothing(table):
    first = table.frame()
    blind = Frame(first.rgb, camera=first.camera, depth=np.full_like(first.depth, np.nan))
    assert not ego_motion(blind, first).valid and not ego_motion(first, blind).valid
    with pytest.raises(ValueError, match="lacks one"):
        ego_motion(first, Frame(first.rgb, camera=first.camera))


@pytest.mark.parametrize("missing", [np.nan, 0.0, np.inf])
@pytest.mark.parametrize("blank", ["left", "right", "sprinkled"])
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.filterwarnings("error")
def test_where_no_depth_was_measured_nothing_is_contradicted(table, missing, blank, which):
    frames = [table.frame(), table.frame()]
    hole = np.zeros(frames[0].depth.shape, bool)
    middle = hole.shape[1] // 2
    hole[:, {"left": np.s_[:middle], "right": np.s_[middle:], "sprinkled": np.s_[:0]}[blank]] = True
    hole |= (np.random.default_rng(0).random(hole.shape) < 0.4) & (blank == "sprinkled")
    depth = np.where(hole, missing, frames[which].depth).astype(np.float32)
    frames[which] = replace(frames[which], depth=depth)
    fit = ego_motion(*frames)
    assert fit.valid
    np.testing.assert_allclose(fit.b_from_a, np.eye(4), atol=2e-3)


def test_another_colour_where_no_depth_was_measured_contradicts(table):
    first = table.frame()
    sky = replace(first, rgb=np.full_like(first.rgb, 255), depth=first.depth.copy())
    sky.depth[20:] = np.nan
    assert not ego_motion(first, sky).valid

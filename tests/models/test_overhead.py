"""Two pictures of a table are brought together whatever the cameras did between them."""

from dataclasses import replace

import numpy as np
import pytest

from spatial_reward.camera import Camera, look_at, transform
from spatial_reward.models.depth_slope import GENTLE, one_sided
from spatial_reward.models.ego_motion import ego_motion
from spatial_reward.models.ego_pictures import prepare, steadied
from spatial_reward.models.ego_search import LAST, likeliest
from spatial_reward.models.overhead import overhead_motions
from spatial_reward.models.region import View, whole
from spatial_reward.models.registration import Sight, align
from spatial_reward.models.rgbd import RGBD
from spatial_reward.perception import Perception
from spatial_reward.types import Frame, PixelPoint, Question

SIZE = 160
RNG = np.random.default_rng(3)
SPOTS = RNG.uniform(-0.3, 0.3, (9, 2))
HALVES = RNG.uniform(0.02, 0.06, (9, 3))
COLOURS = RNG.integers(30, 255, (9, 3))


BLOCKS = list(zip(SPOTS, HALVES, COLOURS, strict=True))
CORNERS = np.array([(-0.12, -0.12), (-0.12, 0.12), (0.12, -0.12), (0.12, 0.12)])
SQUARE = [(corner, np.full(3, 0.03), np.array([200, 60, 40])) for corner in CORNERS]


def seen_from(eye, target=(0.0, 0.0, 0.0), blocks=BLOCKS):
    """Draw blocks on a grey table by casting rays."""
    camera = Camera.from_fov(50, SIZE, SIZE, look_at(eye, target))
    column, row = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    rays = camera.rays(np.stack([column, row], -1)) @ camera.world_from_camera[:3, :3].T
    with np.errstate(divide="ignore"):
        depth = np.where(rays[..., 2] < 0, -eye[2] / rays[..., 2], np.nan)
    rgb = np.full((SIZE, SIZE, 3), 120.0)
    for spot, half, colour in blocks:
        sides = (np.array([*spot, half[2]]) + np.array([[-1], [1]]) * half)[:, None, None] - eye
        near, far = np.sort(sides / rays, axis=0)
        hit = near.max(-1)
        block = (hit > 0) & (hit < far.min(-1)) & ~(hit > depth)
        depth = np.where(block, hit, depth)
        rgb[block] = (np.array([0.7, 0.85, 1.0])[near.argmax(-1)][..., None] * colour)[block]
    return Frame(rgb.astype(np.uint8), camera=camera, depth=depth.astype(np.float32))


def off(motion, truth):
    """Return by how much a motion is off: turn [deg], and a point one metre ahead [m]."""
    turn = (np.trace(truth[:3, :3].T @ motion[:3, :3]) - 1) / 2
    ahead = np.array([0, 0, 1, 1])
    return np.degrees(np.arccos(np.clip(turn, -1, 1))), np.linalg.norm((motion @ ahead - truth @ ahead)[:3])


def around(angle):
    """Return a picture from elsewhere around the table, and its true motion from the first one."""
    first, there = seen_from((0.0, -0.7, 0.6)), np.radians(angle - 90)
    second = seen_from((0.75 * np.cos(there), 0.75 * np.sin(there), 0.7), (0.05, 0.0, 0.0))
    return first, second, second.camera.camera_from_world @ first.camera.world_from_camera


@pytest.mark.parametrize("angle", [40, 90, 180, 300])
def test_any_turn_around_the_table_is_found(angle):
    first, second, truth = around(angle)
    motions = overhead_motions(View.of(first), View.of(second), first.camera.camera_from_world[:3, 2])
    assert any(turn < 6 and shift < 0.1 for turn, shift in (off(motion, truth) for motion in motions))


@pytest.mark.parametrize("angle", [-60, 20, 40, 90, 130, 180])
def test_a_wide_baseline_is_measured(angle):
    first, second, truth = around(angle)
    fit = ego_motion(first, second)
    turn, shift = off(fit.b_from_a, truth)
    assert fit.valid and turn < 2.5 and shift < 0.015


@pytest.mark.parametrize("angle", [21.3, 75.7, 158.4])
def test_two_things_laid_on_two_things_tell_the_turn_exactly(angle):
    """Between the turns that are tried with maps, which are degrees apart."""
    first, second, truth = around(angle)
    up = first.camera.camera_from_world[:3, 2]
    turns = [off(motion, truth)[0] for motion in overhead_motions(View.of(first), View.of(second), up)]
    assert min(turns) < 0.3  # [deg]


@pytest.mark.parametrize("angle", [40, 110, 170])
def test_the_likeliest_motions_hold_one_near_the_truth(angle):
    first, second, truth = around(angle)
    found = likeliest(prepare(View.of(first), View.of(second)), [np.eye(4)])
    assert len(found) <= LAST.kept
    assert any(turn < 3 and shift < 0.05 for turn, shift in (off(one, truth) for one in found))


@pytest.mark.parametrize("moved", range(2))
def test_a_thing_that_moved_counts_less_than_one_that_stayed(moved):
    spots = np.array([(-0.12, 0.0), (0.12, 0.0)])
    half, red = np.full(3, 0.05), np.array([200, 60, 40])
    after = spots + np.eye(2)[moved][:, None] * (0.0, 0.09)
    first, second = (
        seen_from((0.0, -0.7, 0.6), blocks=[(spot, half, red) for spot in both]) for both in (spots, after)
    )
    way, things = prepare(View.of(first), View.of(second)).levels[-1]
    still = steadied(way, things, np.eye(4))
    left = transform(first.camera.world_from_camera, way.region.points)[:, 0] < 0
    sides = [(things > 0) & side for side in (left, ~left)]
    kept = [still.weight[side].sum() / way.region.weight[side].sum() for side in sides]
    assert set(things[things > 0]) == {1, 2}
    assert kept[moved] < 0.6 * kept[1 - moved]


@pytest.mark.parametrize("what", [-1, 0])
def test_where_there_is_no_thing_weights_stay(what):
    first = seen_from((0.0, -0.7, 0.6))
    way, things = prepare(View.of(first), View.of(first)).levels[-1]
    still = steadied(way, np.full_like(things, what), np.eye(4))
    np.testing.assert_allclose(still.weight, way.region.weight)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(3))
def test_depth_that_is_but_noise_tells_no_motion(seed):
    first, rng = seen_from((0.0, -0.7, 0.6)), np.random.default_rng(seed)
    depth = rng.uniform(0.3, 3.0, (2, SIZE, SIZE)).astype(np.float32)
    fit = ego_motion(*(replace(first, depth=one) for one in depth))
    assert not fit.valid


def test_how_a_lost_camera_moved_is_a_guess():
    there = np.radians(60)
    second = seen_from((0.7 * np.sin(there), -0.7 * np.cos(there), 0.6), blocks=SQUARE)
    frames = seen_from((0.0, -0.7, 0.6), blocks=SQUARE), second
    kinds = ("cam_vec", "cam_deg_yaw", "cam_dir_x")
    for answer in RGBD("estimated").answer([Question(kind, frames) for kind in kinds]):
        assert not answer.valid and answer.value is not None and "how the camera moved" in answer.text
    motion = Perception(frames, RGBD("estimated")).camera_motion()
    assert np.isnan(motion.translation).all() and np.isnan([motion.yaw, motion.pitch]).all()


@pytest.mark.parametrize("shift", [(0.02, 0.0, 0.0), (-0.02, 0.0, 0.0), (0.015, 0.015, 0.0)])
def test_a_grazed_floor_slides_along_itself(shift):
    """A bounded slope of depth would hold a floor that slopes more where the alignment began."""
    first = seen_from((0.0, -1.3, 0.3), (0.0, 0.3, 0.0))
    start = np.eye(4)
    start[:3, 3] = first.camera.camera_from_world[:3, :3] @ shift
    missed = {}
    for steep in (False, True):
        view = replace(View.of(first), steepest=np.inf if steep else GENTLE)
        sight = Sight(view, np.eye(4), first.camera.camera_from_world[:3, 2])
        motion, _ = align(whole(view), sight, start, steps=20, turn=True)
        missed[steep] = np.linalg.norm(motion[:3, 3])
    assert missed[True] < 0.002 < 0.005 < missed[False]  # [m]


def test_a_slope_is_that_of_the_surface_beside_an_edge():
    depth = np.concatenate([2 + 0.03 * np.arange(4), 1 - 0.02 * np.arange(4)]).astype(np.float32)
    beside = np.stack([depth[2:], depth[:-2], depth[1:-1], depth[1:-1]])
    np.testing.assert_allclose(one_sided(depth[1:-1], beside)[:, 0], [0.03] * 3 + [-0.02] * 3, atol=1e-6)
    beside[1, 2] = np.nan
    assert np.isnan(one_sided(depth[1:-1], beside)[2, 0])


def test_without_depth_there_is_no_plane():
    frame = seen_from((0.0, -0.7, 0.6))
    empty = Frame(frame.rgb, camera=frame.camera, depth=np.full((SIZE, SIZE), np.nan, np.float32))
    up = frame.camera.camera_from_world[:3, 2]
    assert overhead_motions(View.of(frame), View.of(empty), up) == []
    assert overhead_motions(View.of(empty), View.of(frame), up) == []


@pytest.mark.parametrize("angle", [25, 45, 60, 75, 120, 140, 160])
def test_what_fits_a_bare_table_and_not_the_things_on_it_is_not_believed(angle):
    """Four small equal blocks in a square look nearly the same from four sides, the table from all."""
    there = np.radians(angle)
    second = seen_from((0.7 * np.sin(there), -0.7 * np.cos(there), 0.6), blocks=SQUARE)
    assert not ego_motion(seen_from((0.0, -0.7, 0.6), blocks=SQUARE), second).valid


@pytest.mark.parametrize("step", [(0.12, 0.05), (0.15, 0.0), (-0.12, 0.1)])
def test_a_single_thing_that_moves_does_not_move_the_camera(step):
    half, colour = np.full(3, 0.05), np.array([200, 60, 40])
    eye = (0.0, -0.7, 0.6)
    first, second = (seen_from(eye, blocks=[(np.array(at), half, colour)]) for at in ((0.0, 0.0), step))
    fit = ego_motion(first, second)
    turn, shift = off(fit.b_from_a, np.eye(4))
    assert fit.valid and turn < 0.5 and shift < 0.02  # [m]; hardly anything tells it along a bare table


def test_a_bare_table_alone_tells_nothing():
    bare = (seen_from(eye, blocks=[]) for eye in ((0.0, -0.7, 0.6), (0.3, -0.7, 0.6)))
    assert not ego_motion(*bare).valid


def test_a_match_among_things_that_look_alike_is_not_valid_where_the_camera_is_lost():
    first, second = (seen_from(eye, blocks=SQUARE) for eye in ((0.0, -0.7, 0.6), (0.5, -0.49, 0.6)))
    for corner in CORNERS:
        x, y = first.camera.project(np.array([*corner, 0.06]))[0]
        [match] = RGBD("estimated").answer(
            [Question("vc_coord", (first, second), (PixelPoint(float(x), float(y)),))]
        )
        assert not match.valid and match.motion is None


@pytest.mark.parametrize("width", [0.012, 0.02, 0.03])
def test_what_is_half_hidden_does_not_jump_to_its_twin(width):
    half, red = np.full(3, 0.03), np.array([200, 60, 40])
    twins = [(np.array(at), half, red) for at in ((-0.08, 0.0), (0.12, 0.03))]
    post = (np.array([width - 0.13, -0.08]), np.array([0.02, 0.005, 0.06]), np.full(3, 20))
    first, second = (seen_from((0, -0.6, 0.5), blocks=blocks) for blocks in (twins, [*twins, post]))
    x, y = first.camera.project(np.array([-0.07, -0.03, 0.035]))[0]
    question = Question("obj_vec_coord", (first, second), (PixelPoint(float(x), float(y)),))
    [answer] = RGBD("auto").answer([question])
    assert answer.valid and np.linalg.norm(answer.value) < 0.003

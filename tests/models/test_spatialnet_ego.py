from dataclasses import replace

import numpy as np
import pytest

from spatial_reward.camera import look_at, rigid, transform
from spatial_reward.geometry import RigidFit
from spatial_reward.geometry.rotations import rotation_matrix
from spatial_reward.models.camera_error import blurred
from spatial_reward.models.photometric import Layer, Points, align, misfit, misfits
from spatial_reward.models.spatialnet import SpatialNet
from spatial_reward.models.spatialnet_ego import camera_fit, directed, posed
from spatial_reward.types import Answer, Frame, PixelPoint, Question

CLOSE = look_at((0.05, -0.58, 0.5), (0.01, 0.0, 0.03))
ASIDE = look_at((0.2, -0.55, 0.45), (0.02, 0.01, 0.03))


class Exact:
    """What a network says that is right, but for a stated error of all depths together."""

    def __init__(self, frame, times=1.0, std=0.01):
        self.camera, self.depth, self.times, self.std = frame.camera, frame.depth, times, std

    def depth_at(self, pixels):
        column, row = np.asarray(pixels).astype(int).T
        depth = self.times * self.depth[row, column].astype(float)
        return np.nan_to_num(depth, nan=5.0), np.where(np.isfinite(depth), self.std, 1.0)  # nothing is far


def fit_of(first, second, **wrong):
    return camera_fit(Exact(first, **wrong), first.rgb, second.rgb, second.camera, 1.0)


def truth_of(first, second):
    return second.camera.camera_from_world @ first.camera.world_from_camera


@pytest.mark.parametrize("eye", [CLOSE, ASIDE])
@pytest.mark.parametrize("cube", [(0.0, 0.0, 0.03), (0.08, -0.03, 0.03)])
def test_the_camera_is_found_by_colours_while_something_moves(table, eye, cube):
    first, second = table.frame(), table.frame(eye=eye, cube=cube)
    fit, truth = fit_of(first, second), truth_of(first, second)
    assert fit.valid
    assert np.linalg.norm(fit.b_from_a[:3, 3] - truth[:3, 3]) < 0.012
    turn = fit.b_from_a[:3, :3] @ truth[:3, :3].T
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) < 0.8


def test_a_camera_that_stays_has_not_moved_at_all(table):
    fit = fit_of(table.frame(), table.frame(cube=(0.1, 0.05, 0.03), ball=((-0.1, 0.0, 0.04), 0.0)))
    assert fit.valid and (fit.b_from_a == np.eye(4)).all()


def test_other_light_is_no_motion(table):
    first = table.frame()
    darker = replace(first, rgb=(0.8 * first.rgb).astype(np.uint8))
    fit = fit_of(first, darker)
    assert np.linalg.norm(fit.b_from_a[:3, 3]) < 0.02


def test_pictures_of_different_things_are_not_valid(table):
    rng = np.random.default_rng(0)
    first = table.frame()
    noise = replace(first, rgb=rng.integers(0, 256, first.rgb.shape, np.uint8))
    assert not fit_of(first, noise).valid


def test_an_error_of_all_depths_is_in_the_stated_error(table):
    first, second = table.frame(), table.frame(eye=ASIDE)
    exact, vague = fit_of(first, second), fit_of(first, second, times=1.1, std=0.1)
    missed = np.linalg.norm(vague.b_from_a[:3, 3] - truth_of(first, second)[:3, 3])
    assert np.sqrt(np.trace(vague.covariance[3:, 3:])) > np.sqrt(np.trace(exact.covariance[3:, 3:]))
    assert missed < 3 * np.sqrt(np.trace(vague.covariance[3:, 3:]))


def test_alignment_recovers_a_small_motion_exactly(table):
    first = table.frame()
    motion = rigid(rotation_matrix([0.004, -0.006, 0.003]), [0.004, -0.003, 0.005])
    layer = Layer.of(first.rgb, first.camera, 160)
    row, column = np.mgrid[70:156:2, 4:156:2].reshape(2, -1)
    places = layer.camera.rays(np.stack([column, row], 1) + 0.5) * first.depth[row, column, None]
    points = Points(
        transform(np.linalg.inv(motion), places.astype(float)),
        layer.colour[row, column],
        np.full(len(row), 1e-4),
    )
    found, information = align(layer, points, np.eye(4), steps=20)
    np.testing.assert_allclose(found, motion, atol=3e-4)
    assert misfit(layer, points, found) < 0.01 < misfit(layer, points, np.eye(4))
    assert np.linalg.eigvalsh(information).min() > 0
    told = misfits(layer, points, np.stack([np.eye(4), found]))
    assert told[1] < told[0]


def test_a_thing_is_measured_by_the_pose_that_was_found(table):
    """Poses that are not to be trusted do not matter: the answer is that of any claimed pose."""
    first, second = table.frame(), table.frame(eye=CLOSE, cube=(0.08, -0.03, 0.03))
    claimed = replace(second, camera=replace(second.camera, world_from_camera=first.camera.world_from_camera))
    told = [answer_of(first, frame, table) for frame in (second, claimed)]
    np.testing.assert_allclose(told[0].value, told[1].value, atol=1e-9)
    assert told[0].covariance.trace() == pytest.approx(told[1].covariance.trace())


def answer_of(first, second, table):
    frames = tuple(replace(frame, depth=None) for frame in (first, second))
    question = Question("obj_vec_coord", frames, (table.point(first, (0.0, 0.0, 0.06)),))
    return SpatialNet(depth="predicted", pose="estimated", support=0.0).answer([question])[0]


def test_where_the_camera_is_lost_how_a_thing_moved_is_a_guess(table):
    rng = np.random.default_rng(0)
    first = table.frame(depth=False)
    noise = Frame(rng.integers(0, 256, first.rgb.shape, np.uint8), camera=first.camera)
    model = SpatialNet(depth="predicted", pose="estimated", support=0.0)
    point = (PixelPoint(80.0, 80.0),)
    moved, match = model.answer(
        [Question(kind, (first, noise), point) for kind in ("obj_vec_coord", "vc_coord")]
    )
    assert not moved.valid and moved.motion is None and "how the camera moved" in moved.text
    assert match.value is not None


def test_the_error_of_the_cameras_motion_is_added():
    motion = rigid(rotation_matrix([0.0, 0.0, np.pi / 2]), np.zeros(3))
    spread = np.diag([1.0, 1.0, 1.0, 4e-4, 0.0, 0.0])
    fit = RigidFit(motion, spread, np.zeros(3), np.zeros(0, bool), 0.0, 0, True)
    answer = Answer(np.zeros(3), "m", np.zeros(3), covariance=np.zeros((3, 3)))
    widened = blurred(answer, fit, 2.0)
    np.testing.assert_allclose(widened.std, [0, 0.04, 0], atol=1e-12)  # sideways is up in the other camera
    assert blurred(Answer(0.3, "m", 0.03), fit, 2.0).std == pytest.approx(np.hypot(0.03, 0.04 / np.sqrt(3)))


def test_a_frame_is_put_where_its_camera_was_found(table):
    first, second = table.frame(), table.frame(eye=ASIDE)
    fit = RigidFit(truth_of(first, second), np.eye(6), np.zeros(3), np.zeros(0, bool), 0.0, 0, True)
    lost = replace(second, camera=replace(second.camera, world_from_camera=np.eye(4)))
    put = posed(lost, first, fit)
    np.testing.assert_allclose(put.camera.world_from_camera, second.camera.world_from_camera, atol=1e-9)


def test_without_a_scale_the_way_a_camera_went_is_told_and_not_how_far(table):
    first, second = (replace(frame, depth=None) for frame in (table.frame(), table.frame(eye=CLOSE)))
    model = SpatialNet(depth="predicted", pose="estimated", support=0.0)
    kinds = ("cam_vec", "cam_dist", "cam_dir_x", "cam_deg_yaw")
    questions = [Question(kind, (first, second)) for kind in kinds]
    fit = model._ego(first, second)
    assert directed(fit) and [answer.valid for answer in model.answer(questions)][:2] == [True, True]
    model._egos[first][second] = replace(fit, valid=False)
    vector, distance, way, turn = model.answer(questions)
    assert way.valid and turn.valid and not vector.valid and not distance.valid
    assert "how the camera moved" in vector.text
    model._egos[first][second] = replace(fit, valid=False, directed=False)
    assert not any(answer.valid for answer in model.answer(questions))

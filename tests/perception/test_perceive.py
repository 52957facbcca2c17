"""Depth, matches, motions and sizes of a clip against the simulator's truth, by every model that is there."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import spatial_reward
from spatial_reward import Camera, Frame, Perception, Question, perceive
from spatial_reward.camera import look_at
from spatial_reward.geometry import depth_noise


def test_the_function_comes_with_the_package_but_only_when_asked_for():
    code = "import sys, spatial_reward; print('cv2' in sys.modules, 'scipy' in sys.modules)"
    code += "; print(callable(spatial_reward.perceive), 'torch' in sys.modules, 'open3d' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "False", "False"]
    assert spatial_reward.Perception is Perception
    with pytest.raises(AttributeError, match="no attribute 'percieve'"):
        spatial_reward.percieve  # noqa: B018


def test_measured_depth_is_passed_on_with_the_noise_of_a_depth_camera(rolled):
    seen = perceive(rolled.frames, model="rgbd").depth()
    assert_allclose(seen.depth, rolled.frames[-1].depth)
    assert_allclose(seen.std, depth_noise(seen.depth))
    assert seen.measured.all() and seen.valid.all()


def test_predicted_depth_states_an_uncertainty_that_covers_its_error(rolled):
    seen = perceive(rolled.blind(), model="spatialnet", support=0.0).depth()
    assert seen.depth.shape == rolled.frames[-1].depth.shape and not seen.measured.any()
    error = np.abs(seen.depth - rolled.frames[-1].depth)
    near = rolled.frames[-1].depth < 2
    assert np.median(error[near]) < 0.1
    assert np.mean(error[near] < 2 * seen.std[near]) > 0.7


def test_holes_of_measured_depth_are_filled_by_prediction(rolled):
    depth = rolled.frames[0].depth.copy()
    depth[:, :80] = np.nan
    seen = perceive(replace(rolled.frames[0], depth=depth), model="spatialnet").depth()
    assert seen.valid.all()
    assert not seen.measured[:, :80].any() and seen.measured[:, 80:].all()
    assert np.median(seen.std[:, :80]) > np.median(seen.std[:, 80:])
    holes = perceive(replace(rolled.frames[0], depth=depth), model="spatialnet", depth="measured").depth()
    assert np.isnan(holes.depth[:, :80]).all()


@pytest.mark.parametrize("model", ["rgbd", "spatialnet"])
def test_a_thing_is_found_again_and_its_motion_measured(rolled, model):
    seen = perceive(rolled.frames, model=model)
    found = seen.matches([rolled.pixel[:2]])
    assert found.valid.all() and found.pixels.shape == found.std.shape == (1, 2)
    assert_allclose(found.pixels[0], rolled.end, atol=2.0)
    answer = seen.object_motion(rolled.pixel[:2])
    world = rolled.frames[0].camera.world_from_camera[:3, :3] @ answer.value
    assert answer.valid and np.linalg.norm(rolled.moved) > 0.05
    assert_allclose(world, rolled.moved, atol=0.006)
    assert answer.covariance.shape == (3, 3)


def test_the_cameras_motion_is_known_from_poses_and_estimated_without(rolled):
    true = perceive(rolled.frames, model="rgbd").camera_motion()
    pose = rolled.frames[0].camera.camera_from_world @ rolled.frames[-1].camera.world_from_camera
    assert_allclose(true.translation, pose[:3, 3], atol=1e-9)
    assert_allclose(true.covariance, 0, atol=1e-12)
    hidden = [replace(f, camera=rolled.frames[0].camera) for f in (rolled.frames[0], rolled.frames[2])]
    estimated = perceive(hidden, model="rgbd", pose="estimated").camera_motion()
    pose = rolled.frames[0].camera.camera_from_world @ rolled.frames[2].camera.world_from_camera
    assert_allclose(estimated.translation, pose[:3, 3], atol=0.01)
    assert abs(estimated.yaw - perceive(rolled.frames, model="rgbd").camera_motion(0, 2).yaw) < 0.5
    assert (np.diag(estimated.covariance) > 0).all()


def test_the_size_of_a_thing_is_measured_as_far_as_it_is_seen(rolled):
    size = perceive(rolled.frames, model="rgbd").size(rolled.pixel[:2])
    assert_allclose([size.height, size.length, size.width], 0.05, atol=0.012)
    assert (size.std > 0).all()


def test_questions_without_frames_are_about_all_of_them(rolled):
    kinds = ("obj_vec_coord", "depth_est_coord")
    asked = [Question(kind, (), (rolled.pixel,)) for kind in kinds]
    own = Question("depth_est_coord", (rolled.frames[3],), (rolled.pixel,))
    seen = perceive(rolled.frames, [*asked, own], model="rgbd")
    assert seen.questions[0].frames == tuple(rolled.frames) and seen.questions[2].frames == own.frames
    direct = seen.object_motion(rolled.pixel[:2])
    assert_allclose(seen.answers[0].value, direct.value)
    column, row = map(int, rolled.pixel[:2])
    assert_allclose(seen.answers[1].value, rolled.frames[0].depth[row, column], atol=0.01)
    assert [answer.valid for answer in seen.answers] == [True, True, True]


def test_plain_pictures_take_the_camera_that_is_given():
    pictures = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), np.uint8)
    camera = Camera.from_fov(60, 192, 128, look_at((0, 0, 1), (1, 0, 0.5)))
    seen = perceive(list(pictures), model="rgbd", camera=camera)
    assert (seen.frames[0].camera.width, seen.frames[0].camera.height) == (96, 64)
    assert [frame.time for frame in seen.frames] == [0.0, 1.0]
    answer = seen.object_motion((10.0, 10.0))
    assert answer.value is None and not answer.valid and "depth" in answer.text
    assert not seen.matches([(10.0, 10.0)]).valid.any()
    assert np.isnan(seen.size((10.0, 10.0)).height)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda frame: perceive([]), "There is nothing to perceive"),
        (lambda frame: perceive(frame.rgb), r"Frame 0 has no camera.*Camera\.from_fov"),
        (
            lambda frame: perceive(frame, [Question("obj_vect", ())], "rgbd"),
            "Unknown question kind 'obj_vect'",
        ),
        (lambda frame: perceive(frame, model="rgbt"), "Unknown model 'rgbt'"),
        (
            lambda frame: perceive(frame, model="rgbd").depth(),
            "lacks: give `depth`, or take model='spatialnet'",
        ),
        (lambda frame: perceive(frame, model=perceive(frame, model="rgbd").model, pose="x"), "Options"),
        (lambda frame: Perception((Frame(frame.rgb),), None).depth(), "has no camera, without which"),
    ],
)
def test_what_cannot_be_perceived_is_refused_with_the_remedy(call, message, rolled):
    with pytest.raises(ValueError, match=message):
        call(replace(rolled.frames[0], depth=None))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spatial_reward.camera import invert, look_at, rigid, transform
from spatial_reward.geometry import RigidFit, camera_motion, estimated_camera_motion, fit_rigid

seeds = st.integers(0, 2**32 - 1)


def level(yaw, pitch=0.0, eye=(0, 0, 0)):
    a, b = np.radians([yaw, pitch])
    forward = np.array([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])
    return look_at(eye, eye + forward)


def any_level_pose(rng):
    return level(rng.uniform(-180, 180), rng.uniform(-70, 70), tuple(rng.normal(0, 1, 3)))


def test_a_metre_along_x_is_to_the_right():
    motion = camera_motion(np.eye(4), rigid(np.eye(3), [1, 0, 0]))
    np.testing.assert_array_equal(motion.translation, [1, 0, 0])
    assert motion.directions["x"] == "right" and motion.distance == 1


def test_counter_clockwise_is_left_and_looking_up_is_up():
    motion = camera_motion(level(20), level(50, 10))
    assert (motion.yaw, motion.pitch) == (pytest.approx(30), pytest.approx(10))
    assert (motion.directions["yaw"], motion.directions["pitch"]) == ("left", "up")


def test_yaw_wraps():
    assert camera_motion(level(179), level(-179)).yaw == pytest.approx(2)
    assert camera_motion(level(-179), level(179)).yaw == pytest.approx(-2)


def test_no_motion_has_the_published_words():
    words = camera_motion(np.eye(4), np.eye(4)).directions
    assert words == {"x": "left", "y": "up", "z": "backward", "yaw": "right", "pitch": "down"}


@given(seeds)
def test_swapping_flips_the_angles_and_turns_the_translation(seed):
    rng = np.random.default_rng(seed)
    first, second = any_level_pose(rng), any_level_pose(rng)
    there, back = camera_motion(first, second), camera_motion(second, first)
    assert back.pitch == pytest.approx(-there.pitch)
    assert np.cos(np.radians(back.yaw + there.yaw)) == pytest.approx(1)
    rotation = (invert(first) @ second)[:3, :3]
    np.testing.assert_allclose(back.translation, -rotation.T @ there.translation, atol=1e-9)


@given(seeds)
def test_the_world_may_be_shifted_and_turned_about_gravity(seed):
    rng = np.random.default_rng(seed)
    first, second = any_level_pose(rng), any_level_pose(rng)
    world = rigid(Rotation.from_euler("z", rng.uniform(-3, 3)).as_matrix(), rng.normal(size=3))
    one, other = camera_motion(first, second), camera_motion(world @ first, world @ second)
    np.testing.assert_allclose(one.translation, other.translation, atol=1e-9)
    assert (other.yaw, other.pitch) == (pytest.approx(one.yaw, abs=1e-6), pytest.approx(one.pitch, abs=1e-6))


def static_points(rng, first, second, count=40, noise=0.0):
    points = transform(first, rng.normal((0, 0, 2), 0.5, (count, 3)))
    seen = (transform(invert(pose), points) for pose in (first, second))
    return tuple(view + rng.normal(0, noise, view.shape) if noise else view for view in seen)


@given(seeds)
def test_without_noise_the_estimate_is_the_truth(seed):
    rng = np.random.default_rng(seed)
    first, second = any_level_pose(rng), any_level_pose(rng)
    truth = camera_motion(first, second)
    motion = estimated_camera_motion(fit_rigid(*static_points(rng, first, second), robust=False), first)
    np.testing.assert_allclose(motion.translation, truth.translation, atol=1e-9)
    assert np.cos(np.radians(motion.yaw - truth.yaw)) == pytest.approx(1)
    assert motion.pitch == pytest.approx(truth.pitch, abs=1e-6)


def test_covariance_of_the_estimate_is_calibrated():
    rng = np.random.default_rng(0)
    covariance = np.tile(0.004**2 * np.eye(3), (40, 1, 1))
    squared, hits = [], []
    for _ in range(500):
        first = any_level_pose(rng)
        turn = Rotation.from_rotvec(rng.normal(0, 0.1, 3)).as_matrix()
        second = first @ rigid(turn, rng.normal(0, 0.1, 3))
        truth = camera_motion(first, second)
        source, target = static_points(rng, first, second, noise=0.004)
        fit = fit_rigid(
            source, target, source_covariance=covariance, target_covariance=covariance, robust=False
        )
        motion = estimated_camera_motion(fit, first)
        error = np.array(
            [*(motion.translation - truth.translation), motion.yaw - truth.yaw, motion.pitch - truth.pitch]
        )
        squared.append(error @ np.linalg.solve(motion.covariance, error))
        hits.append(np.abs(error) < 1.645 * np.sqrt(np.diag(motion.covariance)))
    assert 4.5 < np.mean(squared) < 5.5  # 5 degrees of freedom, within 10 %
    assert (np.abs(np.mean(hits, axis=0) - 0.9) < 0.05).all()


def test_yaw_is_less_sure_the_steeper_the_view():
    rng = np.random.default_rng(1)
    stds = []
    for pitch in (0, -60, -89):
        first = level(30, pitch)
        source, target = static_points(rng, first, first, noise=0.002)
        covariance = estimated_camera_motion(fit_rigid(source, target), first).covariance
        stds.append(np.sqrt(covariance[3, 3]))
    assert stds[0] < stds[1] < stds[2] and stds[2] > 10 * stds[0]


def test_a_fit_that_is_not_valid_tells_nothing():
    with pytest.raises(ValueError, match="check its validity first"):
        estimated_camera_motion(RigidFit.unknown(), np.eye(4))

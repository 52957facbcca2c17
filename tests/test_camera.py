import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spatial_reward.camera import Camera, invert, look_at, rigid, transform, wrap_degrees, yaw_pitch

seeds = st.integers(0, 2**32 - 1)


def any_pose(rng):
    return rigid(Rotation.random(random_state=int(rng.integers(2**31))).as_matrix(), rng.normal(0, 3, 3))


def any_camera(rng, width=64, height=48):
    return Camera.from_fov(rng.uniform(20, 110), width, height, any_pose(rng))


@given(seeds)
def test_inverse_undoes_a_transform_from_both_sides(seed):
    pose = any_pose(np.random.default_rng(seed))
    np.testing.assert_allclose(invert(pose) @ pose, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(pose @ invert(pose), np.eye(4), atol=1e-12)


def test_inverse_of_a_stack_is_the_stack_of_inverses():
    rng = np.random.default_rng(0)
    poses = np.stack([any_pose(rng) for _ in range(5)])
    np.testing.assert_array_equal(invert(poses), [invert(pose) for pose in poses])


@given(seeds)
def test_transforms_are_associative(seed):
    rng = np.random.default_rng(seed)
    first, second, points = any_pose(rng), any_pose(rng), rng.normal(size=(7, 3))
    np.testing.assert_allclose(
        transform(second @ first, points), transform(second, transform(first, points)), atol=1e-11
    )


@given(seeds)
def test_projection_comes_back_by_unprojection(seed):
    rng = np.random.default_rng(seed)
    camera = any_camera(rng)
    pixels, depth = rng.uniform(0, 48, (9, 2)), rng.uniform(0.1, 9, 9)
    back, z = camera.project(camera.unproject(pixels, depth))
    np.testing.assert_allclose(back, pixels, atol=1e-8)
    np.testing.assert_allclose(z, depth, atol=1e-9)


def test_depth_is_planar_not_along_the_ray():
    camera = Camera.from_fov(90, 100, 100, np.eye(4))
    np.testing.assert_allclose(camera.unproject((100, 50), 2.0), [2, 0, 2], atol=1e-12)


def test_the_optical_axis_meets_the_corner_of_the_four_middle_pixels():
    pixels, _ = Camera.from_fov(60, 64, 48, np.eye(4)).project([0, 0, 5])
    np.testing.assert_allclose(pixels, [32, 24])


def test_pixel_centres_survive_resizing():
    camera = Camera.from_fov(60, 64, 48, np.eye(4))
    half = camera.resized(32, 24)
    point = camera.unproject((1.0, 1.0), 3.0)  # centre of the first 2 x 2 block
    np.testing.assert_allclose(half.project(point)[0], [0.5, 0.5], atol=1e-9)


def test_behind_the_camera_pixels_are_unknown_and_depth_is_told():
    pixels, depth = Camera.from_fov(60, 64, 48, np.eye(4)).project([[0, 0, -2], [1, 1, 0]])
    assert np.isnan(pixels).all()
    np.testing.assert_array_equal(depth, [-2, 0])


def test_the_left_and_top_border_belong_to_the_picture_and_the_others_not():
    camera = Camera.from_fov(60, 64, 48, np.eye(4))
    pixels = [(0, 0), (63.9, 47.9), (64, 1), (1, 48), (-0.01, 1), (np.nan, 1)]
    np.testing.assert_array_equal(camera.contains(pixels), [True, True, False, False, False, False])


@given(seeds)
def test_look_at_puts_the_target_in_the_middle_and_up_upwards(seed):
    rng = np.random.default_rng(seed)
    eye, target = rng.normal(0, 2, 3), rng.normal(0, 2, 3)
    pose = look_at(eye, target)
    seen = transform(invert(pose), target)
    np.testing.assert_allclose(seen, [0, 0, np.linalg.norm(target - eye)], atol=1e-9)
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-9)
    assert pose[2, 1] < 0  # the camera's y axis points down
    assert abs(pose[2, 0]) < 1e-9  # no roll


def test_look_at_refuses_a_view_along_up():
    with pytest.raises(ValueError, match="choose another up"):
        look_at((0, 0, 1), (0, 0, 0))
    with pytest.raises(ValueError, match="No view"):
        look_at((1, 2, 3), (1, 2, 3))


@given(st.floats(-179, 179), st.floats(-85, 85))
def test_yaw_grows_to_the_left_and_pitch_upwards(yaw, pitch):
    a, b = np.radians([yaw, pitch])
    pose = look_at((0, 0, 0), (np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)))
    assert yaw_pitch(pose) == pytest.approx((yaw, pitch), abs=1e-6)


@given(st.floats(-2000, 2000))
def test_wrapping_keeps_the_angle_and_lands_in_the_half_open_turn(angle):
    wrapped = wrap_degrees(angle)
    assert -180 < wrapped <= 180 or wrapped == pytest.approx(-180, abs=1e-9)
    assert np.cos(np.radians(wrapped - angle)) == pytest.approx(1)


def test_half_a_turn_is_positive():
    assert (wrap_degrees(-180), wrap_degrees(180), wrap_degrees(540)) == (180, 180, 180)


def camera_arguments(**change):
    arguments = {"intrinsics": np.eye(3), "world_from_camera": np.eye(4), "width": 4, "height": 3}
    return arguments | change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"intrinsics": np.eye(4)}, r"`intrinsics` must be a finite \(3, 3\) matrix, got shape \(4, 4\)"),
        ({"intrinsics": np.diag([1, np.nan, 1])}, "finite"),
        ({"intrinsics": np.diag([1, -1, 1])}, "positive focal lengths"),
        ({"world_from_camera": np.diag([2.0, 1, 1, 1])}, "must be rigid"),
        ({"world_from_camera": np.diag([-1.0, 1, 1, 1])}, "must be rigid"),
        ({"width": 0}, "Image size must be positive, got 0 x 3"),
    ],
)
def test_what_is_not_a_camera_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Camera(**camera_arguments(**change))


@pytest.mark.parametrize("fovy", [0, 180, -5])
def test_a_field_of_view_must_be_less_than_half_a_turn(fovy):
    with pytest.raises(ValueError, match="between 0 and 180 degrees"):
        Camera.from_fov(fovy, 4, 3, np.eye(4))


@settings(max_examples=20)
@given(st.floats(10, 150))
def test_the_field_of_view_spans_the_height(fovy):
    camera = Camera.from_fov(fovy, 64, 48, np.eye(4))
    top, bottom = camera.rays([(32, 0), (32, 48)])
    between = np.degrees(np.arctan2(bottom[1], 1) - np.arctan2(top[1], 1))
    assert between == pytest.approx(fovy)

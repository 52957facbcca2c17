"""Scenes captured from a simulation: points stay on their bodies and are visible where geometry says so."""

import mujoco
import numpy as np
import pytest

from spatial_reward.envs.camera_path import orbit
from spatial_reward.envs.scene import capture_scene
from spatial_reward.envs.simulator import Simulator

SCENE = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <geom name="floor" type="plane" size="2 2 .1"/>
    <camera name="front" pos="0 -1.2 .7" xyaxes="1 0 0 0 .5 .866" fovy="45"/>
    <body name="ball" pos="-.2 0 .2"><freejoint/><geom name="ball" size=".1"/></body>
    <body pos=".2 .1 .1"><geom type="box" size=".1 .1 .1"/></body>
    <body name="slider" pos="0 -.2 .3"><joint type="slide" axis="1 0 0"/>
      <geom type="box" size=".03 .03 .03"/></body>
  </worldbody>
</mujoco>
"""


def pair() -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def moments(model, data, count=5):
    """Roll the ball and push the slider across the picture."""
    for index in range(count):
        angle = 0.3 * index
        data.qpos[:7] = [-0.2 + 0.05 * index, 0, 0.2, np.cos(angle), np.sin(angle), 0, 0]
        data.qpos[7] = -0.2 + 0.1 * index
        data.time = 0.1 * index
        mujoco.mj_forward(model, data)
        yield index


@pytest.fixture(scope="module")
def captured():
    model, data = pair()
    with Simulator((model, data), orbit("front"), 200, 160) as simulator:
        return model, capture_scene(simulator, moments(model, data), np.random.default_rng(0), 80)


def test_a_scene_has_frames_points_and_names(captured):
    _, scene = captured
    assert [frame.time for frame in scene.frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert all(frame.depth is not None and frame.camera is not None for frame in scene.frames)
    assert scene.names == ("world", "ball", "body 2", "slider")
    assert np.array_equal(np.bincount(scene.body), [80, 80, 80, 80])


def test_points_lie_on_the_surface_and_ride_on_their_body(captured):
    _, scene = captured
    ball = scene.points[:, scene.body == 1]
    centres = np.array([[-0.2 + 0.05 * index, 0, 0.2] for index in range(5)])
    radius = np.linalg.norm(ball - centres[:, None], axis=-1)
    assert np.abs(radius - 0.1).max() < 2e-3  # MuJoCo draws a sphere of facets
    assert np.ptp(radius, axis=0).max() < 1e-9  # rigid
    assert np.ptp(scene.points[:, scene.body == 0], axis=0).max() == 0
    slid = np.diff(scene.points[:, scene.body == 3], axis=0)
    assert np.allclose(slid, [0.1, 0, 0], atol=1e-9)


def test_points_come_from_all_sides(captured):
    _, scene = captured
    ball = scene.points[0, scene.body == 1] - [-0.2, 0, 0.2]
    assert (np.ptp(ball[:, :2], axis=0) > 0.17).all()  # [m] of a diameter of 0.2


def first_hit(model, data, eye, point, body) -> bool:
    """Tell whether a ray from the eye meets the body of a point first, and where the point is."""
    ray, hit = point - eye, np.zeros(1, np.int32)
    distance = mujoco.mj_ray(model, data, eye, ray / np.linalg.norm(ray), None, True, -1, hit)
    return distance > np.linalg.norm(ray) - 0.004 and model.geom_bodyid[hit[0]] == body


def test_points_are_visible_where_a_ray_meets_them_first():
    model, data = pair()
    rng = np.random.default_rng(0)
    with Simulator((model, data), orbit("front"), 200, 160) as simulator:
        scene = capture_scene(simulator, moments(model, data), rng, 80)
        right, inner = [], []
        for index in moments(model, data):
            camera, bodies = scene.frames[index].camera, simulator.segmentation()
            pixels, _ = camera.project(scene.points[index])
            for number in np.flatnonzero(camera.contains(pixels)):
                x, y = pixels[number].astype(int)
                around = bodies[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                point, body = scene.points[index, number], scene.body[number]
                truth = first_hit(model, data, camera.world_from_camera[:3, 3], point, body)
                right.append(truth == scene.visible[index, number])
                inner.append((around == bodies[y, x]).all())
    right, inner = np.array(right), np.array(inner)
    assert 0.3 < scene.visible.mean() < 0.9
    assert inner.sum() > 700 and right[inner].mean() > 0.98
    assert right.mean() > 0.9  # at a silhouette, what a pixel shows is known to a pixel


def test_no_point_outside_the_picture_is_visible(captured):
    _, scene = captured
    for frame, points, visible in zip(scene.frames, scene.points, scene.visible, strict=True):
        pixels, depth = frame.camera.project(points[visible])
        assert frame.camera.contains(pixels).all() and (depth > 0).all()


def test_the_same_seed_gives_the_same_scene():
    model, data = pair()
    with Simulator((model, data), "front", 100, 80) as simulator:
        first, second, other = (
            capture_scene(simulator, moments(model, data, 2), np.random.default_rng(seed), 10)
            for seed in (0, 0, 1)
        )
    assert np.array_equal(first.points, second.points)
    assert not np.array_equal(first.points, other.points)


def test_a_function_steps_until_it_returns_false():
    model, data = pair()

    def advance() -> bool:
        mujoco.mj_step(model, data)
        return data.time < 0.0055

    with Simulator((model, data), "front", 100, 80) as simulator:
        scene = capture_scene(simulator, advance, np.random.default_rng(0))
    assert len(scene.frames) == 2


def test_nothing_to_watch_is_an_error():
    with (
        Simulator(pair(), "front", 100, 80) as simulator,
        pytest.raises(ValueError, match="`states` yielded nothing"),
    ):
        capture_scene(simulator, [], np.random.default_rng(0))

"""Cameras, pictures and depth against geometry and against what environments render themselves."""

import threading
import warnings

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from spatial_reward.camera import look_at, yaw_pitch
from spatial_reward.envs.camera_path import CameraPath, Orbit, orbit
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.simulator import Simulator, physics

SCENE = """
<mujoco>
  <option timestep="0.01"/>
  <visual><global fovy="50" offwidth="64" offheight="64"/><quality shadowsize="1024"/></visual>
  <asset>
    <texture type="skybox" builtin="gradient" rgb1=".4 .6 .8" rgb2="0 0 0" width="32" height="32"/>
  </asset>
  <worldbody>
    <light pos="0 0 3" dir=".2 .1 -1" castshadow="true"/>
    <geom name="floor" type="plane" size="4 4 .1"/>
    <camera name="front" pos="0 -1.5 1" xyaxes="1 0 0 0 .6 .8" fovy="40"/>
    <camera name="lens" pos="0 -1.5 1" xyaxes="1 0 0 0 .6 .8" sensorsize=".004 .003" resolution="320 240"
      focal=".003 .004" principal=".0002 -.0001"/>
    <camera name="flat" pos="0 -1 1" xyaxes="1 0 0 0 1 1" {flat}/>
    <body name="red" pos="-.25 .1 .3"><freejoint/><geom name="red" size=".08" rgba="1 0 0 1"/></body>
    <body name="green" pos=".3 .2 .2"><freejoint/><geom name="green" size=".05" rgba="0 1 0 1"/></body>
    <body name="hand" pos="0 .3 .3" mocap="true">
      <geom type="box" size=".05 .03 .04" rgba="0 0 1 1"/>
      <camera name="wrist" pos="0 -.8 .2" xyaxes="1 0 0 0 .2 .98"/>
    </body>
  </worldbody>
</mujoco>
"""
SIZE = {"width": 320, "height": 240}


def scene() -> tuple[mujoco.MjModel, mujoco.MjData]:
    version = tuple(int(part) for part in mujoco.__version__.split(".")[:2])
    flat = 'projection="orthographic"' if version >= (3, 4) else 'orthographic="true"'
    model = mujoco.MjModel.from_xml_string(SCENE.format(flat=flat))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def make(env_id: str, **kwargs) -> gym.Env:
    from spatial_reward.envs import catalogue

    load_mujoco()  # chooses OpenGL, which dm_control reads when it is imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return catalogue.make(env_id, **kwargs)
        except ImportError as error:
            pytest.skip(str(error))


def reset(env: gym.Env, seed: int = 0) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env.reset(seed=seed)


def step(env: gym.Env) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env.step(env.action_space.sample())


def centroid(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()]) + 0.5


def sphere_outline(camera, centre: np.ndarray, radius: float) -> np.ndarray:
    """Return the mask of pixels whose ray hits a sphere: exact, unlike the projection of its centre."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.rays(np.stack([columns, rows], axis=-1) + 0.5)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    to_centre = camera.camera_from_world[:3, :3] @ centre + camera.camera_from_world[:3, 3]
    along = rays @ to_centre
    return (to_centre @ to_centre - along**2 < radius**2) & (along > 0)


@pytest.mark.parametrize("camera", ["front", "lens", "free", "wrist"])
def test_spheres_are_drawn_where_the_camera_projects_them(camera):
    model, data = scene()
    with Simulator((model, data), camera, **SIZE) as simulator:
        frame, bodies = simulator.capture()
    for name in ("red", "green"):
        body = model.body(name).id
        drawn, computed = (
            bodies == body,
            sphere_outline(frame.camera, data.xpos[body], model.geom(name).size[0]),
        )
        assert computed.sum() > 100
        assert np.linalg.norm(centroid(drawn) - centroid(computed)) < 0.1  # [px]
        assert (drawn != computed).sum() < 0.1 * drawn.sum()  # only the outline, which MuJoCo facets


def test_small_spheres_project_on_their_centroids():
    model, data = scene()
    model.geom_size[1:3, 0] = 0.02
    with Simulator((model, data), "front", 640, 480) as simulator:
        frame, bodies = simulator.capture()
    for name in ("red", "green"):
        pixel, _ = frame.camera.project(data.body(name).xpos)
        assert np.linalg.norm(centroid(bodies == model.body(name).id) - pixel) < 0.1


def test_intrinsics_follow_from_the_field_of_view():
    model, data = scene()
    camera = Simulator((model, data), "front", **SIZE).camera
    focal = 0.5 * 240 / np.tan(np.radians(40) / 2)
    assert np.allclose(camera.intrinsics, [[focal, 0, 160], [0, focal, 120], [0, 0, 1]], rtol=1e-5)
    assert np.allclose(camera.world_from_camera[:3, 3], [0, -1.5, 1], atol=1e-6)
    free = Simulator((model, data), "free", **SIZE).camera
    assert np.isclose(free.intrinsics[1, 1], 0.5 * 240 / np.tan(np.radians(50) / 2), rtol=1e-5)


def test_intrinsics_of_a_lens_given_in_metres():
    model, data = scene()
    camera = Simulator((model, data), "lens", **SIZE).camera
    assert np.allclose(np.diag(camera.intrinsics), [0.003 / 0.004 * 320, 0.004 / 0.003 * 240, 1], rtol=1e-5)
    assert abs(camera.intrinsics[0, 2] - 160) > 10 and abs(camera.intrinsics[1, 2] - 120) > 5


def test_an_orthographic_camera_is_refused():
    model, data = scene()
    with pytest.raises(ValueError, match="orthographic camera has no focal length"):
        _ = Simulator((model, data), "flat", **SIZE).camera


@pytest.mark.parametrize("camera", ["front", "free", "lens"])
def test_the_floor_of_the_depth_picture_lies_on_the_floor(camera):
    model, data = scene()
    with Simulator((model, data), camera, **SIZE) as simulator:
        frame, bodies = simulator.capture()
    rows, columns = np.nonzero((bodies == 0) & (frame.depth < 4))
    points = frame.camera.unproject(np.stack([columns, rows], axis=1) + 0.5, frame.depth[rows, columns])
    assert len(points) > 1000
    assert np.abs(points[:, 2]).max() < 1e-5  # [m]


def test_depth_is_planar_and_the_nearest_point_of_a_sphere_is_where_it_should_be():
    model, data = scene()
    camera = Orbit("front", degrees=0)
    with Simulator((model, data), camera, **SIZE) as simulator:
        frame, bodies = simulator.capture()
    _, z = frame.camera.project(data.body("red").xpos)
    assert np.isclose(np.nanmin(frame.depth[bodies == model.body("red").id]), z - 0.08, atol=5e-4)


def test_the_background_has_no_depth_and_no_body():
    model, data = scene()
    with Simulator((model, data), "wrist", **SIZE) as simulator:
        frame, bodies = simulator.capture()
        assert np.array_equal(simulator.segmentation(), bodies)
    sky = bodies == -1
    assert 0.1 < sky.mean() < 0.9
    assert np.isnan(frame.depth[sky]).all() and np.isfinite(frame.depth[~sky]).all()
    assert frame.depth.dtype == np.float32


def test_a_frame_has_depth_only_when_asked():
    model, data = scene()
    data.time = 1.25
    with Simulator((model, data), "front", **SIZE) as simulator:
        plain, deep = simulator.frame(), simulator.frame(depth=True)
    assert plain.depth is None and deep.depth.shape == (240, 320)
    assert plain.time == 1.25 and plain.view == "front"
    assert plain.rgb.tobytes() == deep.rgb.tobytes()  # same state, same bytes


def test_a_camera_that_rides_on_a_body_moves_with_it():
    model, data = scene()
    with Simulator((model, data), "wrist", **SIZE) as simulator:
        before = simulator.camera
        data.mocap_pos[0] += [0.1, -0.2, 0.3]
        mujoco.mj_forward(model, data)
        after, drawn = simulator.camera, simulator.frame().camera
    moved = after.world_from_camera[:3, 3] - before.world_from_camera[:3, 3]
    assert np.allclose(moved, [0.1, -0.2, 0.3], atol=1e-6)
    assert np.array_equal(after.world_from_camera, drawn.world_from_camera)
    assert np.array_equal(after.intrinsics, drawn.intrinsics)


def test_an_orbit_swings_around_what_the_camera_looks_at():
    model, data = scene()
    with Simulator((model, data), orbit("front", degrees=20, period=4), **SIZE) as simulator:
        start = simulator.camera.world_from_camera
        target = start[:3, 3] + simulator.distance * start[:3, 2]
        for data.time, turn in ((0.0, 0), (1.0, 20), (2.0, 0), (3.0, -20), (4.0, 0)):
            camera = simulator.frame().camera
            assert np.allclose(camera.project(target)[0], [160, 120], atol=1e-3)
            yaw, pitch = np.subtract(yaw_pitch(camera.world_from_camera), yaw_pitch(start))
            assert np.allclose([yaw, pitch], [turn, 0], atol=1e-4)
            distance = np.linalg.norm(camera.world_from_camera[:3, 3] - target)
            assert np.isclose(distance, simulator.distance, rtol=1e-5)
    assert np.isclose(target[2], 0, atol=1e-5)  # the surface on the axis of "front" is the floor


def test_pictures_of_an_orbit_agree_with_its_camera():
    model, data = scene()
    data.time = 1.0
    with Simulator((model, data), "orbit", **SIZE) as simulator:
        frame, bodies = simulator.capture()
        turned = simulator.camera
    assert np.array_equal(frame.camera.world_from_camera, turned.world_from_camera)
    body = model.body("red").id
    computed = sphere_outline(frame.camera, data.xpos[body], 0.08)
    assert np.linalg.norm(centroid(bodies == body) - centroid(computed)) < 0.1
    assert frame.view == "orbit:default"


def test_any_object_with_a_pose_is_a_path():
    class Overhead:
        base = "front"

        def pose(self, world_from_base, distance, time):
            return look_at([0, -0.1, 2 + time], [0, 0, 0])

    model, data = scene()
    assert isinstance(Overhead(), CameraPath)
    camera = Simulator((model, data), Overhead(), **SIZE).camera
    assert np.allclose(camera.world_from_camera, look_at([0, -0.1, 2], [0, 0, 0]), atol=1e-6)


def test_a_bare_model_opens_with_mujocos_free_camera_or_the_one_it_names():
    model, data = scene()
    assert np.array_equal(
        Simulator((model, data)).camera.world_from_camera,
        Simulator((model, data), "free").camera.world_from_camera,
    )
    model.vis.global_.cameraid = model.camera("front").id
    default = Simulator((model, data)).camera.world_from_camera
    assert np.array_equal(default, Simulator((model, data), "front").camera.world_from_camera)


def test_a_new_state_gets_its_poses():
    model, _ = scene()
    data = mujoco.MjData(model)
    camera = Simulator((model, data), "front", **SIZE).camera
    assert np.allclose(camera.world_from_camera[:3, 3], [0, -1.5, 1], atol=1e-6)


def test_pictures_larger_than_the_models_buffer_leave_the_model_as_it_was():
    model, data = scene()
    kept = (model.vis.global_.offwidth, model.vis.quality.shadowsize, model.vis.quality.offsamples)
    with Simulator((model, data), "front", 700, 500) as simulator:
        assert simulator.frame().rgb.shape == (500, 700, 3)
    assert (model.vis.global_.offwidth, model.vis.quality.shadowsize, model.vis.quality.offsamples) == kept


def test_shadows_are_drawn_only_when_asked_and_change_no_label():
    model, data = scene()
    fast, slow = (Simulator((model, data), "front", **SIZE, shadows=shadows) for shadows in (False, True))
    (plain, bodies), (shaded, same) = fast.capture(), slow.capture()
    assert plain.rgb.mean() > shaded.rgb.mean() + 0.5
    assert np.array_equal(bodies, same)
    assert np.array_equal(plain.depth, shaded.depth, equal_nan=True)
    fast.close()
    slow.close()


def test_cameras_of_one_model_share_a_canvas_and_the_last_frees_it():
    model, data = scene()
    first, second = (Simulator((model, data), camera, **SIZE) for camera in ("front", "free"))
    one, other = first.frame(), second.frame()
    assert first._canvas() is second._canvas()
    canvas = first._canvas()
    first.close()
    first.close()
    assert canvas._context is not None
    assert second.frame().rgb.tobytes() == other.rgb.tobytes()
    assert first.frame().rgb.tobytes() == one.rgb.tobytes()  # a closed simulator starts anew
    first.close()
    second.close()
    canvas.close()
    with pytest.raises(RuntimeError, match="canvas is closed"):
        canvas.draw(second._scene)


def test_threads_draw_the_same_picture():
    model, data = scene()
    simulator = Simulator((model, data), "front", **SIZE)
    pictures = [simulator.frame().rgb.tobytes()]

    def draw() -> None:
        pictures.append(simulator.frame().rgb.tobytes())
        own = Simulator((model, data), "front", **SIZE)
        pictures.append(own.frame().rgb.tobytes())
        own.close()
        simulator.close()

    for _ in range(3):
        thread = threading.Thread(target=draw)
        thread.start()
        thread.join()
    pictures.append(simulator.frame().rgb.tobytes())
    simulator.close()
    assert len(pictures) == 8 and len(set(pictures)) == 1


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-1, 5)])
def test_a_size_without_pixels_is_refused(size):
    with pytest.raises(ValueError, match=r"positive size \[px\], got"):
        Simulator(scene(), "front", *size)


def test_an_unknown_camera_lists_the_known():
    expected = r"Unknown camera 'frunt'\. Did you mean 'front'\? There are: front, lens, flat, wrist, default"
    with pytest.raises(ValueError, match=expected):
        Simulator(scene(), "frunt")
    with pytest.raises(TypeError, match="must be a name or a CameraPath, got 3"):
        Simulator(scene(), 3)
    with pytest.raises(ValueError, match="positive `period`"):
        orbit("front", period=0)


def test_no_model_is_an_error_that_says_what_to_give():
    env = gym.make("CartPole-v1")
    with pytest.raises(
        TypeError, match=r"give a pair \(MjModel, MjData\), or an environment whose `unwrapped`"
    ):
        physics(env)


def test_physics_finds_models_behind_other_attributes():
    model, data = scene()

    class Wrapped:
        def __init__(self, inner):
            self.ptr = inner

    class Holder:
        pass

    for path in ("sim", "robot_env", "physics"):
        env, holder = Holder(), Holder()
        holder.model, holder.data = Wrapped(model), Wrapped(data)
        setattr(env, path, holder)
        assert physics(env) == (model, data)


@pytest.mark.parametrize("env_id", ["Ant-v5", "HalfCheetah-v5", "Reacher-v5"])
def test_the_picture_is_that_of_a_gymnasium_environment(env_id):
    assert_shows_what_render_shows(make(env_id, width=160, height=120))


@pytest.mark.parametrize("camera", [{"camera_name": "track"}, {"camera_id": 0}, {"camera_id": -1}])
def test_the_default_is_the_camera_that_the_environment_was_made_with(camera):
    assert_shows_what_render_shows(
        gym.make("Ant-v5", render_mode="rgb_array", width=160, height=120, **camera)
    )


@pytest.mark.parametrize("env_id", ["FetchPush-v4", "dm_control/cartpole-balance-v0", "PointMaze_UMaze-v3"])
def test_the_picture_is_that_of_a_robot_environment(env_id):
    assert_shows_what_render_shows(make(env_id))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env_id", "options"),
    [
        ("metaworld/push-v3", {}),
        ("metaworld/push-v3", {"camera_name": "corner2"}),
        ("dm_control/reach_site_features-v0", {}),
        ("HandManipulateBlock-v1", {}),
        ("AdroitHandDoor-v1", {}),
        ("AntMaze_UMaze-v5", {}),
    ],
)
def test_the_picture_is_that_of_a_larger_environment(env_id, options):
    assert_shows_what_render_shows(make(env_id, **options))


def assert_shows_what_render_shows(env: gym.Env) -> None:
    """Compare with shadows, pixel by pixel, over some steps; `env.render` must not change by it."""
    reset(env)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rendered = env.render()
        height, width = rendered.shape[:2]
        exact, fast = (Simulator(env, "default", width, height, shadows=shadows) for shadows in (True, False))
        for _ in range(2):
            assert np.array_equal(exact.frame().rgb, env.render())
            assert np.array_equal(env.render(), env.render())
            fast.capture()
            step(env)
        shown = exact.frame().rgb
        exact.close()
        fast.close()
        assert np.array_equal(shown, env.render())
        env.close()


def test_a_first_picture_of_our_own_shows_what_render_will_show():
    env = make("Ant-v5", width=160, height=120)
    env.reset(seed=0)
    with Simulator(env, "default", 160, 120, shadows=True) as simulator:
        ours = simulator.frame().rgb
        assert np.array_equal(ours, env.render())
    env.close()


@pytest.mark.parametrize("env_id", ["FetchPush-v4", "FetchReach-v4"])
def test_looking_does_not_change_what_an_environment_does(env_id):
    def observations(look: bool) -> np.ndarray:
        env = make(env_id)
        reset(env)
        env.action_space.seed(0)
        simulator = Simulator(env, "default", 32, 32)
        rows = []
        for _ in range(8):
            if look:
                simulator.frame(depth=True)
                simulator.position(simulator.ground("target0"))
            rows.append(env.step(env.action_space.sample())[0]["observation"])
        simulator.close()
        env.close()
        return np.stack(rows)

    assert np.array_equal(observations(look=True), observations(look=False))


def test_a_model_made_anew_at_reset_is_followed():
    env = make("dm_control/cartpole-balance-v0")
    reset(env)
    fresh = make("dm_control/cartpole-swingup-v0")
    reset(fresh)

    class Changing:
        unwrapped = env.unwrapped

    changing = Changing()
    with Simulator(changing, "free", 64, 48) as simulator:
        before = simulator.frame().rgb
        changing.unwrapped = fresh.unwrapped
        after = simulator.frame().rgb
        assert simulator.state()[0] is physics(fresh)[0]
    assert not np.array_equal(before, after)


def test_what_was_drawn_before_does_not_matter_to_a_moving_camera():
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><geom type="plane" size="0 0 1"/><geom size=".2" pos="0 0 .2"/></worldbody>'
        "</mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    pictures = []
    for times in ((0.0, 1.0), (0.4, 0.7, 1.0)):
        with Simulator((model, data), orbit("free", 60, 4.0), 64, 48) as simulator:
            for data.time in times:
                frame = simulator.frame(depth=True)
            pictures.append(frame)
    assert np.array_equal(pictures[0].rgb, pictures[1].rgb)
    assert np.array_equal(pictures[0].depth, pictures[1].depth, equal_nan=True)

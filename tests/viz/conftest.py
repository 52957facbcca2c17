import os

import numpy as np
import pytest

from spatial_reward import Answer, Camera, Frame, Reference, Signal
from spatial_reward.camera import look_at
from spatial_reward.viz.step import Step

os.environ.setdefault("MUJOCO_GL", "egl")

START = np.array([0.0, 0.0, 0.1])
GOAL = np.array([0.3, 0.0, 0.1])
CUBE = Reference("cube", (32.0, 24.0), START)
PAD = Reference("pad", position=GOAL)
COVARIANCE = np.diag([1e-4, 4e-4, 9e-4])  # [m^2] in camera-1 axes


@pytest.fixture(autouse=True)
def strict_rerun():
    """Turn the warnings that rerun gives by default into errors."""
    rr = pytest.importorskip("rerun")
    rr.set_strict_mode(True)
    yield
    rr.set_strict_mode(False)


@pytest.fixture
def camera():
    return Camera.from_fov(45, 64, 48, look_at((0.0, -1.0, 0.5), START))


@pytest.fixture
def make_step(camera):
    """Make a step whose cube moved by `moved` [m, world], or was not found where that is None."""
    rng = np.random.default_rng(0)
    reference_frame = make_frame(rng, 0.0, camera)

    def make(index, moved=(0.0, 0.0, 0.0), **changes):
        defaults = dict(references={"cube": CUBE, "pad": PAD}, reference_frame=reference_frame)
        defaults["signal"] = signal(camera, moved)
        measured = dict(reward=0.1 * index, env_reward=-1.0, truth=0.3 - 0.01 * index, latency=0.02)
        frame = make_frame(rng, 0.04 * index, camera)
        return Step(index, frame, **{**defaults, **measured, **changes})

    return make


@pytest.fixture
def steps(make_step):
    """Ten steps towards the pad, of which numbers 4 and 5 could not be judged."""
    return [make_step(index, None if index in (4, 5) else (0.03 * index, 0.0, 0.0)) for index in range(10)]


def make_frame(rng, time, camera):
    rgb = rng.integers(0, 255, (48, 64, 3), np.uint8)
    depth = np.full((48, 64), 1.2, np.float32)
    depth[:6], depth[6:8] = 50.0, np.nan
    return Frame(rgb, time, camera=camera, depth=depth)


def signal(camera, moved):
    if moved is None:
        return Signal.unknown({"cube": Answer.unknown("hidden behind the arm", "m", "test")})
    vector = camera.camera_from_world[:3, :3] @ np.array(moved)
    answer = Answer(vector, "m", 0.02, covariance=COVARIANCE, match=(30.0, 20.0))
    distance = float(np.linalg.norm(START + moved - GOAL))
    return Signal(-distance, 1 - distance / 0.3, 0.5, 0.02, True, {"cube": answer})


@pytest.fixture(scope="session")
def simulated():
    """Return the steps of a red ball that slides 0.2 m to the right, rendered and rightly measured."""
    mujoco = pytest.importorskip("mujoco")
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody><light pos="0 0 2"/><geom type="plane" size="30 30 .1" rgba=".6 .7 .8 1"/>
        <body name="ball" mocap="true" pos="-.1 0 .05"><geom type="sphere" size=".05" rgba="1 0 0 1"/></body>
        <camera name="view" pos="0 -.8 .5" xyaxes="1 0 0 0 .5 .866" fovy="50"/></worldbody></mujoco>"""
    )
    data = mujoco.MjData(model)
    with mujoco.Renderer(model, 96, 96) as renderer:
        return list(_slide(mujoco, model, data, renderer))


def _slide(mujoco, model, data, renderer):
    mujoco.mj_forward(model, data)
    rotation = data.cam_xmat[0].reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, data.cam_xpos[0]
    view = Camera.from_fov(50, 96, 96, pose)
    start, goal = data.mocap_pos[0].copy(), np.array([0.1, 0.0, 0.05])
    first = None
    for index in range(5):
        moved = np.array([0.05 * index, 0.0, 0.0])
        data.mocap_pos[0] = start + moved
        mujoco.mj_forward(model, data)
        frame = _render(renderer, data, view, 0.1 * index)
        first = first or frame
        pixel = tuple(view.project(start)[0].tolist())
        references = {"ball": Reference("ball", pixel, start), "goal": Reference("goal", position=goal)}
        answer = Answer(rotation.T @ moved, "m", 0.001, match=tuple(view.project(start + moved)[0].tolist()))
        distance = float(np.linalg.norm(start + moved - goal))
        signal = Signal(-distance, 1 - distance / 0.2, 0.0, 0.001, True, {"ball": answer})
        yield Step(index, frame, first, references, signal, 0.0, 0.0, distance, 0.01)


def _render(renderer, data, camera, time):
    renderer.disable_depth_rendering()
    renderer.update_scene(data, "view")
    rgb = renderer.render().copy()
    renderer.enable_depth_rendering()
    renderer.update_scene(data, "view")
    return Frame(rgb, time, camera=camera, depth=renderer.render().copy())

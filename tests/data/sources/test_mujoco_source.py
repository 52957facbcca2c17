"""Scenes of MuJoCo simulations: every kind of input, what their truth is worth, and what is refused."""

import inspect
import pickle
from importlib import resources
from pathlib import Path

import cv2
import mujoco
import numpy as np
import pytest
from omegaconf import ListConfig, OmegaConf

from spatial_reward.camera import invert, transform
from spatial_reward.data.sources import BadScene, Source, load_source
from spatial_reward.data.sources.mujoco import MuJoCo
from spatial_reward.envs.grounding import body_pose
from spatial_reward.questions import KINDS, SUBTASKS
from spatial_reward.questions.object_size import extents

ARM = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -1.2 .8" xyaxes="1 0 0 0 .55 .83"/>
    <camera name="side" pos="1.2 0 .8" xyaxes="0 1 0 -.55 0 .83"/>
    <geom name="floor" type="plane" size="2 2 .1"/>
    <body name="table" pos="0 0 .1"><geom type="box" size=".4 .4 .1" rgba=".6 .4 .2 1"/></body>
    <body name="ghost" pos=".2 -.2 .3"><geom type="box" size=".1 .1 .1" rgba="1 1 1 .1"/></body>
    <body name="red box" pos="-.15 -.1 .251"><freejoint/>
      <geom type="box" size=".03 .04 .05" rgba=".8 .1 .1 1" mass=".2"/></body>
    <body name="blue ball" pos=".1 -.15 .241"><freejoint/>
      <geom type="sphere" size=".04" rgba=".1 .1 .8 1" mass=".2"/></body>
    <body name="shoulder" pos="0 .3 .3">
      <joint name="turn" axis="0 0 1" range="-60 60" damping=".5"/>
      <geom type="capsule" size=".04" fromto="0 0 0 0 -.25 .1"/>
      <body name="hand" pos="0 -.25 .1">
        <joint name="bend" axis="1 0 0" range="-40 40" damping=".5"/>
        <geom type="capsule" size=".03" fromto="0 0 0 0 -.2 0"/>
        <camera name="wrist_cam" pos="0 0 .15" xyaxes="1 0 0 0 .3 1"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position joint="turn" kp="5" ctrlrange="-1 1"/><position joint="bend" kp="5" ctrlrange="-.6 .6"/>
  </actuator>
</mujoco>
"""
MODULE = '''
import gymnasium as gym
import mujoco
import numpy as np

XML = """{xml}"""


class Robot(gym.Env):
    action_space = gym.spaces.Box(-0.5, 0.5, (2,))
    observation_space = gym.spaces.Box(-10, 10, (16,))

    def __init__(self, start=0.0):
        self.model = mujoco.MjModel.from_xml_string(XML)
        self.data = mujoco.MjData(self.model)
        self.start = start

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[14:] = self.start + self.np_random.uniform(-0.3, 0.3, 2)
        mujoco.mj_forward(self.model, self.data)
        return self.data.qpos.copy(), {{}}

    def step(self, action):
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, 5)
        return self.data.qpos.copy(), 0.0, False, False, {{}}


def make_env(start=0.0):
    return Robot(start)


def make_number():
    return 3
'''


@pytest.fixture(scope="module")
def arm(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("arm") / "my robot.xml"
    path.write_text(ARM)
    return path


@pytest.fixture
def user_module(tmp_path, monkeypatch) -> str:
    name = "a_robot_of_the_user"
    (tmp_path / f"{name}.py").write_text(MODULE.format(xml=ARM))
    monkeypatch.syspath_prepend(tmp_path)
    return name


def recording(path: Path, count: int = 30, **changes) -> Path:
    """Write states in which box and ball glide, turn and roll, and the arm swings."""
    model = mujoco.MjModel.from_xml_string(ARM)
    qpos = np.tile(model.qpos0, (count, 1))
    share = np.linspace(0, 1, count)
    qpos[:, 0] += 0.25 * share
    qpos[:, 3], qpos[:, 6] = np.cos(share), np.sin(share)
    qpos[:, 7] -= 0.1 * share
    qpos[:, 14:] = np.stack([np.sin(5 * share), 0.3 * share], axis=1)
    np.savez(path, **{"qpos": qpos, "time": np.arange(count) * 1.0, **changes})
    return path


def files(source, scene):
    return [source.picture(scene, index) for index in range(len(source.load(scene).frames))]


def same(first, second) -> bool:
    """Tell whether two scenes are alike to the last bit."""
    frames = zip(first.frames, second.frames, strict=True)
    return (
        np.array_equal(first.points, second.points)
        and np.array_equal(first.visible, second.visible)
        and first.names == second.names
        and all(np.array_equal(a.rgb, b.rgb) and np.array_equal(a.bodies, b.bodies) for a, b in frames)
    )


def test_scenes_of_an_mjcf_file(arm):
    source = MuJoCo(xml=arm, scenes=3, frames=12, size=96)
    assert isinstance(source, Source) and source.name == "mujoco"
    assert source.scenes() == ["my-robot-000000", "my-robot-000001", "my-robot-000002"]
    scene = source.load("my-robot-000000")
    assert len(scene.frames) == 12
    assert {frame.view for frame in scene.frames} == {"default"}
    assert set(scene.names) >= {"object", "table", "red box", "blue ball", "shoulder", "hand"}
    assert "world" not in scene.names
    picture = cv2.imdecode(np.frombuffer(source.picture("my-robot-000000", 3), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(picture[..., ::-1].astype(int) - scene.frames[3].rgb).mean() < 4


def test_what_hardly_shows_is_not_there(arm):
    scene = MuJoCo(xml=arm, scenes=1, frames=2, size=96).load("my-robot-000000")
    assert "ghost" not in scene.names


@pytest.mark.parametrize("states", ["scripted", "random"])
def test_things_move_a_little_and_a_lot_and_stand_still(arm, states):
    source = MuJoCo(xml=arm, scenes=4, frames=16, size=64, states=states, cameras="front")
    moved = []
    for name in source.scenes():
        scene = source.load(name)
        moving = scene.points[
            :, [scene.names[body] in ("hand", "red box", "blue ball") for body in scene.body]
        ]
        first, second = np.triu_indices(len(moving), k=1)
        moved.append(np.linalg.norm(moving[first] - moving[second], axis=-1).ravel())
    moved = np.concatenate(moved)
    assert (moved < 0.005).mean() > 0.05
    assert ((moved > 0.02) & (moved < 0.08)).mean() > 0.05
    assert (moved > 0.15).mean() > 0.02


def test_points_ride_on_their_bodies(arm, tmp_path):
    file = recording(tmp_path / "states.npz")
    source = MuJoCo(xml=arm, scenes=1, frames=10, states="recorded", recorded=file, size=96)
    scene = source.load("my-robot-000000")
    model = mujoco.MjModel.from_xml_string(ARM)
    data, qpos = mujoco.MjData(model), np.load(file)["qpos"]
    local = []
    for frame, points in zip(scene.frames, scene.points, strict=True):
        data.qpos[:] = qpos[round(frame.time)]
        mujoco.mj_kinematics(model, data)
        numbers = [0 if name == "object" else model.body(name).id for name in scene.names]
        poses = np.stack([invert(body_pose(data, number)) for number in numbers])[scene.body]
        local.append(np.stack([transform(pose, point) for pose, point in zip(poses, points, strict=True)]))
    assert np.ptp(np.stack(local), axis=0).max() < 1e-9  # [m]
    assert np.linalg.norm(np.ptp(scene.points, axis=0), axis=-1).max() > 0.2


def test_sizes_are_exact(arm, tmp_path):
    file = recording(tmp_path / "states.npz")
    source = MuJoCo(xml=arm, scenes=1, frames=4, states="recorded", recorded=file, size=64)
    scene = source.load("my-robot-000000")
    for name, size in (
        ("red box", (0.10, 0.08, 0.06)),
        ("blue ball", (0.08,) * 3),
        ("table", (0.2, 0.8, 0.8)),
    ):
        points = scene.points[0, scene.body == scene.names.index(name)]
        assert np.allclose(extents(points), size, atol=1e-6), name


def test_visible_points_lie_on_pixels_of_their_body(arm):
    scene = MuJoCo(xml=arm, scenes=2, frames=8, size=96).load("my-robot-000001")
    for frame, points, visible in zip(scene.frames, scene.points, scene.visible, strict=True):
        pixels, depth = frame.camera.project(points[visible])
        columns, rows = pixels.astype(int).T
        assert np.array_equal(frame.bodies[rows, columns], scene.body[visible])
        assert np.median(np.abs(frame.depth[rows, columns] - depth)) < 0.01  # [m]
    assert 0.2 < scene.visible.mean() < 0.95


def test_every_picture_of_a_moving_camera_has_a_pose_of_its_own_and_a_third_show_one_instant(arm):
    scene = MuJoCo(xml=arm, scenes=2, frames=15, size=64).load("my-robot-000001")
    poses = np.stack([frame.camera.world_from_camera for frame in scene.frames])
    apart = np.linalg.norm(poses[:, None, :3, 3] - poses[None, :, :3, 3], axis=-1)
    assert apart[np.triu_indices(15, k=1)].min() > 1e-4
    assert apart.min(where=apart > 0, initial=9) < 0.15 and apart.max() > 0.5  # [m]
    times, counts = np.unique([frame.time for frame in scene.frames], return_counts=True)
    assert len(times) == 11 and counts.max() == 5
    same_time = [frame.time == times[np.argmax(counts)] for frame in scene.frames]
    assert np.ptp(scene.points[same_time], axis=0).max() == 0
    assert {frame.view for frame in scene.frames} == {"moving"}


def test_a_moving_camera_stays_above_the_floor_and_out_of_things(arm):
    source = MuJoCo(xml=arm, scenes=6, frames=20, size=48, cameras="moving")
    for name in source.scenes():
        for frame in source.load(name).frames:
            assert frame.camera.world_from_camera[2, 3] > 0.02
            assert np.nanmin(frame.depth) > 0.02


def test_two_cameras_see_the_same_instants(arm):
    source = MuJoCo(xml=arm, scenes=1, frames=5, size=64, cameras=("front", "side"))
    scene = source.load("my-robot-000000")
    assert [frame.view for frame in scene.frames] == ["front", "side"] * 5
    times = np.array([frame.time for frame in scene.frames]).reshape(5, 2)
    assert (np.ptp(times, axis=1) == 0).all() and (np.diff(times[:, 0]) > 0).all()
    assert np.array_equal(scene.points[0::2], scene.points[1::2])
    assert not np.array_equal(scene.visible[0::2], scene.visible[1::2])


def test_a_fixed_camera_beside_a_moving_one_is_not_asked_twice(arm):
    source = MuJoCo(xml=arm, scenes=1, frames=9, size=48, cameras=["front", "moving"])
    views = [frame.view for frame in source.load("my-robot-000000").frames]
    assert views.count("moving") == 9 and views.count("front") == 7


@pytest.mark.parametrize("wrist", [None, "hand"])
def test_a_camera_on_the_wrist_rides_on_it(arm, tmp_path, wrist):
    file = recording(tmp_path / "states.npz")
    source = MuJoCo(
        xml=arm, scenes=1, frames=6, states="recorded", recorded=file, size=64, cameras="wrist", wrist=wrist
    )
    model = mujoco.MjModel.from_xml_string(ARM)
    data, qpos = mujoco.MjData(model), np.load(file)["qpos"]
    on_hand = []
    for frame in source.load("my-robot-000000").frames:
        data.qpos[:] = qpos[round(frame.time)]
        mujoco.mj_kinematics(model, data)
        hand = body_pose(data, model.body("hand").id)
        on_hand.append(invert(hand) @ frame.camera.world_from_camera)
    assert np.ptp(np.stack(on_hand), axis=0).max() < 1e-5
    assert frame.view == "wrist"


@pytest.mark.parametrize("states", ["scripted", "random"])
def test_scene_i_depends_on_seed_and_i_alone(arm, states):
    options = {"xml": arm, "scenes": 4, "frames": 4, "size": 64, "states": states}
    source, other = MuJoCo(**options), MuJoCo(**options)
    several = [files(source, name) for name in source.scenes()]
    last = other.scenes()[-1]
    assert files(other, last) == several[-1]
    assert same(other.load(last), source.load(last))
    assert files(source, source.scenes()[0]) == several[0]
    assert files(MuJoCo(**options, seed=1), last) != several[-1]


def test_another_process_may_go_on_with_it(arm):
    source = MuJoCo(xml=arm, scenes=2, frames=3, size=64)
    wanted = files(source, "my-robot-000001")
    assert files(pickle.loads(pickle.dumps(source)), "my-robot-000001") == wanted


def test_png_pictures_are_the_frames(arm):
    source = MuJoCo(xml=arm, scenes=1, frames=2, width=80, height=60, encoding="png")
    frame = source.load("my-robot-000000").frames[1]
    decoded = cv2.imdecode(np.frombuffer(source.picture("my-robot-000000", 1), np.uint8), cv2.IMREAD_COLOR)
    assert frame.rgb.shape == (60, 80, 3) and np.array_equal(decoded[..., ::-1], frame.rgb)


def test_an_environment_of_the_user(user_module):
    source = MuJoCo(f"{user_module}:make_env", scenes=2, frames=6, size=64, options={"start": 0.2})
    assert source.scenes()[0] == f"{user_module}-make_env-000000"
    scene = source.load(source.scenes()[0])
    assert len(scene.frames) == 6 and "red box" in scene.names
    hand = scene.points[:, scene.body == scene.names.index("hand")]
    assert np.linalg.norm(hand[-1] - hand[0], axis=-1).max() > 0.01


@pytest.mark.parametrize("env", ["SpatialReward/Push-v0", "FetchPush-v4", "Reacher-v5"])
@pytest.mark.parametrize("states", ["scripted", "random"])
def test_environments_by_name(env, states):
    source, other = (MuJoCo(env, scenes=3, frames=5, size=64, states=states) for _ in range(2))
    assert source.scenes()[1] == f"{env.replace('/', '-')}-000001"
    for name in source.scenes():
        scene = source.load(name)
        assert 2 <= len(scene.frames) <= 5 and scene.visible.any(axis=1).all()
    assert same(other.load(name), scene)


def test_an_episode_that_ends_early_gives_all_its_frames():
    source = MuJoCo("InvertedPendulum-v5", scenes=4, frames=3, size=48)  # it falls within a few steps
    assert [len(source.load(name).frames) for name in source.scenes()] == [3] * 4


@pytest.mark.slow
@pytest.mark.parametrize("env", ["metaworld/push-v3", "dm_control/reach_site_features-v0", "Ant-v5"])
def test_more_environments_by_name(env):
    source, other = (MuJoCo(env, scenes=3, frames=5, size=64) for _ in range(2))
    scenes = [source.load(name) for name in source.scenes()]
    assert same(other.load(source.scenes()[-1]), scenes[-1])


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["strict", "paper"])
def test_all_26_subtasks_are_supported_by_the_mix(mode):
    source = MuJoCo("SpatialReward/Push-v0", scenes=6)
    asked = set()
    for index, name in enumerate(source.scenes()):
        scene = source.load(name)
        for subtask in SUBTASKS:
            if subtask.camera != ("moving", "static")[index % 2]:
                rng = np.random.default_rng(0)
                if KINDS[subtask.kind].ask(scene, rng, mode) is not None:
                    asked.add(subtask.name)
    assert asked == {subtask.name for subtask in SUBTASKS}


def test_states_that_physics_refuses_are_counted(tmp_path):
    xml = tmp_path / "spring.xml"
    joint = '<joint type="slide" axis="0 0 1" stiffness="1e5" springref="2" range="-3 3" limited="true"/>'
    body = f'<body>{joint}<geom size=".1" mass="1"/></body>'
    xml.write_text(f"<mujoco><worldbody>{body}</worldbody></mujoco>")
    source = MuJoCo(xml=xml, scenes=1, frames=6, size=32, states="random")
    with pytest.raises(BadScene) as error:
        source.load("spring-000000")
    assert error.value.reason == "too few states"
    assert source.dropped["unstable physics"] == 6


def test_recorded_states_that_are_not_finite_are_left_out(arm, tmp_path):
    qpos = np.load(recording(tmp_path / "good.npz"))["qpos"]
    qpos[::2] = np.nan
    file = recording(tmp_path / "half.npz", qpos=qpos)
    source = MuJoCo(xml=arm, scenes=1, frames=6, states="recorded", recorded=file, size=48)
    scene = source.load("my-robot-000000")
    assert all(round(frame.time) % 2 == 1 for frame in scene.frames)
    qpos[:] = np.nan
    file = recording(tmp_path / "none.npz", qpos=qpos)
    source = MuJoCo(xml=arm, scenes=1, frames=6, states="recorded", recorded=file, size=48)
    with pytest.raises(BadScene, match="0 of 30 recorded ones are finite") as error:
        source.load("my-robot-000000")
    assert error.value.reason == "too few states"


def test_scenes_are_of_one_recorded_episode_each(arm, tmp_path):
    qpos = np.load(recording(tmp_path / "one.npz"))["qpos"]
    two = np.stack([qpos, qpos])
    two[1, :, 14] = -1.0
    file = recording(tmp_path / "two.npz", qpos=two, time=np.stack([np.arange(30.0)] * 2))
    source = MuJoCo(xml=arm, scenes=2, frames=8, states="recorded", recorded=file, size=48, cameras="front")
    turned = []
    for name in source.scenes():
        scene = source.load(name)
        turned.append(np.ptp(scene.points[:, scene.body == scene.names.index("shoulder")], axis=0).max())
    assert turned[0] > 0.05 and turned[1] == 0


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"qpos": np.zeros((5, 3))}, r"`qpos` .* must be \(T, 16\)"),
        ({"qvel": np.zeros((5, 14))}, r"`qvel` .* must be \(T, 14\)"),
        ({"mocap_pos": np.zeros((30, 1, 3))}, r"`mocap_pos` .* must be \(T, 0, 3\)"),
        ({"qpos": np.array([{}] * 3)}, "is no .npz file of numbers"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(arm, tmp_path, changes, words):
    file = recording(tmp_path / "states.npz", **changes)
    with pytest.raises(ValueError, match=words):
        MuJoCo(xml=arm, states="recorded", recorded=file)


def test_files_that_are_no_recording_are_refused(arm, tmp_path):
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    whole = recording(tmp_path / "whole.npz").read_bytes()
    for damaged in (b"no numbers", b"", whole[: len(whole) // 2]):
        (tmp_path / "damaged.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"is no \.npz file of numbers: write one with"):
            MuJoCo(xml=arm, states="recorded", recorded=tmp_path / "damaged.npz")
    with pytest.raises(ValueError, match=r"has no `qpos` \(T, 16\)"):
        MuJoCo(xml=arm, states="recorded", recorded=tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError, match="no such file"):
        MuJoCo(xml=arm, states="recorded", recorded=tmp_path / "missing.npz")


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, "Give either `env` or `xml`"),
        ({"env": "FetchPsh-v4"}, "Unknown environment 'FetchPsh-v4'. Near matches"),
        ({"env": "CartPole-v1"}, "'CartPole-v1' is no MuJoCo environment"),
        ({"env": "Reacher-v5", "cameras": "tope"}, "Unknown camera 'tope'"),
        ({"env": "Reacher-v5", "cameras": ()}, "`cameras` must name at least one"),
        ({"env": "Reacher-v5", "cameras": "wrist"}, "No camera of the model is called after a wrist"),
        (
            {"env": "Reacher-v5", "cameras": "wrist", "wrist": "hnd"},
            "No body is called 'hnd'. There are: body0",
        ),
        ({"env": "Reacher-v5", "frames": 1}, "`frames` must be at least 2"),
        ({"env": "Reacher-v5", "scenes": 0}, "`scenes` must be at least 1"),
        ({"env": "Reacher-v5", "size": 0}, "positive size"),
        ({"env": "Reacher-v5", "states": "wild"}, "`states` must be one of"),
        ({"env": "Reacher-v5", "states": "recorded"}, "with a file `recorded`"),
        ({"env": "Reacher-v5", "encoding": "gif"}, "`encoding` must be"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(options, words):
    with pytest.raises(ValueError, match=words):
        MuJoCo(**options)


def test_files_that_are_no_model_are_refused(tmp_path):
    (tmp_path / "broken.xml").write_text("<mujoco><worldbody><body")
    (tmp_path / "empty.xml").write_text("<mujoco/>")
    with pytest.raises(ValueError, match=r"MuJoCo cannot read '.*broken.xml'") as told:
        MuJoCo(xml=tmp_path / "broken.xml")
    assert "\n" not in str(told.value) and "Mend the file" in str(told.value)
    with pytest.raises(ValueError, match="the model has no geoms"):
        MuJoCo(xml=tmp_path / "empty.xml")
    with pytest.raises(FileNotFoundError, match="There is no MJCF file"):
        MuJoCo(xml=tmp_path / "missing.xml")


def test_functions_that_make_no_environment_are_refused(user_module):
    with pytest.raises(ValueError, match=r"must return a gymnasium.Env, got int"):
        MuJoCo(f"{user_module}:make_number")


@pytest.mark.parametrize("scene", ["my-robot-000007", "other-000000", "my-robot", "my-robot-one", ""])
def test_scenes_that_are_not_there(arm, scene):
    source = MuJoCo(xml=arm, scenes=2, frames=2, size=32)
    with pytest.raises(BadScene, match="no such scene") as error:
        source.load(scene)
    assert error.value.reason == "no such scene"


def test_frames_that_are_not_there(arm):
    source = MuJoCo(xml=arm, scenes=1, frames=2, size=32)
    with pytest.raises(BadScene, match="has 2, asked for 2") as error:
        source.picture("my-robot-000000", 2)
    assert error.value.reason == "no such frame"


def test_the_source_has_a_name(arm):
    assert isinstance(load_source("mujoco", xml=str(arm), scenes=1), MuJoCo)


def test_its_configuration_lists_its_options():
    path = resources.files("spatial_reward.conf") / "source" / "mujoco.yaml"
    configured = dict(OmegaConf.create(path.read_text()))
    options = inspect.signature(MuJoCo).parameters
    assert configured.pop("name") == "mujoco"
    assert list(configured) == list(options)
    assert all(
        list(value) == list(options[option].default)
        if isinstance(value, ListConfig)
        else value == options[option].default
        for option, value in configured.items()
    )

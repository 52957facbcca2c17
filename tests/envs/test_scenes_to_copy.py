import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import own_robot
import pytest

from spatial_reward.envs.catalogue import make
from spatial_reward.envs.experts import wander
from spatial_reward.envs.simulator import Simulator
from spatial_reward.envs.wrappers import SpatialReward
from spatial_reward.rewards import parse_goal

ENVS = Path(__file__).parents[2] / "envs"
SCENES = sorted(ENVS.glob("scenes/*.xml"))
README = (ENVS / "README.md").read_text()
FETCH = "tabletop_fetch"


def section(name):
    return README.split(f"### `{name}`\n")[1].split("\n#")[0]


def goal_of(path):
    return re.search(r"^ +Goal: (.*)$", path.read_text(), re.MULTILINE)[1]


def cameras_of(path):
    return re.findall(r'<camera name="(\w+)"', path.read_text())


@pytest.fixture(scope="module", params=SCENES, ids=lambda path: path.stem)
def scene(request):
    return request.param


@pytest.fixture(scope="module")
def loadable(scene, tmp_path_factory):
    if scene.stem != FETCH:
        return str(scene)
    pytest.importorskip("gymnasium_robotics")
    sys.path.insert(0, str(scene.parent))
    try:
        from tabletop_fetch import write_scene

        return str(write_scene(tmp_path_factory.mktemp("fetch") / "fetch.xml"))
    finally:
        sys.path.remove(str(scene.parent))


def test_there_are_four():
    assert [path.stem for path in SCENES] == ["gripper_only", FETCH, "two_cameras", "wrist_camera"]


def test_things_of_the_goal_are_seen_at_every_reset(scene, loadable):
    env, goal = make(loadable), parse_goal(goal_of(scene))
    (camera,) = re.findall(r'<camera name="(\w+)".*<!-- 3 -->', scene.read_text())
    with Simulator(env, camera) as simulator:
        for seed in range(5):
            env.reset(seed=seed)
            found = [simulator.ground(name) for name in goal.names]
            assert any(thing.reference.pixel is not None for thing in found)
    env.close()


def test_physics_stays_calm_under_any_action(scene, loadable):
    env, policy = make(loadable, render_mode=None), wander(3)
    env.reset(seed=3)
    model, data = env.unwrapped.model, env.unwrapped.data
    reached = []
    for _ in range(100):
        observation, *_ = env.step(policy(env, None))
        assert np.isfinite(observation).all()
        reached.append(data.qpos.copy())
    free = model.jnt_bodyid[model.jnt_type == 0]
    assert len(free) == 2
    assert np.linalg.norm(data.xpos[free], axis=1).max() < 2
    assert np.ptp(reached, axis=0).max() > 0.05
    assert data.warning.number.sum() == 0


def test_what_the_oracle_measures_is_the_truth(scene, loadable):
    env = SpatialReward(make(loadable), goal_of(scene), "oracle", camera=cameras_of(scene)[-1], truth=True)
    env.reset(seed=0)
    policy, distances = wander(0), []
    for _ in range(20):
        info = env.step(policy(env, None))[-1]
        assert info["spatial_reward/valid"]
        distances.append(info["spatial_reward/truth_distance"])
        assert -info["spatial_reward/potential"] == pytest.approx(distances[-1], abs=1e-9)
    assert np.ptp(distances) > 0.005
    env.close()


def test_readme_shows_it_and_quotes_it(scene):
    text, lines = section(scene.stem), [line.strip() for line in scene.read_text().splitlines()]
    quoted = re.search(r"```xml\n(.*?)```", text, re.DOTALL)[1].splitlines()
    assert [re.search(r"<!-- (\d) -->$", line)[1] for line in quoted] == ["1", "2", "3"]
    assert all(lines.count(line) == 1 for line in quoted)
    assert text.count(f"`{goal_of(scene)}`") == 1
    commands = [line for line in lines if line.startswith("spatial-reward")]
    assert len(commands) == 2 and all(f"goal='{goal_of(scene)}'" in line for line in commands)
    picture = (ENVS / re.search(r"!\[.+\]\((.+?)\)", text)[1]).read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert width == 480 and 240 <= height <= 320


@pytest.mark.parametrize("name", ["gripper_only", "two_cameras", "wrist_camera"])
def test_a_robot_of_ones_own_takes_the_place_of_the_first_line(name, tmp_path):
    robot = own_robot.write(tmp_path)
    whole = ElementTree.parse(robot)
    for part in ("asset", "keyframe", "default", "visual"):
        whole.getroot().remove(whole.find(part))
    world = whole.find("worldbody")
    for thing in [part for part in world if part.get("name") != "base"]:
        world.remove(thing)
    for geom in world.iter("geom"):
        geom.attrib.pop("material", None)
    whole.write(robot)
    text = (ENVS / "scenes" / f"{name}.xml").read_text()
    start = text.rindex("\n", 0, text.index("<!-- 1 -->"))
    text = f"{text[:start]}\n</worldbody></mujoco>"
    text = re.sub(r"(<mujoco model=.*>)", r'\1<include file="own_robot.xml"/>', text, count=1)
    (tmp_path / "scene.xml").write_text(text)
    env = make(str(tmp_path / "scene.xml"), render_mode=None)
    env.reset(seed=0)
    assert env.action_space.shape == (3,)
    assert {"paddle", "can"} <= {env.unwrapped.model.body(n).name for n in range(env.unwrapped.model.nbody)}

"""Names become pixels that show the thing, and anchors that stay with it."""

import mujoco
import numpy as np
import pytest
from test_simulator import make, reset, step

from spatial_reward.camera import transform
from spatial_reward.envs.grounding import body_pose, carriers, find
from spatial_reward.envs.simulator import Simulator

SCENE = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <geom name="floor" type="plane" size="4 4 .1"/>
    <camera name="front" pos="0 -1.2 .7" xyaxes="1 0 0 0 .5 .866" fovy="45"/>
    <camera name="away" pos="0 -1.2 .7" xyaxes="-1 0 0 0 -.5 .866"/>
    <site name="goal" pos=".2 .1 .05" size=".03" rgba="0 1 0 .3"/>
    <body name="table" pos="0 .5 .1"><geom name="top" type="box" size=".3 .1 .1"/></body>
    <body name="cube" pos="-.2 0 .1">
      <freejoint/>
      <geom name="shell" type="box" size=".06 .06 .06" rgba="1 0 0 1"/>
      <geom name="ghost" type="box" size=".3 .3 .3" rgba="1 1 1 0" mass="0" contype="0" conaffinity="0"/>
      <geom name="hidden" size=".2" group="4" mass="0" contype="0" conaffinity="0"/>
      <body name="lid" pos="0 0 .1"><geom name="lid" type="cylinder" size=".02 .03"/>
        <site name="tip" pos="0 0 .03" size=".002"/>
      </body>
    </body>
    <body name="ring" pos=".3 -.1 .15" mocap="true">
      <geom name="left" type="capsule" fromto="-.08 0 0 -.08 0 .2" size=".02"/>
      <geom name="right" type="capsule" fromto=".08 0 0 .08 0 .2" size=".03"/>
      <body name="bar"><site name="middle" pos="0 0 .1" size=".001"/></body>
    </body>
    <body name="behind" pos="0 .9 .05"><freejoint/><geom name="behind" size=".05"/></body>
    <body name="marker" pos="0 -.3 .1"><freejoint/><geom size=".02" rgba="0 0 0 0"/>
      <site name="drawn" size=".03" rgba="0 1 1 1"/>
    </body>
  </worldbody>
</mujoco>
"""


@pytest.fixture
def simulator():
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with Simulator((model, data), "front", 240, 200) as simulator:
        yield simulator


def shown_at(simulator: Simulator, grounding) -> int:
    x, y = grounding.reference.pixel
    return int(simulator.segmentation()[int(y), int(x)])


@pytest.mark.parametrize("name", ["goal", "table", "top", "floor"])
def test_what_cannot_move_gets_its_position_only(simulator, name):
    grounding = simulator.ground(name)
    _, data = simulator.state()
    expected = {
        "goal": data.site("goal").xpos,
        "table": data.body("table").xipos,
        "top": data.geom("top").xpos,
        "floor": np.zeros(3),
    }
    assert grounding.reference.pixel is None
    assert np.allclose(grounding.reference.position, expected[name], atol=1e-12)
    assert np.allclose(simulator.position(grounding), expected[name], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("cube", "cube"), ("shell", "cube"), ("lid", "lid"), ("tip", "lid"), ("ring", "ring"), ("left", "ring")],
)
def test_what_moves_gets_a_pixel_inside_its_silhouette(simulator, name, shown):
    grounding = simulator.ground(name)
    model, _ = simulator.state()
    assert shown_at(simulator, grounding) == model.body(shown).id
    x, y = grounding.reference.pixel
    around = simulator.segmentation()[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
    assert (around == model.body(shown).id).all()
    assert simulator.visible(grounding)


def test_the_pixel_is_the_one_nearest_to_the_anchor(simulator):
    grounding = simulator.ground("shell")
    pixel, _ = simulator.camera.project(grounding.reference.position)
    assert np.linalg.norm(pixel - grounding.reference.pixel) <= 1.0


def test_of_two_areas_the_larger_is_taken_and_a_geom_by_name_is_itself(simulator):
    _, data = simulator.state()
    camera = simulator.camera
    at = {name: camera.project(data.geom(name).xpos)[0] for name in ("left", "right")}
    assert abs(simulator.ground("ring").reference.pixel[0] - at["right"][0]) < 4
    assert abs(simulator.ground("left").reference.pixel[0] - at["left"][0]) < 4


def test_a_site_without_geoms_is_seen_on_what_it_is_welded_to(simulator):
    grounding = simulator.ground("middle")
    model, data = simulator.state()
    assert shown_at(simulator, grounding) == model.body("ring").id
    assert grounding.body == model.body("bar").id
    assert np.allclose(grounding.reference.position, data.site("middle").xpos)


@pytest.mark.parametrize("name", ["ghost", "hidden"])
def test_transparent_and_hidden_geoms_are_not_seen_themselves(simulator, name):
    model, _ = simulator.state()
    bodies = simulator.segmentation()
    cube = bodies == model.body("cube").id
    assert 0 < cube.sum() < 1500  # the shell alone
    assert shown_at(simulator, simulator.ground(name)) == model.body("cube").id


def test_a_body_drawn_only_as_a_site_is_seen(simulator):
    grounding = simulator.ground("marker")
    model, _ = simulator.state()
    assert shown_at(simulator, grounding) == model.body("marker").id
    assert simulator.visible(grounding)
    assert model.site("goal").bodyid[0] == 0 and (simulator.segmentation() == -1).sum() > 0


def test_anchor_and_surface_ride_on_the_body(simulator):
    grounding = simulator.ground("tip")
    model, data = simulator.state()
    start = simulator.material(grounding)
    x, y = grounding.reference.pixel
    frame = simulator.frame(depth=True)
    seen = frame.camera.unproject((x, y), frame.depth[int(y), int(x)])
    assert np.allclose(start, seen, atol=1e-9)
    assert np.allclose(simulator.position(grounding), data.site("tip").xpos, atol=1e-12)
    before = body_pose(data, grounding.body)
    data.qpos[:7] = [-0.1, 0.1, 0.3, np.cos(0.4), 0, 0, np.sin(0.4)]
    mujoco.mj_forward(model, data)
    moved = body_pose(data, grounding.body) @ np.linalg.inv(before)
    assert np.allclose(simulator.material(grounding), transform(moved, start), atol=1e-12)
    assert np.allclose(simulator.position(grounding), data.site("tip").xpos, atol=1e-12)
    assert simulator.visible(grounding)


def test_visibility_ends_behind_other_things_on_the_far_side_and_outside_the_picture(simulator):
    grounding = simulator.ground("shell")
    model, data = simulator.state()

    def visible_at(position, quaternion=(1, 0, 0, 0)) -> bool:
        data.qpos[:7] = [*position, *quaternion]
        mujoco.mj_forward(model, data)
        return simulator.visible(grounding)

    assert visible_at([-0.2, 0, 0.1])
    assert not visible_at([0, 0.75, 0.06])  # behind the table
    assert not visible_at([-0.2, 0, 0.1], (0, 0, 0, 1))  # turned by 180 degrees
    assert not visible_at([3, 0, 0.1])
    assert visible_at([-0.2, 0, 0.1])


def test_a_fixed_thing_is_visible_where_nothing_stands_before_it(simulator):
    goal = simulator.ground("goal")
    model, data = simulator.state()
    assert simulator.visible(goal)
    data.mocap_pos[0] = [0.09, -0.1, 0.0]
    mujoco.mj_forward(model, data)
    assert not simulator.visible(goal)


def test_unknown_names_get_near_matches(simulator):
    with pytest.raises(ValueError, match=r"No body, geom or site is called 'cubes'\. Near: cube"):
        simulator.ground("cubes")
    with pytest.raises(ValueError, match=r"'xyzzy'\. Near: table, cube, lid"):
        simulator.ground("xyzzy")


def test_what_is_hidden_is_said_to_be_so(simulator):
    with pytest.raises(
        ValueError, match="'behind' is not visible from camera 'front': choose another camera"
    ):
        simulator.ground("behind")
    model, data = simulator.state()
    with Simulator((model, data), "away", 120, 100) as other, pytest.raises(ValueError, match="not visible"):
        other.ground("cube")


def test_bodies_come_before_geoms_and_sites_of_the_same_name(simulator):
    model, _ = simulator.state()
    assert find(model, "lid").kind == "body"
    assert find(model, "tip").kind == "site"
    assert find(model, "tip").body == model.body("lid").id


def test_carriers_are_the_bodies_with_joints_or_mocap(simulator):
    model, _ = simulator.state()
    carrier = dict(zip((model.body(i).name for i in range(model.nbody)), carriers(model), strict=True))
    assert carrier["table"] == carrier["world"] == 0
    assert carrier["lid"] == carrier["cube"] == model.body("cube").id
    assert carrier["bar"] == carrier["ring"] == model.body("ring").id


def test_names_of_fetch_and_its_target_are_where_the_environment_says():
    env = make("FetchPush-v4")
    reset(env)
    with Simulator(env, "default", 224, 224) as simulator:
        for _ in range(3):
            cube, grip, target = (simulator.ground(name) for name in ("object0", "robot0:grip", "target0"))
            assert target.reference.pixel is None
            assert np.allclose(target.reference.position, env.unwrapped.goal, atol=1e-6)
            assert simulator.visible(cube) and simulator.visible(grip)
            shown = simulator.state()[1]
            assert np.allclose(grip.reference.position, shown.site("robot0:grip").xpos, atol=1e-9)
            assert np.allclose(simulator.position(cube), shown.body("object0").xpos, atol=1e-3)
            step(env)
        reset(env, seed=1)
        goal = simulator.ground("target0").reference.position
        assert np.allclose(goal, env.unwrapped.goal, atol=1e-6)
    env.close()


@pytest.mark.slow
def test_names_of_meta_world():
    env = make("metaworld/push-v3", camera_name="corner2")
    reset(env)
    with Simulator(env, "default", 224, 224) as simulator:
        obj, goal, hand, tip = (simulator.ground(name) for name in ("obj", "goal", "hand", "endEffector"))
        assert np.allclose(goal.reference.position, env.unwrapped._target_pos, atol=1e-6)
        assert goal.reference.pixel is None
        assert all(simulator.visible(each) for each in (obj, hand, tip))
    env.close()


@pytest.mark.slow
def test_names_of_dm_control_survive_a_reset_that_makes_a_new_model():
    env = make("dm_control/reach_site_features-v0")
    reset(env)
    with Simulator(env, "default", 224, 224) as simulator:
        for seed in (1, 2):
            hand = simulator.ground("jaco_arm/jaco_hand/hand")
            assert simulator.visible(hand)
            assert simulator.ground("target_site").reference.pixel is None
            reset(env, seed)
    env.close()

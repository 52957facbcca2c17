"""Leaving out what no pixel shows changes no pixel."""

import mujoco
import numpy as np
import pytest

from spatial_reward.envs import culling
from spatial_reward.envs.camera_path import orbit
from spatial_reward.envs.simulator import Simulator


def room(alpha: float = 1.0, reflectance: float = 0.0, wall: float = 1.0) -> mujoco.MjModel:
    """Build a room with things before, behind and inside each other, glass, a mirror, sky and haze."""
    return mujoco.MjModel.from_xml_string(f"""
<mujoco>
  <visual><map haze=".3"/><quality shadowsize="256" offsamples="2"/></visual>
  <asset>
    <texture type="skybox" builtin="gradient" rgb1="1 .5 0" rgb2="0 0 1" width="64" height="384"/>
    <texture name="c" type="2d" builtin="checker" width="64" height="64" rgb1="1 1 1" rgb2="0 .3 0"/>
    <material name="floor" texture="c" texrepeat="5 5" reflectance="{reflectance}"/>
  </asset>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -1.6 .9" xyaxes="1 0 0 0 .4 .9"/>
    <geom type="plane" size="0 0 1" material="floor"/>
    <geom type="plane" size="{wall} 1 1" pos="-1 0 .8" euler="0 90 0"/>
    <geom type="plane" size="1 1 1" pos="1 0 .8" euler="0 90 0" rgba="1 0 0 1"/>
    <body pos="0 0 .5">
      <joint axis="0 0 1"/>
      <geom type="box" size=".3 .02 .3" rgba="0 1 1 {alpha}"/>
      <geom type="sphere" size=".1" pos=".2 .3 .1"/>
      <geom type="capsule" size=".05 .2" pos="-.1 .3 .1" rgba="1 1 0 1"/>
      <body pos="0 .5 0"><joint type="slide" axis="1 0 0"/>
        <geom type="ellipsoid" size=".2 .1 .05"/>
        <geom type="sphere" size=".02" rgba="0 1 0 1"/>
        <geom type="cylinder" size=".05 .2" pos=".4 .4 0" rgba="1 0 1 {alpha}"/>
      </body>
    </body>
    <body pos="0 -3 .5"><geom type="box" size=".1 .1 .1"/></body>
  </worldbody>
</mujoco>
""")


@pytest.mark.parametrize("path", ["front", "free", orbit("front", 80, 1.0)], ids=str)
@pytest.mark.parametrize("alpha, reflectance", [(1.0, 0.0), (0.4, 0.0), (1.0, 0.5), (0.4, 0.5)])
@pytest.mark.parametrize("shadows", [False, True])
def test_together_equals_one_by_one(path, alpha, reflectance, shadows):
    model = room(alpha, reflectance)
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    with Simulator((model, data), path, 120, 90, shadows) as simulator:
        for index in range(6):
            data.qpos[:], data.time = rng.normal(0, 1, 2), index * 0.17
            mujoco.mj_forward(model, data)
            frame, bodies = simulator.capture()
            assert np.array_equal(frame.rgb, simulator.frame().rgb)
            assert np.array_equal(frame.depth, simulator.depth(), equal_nan=True)
            assert np.array_equal(bodies, simulator.segmentation())


def known(model, camera="front"):
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    simulator = Simulator((model, data), camera, 120, 90)
    simulator.capture()
    return simulator, culling.geoms_of(simulator._scene, simulator.camera)


def test_things_beside_and_behind_the_camera_are_outside():
    simulator, geoms = known(room())
    outside = geoms.outside(120, 90)
    assert [int(geom.objid) for geom, out in zip(geoms.geoms, outside, strict=True) if out] == [9]
    simulator.close()


def test_what_is_hidden_is_left_out_unless_glass_or_a_mirror_may_show_it():
    hidden = {}
    for name, model in (
        ("opaque", room()),
        ("glass", room(alpha=0.4)),
        ("mirror", room(reflectance=0.5)),
    ):
        simulator, geoms = known(model)
        numbers = simulator._canvas().label(simulator._scene).numbers
        hidden[name] = {int(geoms.geoms[index].objid) for index in np.flatnonzero(geoms.unseen(numbers))}
        simulator.close()
    assert 7 in hidden["opaque"]  # a ball inside an ellipsoid behind a board
    assert 7 not in hidden["glass"] and hidden["mirror"] == set()


def test_a_mesh_that_comes_out_from_hiding_is_seen_at_once():
    model = mujoco.MjModel.from_xml_string("""
<mujoco>
  <asset><mesh name="m" vertex="-.1 -.1 -.1  .1 -.1 -.1  0 .1 -.1  0 0 .1"/></asset>
  <worldbody>
    <camera name="front" pos="0 -2 .3" xyaxes="1 0 0 0 0 1"/>
    <geom type="box" size=".3 .01 .3" pos="0 0 .3"/>
    <geom type="box" size="3 .01 3" pos="0 3 .3" rgba="0 0 1 1"/>
    <body pos="0 .3 .3"><joint type="slide" axis="1 0 0"/><geom type="mesh" mesh="m" rgba="1 0 0 1"/></body>
  </worldbody>
</mujoco>
""")
    data, hidden = mujoco.MjData(model), []
    with Simulator((model, data), "front", 120, 90) as simulator:
        for x in (0.0, 0.02, 0.3, 0.5, 0.0, 0.0):
            data.qpos[:] = x
            mujoco.mj_forward(model, data)
            frame, bodies = simulator.capture()
            assert np.array_equal(frame.rgb, simulator.frame().rgb)
            assert np.array_equal(frame.depth, simulator.depth(), equal_nan=True)
            assert np.array_equal(bodies, simulator.segmentation())
            hidden.append(bool(simulator._hidden))
    assert hidden == [True, True, False, False, True, True]


def test_nothing_of_the_scene_stays_changed():
    simulator, geoms = known(room())
    kinds = [geom.type for geom in geoms.geoms]
    with pytest.raises(KeyError), culling.without(simulator._scene, geoms.geoms, geoms.bounded, sky=False):
        assert [geom.type for geom in geoms.geoms] != kinds
        raise KeyError
    assert [geom.type for geom in geoms.geoms] == kinds
    assert simulator._scene.flags[int(mujoco.mjtRndFlag.mjRND_SKYBOX)] == 1
    simulator.close()


def test_numbers_beyond_a_byte_are_told_apart():
    balls = "".join(
        f'<body name="b{i}" pos="{0.1 * (i % 20)} {0.1 * (i // 20)} 0"><geom size=".04"/></body>'
        for i in range(400)
    )
    camera = '<camera name="top" pos="1 1 3" fovy="45"/>'
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{camera}{balls}</worldbody></mujoco>")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with Simulator((model, data), "top", 300, 300) as simulator:
        frame, bodies = simulator.capture()
        assert np.array_equal(bodies, simulator.segmentation())
    pixels, _ = frame.camera.project(data.xpos[1:])
    columns, rows = pixels.astype(int).T
    assert np.array_equal(bodies[rows, columns], np.arange(1, 401))

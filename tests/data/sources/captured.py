"""A small simulated scene to export: a turning ball and a slider move, a box and the floor do not."""

from dataclasses import replace

import mujoco
import numpy as np

from spatial_reward.envs.camera_path import orbit
from spatial_reward.envs.scene import capture_scene
from spatial_reward.envs.simulator import Simulator
from spatial_reward.types import Scene

XML = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <geom name="floor" type="plane" size="2 2 .1" rgba=".6 .6 .5 1"/>
    <camera name="front" pos="0 -1.2 .7" xyaxes="1 0 0 0 .5 .866" fovy="45"/>
    <body name="ball" pos="-.2 0 .2"><freejoint/><geom size=".1" rgba=".8 .2 .2 1"/></body>
    <body name="box" pos=".2 .1 .1"><geom type="box" size=".1 .07 .1" rgba=".2 .2 .8 1"/></body>
    <body name="slider" pos="0 -.2 .3"><joint type="slide" axis="1 0 0"/>
      <geom type="box" size=".04 .04 .04" rgba=".2 .8 .2 1"/></body>
  </worldbody>
</mujoco>
"""


def moments(model, data, moving):
    """Turn the ball and push the slider across the picture, 6 times."""
    for index in range(6):
        if moving:
            angle = 0.3 * index
            data.qpos[:7] = [-0.2 + 0.03 * index, 0, 0.2, np.cos(angle), np.sin(angle), 0, 0]
            data.qpos[7] = -0.2 + 0.08 * index
        data.time = 0.1 * index
        mujoco.mj_forward(model, data)
        yield index


def capture(moving_camera=True, moving_things=True):
    """Return the scene, with the objects of the pixels in its frames."""
    model = mujoco.MjModel.from_xml_string(XML)
    data = mujoco.MjData(model)
    camera = orbit("front", 25.0, 1.0) if moving_camera else "front"
    numbers = []
    with Simulator((model, data), camera, 160, 128) as simulator:

        def states():
            for moment in moments(model, data, moving_things):
                numbers.append(simulator.segmentation())
                yield moment

        scene = capture_scene(simulator, states(), np.random.default_rng(0), 80)
    index = np.full(model.nbody + 1, -1, np.int32)  # the last one for -1
    for body in range(model.nbody):
        index[body] = scene.names.index(model.body(body).name)
    frames = zip(scene.frames, numbers, strict=True)
    bodies = tuple(replace(frame, bodies=index[shown]) for frame, shown in frames)
    return Scene(bodies, scene.points, scene.visible, scene.body, scene.names)

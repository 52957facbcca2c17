"""A clip of a real environment with the truth about it, and a still room with boxes of known sizes."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from spatial_reward import PixelPoint
from spatial_reward.camera import look_at
from spatial_reward.envs.camera_path import orbit
from spatial_reward.envs.catalogue import make
from spatial_reward.envs.experts import expert
from spatial_reward.envs.simulator import Simulator

ROOM = """
<mujoco>
  <asset>
    <texture name="checks" type="2d" builtin="checker" rgb1=".5 .45 .4" rgb2=".6 .55 .5"
      width="200" height="200"/>
    <material name="checks" texture="checks" texrepeat="6 6"/>
  </asset>
  <worldbody>
    <light pos="0 0 2" castshadow="false"/>
    <geom type="plane" size="1 1 .1" material="checks"/>
    <body name="brick" pos="0 0 .03" euler="0 0 30">
      <geom type="box" size=".06 .03 .03" rgba=".8 .2 .2 1"/></body>
    <body name="tower" pos=".25 .1 .06"><geom type="box" size=".03 .03 .06" rgba=".2 .3 .8 1"/></body>
    <body name="eye" mocap="true"><camera name="eye" fovy="45" quat="0 1 0 0"/></body>
  </worldbody>
</mujoco>"""


class Rolled:
    """Frames of an expert seen by a swinging camera, and the state at their end."""

    def __init__(self, env_id: str, steps: int, every: int):
        env = make(env_id)
        observation, _ = env.reset(seed=0)
        simulator = Simulator(env, orbit(degrees=15), 160, 160)
        policy = expert(env_id, seed=0)
        self.frames = [simulator.frame(depth=True)]
        self.thing = simulator.ground("cube")
        start = simulator.material(self.thing)
        for step in range(1, steps + 1):
            observation, *_ = env.step(policy(env, observation))
            if step % every == 0:
                self.frames.append(simulator.frame(depth=True))
        self.pixel = PixelPoint(*self.thing.reference.pixel)
        self.moved = simulator.material(self.thing) - start
        self.model, self.data = simulator.state()
        self.end = np.array(self.frames[-1].camera.project(simulator.material(self.thing))[0])
        simulator.close()
        self.env = env  # owns the state

    def blind(self):
        """The frames without measured depth."""
        return [replace(frame, depth=None) for frame in self.frames]


@pytest.fixture(scope="session")
def rolled():
    clip = Rolled("SpatialReward/Push-v0", steps=48, every=6)
    yield clip
    clip.env.close()


class Room:
    """The still room, seen from anywhere."""

    def __init__(self):
        self.model = mujoco.MjModel.from_xml_string(ROOM)
        self.data = mujoco.MjData(self.model)
        self.simulator = Simulator((self.model, self.data), "eye", 200, 200)

    def frame(self, eye, target=(0.1, 0.05, 0.02)):
        pose = look_at(eye, target)
        self.data.mocap_pos[0] = pose[:3, 3]
        mujoco.mju_mat2Quat(self.data.mocap_quat[0], np.ascontiguousarray(pose[:3, :3]).ravel())
        mujoco.mj_forward(self.model, self.data)
        return self.simulator.frame(depth=True)

    def around(self, count=8):
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
        return [self.frame((0.1 + 0.6 * np.cos(a), 0.05 + 0.6 * np.sin(a), 0.5)) for a in angles]


@pytest.fixture(scope="session")
def room():
    return Room()


@pytest.fixture(scope="session")
def seen_room(room):
    return room.around()

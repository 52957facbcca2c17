"""Three small rendered scenes, a still one and two in which things move, and a set of questions."""

import cv2
import mujoco
import numpy as np

from spatial_reward.camera import rigid
from spatial_reward.data.generate import generate
from spatial_reward.envs.camera_path import orbit, turned
from spatial_reward.envs.scene import capture_scene
from spatial_reward.envs.simulator import Simulator

XML = """
<mujoco>
  <visual><headlight ambient=".35 .35 .35"/></visual>
  <asset>
    <texture name="check" type="2d" builtin="checker" width="64" height="64"
      rgb1=".55 .6 .65" rgb2=".4 .45 .5"/>
    <material name="floor" texture="check" texrepeat="8 8"/>
  </asset>
  <worldbody>
    <light pos="1 -1 3" dir="-.3 .3 -1"/>
    <geom name="floor" type="plane" size="2 2 .1" material="floor"/>
    <camera name="front" pos=".3 -1.5 .95" xyaxes="1 0 0 0 .55 .835" fovy="48"/>
    <body name="red box" pos="-.35 .05 .12"><freejoint/>
      <geom type="box" size=".16 .1 .12" rgba=".8 .2 .2 1"/></body>
    <body name="ball" pos=".1 -.25 .12"><freejoint/><geom size=".12" rgba=".2 .4 .85 1"/></body>
    <body name="tall cupboard" pos=".45 .35 .3"><freejoint/>
      <geom type="box" size=".14 .2 .3" rgba=".85 .7 .4 1"/></body>
  </worldbody>
</mujoco>
"""
FRAMES = 10


class Wander:
    """Swing around the scene, up and down, to and fro, and nod."""

    base = "front"

    def pose(self, world_from_base, distance, time):
        angle = np.radians(9 * np.sin(2.2 * time))
        nod = rigid(
            [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]], (0, 0, 0)
        )
        swung = turned(world_from_base, distance, 22 * np.sin(1.6 * time))
        return swung @ rigid(np.eye(3), (0, 0.18 * np.sin(1.1 * time), 0.5 * np.sin(0.9 * time))) @ nod


def still(model, data):
    for index in range(FRAMES):
        data.time = 0.4 * index
        mujoco.mj_forward(model, data)
        yield index


def moving(model, data):
    """Carry the box off, lift it, and roll the ball; the cupboard stays."""
    for index in range(FRAMES):
        angle = 0.06 * index
        data.qpos[:7] = [-0.35 + 0.03 * index, 0.05, 0.12 + 0.02 * index, np.cos(angle), 0, 0, np.sin(angle)]
        data.qpos[7:9] = [0.1 + 0.04 * index, -0.25 + 0.02 * index]
        data.time = 0.4 * index
        mujoco.mj_forward(model, data)
        yield index


def scene_of(states, camera, width, height):
    model = mujoco.MjModel.from_xml_string(XML)
    data = mujoco.MjData(model)
    with Simulator((model, data), camera, width, height) as simulator:
        return capture_scene(simulator, states(model, data), np.random.default_rng(0), 120)


class SmallScenes:
    """The source; its last scene is seen by a camera that stands still."""

    name = "small"

    def __init__(self):
        self._made = {}

    def scenes(self):
        return ["room.0", "table", "stand"]

    def load(self, scene):
        if scene not in self._made:
            views = {
                "room.0": (still, Wander(), 320, 240),
                "table": (moving, orbit("front"), 256, 192),
                "stand": (moving, "front", 320, 240),
            }
            self._made[scene] = scene_of(*views[scene])
        return self._made[scene]

    def picture(self, scene, frame):
        rgb = self.load(scene).frames[frame].rgb
        return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def make_set(folder, count=104, depth=True, **changes):
    """Make a question set of the small scenes with all 26 subtasks."""
    config = {
        "count": count,
        "subtasks": None,
        "mode": "strict",
        "rules": {},
        "scenes": None,
        "depth": depth,
        "embed": False,
        "per_shard": 10_000,
        "seed": 0,
        "source": {"name": "small_scenes:SmallScenes"},
        "exports": [],
        "report": False,
        "workers": 1,
        "cluster": None,
        "out": str(folder),
    }
    return generate({**config, **changes})

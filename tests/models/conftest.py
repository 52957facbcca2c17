"""A table with a cube, a ball and a wall, seen by a camera, all of which can be put anywhere."""

import numpy as np
import pytest

from spatial_reward.camera import look_at, transform
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.simulator import Simulator
from spatial_reward.types import Frame, PixelPoint

TABLE = """
<mujoco>
  <asset>
    <texture name="checks" type="2d" builtin="checker" rgb1=".5 .45 .4" rgb2=".6 .55 .5"
             width="200" height="200"/>
    <texture name="marks" type="cube" builtin="checker" mark="random" random="0.05" rgb1=".7 .2 .2"
             rgb2=".9 .5 .2" markrgb="1 1 1" width="32" height="32"/>
    <material name="checks" texture="checks" texrepeat="6 6"/>
    <material name="marks" texture="marks"/>
  </asset>
  <worldbody>
    <light pos="0 0 2" castshadow="false"/>
    <geom type="plane" size="1 1 .1" material="checks"/>
    <body name="cube" mocap="true" pos="0 0 .03"><geom type="box" size=".03 .03 .03" {look}/></body>
    <body name="ball" mocap="true" pos="-.15 .1 .04"><geom size=".04" rgba=".1 .3 .8 1"/></body>
    <body name="wall" mocap="true" pos="0 0 -1"><geom type="box" size=".15 .01 .15" rgba=".3 .3 .3 1"/></body>
    <body name="eye" mocap="true"><camera name="eye" fovy="45" quat="0 1 0 0"/></body>
  </worldbody>
</mujoco>"""
EYE = look_at((0.0, -0.6, 0.5), (0.0, 0.0, 0.03))


class Table:
    """The scene, and the truth about it."""

    def __init__(self, look: str) -> None:
        self.mujoco = load_mujoco()
        self.model = self.mujoco.MjModel.from_xml_string(TABLE.format(look=look))
        self.data = self.mujoco.MjData(self.model)
        self.simulator = Simulator((self.model, self.data), "eye", 160, 160)

    def frame(self, *, eye=EYE, depth: bool = True, **poses) -> Frame:
        """Return a picture with things moved: name=position or name=(position, yaw [rad])."""
        self.mujoco.mj_resetData(self.model, self.data)
        for name, pose in poses.items():
            position, yaw = pose if len(pose) == 2 else (pose, 0.0)
            index = self.model.body(name).mocapid[0]
            self.data.mocap_pos[index] = position
            self.data.mocap_quat[index] = [np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
        index = self.model.body("eye").mocapid[0]
        self.data.mocap_pos[index] = eye[:3, 3]
        self.mujoco.mju_mat2Quat(self.data.mocap_quat[index], np.ascontiguousarray(eye[:3, :3]).ravel())
        self.mujoco.mj_forward(self.model, self.data)
        return self.simulator.frame(depth=depth)

    def point(self, frame: Frame, position) -> PixelPoint:
        """Return the pixel of a world position."""
        x, y = frame.camera.project(np.asarray(position, float))[0]
        return PixelPoint(float(x), float(y))

    def anchor(self, frame: Frame, position):
        """Return a world position in the camera's axes."""
        return transform(frame.camera.camera_from_world, np.asarray(position, float))


@pytest.fixture(scope="session", params=["plain", "textured"])
def table(request):
    table = Table('rgba=".8 .2 .1 1"' if request.param == "plain" else 'material="marks"')
    yield table
    table.simulator.close()

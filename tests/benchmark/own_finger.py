"""An environment of one's own: a finger over a table, which is moved by two actuators."""

import gymnasium as gym
import mujoco
import numpy as np

MJCF = """
<mujoco>
  <worldbody>
    <light pos="0 0 2"/>
    <camera name="above" pos="0 -0.5 0.8" xyaxes="1 0 0 0 0.85 0.53"/>
    <geom type="plane" size="0.5 0.5 0.1" rgba="0.5 0.6 0.5 1"/>
    <site name="spot" pos="0.15 0.1 0.03" size="0.02" rgba="0.1 0.2 0.9 1"/>
    <body name="finger" pos="-0.1 -0.05 0.03">
      <joint name="x" type="slide" axis="1 0 0" damping="5"/>
      <joint name="y" type="slide" axis="0 1 0" damping="5"/>
      <geom type="box" size="0.02 0.02 0.03" rgba="0.9 0.3 0.1 1"/>
    </body>
  </worldbody>
  <actuator>
    <velocity joint="x" kv="20" ctrlrange="-0.5 0.5"/>
    <velocity joint="y" kv="20" ctrlrange="-0.5 0.5"/>
  </actuator>
</mujoco>"""
GOAL = "near(finger, spot, within=4cm)"


class Finger(gym.Env):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012 (Gymnasium declares it so)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.model = mujoco.MjModel.from_xml_string(MJCF)
        self.data = mujoco.MjData(self.model)
        self.action_space = gym.spaces.Box(-0.5, 0.5, (2,), np.float32)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (4,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self.np_random.uniform(-0.02, 0.02, 2)
        mujoco.mj_forward(self.model, self.data)
        return self._observe(), {}

    def step(self, action):
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, 20)
        return self._observe(), 0.0, False, False, {}

    def _observe(self):
        return np.concatenate([self.data.qpos, self.data.qvel])


def make():
    return Finger("rgb_array")


def policy(env, obs):
    """Go straight to the spot."""
    data = env.unwrapped.data
    way = (data.site("spot").xpos - data.body("finger").xpos)[:2]
    return np.clip(5 * way, -0.5, 0.5).astype(np.float32)


class Still:
    """A model that says that nothing ever moves."""

    name = "still"
    needs = frozenset()

    def answer(self, questions):
        from spatial_reward.types import Answer

        return [Answer(np.zeros(3), "m", np.full(3, 0.001), source=self.name) for _ in questions]

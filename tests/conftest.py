"""Settings of all tests."""

from hypothesis import settings

from spatial_reward.envs.gl import load_mujoco

load_mujoco()  # chooses how to draw without a screen, before an environment's package does
settings.register_profile("unhurried", deadline=None)  # a busy computer is no failure
settings.load_profile("unhurried")

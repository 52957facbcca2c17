"""Settings of all tests."""

import pytest
from hypothesis import settings

from spatial_reward.envs.gl import load_mujoco

load_mujoco()  # chooses how to draw without a screen, before an environment's package does
settings.register_profile("unhurried", deadline=None)  # a busy computer is no failure
settings.load_profile("unhurried")
PATIENCE = 1200  # [s] with slow tests, several times what they take alone


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(PATIENCE))

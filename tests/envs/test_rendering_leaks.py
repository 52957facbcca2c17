"""Making and freeing renderers over and over leaves memory flat."""

import sys
import threading
from pathlib import Path

import mujoco
import pytest
from test_gl import BALL

from spatial_reward.envs import canvas
from spatial_reward.envs.simulator import Simulator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")


def memory() -> float:
    """Return the resident memory [MB]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def grown(cycles: int) -> float:
    """Return the growth of memory [MB] over so many renderers, after the first few."""
    model = mujoco.MjModel.from_xml_string(BALL)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    start = 0.0
    for cycle in range(cycles + 20):
        if cycle == 20:
            start = memory()
        with Simulator((model, data), "free", 32, 32) as simulator:
            simulator.frame(depth=True)
    return memory() - start


def test_150_renderers_leave_no_trace():
    before = len(canvas._made)
    assert grown(150) < 10.0  # [MB]
    assert len(canvas._made) == before


def test_a_simulator_that_is_forgotten_frees_its_renderer():
    model = mujoco.MjModel.from_xml_string(BALL)
    before = len(canvas._made)
    simulator = Simulator((model, mujoco.MjData(model)), "free", 32, 32)
    simulator.frame()
    assert len(canvas._made) == before + 1
    del simulator
    assert len(canvas._made) == before


def test_a_thread_that_ends_frees_its_renderer():
    model = mujoco.MjModel.from_xml_string(BALL)
    simulator = Simulator((model, mujoco.MjData(model)), "free", 32, 32)
    before = len(canvas._made)
    thread = threading.Thread(target=simulator.frame)
    thread.start()
    thread.join()
    assert len(canvas._made) == before


@pytest.mark.slow
def test_2000_renderers_leave_no_trace():
    assert grown(2000) < 50.0  # [MB]

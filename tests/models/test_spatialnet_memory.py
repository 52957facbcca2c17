import os
import subprocess
import sys

import pytest

MEASURE = """
import resource
import sys

from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.envs.wrappers import SpatialReward

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

def play(model):
    recipe = RECIPES["SpatialReward/Push-v0"]
    env = SpatialReward(make(recipe.env_id), recipe.goal, model, size=128)
    env.reset(seed=0)
    for _ in range(20):
        env.step(env.action_space.sample())
    return env

plain = play("oracle")
before = resident()
measuring = play("spatialnet")
print(resident() - before, "torch" in sys.modules)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
def test_the_model_adds_little_memory_and_no_torch():
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    added, torch = done.stdout.split()
    assert 10 < float(added) < 300 and torch == "False", done.stdout  # [MB], the environment's own included

"""Measure how far a thing moved between two pictures: frames and a question in, metres out.

python examples/measure.py
"""

import argparse

import numpy as np

from spatial_reward import PixelPoint, Question
from spatial_reward.envs.catalogue import make
from spatial_reward.envs.experts import expert
from spatial_reward.envs.simulator import Simulator
from spatial_reward.models import load_model

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--steps", type=int, default=40)
args = parser.parse_args()

env = make("SpatialReward/Push-v0")
observation, _ = env.reset(seed=args.seed)
simulator = Simulator(env, camera="front", width=224, height=224)
cube = simulator.ground("cube")  # a pixel that shows it; on a robot, you point at it
first, start = simulator.frame(depth=True), simulator.material(cube)

model, policy, previous = load_model("spatialnet"), expert("SpatialReward/Push-v0", seed=args.seed), None
for step in range(1, args.steps + 1):
    observation, *_ = env.step(policy(env, observation))
    now = simulator.frame(depth=True)
    pixel = PixelPoint(*cube.reference.pixel)
    [answer] = model.answer([Question("obj_vec_coord", (first, now), (pixel,), previous=previous)])
    previous = answer if answer.valid else previous
    if step % 10 == 0:
        true = 1000 * np.linalg.norm(simulator.material(cube) - start)
        moved = 1000 * np.linalg.norm(answer.value)
        print(f"step {step:3d}: moved {moved:6.1f} mm, in truth {true:6.1f} mm ({answer.text})")
simulator.close()
env.close()

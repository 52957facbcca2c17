"""Reward an environment by a goal measured in its pictures, and see what the reward says.

python examples/reward_an_env.py
python examples/reward_an_env.py --env FetchPush-v4 --goal "near(object0, target0, within=5cm)"
"""

import argparse

from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.envs.experts import expert
from spatial_reward.envs.wrappers import SpatialReward

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--env", default="SpatialReward/Push-v0")
parser.add_argument("--goal", help="in words; by default the catalogue's")
parser.add_argument("--model", default="spatialnet")
parser.add_argument("--steps", type=int, default=120)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

recipe = RECIPES[args.env]
env = SpatialReward(
    make(args.env),
    args.goal or recipe.goal,
    model=args.model,
    camera=recipe.camera,
    size=recipe.size,
    gamma=0.99,
    weight=10.0,  # reward per metre of progress towards the goal
    truth=True,  # note the simulator's distance beside the measured one
)
observation, info = env.reset(seed=args.seed)
policy = expert(args.env, seed=args.seed)
print("step  measured [mm]  true [mm]  std [mm]  progress  reward")
for step in range(1, args.steps + 1):
    observation, reward, terminated, truncated, info = env.step(policy(env, observation))
    if step % 10 == 0:
        measured, true, std = (
            1000 * info[f"spatial_reward/{key}"] for key in ("potential", "truth_distance", "std")
        )
        progress = info["spatial_reward/progress"]
        print(f"{step:4d} {-measured:14.1f} {true:10.1f} {std:9.1f} {progress:9.2f} {reward:7.3f}")
    if terminated or truncated:
        break
env.close()

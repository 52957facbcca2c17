"""Judge a saved policy by its rewards alone, as on a robot that has no simulator to tell the truth.

python examples/evaluate_policy.py --policy policy.zip
"""

import argparse

import numpy as np
from stable_baselines3 import SAC

from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.envs.wrappers import SpatialReward

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--env", default="SpatialReward/Reach-v0")
parser.add_argument("--policy", help="saved by examples/sb3_training.py; without one, actions are random")
parser.add_argument("--model", default="spatialnet")
parser.add_argument("--episodes", type=int, default=5)
parser.add_argument("--size", type=int, help="side of the model's pictures [px]")
parser.add_argument("--seed", type=int, default=1000)
args = parser.parse_args()

recipe = RECIPES[args.env]
env = SpatialReward(
    make(args.env),
    recipe.goal,
    args.model,
    camera=recipe.camera,
    size=args.size or recipe.size,
    truth=True,  # only to print beside what was measured
)
agent = SAC.load(args.policy, device="cpu") if args.policy else None
env.action_space.seed(args.seed)
verdicts = []
print("episode  measured [mm]   +- [mm]  success  true [mm]  true success")
for episode in range(args.episodes):
    observation, info = env.reset(seed=args.seed + episode)
    over = False
    while not over:
        action = agent.predict(observation, deterministic=True)[0] if agent else env.action_space.sample()
        observation, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
    potential, std, success, true = (
        info[f"spatial_reward/{key}"] for key in ("potential", "std", "success", "truth_distance")
    )
    really = bool(info["is_success"])
    verdicts.append((success > 0.5, really))
    measured = f"{-1000 * potential:14.1f} {1000 * std:9.1f} {success:8.2f}"
    print(f"{episode:7d} {measured} {1000 * true:10.1f} {really!s:>13}")
measured, true = np.mean(verdicts, axis=0)
print(f"success by the reward {measured:.0%}, by the simulator {true:.0%}")
env.close()

"""Film a policy in Rerun: pictures, what was followed, distances with their uncertainty, rewards.

python examples/film_policy.py --policy policy.zip
rerun policy.rrd
"""

import argparse

from stable_baselines3 import SAC

from spatial_reward.envs.catalogue import RECIPES, make
from spatial_reward.envs.experts import expert
from spatial_reward.envs.wrappers import SpatialReward
from spatial_reward.viz.recording import Recorder

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--env", default="SpatialReward/Reach-v0")
parser.add_argument("--policy", help="saved by examples/sb3_training.py; without one, the scripted expert")
parser.add_argument("--model", default="spatialnet")
parser.add_argument("--size", type=int, help="side of the model's pictures [px]")
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--seed", type=int, default=1000)
parser.add_argument("--out", default="policy.rrd")
args = parser.parse_args()

recipe = RECIPES[args.env]
agent = SAC.load(args.policy, device="cpu") if args.policy else None
scripted = expert(args.env, seed=args.seed)
with Recorder(args.out, recipe.goal, title=f"{args.env}, measured by {args.model}") as recorder:
    env = SpatialReward(
        make(args.env),
        recipe.goal,
        args.model,
        camera=recipe.camera,
        size=args.size or recipe.size,
        truth=True,
        recorder=recorder,
    )
    observation, info = env.reset(seed=args.seed)
    for _ in range(args.steps):
        action = agent.predict(observation, deterministic=True)[0] if agent else scripted(env, observation)
        observation, reward, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            break
    print(f"measured {-1000 * info['spatial_reward/potential']:.1f} mm from the goal; rerun {args.out}")
    env.close()

"""Train SAC with rewards measured in pictures, while the model works behind the training's back.

python examples/sb3_training.py
python examples/sb3_training.py --model rgbd --schedule "hold(4)" --steps 20000
"""

import argparse

from stable_baselines3 import SAC

from spatial_reward.envs.catalogue import RECIPES
from spatial_reward.envs.sb3 import make_vec_env
from spatial_reward.envs.sb3_relabel import RelabelCallback

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--env", default="SpatialReward/Reach-v0")
parser.add_argument("--model", default="spatialnet")
parser.add_argument("--schedule", default="lagged(2)", help="sync, hold(k), lagged(k) or episode")
parser.add_argument("--envs", type=int, default=4)
parser.add_argument("--steps", type=int, default=20_000)
parser.add_argument("--size", type=int, help="side of the model's pictures [px]")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", default="policy.zip")
args = parser.parse_args()

recipe = RECIPES[args.env]
env = make_vec_env(
    args.env,
    recipe.goal,
    args.model,
    n_envs=args.envs,
    env_kwargs={"reward": "sparse"},  # -1 until the goal is reached: what shaping is added to
    camera=recipe.camera,
    size=args.size or recipe.size,
    schedule=args.schedule,
    gamma=0.95,  # of the shaping: the algorithm's
    weight=20.0,  # reward per metre
    seed=args.seed,
)
agent = SAC(
    "MlpPolicy",
    env,
    gamma=0.95,
    learning_starts=min(1000, args.steps // 2),
    gradient_steps=-1,
    buffer_size=args.steps,
    seed=args.seed,
    device="cpu",
)
agent.learn(args.steps, callback=RelabelCallback(), log_interval=20)
agent.save(args.out)
tally = env.tally
print(f"{tally.steps} steps in {tally.episodes} episodes, {tally.held_share:.1%} without a new measurement")
print(f"saved to {args.out}: python examples/evaluate_policy.py --policy {args.out}")
env.close()

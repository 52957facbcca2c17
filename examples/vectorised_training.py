"""Many environments, each in a process, and one model: the cross-entropy method on a linear policy.

python examples/vectorised_training.py
python examples/vectorised_training.py --envs 8 --generations 10
"""

import argparse

import numpy as np
from gymnasium.vector import AutoresetMode

from spatial_reward.envs.catalogue import RECIPES
from spatial_reward.envs.vector import make_vector

if __name__ == "__main__":  # the environments run in processes that import this file
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="SpatialReward/Reach-v0")
    parser.add_argument("--model", default="spatialnet")
    parser.add_argument("--mode", default="async", choices=["async", "sync"])
    parser.add_argument("--envs", type=int, default=4)
    parser.add_argument("--generations", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=16, help="policies tried in a generation")
    parser.add_argument("--size", type=int, help="side of the model's pictures [px]")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    recipe, rng = RECIPES[args.env], np.random.default_rng(args.seed)
    envs = make_vector(
        args.env,
        recipe.goal,
        args.model,
        num_envs=args.envs,
        vectorization_mode=args.mode,
        autoreset_mode=AutoresetMode.SAME_STEP,
        camera=recipe.camera,
        size=args.size or recipe.size,
        schedule="episode",  # a policy is judged when it has had its turn: one batch of questions
        reward="metric",  # the potential itself, minus metres to the goal
        env_weight=0.0,
    )
    observations, _ = envs.reset(seed=args.seed)
    shape = (observations.shape[1] + 1, envs.single_action_space.shape[0])
    mean, std = np.zeros(shape), np.full(shape, 1.0)
    for generation in range(args.generations):
        tried, scores = [], []
        while len(tried) < args.episodes:
            weights = mean + std * rng.normal(size=(args.envs, *shape))
            over, returns = np.zeros(args.envs, bool), np.zeros(args.envs)
            while not over.all():
                padded = np.concatenate([observations, np.ones((args.envs, 1))], axis=1)
                actions = np.tanh(np.einsum("no,noa->na", padded, weights)).astype(np.float32)
                observations, rewards, terminations, truncations, _ = envs.step(actions)
                returns += np.where(over, 0.0, rewards)  # an environment that is done waits for the others
                over |= terminations | truncations
            tried += list(weights)
            scores += returns.tolist()
        best = np.array(tried)[np.argsort(scores)[-max(len(scores) // 4, 2) :]]
        mean, std = best.mean(axis=0), best.std(axis=0) + 0.05
        held = envs.tally.held_share
        print(f"generation {generation}: best {max(scores):.2f}, mean {np.mean(scores):.2f}, held {held:.0%}")
    envs.close()

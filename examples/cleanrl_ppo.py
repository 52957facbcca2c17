"""PPO in one file, in the style of CleanRL, with late rewards put in their places by two lines.

The environments go on while the model measures; each reward comes as a `LateReward` with its step and its
environment, and is written over the provisional one before advantages are computed.

python examples/cleanrl_ppo.py
"""

import argparse

import numpy as np
import torch
from torch import nn
from torch.distributions.normal import Normal

from spatial_reward.envs.catalogue import RECIPES
from spatial_reward.envs.schedules import parse_schedule
from spatial_reward.envs.vector import make_vector

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--env", default="SpatialReward/Reach-v0")
parser.add_argument("--model", default="spatialnet")
parser.add_argument("--schedule", default="lagged(4)", help="sync, hold(k), lagged(k) or episode")
parser.add_argument("--envs", type=int, default=8)
parser.add_argument("--steps", type=int, default=128, help="of each environment in a rollout")
parser.add_argument("--rollouts", type=int, default=50)
parser.add_argument("--size", type=int, help="side of the model's pictures [px]")
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
GAMMA, LAMBDA, CLIP, EPOCHS, MINIBATCHES, ENTROPY = 0.95, 0.95, 0.2, 5, 4, 0.001

torch.manual_seed(args.seed)
recipe, late = RECIPES[args.env], []
envs = make_vector(
    args.env,
    recipe.goal,
    args.model,
    num_envs=args.envs,
    env_kwargs={"reward": "sparse"},
    camera=recipe.camera,
    size=args.size or recipe.size,
    schedule=args.schedule,
    on_late=late.append if parse_schedule(args.schedule).late else None,
    gamma=GAMMA,
    weight=20.0,
)
inputs, outputs = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
actor = nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))
critic = nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
log_std = nn.Parameter(torch.full((outputs,), -0.5))
optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters(), log_std], lr=1e-3, eps=1e-5)


def policy(observation: torch.Tensor) -> Normal:
    """Return the distribution of actions."""
    return Normal(actor(observation), log_std.exp())


shape = (args.steps, args.envs)
observations, actions = torch.zeros(*shape, inputs), torch.zeros(*shape, outputs)
log_probs, rewards, dones, ends, values = (torch.zeros(shape) for _ in range(5))
observation, _ = envs.reset(seed=args.seed)
done = np.zeros(args.envs, bool)
for rollout in range(args.rollouts):
    successes = []
    for step in range(args.steps):
        observations[step], dones[step] = (
            torch.as_tensor(observation),
            torch.as_tensor(done, dtype=torch.float32),
        )
        with torch.no_grad():
            actions[step] = policy(observations[step]).sample()
            log_probs[step] = policy(observations[step]).log_prob(actions[step]).sum(1)
            values[step] = critic(observations[step]).flatten()
        observation, reward, terminated, truncated, info = envs.step(actions[step].clamp(-1, 1).numpy())
        rewards[step], ends[step] = torch.as_tensor(reward), torch.as_tensor(terminated, dtype=torch.float32)
        done = terminated | truncated
        successes += info["is_success"][done].tolist()

    envs.settle()  # wait for what is still being measured,
    for one in late:  # and write each final reward over the provisional one
        rewards[one.step - rollout * args.steps, one.slot] = one.reward
    late.clear()

    with torch.no_grad():
        following = torch.cat([values[1:], critic(torch.as_tensor(observation)).T])
        over = torch.cat([dones[1:], torch.as_tensor(done, dtype=torch.float32)[None]])
    advantages, last = torch.zeros(shape), torch.zeros(args.envs)
    for step in reversed(range(args.steps)):  # at an end, the next observation is still the episode's own
        delta = rewards[step] + GAMMA * following[step] * (1 - ends[step]) - values[step]
        last = advantages[step] = delta + GAMMA * LAMBDA * (1 - over[step]) * last
    returns = (advantages + values).flatten()
    used = torch.nonzero(dones.flatten() == 0).flatten()  # the step after an end is a reset: nothing was done

    for _ in range(EPOCHS):
        for index in used[torch.randperm(len(used))].chunk(MINIBATCHES):
            chosen = policy(observations.flatten(0, 1)[index])
            ratio = (chosen.log_prob(actions.flatten(0, 1)[index]).sum(1) - log_probs.flatten()[index]).exp()
            gain = advantages.flatten()[index]
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
            surrogate = torch.min(ratio * gain, ratio.clamp(1 - CLIP, 1 + CLIP) * gain).mean()
            error = (critic(observations.flatten(0, 1)[index]).flatten() - returns[index]).square().mean()
            optimizer.zero_grad()
            (error / 2 - surrogate - ENTROPY * chosen.entropy().sum(1).mean()).backward()
            optimizer.step()
    share = f"{np.mean(successes):.0%}" if successes else "-"
    print(
        f"rollout {rollout}: reward {rewards.mean():.3f}, success {share}, held {envs.tally.held_share:.1%}"
    )
envs.close()

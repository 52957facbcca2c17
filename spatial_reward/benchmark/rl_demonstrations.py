"""Episodes of the scripted expert, put into an agent's replay buffer before it takes a step of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spatial_reward.benchmark.rl_rewards import Plan
from spatial_reward.envs.experts import expert
from spatial_reward.envs.schedules import parse_schedule

OFF_POLICY = ("sac", "tqc", "td3")
NOISE = 0.1  # standard deviation of what is added to the expert's actions, whose range is 2


def check_demonstrations(plan: Plan, config: Mapping[str, Any]) -> None:
    """Refuse a plan whose demonstrations could not be stored.

    Raises:
        ValueError: If the algorithm has no replay buffer, the environments are in other processes, or their
            rewards come late.
    """
    late = parse_schedule(config["schedule"]).late
    if plan.demonstrations and (plan.algorithm not in OFF_POLICY or config["subprocesses"] or late):
        raise ValueError(
            f"Demonstrations need an algorithm off policy ({', '.join(OFF_POLICY)}), subprocesses=false, and "
            f"schedule=sync or hold(k); got {plan.algorithm}, subprocesses={config['subprocesses']} and "
            f"{config['schedule']}: change that, or take `demonstrations: 0` in the plan."
        )


def demonstrate(agent: Any, env_id: str, episodes: int, seed: int) -> int:
    """Let the expert act in the agent's environments until so many episodes have ended; return how many did.

    What it did is stored with the rewards that the agent is trained with, as its own steps will be; so an
    agent without any reward to speak of gets the same demonstrations.

    Args:
        agent: An off-policy algorithm of Stable-Baselines3 on environments of this process.
        env_id: Name of the environment, which must have an expert.
        episodes: How many, at least.
        seed: Of the expert's noise.

    Raises:
        ValueError: If there is no expert.
    """
    envs = agent.env.unwrapped.envs
    policies = [expert(env_id, seed=seed + number, noise=NOISE) for number in range(len(envs))]
    agent._setup_learn(total_timesteps=0)  # resets the environments
    ended = 0
    while ended < episodes:
        actions = np.stack([policy(env, None) for policy, env in zip(policies, envs, strict=True)])
        observations, rewards, dones, infos = agent.env.step(actions)
        stored = agent.policy.scale_action(actions)
        agent._store_transition(agent.replay_buffer, stored, observations, rewards, dones, infos)
        ended += int(dones.sum())
    return ended

"""Environments: importing this package registers the four table-top tasks with Gymnasium.

>>> import gymnasium as gym
>>> import spatial_reward.envs
>>> gym.spec("SpatialReward/Push-v0").max_episode_steps
120
"""

import gymnasium as gym

# Steps of 0.04 s: what the scripted experts need, with room to recover.
EPISODE_STEPS = {"Reach": 50, "Push": 120, "Lift": 100, "Stack": 150}

for _name, _steps in EPISODE_STEPS.items():
    gym.register(
        id=f"SpatialReward/{_name}-v0",
        entry_point=f"spatial_reward.envs.tasks:{_name}",
        max_episode_steps=_steps,
    )

"""Reward models."""

from lerobot.rewards.factory import (
    get_reward_model_class,
    make_reward_model,
    make_reward_model_config,
    make_reward_pre_post_processors,
)
from lerobot.rewards.pretrained import PreTrainedRewardModel

__all__ = [
    "PreTrainedRewardModel",
    "get_reward_model_class",
    "make_reward_model",
    "make_reward_model_config",
    "make_reward_pre_post_processors",
]

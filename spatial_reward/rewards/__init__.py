"""Goals in metres, the judge that measures them, and the shaping that makes them rewards."""

from spatial_reward.rewards.composites import AllOf, Then
from spatial_reward.rewards.goal_base import Goal, Track, Verdict, Watch
from spatial_reward.rewards.goal_text import parse_goal
from spatial_reward.rewards.goals import Keep, Lift, Move, Near, Reach
from spatial_reward.rewards.judge import Judge
from spatial_reward.rewards.shaping import Reward, Shaping

__all__ = [
    "AllOf",
    "Goal",
    "Judge",
    "Keep",
    "Lift",
    "Move",
    "Near",
    "Reach",
    "Reward",
    "Shaping",
    "Then",
    "Track",
    "Verdict",
    "Watch",
    "parse_goal",
]

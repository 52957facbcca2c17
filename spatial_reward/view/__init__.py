"""Look at anything that the package writes: recordings, episodes, questions, answers, training runs."""

from spatial_reward.view.command import run_view
from spatial_reward.view.opening import open_recording
from spatial_reward.view.question_set import chosen

__all__ = ["chosen", "open_recording", "run_view"]

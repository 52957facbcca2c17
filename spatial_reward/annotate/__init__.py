"""Rewards for recorded robot episodes: in metres, with a standard deviation, frame by frame."""

from spatial_reward.annotate.command import run_annotate
from spatial_reward.annotate.run import Annotated, annotate
from spatial_reward.annotate.settings import Settings

__all__ = ["Annotated", "Settings", "annotate", "run_annotate"]

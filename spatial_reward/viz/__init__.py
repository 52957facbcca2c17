"""See what was measured: Rerun recordings, PNG reports, marked pictures."""

from spatial_reward.viz.overview import EpisodeRow, write_overview
from spatial_reward.viz.recording import Recorder
from spatial_reward.viz.report import write_report
from spatial_reward.viz.step import Step

__all__ = ["EpisodeRow", "Recorder", "Step", "write_overview", "write_report"]

"""Metric, multi-frame spatial perception as a safe reward for Gymnasium and MuJoCo."""

from spatial_reward.camera import Camera
from spatial_reward.types import (
    Answer,
    Episode,
    Frame,
    Model,
    PixelPoint,
    Question,
    Reference,
    Scene,
    Signal,
)

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Camera",
    "Episode",
    "Frame",
    "Model",
    "PixelPoint",
    "Question",
    "Reference",
    "Scene",
    "Signal",
    "__version__",
]

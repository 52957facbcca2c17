"""Metric, multi-frame spatial perception as a safe reward for Gymnasium and MuJoCo."""

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from spatial_reward.perception import Perception, perceive

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Camera",
    "Episode",
    "Frame",
    "Model",
    "Perception",
    "PixelPoint",
    "Question",
    "Reference",
    "Scene",
    "Signal",
    "__version__",
    "perceive",
]


def __getattr__(name: str) -> Any:
    """Import what brings OpenCV and SciPy along only when it is asked for."""
    if name in ("Perception", "perceive"):
        from spatial_reward import perception

        return getattr(perception, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

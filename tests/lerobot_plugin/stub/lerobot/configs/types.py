"""Features."""

from dataclasses import dataclass
from enum import Enum


class FeatureType(str, Enum):  # noqa: UP042  # as LeRobot has it
    VISUAL = "VISUAL"
    REWARD = "REWARD"


@dataclass
class PolicyFeature:
    type: FeatureType
    shape: tuple[int, ...]

"""Keys of a transition."""

from enum import Enum


class TransitionKey(str, Enum):  # noqa: UP042  # as LeRobot has it
    OBSERVATION = "observation"
    ACTION = "action"
    REWARD = "reward"
    DONE = "done"
    TRUNCATED = "truncated"
    INFO = "info"
    COMPLEMENTARY_DATA = "complementary_data"

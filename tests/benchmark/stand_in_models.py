"""Models that tests measure: slow to be killed, or nosy to tell what they were given."""

import time

from spatial_reward.types import Answer


class Slow:
    """Say nothing, slowly."""

    name, needs, blind = "slow", frozenset(), True

    def answer(self, questions):
        time.sleep(0.2)
        return [Answer.unknown("too slow") for _ in questions]


class Nosy:
    """Say what questions give away."""

    name, needs = "nosy", frozenset()
    asked = ()

    def answer(self, questions):
        Nosy.asked = (*Nosy.asked, *questions)
        return [Answer.unknown("nothing") for _ in questions]


class NosyAboutDepth(Nosy):
    """The same, with depth and poses."""

    needs = frozenset({"depth"})

    def __init__(self):
        self.pose = "unset"

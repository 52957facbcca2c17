import numpy as np
import pytest
from question_rooms import room


@pytest.fixture(scope="session")
def rooms():
    """Static rooms for camera, depth, correspondence and size; moving ones for object motion."""
    return {
        "static": [room(seed) for seed in range(3)],
        "moving camera": [room(10 + seed, moving_bodies=True) for seed in range(2)],
        "static camera": [room(20 + seed, moving_camera=False, moving_bodies=True) for seed in range(2)],
    }


@pytest.fixture(scope="session")
def asked(rooms):
    """(kind, mode) -> [(scene, question)]: some questions of every kind from scenes that support it."""
    from spatial_reward.questions import KINDS

    found = {}
    for kind in KINDS.values():
        motion = kind.family == "object_motion"
        scenes = [*rooms["moving camera"], *rooms["static camera"]] if motion else rooms["static"]
        for mode in ("paper", "strict"):
            rng = np.random.default_rng([len(kind.name), mode == "paper"])
            pairs = [(scene, kind.ask(scene, rng, mode)) for scene in scenes for _ in range(16)]
            found[kind.name, mode] = [(scene, question) for scene, question in pairs if question is not None]
    return found

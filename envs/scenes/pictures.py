"""Draw the pictures of envs/README.md: each scene of this folder as it starts, from its cameras.

python envs/scenes/pictures.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from spatial_reward.envs.mjcf import MJCF
from spatial_reward.envs.simulator import Simulator

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
WIDTH = 480  # [px]
VIEWS = {  # the cameras that share the width
    "tabletop_fetch": ["front"],
    "gripper_only": ["front"],
    "wrist_camera": ["front", "wrist"],
    "two_cameras": ["front", "side"],
}


def write_picture(name: str) -> Path:
    """Draw a scene, its cameras side by side; return the path of the picture."""
    env, cameras = _make(name), VIEWS[name]
    env.reset(seed=0)
    views, width = [], WIDTH // len(cameras)
    height = min(width, 320)
    for camera in cameras:
        with Simulator(env, camera, width, height, shadows=True) as simulator:
            views.append(simulator.frame().rgb)
    env.close()
    path = HERE / f"{name}.png"
    cv2.imwrite(str(path), cv2.cvtColor(np.hstack(views), cv2.COLOR_RGB2BGR))
    return path


def _make(name: str) -> MJCF:
    if name == "tabletop_fetch":
        from tabletop_fetch import make_env  # type: ignore[import-not-found]

        env: MJCF = make_env(random=False)
        return env
    return MJCF(HERE / f"{name}.xml", random=False)


if __name__ == "__main__":
    for scene in sys.argv[1:] or VIEWS:
        print(write_picture(scene))

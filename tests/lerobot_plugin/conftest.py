"""LeRobot where it is installed, else the stand-in beside this file; and a clip in which a cube moves."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from spatial_reward.envs.catalogue import make
from spatial_reward.envs.experts import expert
from spatial_reward.envs.simulator import Simulator

torch = pytest.importorskip("torch")
if importlib.util.find_spec("lerobot") is None:
    sys.path.insert(0, str(Path(__file__).parent / "stub"))

SIZE, EVERY = 160, 6


class Clip:
    """Frames of an episode, the true distances of cube and pad, and what LeRobot makes of them."""

    def __init__(self):
        env = make("SpatialReward/Push-v0")
        observation, _ = env.reset(seed=0)
        with Simulator(env, "front", SIZE, SIZE) as simulator:
            cube, pad = simulator.ground("cube"), simulator.ground("pad")
            self.frames, self.distances = [simulator.frame(depth=True)], []
            self.distances.append(np.linalg.norm(simulator.position(cube) - simulator.position(pad)))
            policy = expert("SpatialReward/Push-v0", seed=0)
            for step in range(1, 49):
                observation, *_ = env.step(policy(env, observation))
                if step % EVERY == 0:
                    self.frames.append(simulator.frame(depth=True))
                    moved = simulator.position(cube) - simulator.position(pad)
                    self.distances.append(np.linalg.norm(moved))
        env.close()
        camera = self.frames[0].camera
        self.references = {
            "cube": [*cube.reference.pixel, *cube.reference.position],
            "pad": list(map(float, pad.reference.position)),
        }
        self.lens = dict(
            intrinsics=camera.intrinsics.tolist(),
            image_size=[SIZE, SIZE],
            world_from_camera=camera.world_from_camera.tolist(),
        )

    def images(self):
        """(T, 3, H, W) floats, as LeRobot decodes them."""
        return torch.stack([torch.from_numpy(f.rgb.copy()).permute(2, 0, 1) / 255 for f in self.frames])

    def depths(self):
        return torch.stack([torch.from_numpy(frame.depth.copy())[None] for frame in self.frames])


@pytest.fixture(scope="session")
def clip():
    return Clip()

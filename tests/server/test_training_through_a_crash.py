"""The server is killed in the middle of a training, and started again."""

import warnings

import numpy as np
import pytest
from serving_process import Served

pytest.importorskip("stable_baselines3")

from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from spatial_reward.envs.sb3 import make_vec_env
from spatial_reward.envs.sb3_relabel import RelabelCallback
from spatial_reward.models.remote import RemoteModel


class Crash(BaseCallback):
    """Kills the server after some steps, and starts it again some steps later."""

    def __init__(self, server, kill, restart):
        super().__init__()
        self.server, self.kill, self.restart, self.valid = server, kill, restart, []

    def _on_step(self):
        self.valid.append([info["spatial_reward/valid"] for info in self.locals["infos"]])
        if self.n_calls == self.kill:
            self.server.kill()
        if self.n_calls == self.restart:
            self.server.restart()
        return True


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["sync", "lagged(2)"])
def test_training_goes_on_through_a_crash_of_the_server(schedule):
    with Served(slow=0.0) as server:
        model = RemoteModel(server.url, timeout=5.0)
        env = make_vec_env(
            "SpatialReward/Reach-v0",
            "near(gripper, target, within=3cm)",
            model,
            n_envs=2,
            seed=0,
            size=32,
            schedule=schedule,
            gamma=0.95,
        )
        crash = Crash(server, 60, 120)
        agent = PPO("MlpPolicy", env, n_steps=40, batch_size=80, n_epochs=1, gamma=0.95, seed=0, device="cpu")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RuntimeWarning)
            agent.learn(2 * 400, callback=[RelabelCallback(), crash])
        assert agent.num_timesteps == 800 and all(
            np.isfinite(p.detach().numpy()).all() for p in agent.policy.parameters()
        )
        told = [str(one.message) for one in caught]
        assert any("gave no answers" in text for text in told) and len(told) < 10
        valid = np.array(crash.valid).all(1)
        assert valid[5:55].mean() > 0.9 < valid[-50:].mean() and valid[70:119].mean() < 0.1
        assert 0.1 < env.tally.held_share < 0.6 and model.failed > 0
        print(f"{schedule}: {env.tally.held_share:.0%} of {env.tally.steps} steps held")
        env.close()
        model.close()

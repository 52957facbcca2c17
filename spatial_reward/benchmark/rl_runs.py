"""One training: an environment, a reward, a seed; its evaluations are written down line by line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from spatial_reward.benchmark.rl_demonstrations import OFF_POLICY, demonstrate
from spatial_reward.benchmark.rl_rewards import ALGORITHMS, MEASURED, Plan, own_env, rewarded_envs
from spatial_reward.envs.catalogue import RECIPES, Recipe
from spatial_reward.envs.late import LateReward, LateScorer
from spatial_reward.envs.sb3_relabel import RelabelCallback
from spatial_reward.envs.scoring import PREFIX

Config = Mapping[str, Any]
NAN = float("nan")


class Run(NamedTuple):
    """Which training: names of environment and reward, and the seed."""

    env_id: str
    reward: str
    seed: int

    @property
    def file(self) -> str:
        """Name of its record."""
        return f"{self.env_id.replace('/', '-')}__{self.reward}__{self.seed}.jsonl"


def record(run: Run, plan: Plan, config: Config, path: Path) -> None:
    """Train, and leave a record: a line for each evaluation, from before the first step on.

    A record is written under another name until it is complete. A line holds the steps so far, the seconds
    spent on training alone, the share of successes and the mean true return of some episodes, and, where a
    model was asked, the mean potential that it measured since the last line beside the true one [m], and the
    share of steps that were held.
    """
    partial = path.with_suffix(".partial")
    env = rewarded_envs(run.env_id, run.reward, plan, config, run.seed)
    try:
        agent = make_agent(plan, env, run.seed, config["algorithm"])
        if plan.demonstrations:
            demonstrate(agent, run.env_id, plan.demonstrations, run.seed)
        with partial.open("w") as log:
            told = {"run": run._asdict(), "plan": plan._asdict()}
            log.write(json.dumps(told) + "\n")
            watch = Watch(run, plan, config, lambda line: _tell(log, line))
            callbacks = [watch, RelabelCallback()] if run.reward in MEASURED else [watch]
            agent.learn(plan.steps, callback=callbacks)
    finally:
        env.close()
    partial.replace(path)


def _tell(log: Any, line: Mapping[str, float]) -> None:
    known = {key: value if np.isfinite(value) else None for key, value in line.items()}
    log.write(json.dumps(known) + "\n")
    log.flush()


def make_agent(plan: Plan, env: Any, seed: int, options: Mapping[str, Any]) -> Any:
    """Make the algorithm of a plan.

    Raises:
        ValueError: If there is no such algorithm.
    """
    import sb3_contrib
    import stable_baselines3

    if plan.algorithm not in ALGORITHMS:
        raise ValueError(f"`algorithm` must be one of {', '.join(ALGORITHMS)}, got {plan.algorithm!r}.")
    home = sb3_contrib if plan.algorithm == "tqc" else stable_baselines3
    algorithm = getattr(home, plan.algorithm.upper())
    policy = "MultiInputPolicy" if hasattr(env.observation_space, "spaces") else "MlpPolicy"
    defaults: dict[str, Any] = {"gamma": plan.gamma, "seed": seed, "device": "cpu"}
    if plan.algorithm in OFF_POLICY:
        defaults |= _off_policy(plan)
    return algorithm(policy, env, **deepcopy({**defaults, **options}))  # it adds to nested options


def _off_policy(plan: Plan) -> dict[str, Any]:
    """Return arguments that suit states of some tens of numbers, and rewards of about 1 per step."""
    chosen = {
        "gradient_steps": -1,  # one for every step of an environment
        "learning_starts": 0 if plan.demonstrations else 500,
        "buffer_size": plan.steps + 500 * (1 + plan.demonstrations),  # nothing is forgotten
        "learning_rate": 1e-3,
        "policy_kwargs": {"net_arch": [64, 64]},
    }
    # An entropy bonus that begins at 1 per step would drown such rewards.
    return chosen if plan.algorithm == "td3" else {**chosen, "ent_coef": "auto_0.1"}


class Watch(BaseCallback):  # type: ignore[misc]  # untyped base
    """Evaluates the agent now and then, and notes what the model measured in between.

    Args:
        run: Which training.
        plan: How long it is.
        config: With `evaluations` and `episodes`.
        tell: Gets each line.
    """

    def __init__(
        self, run: Run, plan: Plan, config: Config, tell: Callable[[dict[str, float]], None]
    ) -> None:
        """Make the environment of the evaluations."""
        super().__init__()
        self._every = max(plan.steps // config["evaluations"], 1)
        self._episodes, self._tell, self._seed = config["episodes"], tell, 10_000 + 1000 * run.seed
        self._env = own_env(run.env_id, "dense", config.get("limit"))
        self._recipe = RECIPES.get(run.env_id) or Recipe(run.env_id, goal="")
        self._measured = run.reward in MEASURED
        self._pairs: list[tuple[float, float]] = []
        self._next, self._away = 0, 0.0

    def _on_training_start(self) -> None:
        self._begin = time.perf_counter()
        scorer = getattr(self.training_env, "scorer", None) if self._measured else None
        self._late = isinstance(scorer, LateScorer)
        if isinstance(scorer, LateScorer):
            scorer.on_late = self._note_late
        self._evaluate()

    def _on_step(self) -> bool:
        if self._measured and not self._late:
            for info in self.locals["infos"]:
                self._note(info)
        if self.num_timesteps >= self._next:
            self._evaluate()
        return True

    def _on_training_end(self) -> None:
        self._env.close()

    def _note_late(self, late: LateReward) -> None:
        self._note(late.info)

    def _note(self, info: Mapping[str, Any]) -> None:
        if info[PREFIX + "valid"]:
            self._pairs.append((info[PREFIX + "potential"], -info[PREFIX + "truth_distance"]))

    def _evaluate(self) -> None:
        begin = time.perf_counter()
        success, returned = evaluate(self.model, self._env, self._episodes, self._seed, self._recipe)
        predicted, true = np.mean(self._pairs, axis=0) if self._pairs else (NAN, NAN)
        held = self.training_env.tally.held_share if self._measured else NAN
        line = {"steps": self.num_timesteps, "seconds": begin - self._begin - self._away}
        told = {"success": success, "return": returned, "predicted": predicted, "true": true, "held": held}
        self._tell({**line, **{key: float(value) for key, value in told.items()}})
        self._pairs.clear()
        self._next += self._every
        self._away += time.perf_counter() - begin


def evaluate(agent: Any, env: Any, episodes: int, seed: int, recipe: Recipe) -> tuple[float, float]:
    """Return the share of episodes that end in success, and the mean return, of the agent without noise."""
    successes, returns = [], []
    normal = agent.get_vec_normalize_env()
    for number in range(episodes):
        observation, _ = env.reset(seed=seed + number)
        total, over, info = 0.0, False, {}
        while not over:
            seen = normal.normalize_obs(observation) if normal else observation
            action, _ = agent.predict(seen, deterministic=True)
            observation, reward, terminated, truncated, info = env.step(action)
            total, over = total + float(reward), terminated or truncated
        successes.append(bool(info.get(recipe.success_key, False)))
        returns.append(total)
    return float(np.mean(successes)), float(np.mean(returns))

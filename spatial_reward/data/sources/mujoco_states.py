"""What happens in a MuJoCo scene: an expert's episode, random states, or recorded ones.

Each function moves a `Stage` on and yields once at every state that is to be seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from spatial_reward.camera import Array
from spatial_reward.data.sources.mujoco_record import Record
from spatial_reward.data.sources.mujoco_stage import Stage
from spatial_reward.envs import tabletop_experts
from spatial_reward.envs.catalogue import RECIPES
from spatial_reward.envs.experts import expert, idle, wander
from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.layouts import hold, settled, vary
from spatial_reward.envs.rollout import Policy

EPISODE = 100  # steps of an environment without a recipe
SECONDS = 2.0  # [s] that a bare model is watched
CHANGE = 0.25  # [s] after which a bare model's controls change
MOST_STEPS = 4000  # of physics in a scene of a bare model

States = Iterator[None]


def scripted(stage: Stage, count: int, rng: np.random.Generator, dropped: Counter[str]) -> States:
    """Yield at `count` moments of an episode; of a bare model under random controls.

    The expert acts alone in 45 % of the episodes, noisily in 25 %, gives up on the way in 15 %, and fails
    in 15 %. An environment without an expert is driven at random.
    """
    if stage.env_id:
        return _episode(stage, count, rng)
    return _controlled(stage, count, rng, dropped)


def scattered(stage: Stage, count: int, rng: np.random.Generator, dropped: Counter[str]) -> States:
    """Yield at up to `count` random states around one: settled, and without interpenetration."""
    stage.reset(_seed(rng))
    model, data = stage.model, stage.data
    start = vary(model, data, data.qpos.copy(), rng, still=0.0)
    for _ in range(count):
        reason = settled(model, data, vary(model, data, start, rng, still=0.45))
        if reason:
            dropped[reason] += 1
        else:
            yield


def recorded(stage: Stage, count: int, rng: np.random.Generator, record: Record) -> States:
    """Yield at `count` of the recorded states, in order; `record` holds `qpos` (T, nq) and the like."""
    stage.reset(_seed(rng))
    mujoco = load_mujoco()
    for index in _moments(len(record["qpos"]) - 1, count, rng):
        data = stage.data
        data.time = index * stage.model.opt.timestep
        for name, values in record.items():
            setattr(data, name, values[index])
        mujoco.mj_forward(stage.model, data)
        yield


def _episode(stage: Stage, count: int, rng: np.random.Generator) -> States:
    start, luck = _seed(rng), _seed(rng)
    recipe = RECIPES.get(stage.env_id)
    limit = last = recipe.steps if recipe else EPISODE
    if recipe is None:  # the episode may end at any time: find out when
        last = sum(1 for _ in _acted(stage, limit, start, luck)) - 1
    wanted = set(_moments(last, count, rng))
    for step, _ in enumerate(_acted(stage, limit, start, luck)):
        if step in wanted:
            yield


def _acted(stage: Stage, steps: int, start: int, luck: int) -> States:
    """Yield at the start of an episode and after each step; the seeds `start` and `luck` fix all of it."""
    policy = _policy(stage.env_id, steps, np.random.default_rng(luck))
    obs, over = stage.reset(start), False
    yield
    for _ in range(steps):
        if over:
            return
        obs, _, terminated, truncated, _ = stage.source.step(policy(stage.source, obs))
        over = terminated or truncated
        yield


def _policy(env_id: str, steps: int, rng: np.random.Generator) -> Policy:
    luck, seed = rng.random(), _seed(rng)
    noise = float(rng.uniform(0.1, 0.5)) if 0.45 <= luck < 0.7 else 0.0
    try:
        skilled = expert(env_id, seed=seed, noise=noise)
    except ValueError:  # there is no expert for it
        return wander(_seed(rng))
    if luck < 0.7:
        return skilled
    if luck < 0.85:
        return _giving_up(skilled, int(rng.integers(1, steps)))
    if env_id in tabletop_experts.FAILURES:
        name = str(rng.choice(tabletop_experts.failures(env_id)))
        return tabletop_experts.failure(env_id, name, seed=seed)
    return wander(_seed(rng))


def _giving_up(policy: Policy, after: int) -> Policy:
    """Follow a policy for so many steps, then do nothing."""
    taken = iter(range(after))
    return lambda env, obs: policy(env, obs) if next(taken, None) is not None else idle(env, obs)


def _controlled(stage: Stage, count: int, rng: np.random.Generator, dropped: Counter[str]) -> States:
    """Drive a bare model from a random start by controls that change every now and then."""
    stage.reset(0)
    mujoco, model, data = load_mujoco(), stage.model, stage.data
    reason = settled(model, data, vary(model, data, data.qpos.copy(), rng, still=0.3))
    if reason:
        dropped[reason] += 1
        stage.reset(0)
    steps = min(int(np.ceil(SECONDS / model.opt.timestep)), MOST_STEPS)
    wanted, every = set(_moments(steps, count, rng)), max(1, round(CHANGE / model.opt.timestep))
    hold(model, data)
    aim = data.ctrl.copy()
    for step in range(steps + 1):
        if step in wanted:
            mujoco.mj_forward(model, data)
            if _broken(mujoco, data):
                dropped["unstable physics"] += sum(moment >= step for moment in wanted)
                return
            yield
        if step % every == 0:
            aim = _controls(model, data, rng)
        data.ctrl[:] += (aim - data.ctrl) / (0.3 * every + 1)
        mujoco.mj_step(model, data)


def _controls(model: Any, data: Any, rng: np.random.Generator) -> Array:
    """Draw controls [its own units]: within a third of their range around where they are."""
    low, high = np.where(model.actuator_ctrllimited[:, None], model.actuator_ctrlrange, [-1.0, 1.0]).T
    drawn: Array = np.clip(data.ctrl + (high - low) * rng.uniform(-0.33, 0.33, model.nu), low, high)
    return np.where(rng.random(model.nu) < 0.7, drawn, data.ctrl)


def _broken(mujoco: Any, data: Any) -> bool:
    """Tell whether MuJoCo gave up on a state: it resets those that explode."""
    bad = (
        mujoco.mjtWarning.mjWARN_BADQPOS,
        mujoco.mjtWarning.mjWARN_BADQVEL,
        mujoco.mjtWarning.mjWARN_BADQACC,
    )
    return any(data.warning[int(kind)].number for kind in bad) or not np.isfinite(data.qpos).all()


def _moments(last: int, count: int, rng: np.random.Generator) -> list[int]:
    """Draw up to `count` numbers from 0 to `last`, ascending, the first and the last among them."""
    inner = np.arange(1, last)
    chosen = rng.choice(inner, min(max(count - 2, 0), len(inner)), replace=False)
    return sorted({0, last, *chosen.tolist()} if count > 1 else {0})


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))

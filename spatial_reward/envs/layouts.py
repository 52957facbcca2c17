"""Random states of a MuJoCo model that could be: joints in range, things on their support, no overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from spatial_reward.camera import Array
from spatial_reward.envs.gl import load_mujoco

WIDEST = 2.0  # [m] extent of a scene over which things are spread
TRIES = 8  # layouts per state; each later one is nearer to the start
DEEPEST = 0.003  # [m] by which things may overlap before they settle
SETTLE = 0.05  # [s] of physics that a state is given to come to rest
LOCKED = 1e6  # damping of a joint that is there to be moved by hand only
FARTHEST = 0.1, 0.5  # [m] and [rad] that a joint may go meanwhile, else the state was none


def vary(model: Any, data: Any, start: Array, rng: np.random.Generator, *, still: float) -> Array:
    """Draw positions (nq,) around `start`; each tree of bodies stays with probability `still`.

    A fifth of the trees is nudged, the others go far: joints within their range, free bodies by up to the
    spread of the scene, at the height above their support that they had. Where that would make things
    overlap, they go less far, and at last not at all. `data` is written to.
    """
    mujoco = load_mujoco()
    stays = {int(tree) for tree in np.unique(model.body_treeid) if rng.random() < still}
    reach = {int(tree): 0.1 if rng.random() < 0.2 else 1.0 for tree in np.unique(model.body_treeid)}
    place(mujoco, model, data, start)
    allowed = _deepest(data) - DEEPEST
    for shrink in 0.75 ** np.arange(TRIES):
        qpos = start.copy()
        for joint in range(model.njnt):
            tree = int(model.body_treeid[model.jnt_bodyid[joint]])
            if tree not in stays and model.dof_damping[model.jnt_dofadr[joint]] < LOCKED:
                _move(model, data, qpos, joint, shrink * reach[tree], rng)
        place(mujoco, model, data, qpos)
        if _deepest(data) >= allowed:
            return qpos
        place(mujoco, model, data, start)  # supports are looked up in the start's state
    return start


def settled(model: Any, data: Any, qpos: Array) -> str:
    """Set positions and let physics settle them; return "" or why the state cannot be used."""
    mujoco = load_mujoco()
    mujoco.mj_resetData(model, data)
    place(mujoco, model, data, qpos)
    _carry_mocap(mujoco, model, data)
    hold(model, data)
    for _ in range(max(1, min(200, round(SETTLE / model.opt.timestep)))):
        mujoco.mj_step(model, data)
    if not (np.isfinite(data.qpos).all() and np.isfinite(data.xpos).all()):
        return "unstable physics"
    moved = np.zeros(model.nv)
    mujoco.mj_differentiatePos(model, moved, 1.0, qpos, data.qpos)
    rested = data.qpos.copy()
    data.time = 0.0
    place(mujoco, model, data, rested)
    return "unstable physics" if (np.abs(moved) > _farthest(mujoco, model)).any() else ""


def _farthest(mujoco: Any, model: Any) -> Array:
    """Return (nv,) how far each degree of freedom may go while it settles [m] or [rad]."""
    kind, first = model.jnt_type[model.dof_jntid], model.jnt_dofadr[model.dof_jntid]
    free = (kind == int(mujoco.mjtJoint.mjJNT_FREE)) & (np.arange(model.nv) - first < 3)
    return np.where(free | (kind == int(mujoco.mjtJoint.mjJNT_SLIDE)), *FARTHEST)


def place(mujoco: Any, model: Any, data: Any, qpos: Array) -> None:
    """Set positions; the state is at rest."""
    data.qpos[:] = qpos
    data.qvel[:] = 0.0
    mujoco.mj_forward(model, data)


def hold(model: Any, data: Any) -> None:
    """Set the controls that ask servos to stay where they are; motors rest."""
    gain, bias = model.actuator_gainprm[:, 0], model.actuator_biasprm
    servo = (bias[:, 1] != 0) & (gain != 0)
    wanted = -(bias[:, 0] + bias[:, 1] * data.actuator_length) / np.where(gain == 0, 1.0, gain)
    low, high = np.where(model.actuator_ctrllimited[:, None], model.actuator_ctrlrange, [-np.inf, np.inf]).T
    data.ctrl[:] = np.clip(np.where(servo, wanted, 0.0), low, high)


def _deepest(data: Any) -> float:
    """Return the least distance [m] of touching things; negative where they overlap."""
    return min((float(distance) for distance in data.contact.dist), default=0.0)


def _move(model: Any, data: Any, qpos: Array, joint: int, far: float, rng: np.random.Generator) -> None:
    """Move one joint in `qpos` by up to its range times `far`."""
    kinds, kind, at = load_mujoco().mjtJoint, int(model.jnt_type[joint]), int(model.jnt_qposadr[joint])
    if kind == int(kinds.mjJNT_FREE):
        _carry(model, data, qpos, joint, far, rng)
    elif kind == int(kinds.mjJNT_BALL):
        qpos[at : at + 4] = _turned(qpos[at : at + 4], rng.normal(0, 0.3 * far, 3))
    elif model.jnt_limited[joint]:
        low, high = model.jnt_range[joint]
        qpos[at] = np.clip(qpos[at] + rng.normal(0, 0.25 * far) * (high - low), low, high)
    else:
        step = 0.5 if kind == int(kinds.mjJNT_HINGE) else 0.1 * float(model.stat.extent)  # [rad], [m]
        qpos[at] += rng.normal(0, step * far)


def _carry(model: Any, data: Any, qpos: Array, joint: int, far: float, rng: np.random.Generator) -> None:
    """Move a free body to another place of the same support, or of one that is as high."""
    body, at = int(model.jnt_bodyid[joint]), int(model.jnt_qposadr[joint])
    here, spread = qpos[at : at + 3].copy(), 0.25 * min(float(model.stat.extent), WIDEST)
    there = here + [*rng.uniform(-spread, spread, 2) * far, 0.0]
    below, support = _support(model, data, here, body), _support(model, data, there, body)
    if below is None or support is None or abs(support - below) > 0.5 * max(here[2] - below, 0.01):
        there = here
    else:
        there[2] += support - below + 1e-4
    qpos[at : at + 3] = there
    qpos[at + 3 : at + 7] = _turned(
        qpos[at + 3 : at + 7], np.array([0.0, 0.0, rng.uniform(-np.pi, np.pi) * far])
    )


def _support(model: Any, data: Any, point: Array, body: int) -> float | None:
    """Return the height [m] of what is under a point, `body` left out; None where there is nothing."""
    hit = np.zeros(1, np.int32)
    down = np.array([0.0, 0.0, -1.0])
    distance = load_mujoco().mj_ray(model, data, np.asarray(point, float), down, None, 1, body, hit)
    return float(point[2] - distance) if distance >= 0 else None


def _turned(quaternion: Array, rotation: Array) -> Array:
    """Turn a quaternion (w, x, y, z) by a rotation vector (3,) [rad] of the world."""
    w, x, y, z = quaternion
    if not np.linalg.norm(quaternion):
        return np.array([1.0, 0.0, 0.0, 0.0])
    x, y, z, w = (Rotation.from_rotvec(rotation) * Rotation.from_quat([x, y, z, w])).as_quat()
    return np.array([w, x, y, z])


def _carry_mocap(mujoco: Any, model: Any, data: Any) -> None:
    """Bring mocap bodies to where what they are welded to is, so that they do not drag it back."""
    weld = int(mujoco.mjtEq.mjEQ_WELD)
    for equality in np.flatnonzero((model.eq_type == weld) & (data.eq_active > 0)):
        first, second = int(model.eq_obj1id[equality]), int(model.eq_obj2id[equality])
        if model.eq_objtype[equality] != int(mujoco.mjtObj.mjOBJ_BODY):
            continue
        for mocap, other in ((first, second), (second, first)):
            number = int(model.body_mocapid[mocap])
            if number >= 0:
                shift, turn = _relative(model.eq_data[equality], inverse=mocap == first)
                data.mocap_pos[number], data.mocap_quat[number] = _compose(
                    data.xpos[other], data.xquat[other], shift, turn
                )


def _relative(eq_data: Array, inverse: bool) -> tuple[Array, Array]:
    """Return the pose of the second body in the first of a weld (shift [m], quaternion), or its inverse."""
    turn = eq_data[6:10].copy()
    w, x, y, z = turn
    shift = eq_data[3:6] - Rotation.from_quat([x, y, z, w]).apply(eq_data[:3])
    if inverse:
        turn = turn * [1, -1, -1, -1]
        w, x, y, z = turn
        shift = -Rotation.from_quat([x, y, z, w]).apply(shift)
    return shift, turn


def _compose(position: Array, quaternion: Array, shift: Array, turn: Array) -> tuple[Array, Array]:
    w, x, y, z = quaternion
    rotation = Rotation.from_quat([x, y, z, w])
    a, b, c, d = turn
    x, y, z, w = (rotation * Rotation.from_quat([b, c, d, a])).as_quat()
    return position + rotation.apply(shift), np.array([w, x, y, z])

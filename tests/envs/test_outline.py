"""Outlines bound bodies exactly: along the axes of the world now, nearly so when they turn."""

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spatial_reward.envs.outline import outline

VERTICES = "0 0 0  .2 0 0  0 .3 0  0 0 .1  .2 .3 .1"
GEOMS = {  # and the half extents of the geom in its own axes, or None
    '<geom type="box" size=".1 .2 .3"/>': (0.1, 0.2, 0.3),
    '<geom type="sphere" size=".1"/>': (0.1, 0.1, 0.1),
    '<geom type="ellipsoid" size=".1 .2 .3"/>': (0.1, 0.2, 0.3),
    '<geom type="cylinder" size=".1 .3"/>': (0.1, 0.1, 0.3),
    '<geom type="capsule" size=".1 .3"/>': (0.1, 0.1, 0.4),
    '<geom type="mesh" mesh="m"/>': None,
}


def model_of(geoms: str) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><asset><mesh name="m" vertex="{VERTICES}"/></asset><worldbody>'
        f'<body name="thing" pos="1 2 3"><freejoint/>{geoms}</body></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def cloud(model) -> np.ndarray:
    """Sample the surface of the first geom densely, in the body's axes."""
    rng = np.random.default_rng(0)
    if model.geom_type[0] == mujoco.mjtGeom.mjGEOM_MESH:
        points = model.mesh_vert.astype(float)
    else:
        directions = rng.normal(size=(4000, 3))
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        far = data.geom_xpos[0] + 5 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
        hit, points = np.zeros(1, np.int32), []
        for eye in far:
            aim = data.geom_xpos[0] + rng.uniform(-0.4, 0.4, 3) - eye
            distance = mujoco.mj_ray(model, data, eye, aim / np.linalg.norm(aim), None, 1, -1, hit)
            if distance >= 0:
                points.append(eye + distance * aim / np.linalg.norm(aim))
        return np.array(points) - data.xpos[1]
    turn = Rotation.from_quat(np.roll(model.geom_quat[0], -1)).as_matrix()
    return points @ turn.T + model.geom_pos[0]


@pytest.mark.parametrize("geom", GEOMS)
@pytest.mark.parametrize("seed", range(3))
def test_no_point_of_the_surface_reaches_further_along_the_axes_of_the_world(geom, seed):
    model, _ = model_of(geom)
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    bound, surface = outline(model, 1, turn, 32) @ turn.T, cloud(model) @ turn.T
    assert (surface.max(axis=0) <= bound.max(axis=0) + 1e-6).all()
    assert (surface.min(axis=0) >= bound.min(axis=0) - 1e-6).all()
    assert (np.ptp(bound, axis=0) <= 1.05 * np.ptp(surface, axis=0) + 0.01).all()


@pytest.mark.parametrize("geom, half", [(geom, half) for geom, half in GEOMS.items() if half])
def test_extents_are_those_of_the_geom(geom, half):
    model, _ = model_of(geom)
    assert np.allclose(np.ptp(outline(model, 1, np.eye(3), 6), axis=0), 2 * np.array(half), atol=1e-9)


def test_a_body_that_turns_later_keeps_its_size_within_8_per_cent():
    for geom in GEOMS:
        model, _ = model_of(geom)
        points, surface = outline(model, 1, np.eye(3), 64), cloud(model)
        for turn in Rotation.random(10, rng=np.random.default_rng(0)).as_matrix():
            assert (np.ptp(points @ turn.T, axis=0) > 0.92 * np.ptp(surface @ turn.T, axis=0)).all(), geom


def test_all_geoms_that_are_drawn_count_and_no_others():
    model, _ = model_of(
        '<geom type="box" size=".1 .1 .1"/><geom type="sphere" size=".05" pos=".5 0 0"/>'
        '<geom type="sphere" size=".05" pos="0 2 0" group="3"/>'
        '<geom type="sphere" size=".05" pos="0 0 2" rgba="1 1 1 0"/>'
    )
    assert np.allclose(np.ptp(outline(model, 1, np.eye(3), 6), axis=0), [0.65, 0.2, 0.2])


def test_a_body_without_geoms_has_no_outline():
    model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><body/></worldbody></mujoco>")
    assert outline(model, 1, np.eye(3), 6).shape == (0, 3)

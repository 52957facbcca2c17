import re

import numpy as np
import pytest

from spatial_reward.envs.gl import load_mujoco
from spatial_reward.envs.scene_meshes import kitchen_meshes
from spatial_reward.envs.scene_states import draw_states
from spatial_reward.envs.scenes import random_scene

SEEDS = range(12)


def scene_of(seed, **options):
    return random_scene(np.random.default_rng(seed), **options)


@pytest.mark.parametrize("held_out", [False, True])
def test_the_same_seed_gives_the_same_scene(held_out):
    first, again = (scene_of(3, held_out=held_out, meshes=True) for _ in range(2))
    assert first == again
    assert first != scene_of(4, held_out=held_out, meshes=True)


def test_half_of_the_objects_have_a_name_of_their_own_and_one_plain_colour():
    named = total = 0
    for seed in SEEDS:
        scene = scene_of(seed)
        names = [name for name in scene.names if name != "object"]
        assert len(scene.names) == len(scene.objects) == len(scene.heights)
        assert len(set(names)) == len(names) and all(len(name.split()) == 2 for name in names)
        for index, name in enumerate(scene.names):
            body = re.search(f'name="object{index}".*?</body>', scene.xml).group()
            assert (name == "object") == ("material=" in body)
            assert name == "object" or len(set(re.findall(r'rgba="[^"]*"', body))) == 1
        named, total = named + len(names), total + len(scene.names)
    assert 0.3 < named / total < 0.65


def test_held_out_scenes_share_no_shape_with_those_to_train_on():
    def shapes(held_out):
        names = {n for seed in SEEDS for n in scene_of(seed, held_out=held_out).names if n != "object"}
        return {name.split()[1] for name in names}

    assert shapes(True) and shapes(False) and not shapes(True) & shapes(False)
    assert not {mesh.name for mesh in kitchen_meshes(True)} & {mesh.name for mesh in kitchen_meshes(False)}


def test_meshes_are_as_large_as_their_triangles_say():
    for mesh in kitchen_meshes():
        count = int(np.frombuffer(mesh.data, "<u4", 1, offset=80)[0])
        assert len(mesh.data) == 84 + 50 * count
        assert np.isfinite(mesh.middle).all() and (mesh.half > 0).any()


def test_mujoco_loads_the_scenes_and_states_fit_them():
    mujoco = load_mujoco()
    for seed in SEEDS[:4]:
        scene = scene_of(seed, meshes=True)
        model = mujoco.MjModel.from_xml_string(scene.xml, scene.assets)
        fov, states = draw_states(scene, 3, np.random.default_rng(seed))
        assert model.nmocap == len(scene.names) and model.nq == len(scene.joints)
        assert len(states) == 3 and 30 < fov < 90
        for state in states:
            assert state.angles.shape == (model.nq,) and state.positions.shape == (model.nmocap, 3)
            np.testing.assert_allclose(np.linalg.norm(state.turns, axis=1), 1)
            assert state.world_from_camera[2, 3] > scene.table


def test_boxes_stand_on_the_table():
    mujoco, stood = load_mujoco(), 0
    for seed in SEEDS:
        scene = scene_of(seed)
        model = mujoco.MjModel.from_xml_string(scene.xml, scene.assets)
        for index, (name, height) in enumerate(zip(scene.names, scene.heights, strict=True)):
            if name.endswith((" box", " cylinder", " ball")):
                geom = model.body(f"object{index}").geomadr[0]
                assert model.geom_aabb[geom, 5] == pytest.approx(height, rel=1e-3)
                stood += 1
    assert stood > 5

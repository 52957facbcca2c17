"""Random scenes as a source: names, cameras, truth, and nothing that depends on what came before."""

import inspect
import pickle
from importlib import resources

import cv2
import numpy as np
import pytest
from omegaconf import ListConfig, OmegaConf
from scipy.spatial.transform import Rotation

from spatial_reward.data.sources import BadScene, Source, load_source
from spatial_reward.data.sources.random_scenes import RandomScenes
from spatial_reward.envs.scene_states import draw_states
from spatial_reward.envs.scenes import random_scene
from spatial_reward.questions import KINDS, SUBTASKS
from spatial_reward.questions.object_size import NOT_ASKED, is_unambiguous

SMALL = {"frames": 6, "sizes": (64, 80), "points_per_body": 32}


@pytest.fixture(scope="module")
def source() -> RandomScenes:
    return RandomScenes(scenes=40, **SMALL)


def test_it_is_a_source_with_a_name(source):
    assert isinstance(source, Source) and source.name == "random_scenes"
    assert isinstance(load_source("random_scenes", scenes=1), RandomScenes)
    assert source.scenes()[-1] == "random-000039"
    assert RandomScenes(scenes=1, held_out=True).scenes() == ["held-out-000000"]


def test_things_are_called_what_a_person_would(source):
    for index in range(4):
        scene = source.load(f"random-{index:06d}")
        drawn = random_scene(np.random.default_rng([0, index]).spawn(3)[0])
        named = {name for name in scene.names if name not in NOT_ASKED}
        assert named <= {*drawn.names, "gripper"}
        assert all(is_unambiguous(name, scene.names) for name in named)
        assert scene.names.count("object") >= 1  # table, floor and walls at least


def on_object(points, position, turn):
    """Express points (N, 3) in the axes of an object at a position with a quaternion (w, x, y, z)."""
    w, x, y, z = turn
    return (points - position) @ Rotation.from_quat([x, y, z, w]).as_matrix()


def test_points_ride_on_objects_that_are_where_the_states_have_them(source):
    checked = 0
    for index in range(8):
        scene = source.load(f"random-{index:06d}")
        rng = np.random.default_rng([0, index]).spawn(3)[0]
        drawn = random_scene(rng)
        _, states = draw_states(drawn, (6, 5)[index % 2], rng)  # two of six pictures show one instant
        for number, name in enumerate(drawn.names):
            if name in scene.names and name != "object":
                points = scene.points[:, scene.body == scene.names.index(name)]
                places = [(state.positions[number], state.turns[number]) for state in states]
                start = on_object(points[0], *places[0])
                for now in points:
                    misses = [np.abs(on_object(now, *place) - start).max() for place in places]
                    assert min(misses) < 1e-9  # [m]
                checked += 1
    assert checked > 3


def test_cameras_stay_in_even_scenes_and_move_in_odd_ones(source):
    still, moving = (
        np.stack([frame.camera.world_from_camera for frame in source.load(f"random-{index:06d}").frames])
        for index in (4, 5)
    )
    assert np.ptp(still, axis=0).max() == 0
    apart = np.linalg.norm(moving[:, None, :3, 3] - moving[None, :, :3, 3], axis=-1)
    assert apart[np.triu_indices(len(moving), k=1)].min() > 1e-5


def test_the_still_camera_is_the_one_that_was_drawn(source):
    camera = source.load("random-000002").frames[0].camera
    rng = np.random.default_rng([0, 2]).spawn(3)[0]
    fov, states = draw_states(random_scene(rng), 6, rng)
    assert np.allclose(camera.world_from_camera, states[0].world_from_camera, atol=1e-5)
    focal = 0.5 * camera.height / np.tan(np.radians(fov) / 2)
    assert np.isclose(camera.intrinsics[1, 1], focal, rtol=1e-5)


def test_all_sizes_are_drawn(source):
    sizes = {source.load(f"random-{index:06d}").frames[0].width for index in range(10)}
    assert sizes == {64, 80}
    picture = cv2.imdecode(np.frombuffer(source.picture("random-000001", 2), np.uint8), cv2.IMREAD_COLOR)
    frame = source.load("random-000001").frames[2]
    assert picture.shape == frame.rgb.shape
    assert np.abs(picture[..., ::-1].astype(int) - frame.rgb).mean() < 8


def test_visible_points_lie_on_pixels_of_their_body(source):
    for index in (6, 7):
        scene = source.load(f"random-{index:06d}")
        for frame, points, visible in zip(scene.frames, scene.points, scene.visible, strict=True):
            pixels, _ = frame.camera.project(points[visible])
            columns, rows = pixels.astype(int).T
            assert np.array_equal(frame.bodies[rows, columns], scene.body[visible])


def test_scene_i_depends_on_seed_and_i_alone(source):
    name = "random-000008"
    for index in (1, 8):
        source.load(f"random-{index:06d}")
    other = pickle.loads(pickle.dumps(RandomScenes(scenes=9, **SMALL)))
    first, second = source.load(name), other.load(name)
    assert np.array_equal(first.points, second.points) and first.names == second.names
    assert [source.picture(name, i) for i in range(6)] == [other.picture(name, i) for i in range(6)]
    assert RandomScenes(scenes=9, seed=1, **SMALL).picture(name, 0) != other.picture(name, 0)


def test_held_out_scenes_have_other_things():
    scenes = RandomScenes(scenes=12, held_out=True, **SMALL)
    names = {name for scene in scenes.scenes() for name in scenes.load(scene).names} - {"object", "gripper"}
    assert names and all(name.split()[-1] in ("mug", "cross", "bolt") for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["strict", "paper"])
def test_all_26_subtasks_are_supported_by_the_mix(mode):
    source, asked = RandomScenes(scenes=8, sizes=(224,)), set()
    for index, name in enumerate(source.scenes()):
        scene = source.load(name)
        for subtask in SUBTASKS:
            fits, rng = subtask.camera != ("moving", "static")[index % 2], np.random.default_rng(0)
            if fits and KINDS[subtask.kind].ask(scene, rng, mode) is not None:
                asked.add(subtask.name)
    assert asked == {subtask.name for subtask in SUBTASKS}


@pytest.mark.parametrize(
    "options, words",
    [
        ({"frames": 1}, "`frames` must be at least 2"),
        ({"sizes": ()}, "All `sizes` must be at least 1"),
        ({"sizes": (0,)}, "All `sizes` must be at least 1"),
        ({"scenes": -1}, "`scenes` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"quality": 0}, "`quality` 1 to 100"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(options, words):
    with pytest.raises(ValueError, match=words):
        RandomScenes(**options)


def test_scenes_that_are_not_there(source):
    with pytest.raises(BadScene, match="no such scene"):
        source.load("random-000040")


def test_its_configuration_lists_its_options():
    path = resources.files("spatial_reward.conf") / "source" / "random_scenes.yaml"
    configured = dict(OmegaConf.create(path.read_text()))
    options = inspect.signature(RandomScenes).parameters
    assert configured.pop("name") == "random_scenes"
    assert list(configured) == list(options)
    assert all(
        list(value) == list(options[option].default)
        if isinstance(value, ListConfig)
        else value == options[option].default
        for option, value in configured.items()
    )

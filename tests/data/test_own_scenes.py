import numpy as np
import own_robot
import pytest

from spatial_reward.data.dense import write_rendered
from spatial_reward.data.own_scenes import OwnScenes, _thin
from spatial_reward.data.pairs import SKY, ClipRecipe, draw_clip, follow, open_shard
from spatial_reward.envs.catalogue import make
from spatial_reward.training.spatialnet_trials import draw_trials

SIZE, FRAMES = 96, 4


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return str(own_robot.write(tmp_path_factory.mktemp("scene")))


def scenes(env, **options):
    camera = "watch" if env.endswith(".xml") else "default"
    return OwnScenes(env, **{"camera": camera, "size": SIZE, "frames": FRAMES, **options})


@pytest.fixture(scope="module", params=["own", "SpatialReward/Push-v0"])
def source(request, path):
    return scenes(path if request.param == "own" else request.param)


def test_a_scene_follows_from_its_seed_and_number(source):
    first, again, other = source(3), source(3), source(4)
    assert all(first[key].tobytes() == again[key].tobytes() for key in first)
    assert first["rgb"].tobytes() != other["rgb"].tobytes()


def test_labels_agree_with_the_pictures(source):
    """Surface points that the labels carry into another frame lie on the surface that is drawn there."""
    checked = 0
    for index in range(6):
        scene = source(index)
        scene["depth"] = scene["depth"].astype(np.float32)
        row, column = np.nonzero(np.isfinite(scene["depth"][0]))
        pixel = np.stack([column, row], -1)[::7].astype(np.float32) + 0.5
        found = follow(scene, 0, FRAMES - 1, pixel)
        inside = ((found["target"] >= 1) & (found["target"] < SIZE - 1)).all(axis=1)
        column, row = np.floor(found["target"][inside]).astype(int).T
        drawn, told = scene["depth"][FRAMES - 1][row, column], found["target_depth"][inside]
        # What hides is nearer; nothing that is told may float before what is drawn.
        floating = told < drawn - 0.03 * drawn
        assert floating.mean() < 0.06
        assert found["visible"].mean() > 0.3
        checked += len(told)
    assert checked > 1000


def test_poses_are_those_of_the_simulator(path):
    scene = scenes(path)(0)
    assert scene["world_from_body"].shape == (FRAMES, 1 + 5, 4, 4)  # turret, two links, two blocks
    np.testing.assert_array_equal(scene["world_from_body"][:, 0], np.tile(np.eye(4), (FRAMES, 1, 1)))
    assert set(np.unique(scene["body"])) <= {*range(6), SKY}
    assert np.isnan(scene["support"])


def test_cameras_stand_around_the_users_and_some_move():
    source = scenes("SpatialReward/Reach-v0", size=32)
    poses = np.array([source(index)["world_from_camera"] for index in range(20)])
    moved = np.abs(poses - poses[:, :1]).max((1, 2, 3)) > 1e-6
    assert 2 <= moved.sum() <= 14
    spread = np.linalg.norm(poses[:, 0, :3, 3] - np.median(poses[:, 0, :3, 3], axis=0), axis=1)
    assert 0.02 < np.median(spread) < 0.5  # [m]


def test_recorded_states_are_seen(path, tmp_path):
    env = make(path, render_mode=None)
    env.reset(seed=0)
    start = env.unwrapped.data.qpos.copy()
    qpos = np.tile(start, (30, 1))
    qpos[:, 3] = np.linspace(0.0, 0.3, 30)  # the crate slides along x
    file = tmp_path / "states.npz"
    np.savez(file, qpos=qpos)
    poses = scenes(path, recorded=str(file))(1)["world_from_body"]
    crate = np.argmax(np.ptp(poses[..., 0, 3], axis=0))
    assert set(poses[:, crate, 0, 3].round(4)) <= set(qpos[:, 3].round(4).astype(np.float32).round(4))
    assert np.ptp(poses[:, crate, 0, 3]) == pytest.approx(0.3, abs=1e-6)


def test_what_is_drawn_as_lines_is_no_thing():
    body = np.zeros((20, 20), int)
    body[4:12, 4:12], body[:, 15:17], body[18] = 1, 2, SKY
    np.testing.assert_array_equal(_thin(body), body == 2)


def test_shards_can_be_trained_on_and_tried(source, tmp_path):
    assert write_rendered(tmp_path, source, 3, per_shard=2, prefix="own_") == 2
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["own_000000.npz", "own_000002.npz"]
    shard = open_shard(tmp_path / "own_000002.npz")
    assert len(shard["rgb"]) == 1
    clip = draw_clip(shard, 0, np.random.default_rng(0), ClipRecipe(size=64, pairs=3))
    assert clip["rgb"].shape == (4, 64, 64, 3) and np.isnan(clip["support"])
    trials = draw_trials(tmp_path, 10)
    assert len(trials) == 10 and any(np.linalg.norm(trial.displacement) > 0.005 for trial in trials)

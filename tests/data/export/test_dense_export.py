"""Dense pairs: pixels followed with the exported poses are where the tracked points of the scene go."""

from dataclasses import replace

import numpy as np
import pytest

from spatial_reward.data.export.dense import MAX_BODIES, body_numbers, body_poses, export
from spatial_reward.data.pairs import SKY, ClipRecipe, draw_batch, follow, open_shard
from spatial_reward.data.prepared import PreparedScene
from spatial_reward.types import Frame, Scene

KEYS = {"rgb", "depth", "body", "world_from_camera", "intrinsics", "world_from_body", "support"}


@pytest.fixture(scope="module")
def path(question_set, tmp_path_factory):
    folder = export(question_set, tmp_path_factory.mktemp("dense") / "out", size=96, frames=5)
    (only,) = folder.iterdir()
    return only


@pytest.fixture(scope="module")
def scenes(question_set):
    return [PreparedScene(folder) for folder in sorted((question_set / "scenes").iterdir())]


def test_the_layout_is_that_of_rendered_shards(path):
    shard = open_shard(path)
    assert set(shard) == KEYS and shard["rgb"].shape == (6, 5, 96, 96, 3)  # two groups of each scene
    assert shard["depth"].dtype == np.float16 and shard["body"].dtype == np.uint8
    assert shard["world_from_body"].shape == (6, 5, MAX_BODIES, 4, 4)
    assert np.isnan(shard["support"]).all()
    assert np.isnan(shard["depth"][shard["body"] == SKY]).all()


def test_depth_and_bodies_are_those_of_the_scene(path, scenes):
    shard = open_shard(path)
    for number, prepared in enumerate(scenes):
        frame = prepared.frame(0)
        rows, columns = (((np.arange(96) + 0.5) * side / 96).astype(int) for side in frame.depth.shape)
        expected, found = frame.depth[np.ix_(rows, columns)], shard["depth"][2 * number, 0]
        bodies, known = frame.bodies[np.ix_(rows, columns)], np.isfinite(found)
        assert np.array_equal(np.where(bodies < 0, SKY, bodies), shard["body"][2 * number, 0])
        assert known.mean() > 0.7
        assert found[known] == pytest.approx(expected[known], rel=2e-3)
        points = frame.camera.resized(96, 96).intrinsics
        assert shard["intrinsics"][2 * number, 0] == pytest.approx(points, rel=1e-6)


def test_followed_pixels_go_where_tracked_points_go(path, scenes):
    """Lift a tracked point's pixel with the shard's depth, carry it with its body, and meet its track."""
    shard, compared = open_shard(path), 0
    for number, prepared in enumerate(scenes):
        scene, times = prepared.scene, np.arange(0, len(prepared.scene.frames), 2)
        clip = {key: np.array(shard[key][2 * number]) for key in KEYS if key != "support"}
        for later in (2, 4):
            both = scene.visible[times[0]] & scene.visible[times[later]] & (scene.body > 0)
            cameras = [scene.frames[times[k]].camera.resized(96, 96) for k in (0, later)]
            points = [scene.points[times[k], both] for k in (0, later)]
            (first, _), (second, _) = (c.project(p) for c, p in zip(cameras, points, strict=True))
            found = follow(clip, 0, later, first.astype(np.float32))
            on_body = np.isfinite(found["target_depth"])
            off = np.linalg.norm(found["target"] - second, axis=1)[on_body]
            assert np.median(off) < 0.7  # [px] of 96; depth is read at pixel centres, not at the point
            truth = np.linalg.norm(points[1] - points[0], axis=1)[on_body]
            assert np.median(np.abs(found["moved"][on_body] - truth)) < 0.005
            compared += on_body.sum()
    assert compared > 300


def test_clips_can_be_drawn_for_training(path):
    clip = draw_batch([path], [0, 1, 2], ClipRecipe(frames=3, pairs=4, queries=16), seed=0)
    assert clip["pixel"].shape == (3, 4, 16, 2) and clip["visible"].any() and np.isnan(clip["support"]).all()


def scene_with(points, body, names):
    frames = tuple(Frame(np.zeros((4, 4, 3), np.uint8)) for _ in points)
    return Scene(frames, points, np.ones(points.shape[:2], bool), body, names)


def test_bodies_that_bend_or_have_too_few_points_have_no_pose():
    rng = np.random.default_rng(0)
    points = np.repeat(rng.normal(size=(1, 22, 3)), 2, axis=0)
    points[1, :10] += rng.normal(0, 0.1, (10, 3))  # bends
    points[1, 10:12] += 0.3  # two points do not tell a turn
    points[1, 12:] += 0.2  # moves
    scene = scene_with(points, np.repeat([1, 2, 3], [10, 2, 10]), ("world", "cloth", "stick", "box"))
    poses = body_poses(scene, np.array([0, 1]), np.array([0, 1, 2, 3, SKY]))
    assert np.isnan(poses[1, [1, 2]]).all() and poses[1, 3, :3, 3] == pytest.approx([0.2] * 3)
    assert np.array_equal(poses[:, 0], [np.eye(4)] * 2)


def test_of_many_bodies_those_that_are_seen_most_are_kept():
    rng = np.random.default_rng(0)
    body = rng.integers(-1, 40, 4000)
    names = tuple(f"body {index}" if index != 7 else "world" for index in range(40))
    scene = scene_with(np.zeros((1, len(body), 3)), body, names)
    scene = replace(scene, visible=rng.random((1, len(body))) < 0.5)
    numbers = body_numbers(scene)
    seen = np.bincount(body[scene.visible[0] & (body >= 0)], minlength=40)
    kept = (numbers[:-1] != SKY) & (np.arange(40) != 7)
    left = ~kept & (np.arange(40) != 7)
    assert kept.sum() == MAX_BODIES - 1 and seen[kept].min() >= seen[left].max()
    assert sorted(numbers[:-1][kept]) == list(range(1, MAX_BODIES))
    assert numbers[7] == 0 and numbers[-1] == SKY

"""Clouds of simulated clips against the true surfaces, and the files and boxes that are made of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spatial_reward import perceive
from spatial_reward.envs.surface import surface_distance
from spatial_reward.perception import PointCloud, find_boxes, read_ply

SAMPLE = 3000


def errors(cloud, model, data, eye):
    chosen = np.random.default_rng(0).permutation(len(cloud))[:SAMPLE]
    return surface_distance(model, data, cloud.points[chosen], eye)


def test_the_truth_is_the_distance_to_the_surface(room, seen_room):
    eye = np.array([0.0, -1.0, 1.0])
    points = np.array([[0.4, -0.3, 0.004], [0.4, -0.3, -0.003], [0.25, 0.1, 0.125], [0.25, 0.1, 0.117]])
    assert_allclose(
        surface_distance(room.model, room.data, points, eye), [0.004, 0.003, 0.005, 0.003], atol=1e-6
    )


def test_with_measured_depth_the_points_of_a_moving_clip_lie_within_5_mm_of_the_surface(rolled):
    cloud = perceive(rolled.frames, model="rgbd").point_cloud()
    eye = rolled.frames[-1].camera.world_from_camera[:3, 3]
    distance = errors(cloud, rolled.model, rolled.data, eye)
    assert np.mean(distance < 0.005) >= 0.95
    assert np.median(distance) < 0.0005
    assert len(cloud) > 20_000 and (cloud.std > 0).all()


def test_what_has_moved_away_is_left_out(rolled):
    cloud = perceive(rolled.frames, model="rgbd").point_cloud()
    start = rolled.thing.reference.position
    above = cloud.points[np.abs(cloud.points - start).max(axis=1) < 0.015]
    assert not len(above), "the cube is no longer where it was"
    first = perceive(rolled.frames[:1], model="rgbd").point_cloud()
    assert (np.linalg.norm(first.points - start, axis=1) < 0.04).sum() > 20


def test_with_predicted_depth_what_is_stated_as_well_known_is(rolled):
    seen = perceive(rolled.blind(), model="spatialnet", support=0.0)
    everything = seen.point_cloud()
    known = seen.point_cloud(max_std=float(np.percentile(everything.std, 20)))
    eye = rolled.frames[-1].camera.world_from_camera[:3, 3]
    rough, fine = (errors(cloud, rolled.model, rolled.data, eye) for cloud in (everything, known))
    assert np.median(fine) < np.median(rough)
    assert known.std.max() < everything.std.max()


@pytest.mark.parametrize("method", ["voxel", "tsdf"])
def test_a_still_room_is_fused_to_its_surfaces(method, room, seen_room):
    if method == "tsdf":
        pytest.importorskip("open3d", exc_type=ImportError)
    cloud = perceive(seen_room, model="rgbd").point_cloud(method=method, farthest=1.5)
    distance = errors(cloud, room.model, room.data, seen_room[0].camera.world_from_camera[:3, 3])
    assert np.mean(distance < 0.005) > 0.97
    red = cloud.colours[np.linalg.norm(cloud.points - (0, 0, 0.06), axis=1) < 0.02]
    assert len(red) and (red[:, 0] > 1.5 * red[:, 1]).all(), "the brick is red"
    assert (cloud.std < 0.005).all()


def test_poses_that_are_not_given_are_found(room):
    eyes = [(0.1 + 0.06 * step, -0.6, 0.5) for step in range(3)]
    frames = [room.frame(eye) for eye in eyes]
    from dataclasses import replace

    hidden = [replace(frame, camera=frames[0].camera) for frame in frames]
    seen = perceive(hidden, model="rgbd", pose="estimated")
    for frame, camera in zip(frames, seen.cameras(), strict=True):
        assert_allclose(camera.world_from_camera[:3, 3], frame.camera.world_from_camera[:3, 3], atol=0.01)
    distance = errors(seen.point_cloud(), room.model, room.data, frames[0].camera.world_from_camera[:3, 3])
    assert np.mean(distance < 0.01) > 0.9


def test_boxes_have_the_size_place_and_turn_of_the_things(seen_room):
    pytest.importorskip("open3d", exc_type=ImportError)
    boxes = perceive(seen_room, model="rgbd").boxes(voxel=0.004, farthest=1.5)
    assert len(boxes) == 2
    brick, tower = sorted(boxes, key=lambda box: box.size[2])
    assert_allclose(brick.size, (0.12, 0.06, 0.06), atol=0.007)
    assert_allclose(tower.size, (0.06, 0.06, 0.12), atol=0.007)
    assert_allclose(brick.world_from_box[:3, 3], (0, 0, 0.03), atol=0.005)
    assert_allclose(tower.world_from_box[:3, 3], (0.25, 0.1, 0.06), atol=0.005)
    yaw = np.degrees(np.arctan2(brick.world_from_box[1, 0], brick.world_from_box[0, 0])) % 180
    assert abs(yaw - 30) < 4
    assert brick.corners.shape == (8, 3) and (brick.std > 0).all()
    assert_allclose(np.ptp(tower.corners, axis=0)[2], tower.size[2])


def test_a_cloud_of_a_floor_alone_has_no_boxes():
    pytest.importorskip("open3d", exc_type=ImportError)
    flat = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 3)) * (1, 1, 0)
    assert find_boxes(PointCloud(flat, np.zeros((4000, 3), np.uint8), np.full(4000, 1e-3))) == []


def test_a_cloud_survives_its_file_and_opens_elsewhere(seen_room, tmp_path):
    cloud = perceive(seen_room[:1], model="rgbd").point_cloud(farthest=1.5)
    path = cloud.save(tmp_path / "cloud.ply")
    read = read_ply(path)
    assert_allclose(read.points, cloud.points, atol=1e-6)
    assert (read.colours == cloud.colours).all()
    assert_allclose(read.std, cloud.std, rtol=1e-6)
    assert [entry.name for entry in tmp_path.iterdir()] == ["cloud.ply"]
    o3d = pytest.importorskip("open3d", exc_type=ImportError)
    theirs = o3d.t.io.read_point_cloud(str(path))
    assert_allclose(theirs.point.positions.numpy(), cloud.points, atol=1e-6)
    assert_allclose(theirs.point["std"].numpy().ravel(), cloud.std, rtol=1e-6)


def test_a_file_of_something_else_or_cut_off_is_refused(seen_room, tmp_path):
    path = perceive(seen_room[:1], model="rgbd").point_cloud(farthest=1.5).save(tmp_path / "cloud.ply")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="not a whole point cloud"):
        read_ply(path)
    with pytest.raises(OSError, match=r"Cannot write .*missing/cloud\.ply"):
        PointCloud(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0)).save(
            tmp_path / "missing/cloud.ply"
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voxel": 0}, "a positive `voxel`"),
        ({"farthest": 0.1}, r"No depth up to `farthest`=0.1 m"),
        ({"max_std": 1e-9}, r"known to `max_std`=1e-09 m"),
        ({"method": "mesh"}, "`method` must be one of voxel, tsdf, got 'mesh'"),
    ],
)
def test_a_bad_setting_of_the_cloud_is_refused(options, message, seen_room):
    with pytest.raises(ValueError, match=message):
        perceive(seen_room[:1], model="rgbd").point_cloud(**options)

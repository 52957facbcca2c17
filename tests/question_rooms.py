"""Synthetic rooms of boxes with exact visibility: a point is seen if no box cuts its line of sight."""

import numpy as np

from spatial_reward.camera import Camera, look_at, rigid, transform
from spatial_reward.types import Frame, Scene

ROOM = np.array([[-3.0, -3.0, 0.0], [3.0, 3.0, 2.6]])
NAMES = ("wooden crate", "cupboard", "stool", "printer", "floor")
SIZES = np.array([[0.5, 0.8, 0.4], [0.5, 1.2, 1.8], [0.35, 0.45, 0.5], [0.6, 0.4, 0.3]])
PLACES = np.array([[0.2, 0.3, 0.2], [-2.0, 1.5, 0.9], [1.4, -1.0, 0.25], [0.6, 1.6, 0.9]])
WIDTH, HEIGHT = 160, 120


def surface_points(rng, low, high, count):
    """Random points on the faces of a box."""
    points = rng.uniform(low, high, (count, 3))
    axis, side = rng.integers(3, size=count), rng.integers(2, size=count)
    points[np.arange(count), axis] = np.where(side, high[axis], low[axis])
    return points


def blocked(origin, points, low, high):
    """Slab test: whether the open segment from origin to each point enters a box."""
    with np.errstate(divide="ignore", invalid="ignore"):
        near, far = (low - origin) / (points - origin), (high - origin) / (points - origin)
    enter = np.nanmax(np.minimum(near, far), axis=-1)
    leave = np.nanmin(np.maximum(near, far), axis=-1)
    return (enter < leave) & (enter < 1 - 1e-6) & (leave > 1e-6)


def frame_of(pose, time):
    camera = Camera.from_fov(62, WIDTH, HEIGHT, pose)
    return Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8), time=0.1 * time, camera=camera)


def visibility(frames, points, poses):
    """(T, N): inside the image, in front, and not behind any box at that time."""
    visible = np.zeros(points.shape[:2], bool)
    for time, frame in enumerate(frames):
        pixels, depth = frame.camera.project(points[time])
        seen = (depth > 0) & frame.camera.contains(pixels)
        eye = frame.camera.world_from_camera[:3, 3]
        for half, world_from_box in zip(SIZES / 2, poses[time], strict=True):
            box_from_world = np.linalg.inv(world_from_box)
            local = transform(box_from_world, points[time])
            seen &= ~blocked(transform(box_from_world, eye), local, -half, half)
        visible[time] = seen
    return visible


def turned(yaw, place):
    cos, sin = np.cos(yaw), np.sin(yaw)
    return rigid([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], place)


def camera_poses(rng, count, moving):
    """Random viewpoints that look into the room, or one of them throughout."""
    eyes = np.c_[rng.uniform(-2.4, 2.4, (count, 2)), rng.uniform(0.7, 2.3, count)]
    targets = np.c_[rng.uniform(-1.2, 1.2, (count, 2)), rng.uniform(0.1, 1.2, count)]
    poses = [look_at(eye, target) for eye, target in zip(eyes, targets, strict=True)]
    return poses if moving else [look_at((-0.5, -2.6, 1.7), (0.3, 0.4, 0.4))] * count


def room(seed=0, frames=14, moving_camera=True, moving_bodies=False, per_body=60, background=150):
    """Build a scene of a room with four boxes; body 4 is the floor, body -1 the walls."""
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(0, 0.05, (frames, 4, 3)) * (1, 1, 0), axis=0) * moving_bodies
    path[frames // 2 :, 3] = path[frames // 2, 3]  # the printer comes to rest
    yaws = np.cumsum(rng.normal(0, 0.1, (frames, 4)), axis=0) * moving_bodies
    poses = [
        [turned(yaw, p) for yaw, p in zip(yaws[t], PLACES + path[t], strict=True)] for t in range(frames)
    ]
    local = [surface_points(rng, -size / 2, size / 2, per_body) for size in SIZES]
    walls = surface_points(rng, *ROOM, background)
    still = [np.c_[rng.uniform(-2, 2, (20, 2)), np.full(20, 0.01)], walls]
    points = np.array(
        [
            np.concatenate([transform(pose, p) for pose, p in zip(at, local, strict=True)] + still)
            for at in poses
        ]
    )
    body = np.repeat([0, 1, 2, 3, 4, -1], [per_body] * 4 + [20, background])
    pictures = tuple(frame_of(p, t) for t, p in enumerate(camera_poses(rng, frames, moving_camera)))
    return Scene(pictures, points, visibility(pictures, points, poses), body, NAMES)

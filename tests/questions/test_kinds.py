"""The rules of asking one by one: margins, thresholds and draws, on scenes made for each of them."""

import numpy as np
import pytest
from question_rooms import frame_of, room, turned

from spatial_reward.camera import look_at, rigid
from spatial_reward.questions import KINDS
from spatial_reward.questions.object_size import NOT_ASKED, covering_pair
from spatial_reward.questions.views import frame_pairs, is_static, overlaps
from spatial_reward.types import Scene

MODES = ("paper", "strict")
LEVEL = look_at((0, 0, 1), (1, 0, 1))
FAMILIES = {family: [k for k in KINDS if KINDS[k].family == family] for family in ("depth", "camera_motion")}
PAIRED = [name for name, kind in KINDS.items() if kind.family in ("camera_motion", "correspondence")]
DIRECTIONS = FAMILIES["camera_motion"][:5]


def scene_of(poses, points, body=None, names=("thing",)):
    """A scene without occlusion; points (N, 3) stand still, points (T, N, 3) move."""
    points = np.asarray(points, float)
    points = points if points.ndim == 3 else np.repeat(points[None], len(poses), axis=0)
    frames = tuple(frame_of(pose, time) for time, pose in enumerate(poses))
    body = np.zeros(points.shape[1], int) if body is None else np.asarray(body)
    return Scene(frames, points, np.ones(points.shape[:2], bool), body, names)


def cloud(centre, number=100, spread=0.4, seed=0):
    return np.random.default_rng(seed).uniform(-spread, spread, (number, 3)) + centre


def ask(kind, scene, mode="strict", seed=0):
    return KINDS[kind].ask(scene, np.random.default_rng(seed), mode)


def asked(kind, scene, mode="strict", seeds=100):
    return [q for seed in range(seeds) if (q := ask(kind, scene, mode, seed)) is not None]


def at_depths(*depths):
    """Points of the level camera at depths [m], spread over the picture from left to right."""
    across = np.linspace(0.6, -0.6, len(depths))
    return scene_of([LEVEL], [(depth, depth * y, 1.0) for depth, y in zip(depths, across, strict=True)])


@pytest.mark.parametrize("kind", ["depth_cmp_dot", "depth_cmp_coord"])
@pytest.mark.parametrize(
    ("depths", "clear"),
    [((0.3, 0.307), False), ((0.3, 0.311), True), ((3.0, 3.05), False), ((3.0, 3.07), True)],
)
def test_strict_depths_differ_by_a_centimetre_and_two_percent(kind, depths, clear):
    assert (ask(kind, at_depths(*depths)) is not None) == clear


@pytest.mark.parametrize("kind", ["depth_cmp_dot", "depth_cmp_coord"])
def test_depths_of_equal_millimetres_are_never_compared(kind):
    assert not asked(kind, at_depths(1.0, 1.0003, 0.9998), "paper", 20)
    assert asked(kind, at_depths(1.0, 1.0012), "paper", 1)


def test_dots_with_equal_depths_are_drawn_anew_and_coordinates_skipped():
    scene = at_depths(*[1.0] * 20, 2.0)  # two of 21 pairs differ
    assert 50 <= len(asked("depth_cmp_dot", scene, "paper")) <= 85  # 1 - (19 / 21) ** 11 = 67 %
    assert 1 <= len(asked("depth_cmp_coord", scene, "paper")) <= 25  # 10 %


@pytest.mark.parametrize("kind", ["depth_est_dot", "depth_est_coord"])
def test_every_frame_and_point_can_be_asked_about(kind):
    scene = scene_of([LEVEL] * 4, cloud((2, 0, 1), 8))
    questions = asked(kind, scene, seeds=200)
    assert len({q.points[0] for q in questions}) == 8
    assert {q.frames[0].time for q in questions} == {frame.time for frame in scene.frames}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", PAIRED)
def test_frames_are_swapped_half_of_the_time(rooms, kind, mode):
    rng = np.random.default_rng(3)
    questions = [KINDS[kind].ask(rooms["static"][0], rng, mode) for _ in range(120)]
    forward = np.mean([q.frames[0].time < q.frames[1].time for q in questions])
    assert 0.3 < forward < 0.7


def test_published_overlaps_are_balanced_and_bounded(rooms):
    for scene in rooms["static"]:
        pairs = list(frame_pairs(scene, np.random.default_rng(0), "paper"))
        found = [overlaps(scene)[pair] for pair in pairs]
        assert min(found) >= 0.06 and max(found) <= 0.35
        percent = np.array(found) * 100
        inside = percent[np.abs(percent - np.rint(percent)) > 1e-9]  # an edge may count to either side
        assert len(inside) >= 10 and len(set(np.ceil(inside))) == len(inside)


def test_one_moved_point_ends_a_static_scene():
    points = np.repeat(cloud((3, 0, 1))[None], 2, axis=0)
    poses = [LEVEL, LEVEL @ rigid(np.eye(3), (0.1, 0, 0.1))]
    assert is_static(scene_of(poses, points), 0, 1) and ask("cam_dist", scene_of(poses, points))
    points[1, 50] += (0, 0, 0.02)
    assert not is_static(scene_of(poses, points), 0, 1)
    assert ask("cam_dist", scene_of(poses, points)) is None


def test_published_distractors_leave_the_border_free(rooms):
    for seed in range(60):
        question = ask("vc_mcq", rooms["static"][0], "paper", seed)
        right = question.labels.index(question.answer.value)
        wrong = [p for number, p in enumerate(question.points) if number not in (0, right)]
        assert len(wrong) == 3 and all(p.x <= 150 and p.y <= 110 for p in wrong)


def facing(yaw):
    """Two cameras 6 m apart that look at the same things, with a turn [deg] in between."""
    away = np.array((np.cos(np.radians(yaw)), np.sin(np.radians(yaw)), 0))
    return scene_of([LEVEL, look_at((6, 0, 1), (6, 0, 1) + away)], cloud((3, 0, 1)))


@pytest.mark.parametrize("kind", ["cam_dir_yaw", "cam_deg_yaw"])
def test_strict_yaw_is_not_asked_of_opposite_views(kind):
    assert not asked(kind, facing(175), seeds=6) and not asked(kind, facing(-175), seeds=6)
    assert asked(kind, facing(165), seeds=1)


def test_small_turns_have_a_strict_direction_but_no_degrees():
    small = scene_of([LEVEL, turned(np.radians(3), (0, 0, 0)) @ LEVEL], cloud((3, 0, 1)))
    assert asked("cam_dir_yaw", small, seeds=1) and not asked("cam_deg_yaw", small, seeds=6)
    smaller = scene_of([LEVEL, turned(np.radians(0.9), (0, 0, 0)) @ LEVEL], cloud((3, 0, 1)))
    assert not asked("cam_dir_yaw", smaller, seeds=6)
    up = scene_of([LEVEL, look_at((0, 0, 1), (1, 0, 1 + np.tan(np.radians(3))))], cloud((3, 0, 1)))
    assert asked("cam_dir_pitch", up, seeds=1) and not asked("cam_deg_pitch", up, seeds=6)


def tilted(yaw, pitch):
    yaw, pitch = np.radians((yaw, pitch))
    way = (np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch))
    return look_at((0, 0, 0), way)


@pytest.mark.parametrize("kind", ["cam_dir_yaw", "cam_deg_yaw", "cam_dir_pitch", "cam_deg_pitch"])
def test_one_steep_view_is_enough_to_ask_no_strict_angle(kind):
    seen_by_both = cloud(3 * tilted(10, 68)[:3, 2])
    assert not asked(kind, scene_of([tilted(0, 60), tilted(25, 76)], seen_by_both), seeds=10)
    assert asked(kind, scene_of([tilted(0, 57), tilted(25, 67)], seen_by_both), seeds=1)


def both_ways(kind, scene):
    """The truth asked from the first frame to the second, and back."""
    found = {q.frames[0] is scene.frames[0]: q.answer.value for q in asked(kind, scene, seeds=12)}
    return found[True], found[False]


def test_check_5_holds_for_the_questions_as_asked():
    poses = [tilted(0, 0), rigid(np.eye(3), (0.3, -0.4, 0.2)) @ tilted(15, -10)]
    scene = scene_of(poses, cloud((3, 0.2, -0.1)))
    there, back = both_ways("cam_vec", scene)
    rotation = (np.linalg.inv(poses[0]) @ poses[1])[:3, :3]
    np.testing.assert_allclose(back, -rotation.T @ there, atol=1e-12)
    assert np.linalg.norm(back + there) > 0.05  # the axes turned as well
    assert both_ways("cam_dir_yaw", scene) == ("left", "right")
    assert both_ways("cam_dir_pitch", scene) == ("down", "up")
    shifted = scene_of([LEVEL, LEVEL @ rigid(np.eye(3), (0.2, 0.2, 0.2))], cloud((3, 0, 1)))
    assert [both_ways(kind, shifted) for kind in DIRECTIONS[:3]] == [
        ("right", "left"),
        ("down", "up"),
        ("forward", "backward"),
    ]


@pytest.mark.parametrize("mode", MODES)
def test_check_6_vectors_turn_with_the_camera_but_not_with_its_motion(mode):
    points = np.stack([cloud((3, 0, 1)), cloud((3, 0, 1)) + (0.06, 0, 0)])  # away from the level camera
    scene = scene_of([LEVEL, LEVEL @ rigid(np.eye(3), (0.2, 0.1, 0.5))], points)
    np.testing.assert_allclose(ask("obj_vec_coord", scene, mode).answer.value, (0, 0, 0.06), atol=1e-12)
    assert ask("obj_dist_dot", scene, mode).answer.value == pytest.approx(0.06)


def test_published_rigid_groups_have_more_than_five_points():
    for count, supported in ((5, False), (6, True)):
        scene = scene_of([LEVEL, LEVEL], cloud((3, 0, 1), count))
        assert (ask("obj_vec_dot", scene, "paper") is not None) == supported
        assert ask("obj_vec_dot", scene, "strict") is not None


@pytest.mark.parametrize("mode", MODES)
def test_rare_motions_are_asked_about_as_often_as_stillness(mode):
    points = np.repeat(cloud((3, 0, 1), 20)[None], 40, axis=0)
    points[-2:] += (0, 0.5, 0)  # 76 of 780 pairs of frames
    questions = asked("obj_dist_coord", scene_of([LEVEL] * 40, points), mode)
    assert 0.3 < np.mean([q.answer.value > 0 for q in questions]) < 0.7


@pytest.mark.parametrize("mode", MODES)
def test_small_bodies_are_asked_about_as_often_as_large_ones(mode):
    near, far = cloud((2, 0, 1), 6, 0.2), cloud((4, 0, 1), 200, 0.2)
    still = np.concatenate([near, far])
    moved = np.concatenate([near + (0, 0.1, 0), far])
    scene = scene_of([LEVEL, LEVEL], np.stack([still, moved]), [0] * 6 + [1] * 200, ("cup", "table"))
    questions = asked("obj_dist_dot", scene, mode)
    assert 0.3 < np.mean([q.answer.value > 0 for q in questions]) < 0.7


def test_long_scenes_are_asked_about_forward_in_time():
    points = cloud((3, 0, 1), 10)[None] + np.linspace(0, 0.8, 250)[:, None, None] * (0, 1, 0)
    questions = asked("obj_vec_dot", scene_of([LEVEL] * 250, points), seeds=10)
    assert len(questions) == 10 and all(q.frames[0].time < q.frames[1].time for q in questions)
    assert all(q.answer.value[0] < 0 for q in questions if q.answer.value.any())  # +y is left of LEVEL


@pytest.mark.parametrize("mode", MODES)
def test_the_one_point_that_two_frames_see_is_found(mode):
    scene = scene_of([LEVEL, LEVEL], cloud((3, 0, 1), 300))
    scene.visible[1, 1:] = False
    questions = asked("obj_dist_coord", scene, mode, 20)
    assert len(questions) == 20 and len({q.points for q in questions}) == 1


def halves(count):
    """100 points in a row; one frame sees the first half, the other the last `count`."""
    points = np.repeat(np.linspace((0, 0, 0), (1, 0, 0), 100)[None], 2, axis=0)
    return points, np.stack([np.arange(100) < 50, np.arange(100) >= 100 - count])


@pytest.mark.parametrize("mode", MODES)
def test_a_frame_sees_an_object_from_five_percent_of_its_points(mode):
    for count, enough in ((4, False), (5, True)):
        found = covering_pair(*halves(count), "length", np.random.default_rng(0), mode)
        assert (found is not None) == enough


def test_the_same_sizes_come_from_many_pairs():
    points, seen = np.repeat(cloud((0, 0, 0), 20)[None], 40, axis=0), np.ones((40, 20), bool)
    pairs = [covering_pair(points, seen, "height", np.random.default_rng(s), "strict") for s in range(200)]
    assert {time for pair in pairs for time in pair} == set(range(40))


def test_strict_sizes_need_an_extent_and_enough_points():
    flat = scene_of([LEVEL, LEVEL], cloud((3, 0, 1), 30) * (1, 1, 0.015) + (0, 0, 1))
    assert ask("size_height", flat) is None and ask("size_length", flat) is not None
    for count, enough in ((7, False), (8, True)):
        assert (ask("size_width", scene_of([LEVEL, LEVEL], cloud((3, 0, 1), count))) is not None) == enough


@pytest.mark.parametrize("name", ["wall", "object", "floor", "ceiling", "window"])
def test_parts_of_the_room_have_no_size(name):
    assert name in NOT_ASKED
    scene = room(0)
    renamed = Scene(scene.frames, scene.points, scene.visible, scene.body, (name,) * 5)
    assert ask("size_height", renamed, "paper") is None
    one = scene_of([LEVEL, LEVEL], cloud((3, 0, 1)), names=(name,))
    assert ask("size_height", one) is None
    assert ask("size_height", scene_of([LEVEL, LEVEL], cloud((3, 0, 1)), names=("vase",))) is not None


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["size_height", "size_length", "size_width"])
def test_without_bodies_there_is_no_size(kind, mode):
    scene = scene_of([LEVEL, LEVEL], cloud((3, 0, 1)), np.full(100, -1), ())
    assert ask(kind, scene, mode) is None

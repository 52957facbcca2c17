"""Asking: truths recomputed independently, margins kept, None where a scene does not support a kind."""

import numpy as np
import pytest
from question_rooms import NAMES, frame_of, room, turned

from spatial_reward.camera import Camera, look_at, rigid
from spatial_reward.questions import KINDS, asks_closer
from spatial_reward.questions.camera_motion import TRUTHS, motion_between
from spatial_reward.questions.object_motion import displacement
from spatial_reward.questions.object_size import axis_of, covering_pair, extents, is_unambiguous
from spatial_reward.questions.views import common_points, overlaps
from spatial_reward.types import Answer, Question, Scene

MODES = ("paper", "strict")
KIND_MODES = [(name, mode) for name in KINDS for mode in MODES]


def times_of(scene, question):
    return [next(t for t, f in enumerate(scene.frames) if f is frame) for frame in question.frames]


def tracked(scene, time, pixel):
    """The visible point of a frame whose projection is a pixel, computed from the bare matrices."""
    camera = scene.frames[time].camera
    local = (
        np.c_[scene.points[time], np.ones(scene.points.shape[1])] @ np.linalg.inv(camera.world_from_camera).T
    )
    projected = local[:, :3] @ camera.intrinsics.T
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.linalg.norm(projected[:, :2] / projected[:, 2:] - np.array(pixel[:2]), axis=1)
    gap[~scene.visible[time] | (local[:, 2] <= 0)] = np.inf
    point = int(np.argmin(gap))
    assert gap[point] < 1e-6, "the pixel must be that of a visible point"
    return point, float(local[point, 2])


@pytest.mark.parametrize(("name", "mode"), KIND_MODES)
def test_the_truth_scores_and_survives_print_and_read(asked, name, mode):
    kind, rng = KINDS[name], np.random.default_rng(0)
    assert len(asked[name, mode]) >= 10
    for _, question in asked[name, mode]:
        assert question.kind == name and question.answer.unit == kind.unit and question.answer.std == 0.0
        assert len(question.frames) == (1 if kind.family == "depth" else 2)
        assert kind.score(question.answer, question, "paper") and kind.score(
            question.answer, question, "strict"
        )
        read = kind.read(kind.reply(question, rng), question)
        assert kind.score(read, question, mode), (read.text, question.answer.value)
        assert kind.phrase(question, rng, True)
        assert not kind.score(Answer.unknown("?", kind.unit), question, mode)


def test_the_same_seed_asks_the_same(rooms):
    for name, kind in KINDS.items():
        scene = rooms["moving camera" if kind.family == "object_motion" else "static"][0]
        first, second = (kind.ask(scene, np.random.default_rng([7, 3]), "strict") for _ in range(2))
        assert first.points == second.points and first.labels == second.labels, name
        assert all(a is b for a, b in zip(first.frames, second.frames, strict=True))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["depth_est_dot", "depth_est_coord"])
def test_depths_are_planar(asked, name, mode):
    for scene, question in asked[name, mode]:
        (time,) = times_of(scene, question)
        assert question.answer.value == pytest.approx(tracked(scene, time, question.points[0])[1])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["depth_cmp_dot", "depth_cmp_coord"])
def test_comparisons_name_the_right_point(asked, name, mode):
    closer = 0
    for scene, question in asked[name, mode]:
        (time,) = times_of(scene, question)
        depths = [tracked(scene, time, point)[1] for point in question.points]
        right = int(np.argmin(depths) if asks_closer(question) else np.argmax(depths))
        closer += asks_closer(question)
        expected = "AB"[right] if name.endswith("dot") else question.points[right][:2]
        assert np.array_equal(question.answer.value, expected)
        assert round(depths[0] * 1000) != round(depths[1] * 1000)
        if mode == "strict":
            gap = abs(depths[0] - depths[1])
            assert gap >= 0.01 and gap >= 0.02 * min(depths)
            apart = np.subtract(question.points[0][:2], question.points[1][:2])
            assert np.linalg.norm(apart) >= 0.04 * question.frames[0].width
    assert 0.2 < closer / len(asked[name, mode]) < 0.8


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["vc_coord", "vc_mcq"])
def test_matches_are_the_same_tracked_point(asked, name, mode):
    for scene, question in asked[name, mode]:
        first, second = times_of(scene, question)
        here, _ = tracked(scene, first, question.points[0])
        right = question.answer.value
        if name == "vc_mcq":
            right = question.points[question.labels.index(right)][:2]
            assert question.labels == ("", "A", "B", "C", "D")
            assert [point.frame for point in question.points] == [0, 1, 1, 1, 1]
        there, _ = tracked(scene, second, right)
        assert here == there and question.answer.match == pytest.approx(tuple(right))


def test_distractors_keep_clear_in_strict_mode_and_only_differ_in_paper_mode(asked):
    for mode, least in (("strict", 0.10 * 160), ("paper", 1e-9)):
        for _, question in asked["vc_mcq", mode]:
            dots = np.array([point[:2] for point in question.points[1:]])
            gaps = np.linalg.norm(dots[:, None] - dots[None], axis=-1)[np.triu_indices(4, 1)]
            assert gaps.min() >= least
            assert (dots >= 0).all() and (dots < (160, 120)).all()


def test_every_letter_comes_up(asked):
    for mode in MODES:
        assert {question.answer.value for _, question in asked["vc_mcq", mode]} == set("ABCD")


def expected_camera_truth(name, first, second):
    """MultiSPA 2.5 from the two (4, 4) matrices, in its own words."""
    shift = (np.linalg.inv(first) @ second)[:3, 3]
    forward = [pose[:3, 2] for pose in (first, second)]
    yaw = [np.degrees(np.arctan2(f[1], f[0])) for f in forward]
    pitch = [np.degrees(np.arcsin(f[2])) for f in forward]
    turn, tilt = (yaw[1] - yaw[0] + 180) % 360 - 180, pitch[1] - pitch[0]
    return {
        "cam_dir_x": "right" if shift[0] > 0 else "left",
        "cam_dir_y": "down" if shift[1] > 0 else "up",
        "cam_dir_z": "forward" if shift[2] > 0 else "backward",
        "cam_dir_yaw": "left" if turn > 0 else "right",
        "cam_dir_pitch": "up" if tilt > 0 else "down",
        "cam_deg_yaw": abs(turn),
        "cam_deg_pitch": abs(tilt),
        "cam_dist": np.sqrt((shift**2).sum()),
        "cam_vec": shift,
    }[name]


CAMERA_KINDS = [name for name, kind in KINDS.items() if kind.family == "camera_motion"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CAMERA_KINDS)
def test_camera_truths_follow_the_published_formulas(asked, name, mode):
    for scene, question in asked[name, mode]:
        poses = [frame.camera.world_from_camera for frame in question.frames]
        expected = expected_camera_truth(name, *poses)
        if isinstance(expected, str):
            assert question.answer.value == expected
        else:
            np.testing.assert_allclose(question.answer.value, expected, atol=1e-9)
        overlap = overlaps(scene)[tuple(times_of(scene, question))]
        assert 0.06 <= overlap <= 0.35 if mode == "paper" else overlap >= 0.10


@pytest.mark.parametrize("name", CAMERA_KINDS)
def test_strict_mode_leaves_out_unclear_camera_motions(asked, name):
    for _, question in asked[name, "strict"]:
        motion = motion_between(*(frame.camera for frame in question.frames))
        size = np.linalg.norm(motion.shift)
        assert size >= 0.01 or "yaw" in name or "pitch" in name
        if name[-1] in "xyz" and "dir" in name:
            assert abs(motion.shift["xyz".index(name[-1])]) >= max(0.01, 0.25 * size)
        if "yaw" in name or "pitch" in name:
            angle = abs(motion.yaw if "yaw" in name else motion.pitch)
            assert angle >= max(5.0 if "deg" in name else 1.0, 0.25 * motion.turn)
            assert motion.steepest <= 70


def two_views(first, second, points=None):
    """A scene of two cameras that both see everything they can, without occlusion."""
    if points is None:
        points = np.random.default_rng(0).uniform(-1, 1, (300, 3)) + (first @ (0, 0, 3, 1))[:3]
    frames = (frame_of(first, 0), frame_of(second, 1))
    moving = points if points.ndim == 3 else np.stack([points, points])
    number = moving.shape[1]
    return Scene(frames, moving, np.ones((2, number), bool), np.zeros(number, int), ("thing",))


LEVEL = look_at((0, 0, 1), (1, 0, 1))


def motion_to(second, first=LEVEL):
    return motion_between(Camera.from_fov(60, 160, 120, first), Camera.from_fov(60, 160, 120, second))


def said(motion):
    return {name: truth(motion) for name, truth in TRUTHS.items()}


def test_check_4_camera_conventions():
    right = said(motion_to(LEVEL @ rigid(np.eye(3), (1, 0, 0))))
    assert right["cam_dir_x"] == "right" and right["cam_dist"] == pytest.approx(1)
    np.testing.assert_allclose(right["cam_vec"], (1, 0, 0), atol=1e-12)
    scene = two_views(LEVEL, LEVEL @ rigid(np.eye(3), (1, 0, 0)))
    rng = np.random.default_rng(0)
    question = KINDS["cam_vec"].ask(scene, rng, "strict")
    if question.frames[0] is scene.frames[1]:  # asked in the other direction
        question = Question("cam_vec", question.frames[::-1], answer=Answer(-question.answer.value, "m"))
    assert "`[ 1000 , 0 , 0 ]`" in KINDS["cam_vec"].reply(question, rng)
    counter_clockwise = said(motion_to(turned(np.radians(30), (0, 0, 0)) @ LEVEL))
    assert counter_clockwise["cam_dir_yaw"] == "left"
    assert counter_clockwise["cam_deg_yaw"] == pytest.approx(30)
    looking_up = said(motion_to(look_at((0, 0, 1), (1, 0, 1.2))))
    assert looking_up["cam_dir_pitch"] == "up"
    assert looking_up["cam_deg_pitch"] == pytest.approx(np.degrees(np.arctan(0.2)))
    yaw_179, yaw_minus_179 = (turned(np.radians(yaw), (0, 0, 0)) @ LEVEL for yaw in (179, -179))
    across = said(motion_to(yaw_minus_179, yaw_179))
    assert across["cam_deg_yaw"] == pytest.approx(2) and across["cam_dir_yaw"] == "left"


OPPOSITE = {"left": "right", "up": "down", "forward": "backward"}
OPPOSITE |= {other: one for one, other in OPPOSITE.items()}


def test_check_5_swapping_the_frames_flips_directions_and_turns_the_vector():
    rng = np.random.default_rng(5)
    for _ in range(50):
        eyes, targets = rng.normal(0, 1, (2, 3)), rng.normal((4, 0, 0), 1, (2, 3))
        first, second = (look_at(eye, target) for eye, target in zip(eyes, targets, strict=True))
        there, back = said(motion_to(second, first)), said(motion_to(first, second))
        rotation = (np.linalg.inv(first) @ second)[:3, :3]
        np.testing.assert_allclose(back["cam_vec"], -rotation.T @ there["cam_vec"], atol=1e-9)
        assert back["cam_dir_yaw"] == OPPOSITE[there["cam_dir_yaw"]]
        assert back["cam_dir_pitch"] == OPPOSITE[there["cam_dir_pitch"]]
        for name in ("cam_deg_yaw", "cam_deg_pitch", "cam_dist"):
            assert back[name] == pytest.approx(there[name])
        # Without rotation the other three flip as well; with it, the axes themselves turn.
        shifted = first @ rigid(np.eye(3), rng.normal(0, 1, 3))
        there, back = said(motion_to(shifted, first)), said(motion_to(first, shifted))
        for name in ("cam_dir_x", "cam_dir_y", "cam_dir_z"):
            assert back[name] == OPPOSITE[there[name]]
        np.testing.assert_allclose(back["cam_vec"], -there["cam_vec"], atol=1e-9)


def test_zero_motion_falls_to_the_published_words():
    assert [said(motion_to(LEVEL))[name] for name in CAMERA_KINDS[:5]] == [
        "left",
        "up",
        "backward",
        "right",
        "down",
    ]


MOTION_KINDS = [name for name, kind in KINDS.items() if kind.family == "object_motion"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", MOTION_KINDS)
def test_object_truths_are_world_motion_in_the_axes_of_the_first_camera(asked, name, mode):
    still = 0
    for scene, question in asked[name, mode]:
        first, second = times_of(scene, question)
        assert first < second
        point, _ = tracked(scene, first, question.points[0])
        moved = scene.points[second, point] - scene.points[first, point]
        turned_in = np.linalg.inv(scene.frames[first].camera.world_from_camera[:3, :3]) @ moved
        expected = turned_in if np.linalg.norm(moved) >= 0.01 else np.zeros(3)
        still += not expected.any()
        value = expected if "vec" in name else np.linalg.norm(expected)
        np.testing.assert_allclose(question.answer.value, value, atol=1e-9)
        assert tracked(scene, second, question.answer.match)[0] == point
        if mode == "strict":
            assert np.linalg.norm(moved) < 0.005 or np.linalg.norm(moved) >= 0.02
    assert 0 < still < len(asked[name, mode])


def test_check_6_only_motion_in_the_world_counts():
    points = np.random.default_rng(1).uniform((2.5, -0.5, 0.5), (3.5, 0.5, 1.5), (20, 3))
    moved_camera = two_views(LEVEL, LEVEL @ rigid(np.eye(3), (0.3, 0, 0.2)), points)
    question = KINDS["obj_vec_dot"].ask(moved_camera, np.random.default_rng(0), "paper")
    assert np.array_equal(question.answer.value, np.zeros(3))
    for seed in range(20):
        reply = KINDS["obj_vec_dot"].reply(question, np.random.default_rng(seed))
        assert "`[ 0 , 0 , 0 ]`" in reply and any(w in reply for w in ("not", "no ", "No ", "sta", "still"))
    still_camera = two_views(LEVEL, LEVEL, np.stack([points, points + np.array((0, 0.06, 0))]))
    question = KINDS["obj_dist_coord"].ask(still_camera, np.random.default_rng(0), "strict")
    assert question.answer.value == pytest.approx(0.06)
    assert "`60`" in KINDS["obj_dist_coord"].reply(question, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("shift", "moves"), [(0.01, True), (0.0099999, False), (0.0, False), (0.0100001, True)]
)
def test_check_6_the_threshold_itself_counts_as_moving(shift, moves):
    points = np.tile((3.0, 0.0, 0.0), (20, 1))
    scene = two_views(LEVEL, LEVEL, np.stack([points, points + np.array((0, 0, shift))]))
    assert displacement(scene, 0, 0, 1).any() == moves


def test_nothing_is_asked_between_still_and_moving_in_strict_mode():
    points = np.random.default_rng(1).uniform((2.5, -0.5, 0.5), (3.5, 0.5, 1.5), (20, 3))
    scene = two_views(LEVEL, LEVEL, np.stack([points, points + np.array((0, 0.012, 0))]))
    assert KINDS["obj_dist_dot"].ask(scene, np.random.default_rng(0), "strict") is None
    assert KINDS["obj_dist_dot"].ask(scene, np.random.default_rng(0), "paper").answer.value == pytest.approx(
        0.012
    )


SIZE_KINDS = ("size_height", "size_length", "size_width")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SIZE_KINDS)
def test_sizes_are_those_of_the_upright_box(asked, name, mode):
    for scene, question in asked[name, mode]:
        body = NAMES.index(question.labels[0])
        points = scene.points[0, scene.body == body]
        dx, dy, dz = points.max(axis=0) - points.min(axis=0)
        expected = {"size_height": dz, "size_length": max(dx, dy), "size_width": min(dx, dy)}[name]
        assert question.answer.value == pytest.approx(expected)
        assert question.labels[0] != "floor"
        axis = 2 if name == "size_height" else int((dy > dx) == (name == "size_length"))
        first, second = times_of(scene, question)
        alone = [covers(points, scene.visible[t, scene.body == body], axis) for t in (first, second)]
        together = scene.visible[[first, second]][:, scene.body == body].any(axis=0)
        assert covers(points, together, axis)
        assert mode == "strict" or not any(alone)


def covers(points, seen, axis):
    along = points[seen, axis]
    return abs((along.max() - along.min()) / np.ptp(points[:, axis]) - 1) <= 0.1


def test_two_halves_cover_what_neither_covers_alone():
    points = np.tile(np.c_[np.linspace(0, 1, 11), np.zeros(11), np.linspace(0, 0.4, 11)], (2, 1, 1))
    seen = np.array([np.arange(11) <= 5, np.arange(11) >= 5])
    rng = np.random.default_rng(0)
    assert sorted(covering_pair(points, seen, "length", rng, "paper")) == [0, 1]
    seen[0, :] = True  # now one frame covers it alone
    assert covering_pair(points, seen, "length", rng, "paper") is None
    assert covering_pair(points, seen, "length", rng, "strict") is not None
    inclusive = np.array([np.arange(11) <= 5, (np.arange(11) >= 5) & (np.arange(11) <= 9)])
    assert covering_pair(points, inclusive, "length", rng, "paper") is not None  # 10 % short: inclusive
    seen = np.array([np.arange(11) <= 5, (np.arange(11) >= 5) & (np.arange(11) <= 8)])
    assert covering_pair(points, seen, "length", rng, "paper") is None
    points[1] += 0.02  # it moved in between
    assert covering_pair(points, inclusive, "length", rng, "strict") is None


def test_dimensions_of_a_box():
    box = np.array([[0, 0, 0], [1, 2, 3.0]])
    np.testing.assert_allclose(extents(box), (3, 2, 1))
    assert [axis_of(box, name[5:]) for name in SIZE_KINDS] == [2, 1, 0]
    assert [axis_of(box[:, [1, 0, 2]], name[5:]) for name in SIZE_KINDS] == [2, 0, 1]
    assert {axis_of(box[:, [0, 0, 2]], dimension) for dimension in ("length", "width")} == {0, 1}


def test_names_must_be_unambiguous_in_strict_mode(rooms):
    assert is_unambiguous("desk", ("desk", "chair")) and not is_unambiguous("", ("", "chair"))
    assert not is_unambiguous("chair", ("chair", "Office chair"))
    assert not is_unambiguous("chair", ("chair", "chair")) and is_unambiguous(
        "Office chair", ("chair", "Office chair")
    )
    scene = rooms["static"][0]
    twins = Scene(
        scene.frames, scene.points, scene.visible, scene.body, ("crate", "crate", "crate", "crate", "floor")
    )
    for mode, supported in (("paper", True), ("strict", False)):
        asked = [KINDS["size_height"].ask(twins, np.random.default_rng(s), mode) for s in range(3)]
        assert any(question is not None for question in asked) == supported


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KINDS)
def test_what_a_scene_does_not_support_is_not_asked(name, mode):
    scene, rng = room(1, frames=4, per_body=10, background=20), np.random.default_rng(0)
    blind = Scene(scene.frames, scene.points, np.zeros_like(scene.visible), scene.body, scene.names)
    assert KINDS[name].ask(blind, rng, mode) is None
    empty = Scene(scene.frames, scene.points[:, :0], scene.visible[:, :0], scene.body[:0], scene.names)
    assert KINDS[name].ask(empty, rng, mode) is None
    nothing = Scene((), scene.points[:0], scene.visible[:0], scene.body, scene.names)
    assert KINDS[name].ask(nothing, rng, mode) is None
    single = Scene(scene.frames[:1], scene.points[:1], scene.visible[:1], scene.body, scene.names)
    assert (KINDS[name].ask(single, rng, mode) is not None) == (KINDS[name].family == "depth")


@pytest.mark.parametrize("name", CAMERA_KINDS)
def test_camera_motion_is_only_asked_of_scenes_that_stand_still(name):
    scene = room(3, moving_bodies=True)
    everything_moves = Scene(
        scene.frames,
        scene.points + np.arange(14)[:, None, None] * 0.05,
        scene.visible,
        scene.body,
        scene.names,
    )
    for mode in MODES:
        assert KINDS[name].ask(everything_moves, np.random.default_rng(0), mode) is None


@pytest.mark.parametrize("name", CAMERA_KINDS)
def test_a_camera_that_stands_still_has_no_direction(rooms, name):
    still = rooms["static camera"][0]
    still = Scene(still.frames, np.repeat(still.points[:1], 14, 0), still.visible, still.body, still.names)
    assert KINDS[name].ask(still, np.random.default_rng(0), "strict") is None


def test_steep_views_have_no_yaw():
    first = look_at((0, 0, 3), (0.3, 0.1, 0))
    scene = two_views(
        first, look_at((0, 0, 3), (0.1, 0.3, 0)), np.random.default_rng(0).uniform(-1, 1, (300, 3))
    )
    assert KINDS["cam_dir_yaw"].ask(scene, np.random.default_rng(0), "strict") is None
    assert KINDS["cam_deg_yaw"].ask(scene, np.random.default_rng(0), "strict") is None
    assert KINDS["cam_dist"].ask(scene, np.random.default_rng(0), "strict") is None  # it only turned


def test_frames_without_a_camera_are_named():
    scene = room(1, frames=2)
    bare = tuple(type(frame)(frame.rgb) for frame in scene.frames)
    scene = Scene(bare, scene.points, scene.visible, scene.body, scene.names)
    with pytest.raises(ValueError, match="Frame 0 of the scene has no `camera`"):
        KINDS["cam_dist"].ask(scene, np.random.default_rng(0), "paper")


def test_points_that_leave_the_image_are_not_used():
    scene = room(2)
    claims = Scene(scene.frames, scene.points, np.ones_like(scene.visible), scene.body, scene.names)
    for time in range(3):
        for other in range(3, 6):
            for point in common_points(claims, time, other):
                for t in (time, other):
                    pixel, depth = claims.frames[t].camera.project(claims.points[t, point])
                    assert depth > 0 and claims.frames[t].camera.contains(pixel)

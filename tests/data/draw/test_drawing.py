"""Drawing: truths from the bare matrices, balance, margins, no question twice."""

from itertools import pairwise

import numpy as np
import pytest
from question_rooms import room

from spatial_reward.data.draw import Rules, draw, supported
from spatial_reward.data.draw.pairs import camera_rests, still_pairs
from spatial_reward.questions import KINDS, SUBTASKS
from spatial_reward.questions.views import overlaps, seen_by

MODES = ("strict", "paper")
NAMES = [subtask.name for subtask in SUBTASKS]
KIND_OF = {subtask.name: subtask.kind for subtask in SUBTASKS}


@pytest.fixture(scope="module")
def scenes():
    return {
        "static": room(1, frames=24),
        "moving camera": room(2, frames=24, moving_bodies=True),
        "static camera": room(3, frames=24, moving_camera=False, moving_bodies=True),
    }


@pytest.fixture(scope="module")
def drawn(scenes):
    """Every subtask drawn from every scene in both modes."""
    return {
        (place, name, mode): draw(scene, name, 100, np.random.default_rng(5), Rules(mode))
        for place, scene in scenes.items()
        for name in NAMES
        for mode in MODES
    }


def of(drawn, scenes, start, mode):
    """Every question of the subtasks that start so, with its scene."""
    return [
        (scenes[place], one)
        for (place, name, now), found in drawn.items()
        for one in found
        if name.startswith(start) and now == mode
    ]


@pytest.mark.parametrize("mode", MODES)
def test_together_the_scenes_support_every_subtask_and_say_why_they_do_not(drawn, scenes, mode):
    for name in NAMES:
        reasons = {place: supported(scene, name, Rules(mode)) for place, scene in scenes.items()}
        assert mode == "paper" or "" in reasons.values(), name
        for place, why in reasons.items():
            assert bool(drawn[place, name, mode]) == (why == ""), (place, name, why)


def test_questions_are_whole(drawn, scenes):
    for (place, name, mode), found in drawn.items():
        kind, rng = KINDS[KIND_OF[name]], np.random.default_rng(0)
        for one in found:
            question = one.question
            assert question.kind == kind.name and question.answer.unit == kind.unit
            pictures = [scenes[place].frames[time] for time in one.frames]
            assert all(a is b for a, b in zip(pictures, question.frames, strict=True))
            read = kind.read(kind.reply(question, rng, mode), question)
            assert kind.score(question.answer, question, mode)
            if mode == "strict":
                assert kind.score(read, question, "strict")


def test_no_question_comes_twice(drawn):
    for key, found in drawn.items():
        told = [(one.frames, one.question.points[:2], one.question.labels) for one in found]
        assert len(set(told)) == len(told), key


def test_the_same_seed_draws_the_same(scenes):
    for name in NAMES:
        for scene in scenes.values():
            first, second = (draw(scene, name, 20, np.random.default_rng(3), Rules()) for _ in range(2))
            assert [one.frames for one in first] == [one.frames for one in second]
            assert [one.question.points for one in first] == [one.question.points for one in second]


def expected_displacement(scene, one):
    """MultiSPA 2.7 for the tracked point under the asked pixel, from the bare matrices."""
    (first, second), pixel = one.frames, np.array(one.question.points[0][:2])
    camera = scene.frames[first].camera
    points = np.c_[scene.points[first], np.ones(scene.points.shape[1])]
    local = points @ np.linalg.inv(camera.world_from_camera).T
    projected = local[:, :3] @ camera.intrinsics.T
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.linalg.norm(projected[:, :2] / projected[:, 2:] - pixel, axis=1)
    gap[~scene.visible[first] | (local[:, 2] <= 0)] = np.inf
    point = np.argmin(gap)
    moved = scene.points[second, point] - scene.points[first, point]
    moved = moved if np.linalg.norm(moved) >= 0.01 else np.zeros(3)
    return np.linalg.inv(camera.world_from_camera)[:3, :3] @ moved


@pytest.mark.parametrize("mode", MODES)
def test_object_motions_are_the_published_ones(drawn, scenes, mode):
    asked = of(drawn, scenes, "obj_", mode)
    assert len(asked) > 700
    for scene, one in asked:
        expected = expected_displacement(scene, one)
        if one.question.kind.startswith("obj_dist"):
            expected = np.linalg.norm(expected)
        assert np.allclose(one.question.answer.value, expected, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_camera_motions_are_the_published_ones(drawn, scenes, mode):
    asked = of(drawn, scenes, "cam_", mode)
    assert len(asked) > 400
    for _, one in asked:
        first, second = (frame.camera.world_from_camera for frame in one.question.frames)
        shift = (np.linalg.inv(first) @ second)[:3, 3]
        turn = np.degrees(np.arctan2(second[1, 2], second[0, 2]) - np.arctan2(first[1, 2], first[0, 2]))
        expected = {
            "cam_vec": shift,
            "cam_dist": np.linalg.norm(shift),
            "cam_deg_yaw": abs((turn + 180) % 360 - 180),
            "cam_deg_pitch": abs(np.degrees(np.arcsin(second[2, 2]) - np.arcsin(first[2, 2]))),
            "cam_dir_x": "right" if shift[0] > 0 else "left",
            "cam_dir_y": "down" if shift[1] > 0 else "up",
            "cam_dir_z": "forward" if shift[2] > 0 else "backward",
            "cam_dir_yaw": "left" if (turn + 180) % 360 - 180 > 0 else "right",
            "cam_dir_pitch": "up" if second[2, 2] > first[2, 2] else "down",
        }[one.question.kind]
        value = one.question.answer.value
        assert value == expected if isinstance(expected, str) else np.allclose(value, expected, atol=1e-6)


def test_paper_words_round_as_published(drawn, scenes):
    rng = np.random.default_rng(0)
    for start, rule in (
        ("obj_dist", np.trunc),
        ("cam_dist", np.trunc),
        ("obj_vec", np.rint),
        ("cam_vec", np.trunc),
    ):
        for _, one in of(drawn, scenes, start, "paper"):
            kind = KINDS[one.question.kind]
            read = kind.read(kind.reply(one.question, rng, "paper"), one.question)
            expected = rule(np.round(1000 * np.asarray(one.question.answer.value), 6))
            assert np.allclose(1000 * np.asarray(read.value), expected, atol=1e-6)


def test_directions_are_balanced(scenes):
    for name in ("cam_dir_x", "cam_dir_z", "cam_dir_yaw"):
        found = draw(scenes["static"], name, 100, np.random.default_rng(0), Rules())
        words = [one.question.answer.value for one in found]
        assert len(words) >= 90 and abs(words.count(words[0]) / len(words) - 0.5) <= 0.08, name


def test_the_lower_point_is_the_closer_one_half_of_the_time(drawn):
    found = drawn["static", "depth_cmp_dot", "strict"]
    lower_is_right = 0
    for one in found:
        question = one.question
        right = question.points["AB".index(question.answer.value)]
        other = question.points[1 - "AB".index(question.answer.value)]
        lower_is_right += (right.y > other.y) == (question.labels[-1] == "closer")
    assert abs(lower_is_right - 50) <= 1 and len(found) == 100


def test_few_points_stay_near_their_pixel(drawn):
    for place in ("static", "moving camera", "static camera"):
        found = drawn[place, "vc_coord", "strict"]
        near = 0
        for one in found:
            shift = np.subtract(one.question.answer.value, one.question.points[0][:2])
            near += np.linalg.norm(shift) <= 0.05 * one.question.frames[1].width
        assert near <= 0.11 * len(found), place


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_a_set_share_of_points_is_still(scenes, share):
    rules = Rules(still_share=share, twins=0.0)
    found = draw(scenes["static camera"], "obj_dist_dot_pstudio", 200, np.random.default_rng(0), rules)
    moved = np.array([one.question.answer.value for one in found])
    assert len(found) == 200 and (moved == 0).sum() == 200 * share
    assert (moved[moved > 0] >= 0.02).all()


def test_cameras_move_or_rest_as_the_subtask_says(drawn, scenes):
    for mode in MODES:
        for start in ("obj_dist_coord", "obj_vec_dot"):
            for scene, one in of(drawn, scenes, start, mode):
                rests = camera_rests(scene, *(np.array([time]) for time in one.frames))[0]
                assert rests == (scene is scenes["static camera"])


def test_twins_exchange_the_frames_of_the_question_before(drawn):
    twins = 0
    for (_, name, _), found in drawn.items():
        for before, one in pairwise(found):
            if one.twin:
                twins += 1
                assert one.frames == before.frames[::-1] and not before.twin
                assert one.twin == ("reversed" if name.startswith("obj") else "swapped")
    assert twins > 100


def test_object_motion_goes_forward_in_time_but_for_the_twins(drawn):
    for (_, name, _), found in drawn.items():
        if name.startswith("obj"):
            assert all((one.frames[0] < one.frames[1]) == (one.twin == "") for one in found)


def test_camera_questions_are_about_still_pairs_with_the_right_overlap(drawn, scenes):
    for mode, low, high in (("strict", 0.10, 1.0), ("paper", 0.06, 0.35)):
        for scene, one in of(drawn, scenes, "cam_", mode):
            first, second = one.frames
            assert low - 1e-9 <= overlaps(scene)[first, second] <= high + 1e-9
            common = seen_by(scene)[first] & seen_by(scene)[second]
            moved = scene.points[second, common] - scene.points[first, common]
            assert (np.linalg.norm(moved, axis=-1) < 0.01).all()


def test_clips_hold_frames_between_and_say_so(scenes):
    rules, rng = Rules(most_frames=5), np.random.default_rng(0)
    for place, name in (("static", "cam_vec"), ("static camera", "obj_vec_coord_pstudio")):
        found = draw(scenes[place], name, 100, rng, rules)
        lengths = {len(one.frames) for one in found}
        assert lengths == {2, 3, 4, 5}
        for one in found:
            ordered = sorted(one.frames)
            assert one.frames in (tuple(ordered), tuple(ordered[::-1])) and len(set(ordered)) == len(ordered)
            words = KINDS[one.question.kind].phrase(one.question, rng, False)
            assert (f"these {len(one.frames)} images" in words) == (len(one.frames) > 2)
            two = one.question.frames[0], one.question.frames[-1]
            assert two == (scenes[place].frames[one.frames[0]], scenes[place].frames[one.frames[-1]])


def test_nothing_is_between_frames_of_a_camera_question_where_other_things_move(scenes):
    scene = scenes["moving camera"]
    assert len(still_pairs(scene)) > 0
    for one in draw(scene, "cam_dist", 20, np.random.default_rng(0), Rules(most_frames=8)):
        assert len(one.frames) == 2


def test_hard_choices_have_near_dots(scenes):
    found = draw(scenes["static"], "vc_mcq", 60, np.random.default_rng(0), Rules(hard=True))
    assert len(found) == 60
    for one in found:
        dots = np.array([point[:2] for point in one.question.points[1:]])
        right = "ABCD".index(one.question.answer.value)
        gaps = np.linalg.norm(np.delete(dots, right, axis=0) - dots[right], axis=1) / 160
        assert (gaps >= 0.03 - 1e-9).all() and (gaps <= 0.10 + 1e-9).all()


def test_bad_rules_and_subtasks_are_named(scenes):
    with pytest.raises(ValueError, match="'loose'"):
        Rules("loose")
    with pytest.raises(ValueError, match=r"`still_share`.*1\.5"):
        Rules(still_share=1.5)
    for share in (".nan", float("nan"), None):
        with pytest.raises(ValueError, match="`twins` must be a number in"):
            Rules(twins=share)
    with pytest.raises(ValueError, match=r"`most_frames`.*1"):
        Rules(most_frames=1)
    with pytest.raises(ValueError, match=r"Did you mean.*cam_dist"):
        draw(scenes["static"], "cam_dis", 1, np.random.default_rng(0), Rules())

import gc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spatial_reward.camera import look_at
from spatial_reward.models import load_model
from spatial_reward.models.rgbd import RGBD
from spatial_reward.types import Frame, PixelPoint, Question

CENTRE = np.array([0.0, 0.0, 0.03])  # of the cube [m]
PIXEL = 0.004  # [m] that a pixel covers at the cube
FRONT = np.array([0.0, -0.03, 0.035])  # a point of its front, seen by the camera
ASIDE = look_at((0.15, -0.58, 0.48), (0.02, 0.01, 0.03))


def motion_question(table, first, second, kind="obj_vec_coord", **options):
    return Question(
        kind, (first, second), (table.point(first, FRONT),), anchor=table.anchor(first, CENTRE), **options
    )


def in_world(frame, answer):
    return frame.camera.world_from_camera[:3, :3] @ answer.value


def walk(model, table, first, places):
    """Follow the cube from place to place; return the last answer."""
    previous = None
    for place in places:
        [answer] = model.answer([motion_question(table, first, table.frame(cube=place), previous=previous)])
        previous = answer if answer.valid else previous
    return answer


def test_what_stands_still_has_not_moved(table):
    first, second = table.frame(), table.frame()
    [answer] = RGBD().answer([motion_question(table, first, second)])
    assert answer.valid and answer.unit == "m"
    assert np.linalg.norm(answer.value) < 1e-3
    assert_allclose(answer.match, table.point(first, FRONT)[:2], atol=0.2)


@pytest.mark.parametrize("step", [(0.01, 0, 0), (0, 0.02, 0), (0, 0, 0.015), (-0.012, 0.01, 0.005)])
def test_a_small_translation_is_measured_to_a_pixel(table, step):
    first = table.frame()
    [answer] = RGBD().answer([motion_question(table, first, table.frame(cube=CENTRE + step))])
    assert answer.valid
    assert_allclose(in_world(first, answer), step, atol=1.1 * PIXEL)


def test_a_far_motion_is_followed_from_step_to_step(table):
    first = table.frame()
    way = np.linspace(0, 1, 13)[1:, None] * [0.14, 0.05, 0.06]
    answer = walk(RGBD(), table, first, [CENTRE + step for step in way])
    assert answer.valid
    assert_allclose(in_world(first, answer), way[-1], atol=1.1 * PIXEL)


def test_a_far_motion_is_found_without_a_history(table):
    first = table.frame()
    [answer] = RGBD().answer([motion_question(table, first, table.frame(cube=CENTRE + [0.12, 0.0, 0.0]))])
    if answer.valid:  # it may be lost, but never wrong
        assert_allclose(in_world(first, answer), [0.12, 0, 0], atol=0.01)


def test_what_was_not_seen_on_its_way_is_known_less_surely(table):
    first, there = table.frame(), table.frame(cube=CENTRE + [0.03, 0, 0])
    between = table.frame(cube=CENTRE + [0.015, 0, 0])
    alone, first_step = RGBD().answer([motion_question(table, first, at) for at in (there, between)])
    [watched] = RGBD().answer([motion_question(table, first, there, previous=first_step)])
    assert_allclose(alone.value, watched.value, atol=PIXEL)
    assert (alone.std > 1.5 * watched.std).all()


def test_a_turn_about_its_centre_does_not_move_the_centre(table):
    first = table.frame()
    places = [(CENTRE, yaw) for yaw in np.radians([6, 12, 18, 24, 30])]
    answer = walk(RGBD(), table, first, places)
    assert answer.valid
    assert np.linalg.norm(answer.value) < 0.006
    turned = np.degrees(np.arccos((np.trace(answer.motion[:3, :3]) - 1) / 2))
    assert 15 < turned < 45


def test_a_moving_camera_does_not_move_the_cube(table):
    first, second = table.frame(), table.frame(eye=ASIDE)
    for pose, limit in (("auto", 0.002), ("estimated", 0.01)):
        [answer] = RGBD(pose).answer([motion_question(table, first, second)])
        assert answer.valid and np.linalg.norm(answer.value) < limit, pose


def test_camera_and_cube_may_both_move(table):
    first, second = table.frame(), table.frame(eye=ASIDE, cube=CENTRE + [0.015, 0.01, 0])
    [answer] = RGBD().answer([motion_question(table, first, second)])
    assert answer.valid
    assert_allclose(in_world(first, answer), [0.015, 0.01, 0], atol=1.1 * PIXEL)


def test_what_is_hidden_is_not_valid(table):
    first = table.frame()
    [answer] = RGBD().answer([motion_question(table, first, table.frame(wall=(0, -0.2, 0.1)))])
    assert not answer.valid


def test_what_has_gone_is_not_valid(table):
    first = table.frame()
    [answer] = RGBD().answer([motion_question(table, first, table.frame(cube=(0, 0, -2)))])
    assert not answer.valid


def test_unmeasured_depth_is_not_valid(table):
    first = table.frame()
    blind = Frame(first.rgb, camera=first.camera, depth=np.full_like(first.depth, np.nan))
    answers = RGBD().answer([motion_question(table, blind, first), motion_question(table, first, blind)])
    assert not any(answer.valid for answer in answers)
    assert "No depth was measured at pixel" in answers[0].text


@pytest.mark.parametrize(("drop", "text"), [("depth", "has no depth"), ("camera", "has no camera")])
def test_a_frame_without_what_it_takes_is_a_reason_not_an_error(table, drop, text):
    frame = table.frame()
    poor = Frame(frame.rgb, **({"camera": frame.camera} if drop == "depth" else {"depth": frame.depth}))
    question = Question("obj_vec_coord", (frame, poor), (table.point(frame, FRONT),))
    [answer] = RGBD().answer([question])
    assert not answer.valid and answer.value is None and text in answer.text


def test_errors_are_mostly_within_what_is_stated(table):
    first, rng = table.frame(), np.random.default_rng(0)
    normalised = []
    for _ in range(15):
        step = rng.uniform(-0.02, 0.02, 3) * [1, 1, 0.5] + [0, 0, 0.01]
        [answer] = RGBD().answer([motion_question(table, first, table.frame(cube=CENTRE + step))])
        error = first.camera.camera_from_world[:3, :3] @ step - answer.value
        if answer.valid:
            normalised.append(error @ np.linalg.solve(answer.covariance, error))
    assert len(normalised) >= 12
    assert np.mean(np.array(normalised) < 3 * 9) >= 0.9  # three standard deviations


def test_a_batch_is_as_its_questions_alone_and_the_cache_changes_nothing(table):
    first = table.frame()
    questions = [
        motion_question(table, first, table.frame(cube=CENTRE + [x, 0, 0])) for x in (0.0, 0.01, 0.02)
    ]
    model = RGBD()
    together, again = model.answer(questions), model.answer(questions)
    alone = [RGBD().answer([question])[0] for question in questions]
    for answers in zip(together, again, alone, strict=True):
        assert len({answer.value.tobytes() for answer in answers}) == 1


def test_frames_are_not_kept_alive(table):
    model, frame = RGBD(), table.frame()
    model.answer([motion_question(table, frame, table.frame())])
    gone = weakref.ref(frame)
    del frame
    gc.collect()
    assert gone() is None


def test_depth_is_that_of_the_simulator(table):
    frame = table.frame()
    [answer] = RGBD().answer([Question("depth_est_coord", (frame,), (table.point(frame, FRONT),))])
    assert answer.value == pytest.approx(table.anchor(frame, FRONT)[2], abs=1e-3)
    assert 0 < answer.std < 0.01


@pytest.mark.parametrize(("word", "letter"), [("closer", "A"), ("farther", "B")])
def test_depths_are_compared(table, word, letter):
    frame = table.frame()
    points = (table.point(frame, FRONT), table.point(frame, (0.1, 0.2, 0)))
    [dot, coordinate] = RGBD().answer(
        [
            Question("depth_cmp_dot", (frame,), points, ("A", "B", word)),
            Question("depth_cmp_coord", (frame,), points, (word,)),
        ]
    )
    assert dot.value == letter and dot.valid
    assert_allclose(coordinate.value, points["AB".index(letter)][:2])


@pytest.mark.parametrize("pose", ["auto", "estimated"])
def test_the_camera_is_measured(table, pose):
    first, second = table.frame(), table.frame(eye=ASIDE)
    kinds = ["cam_vec", "cam_dist", "cam_deg_yaw", "cam_deg_pitch", "cam_dir_x", "cam_dir_yaw"]
    vector, length, yaw, pitch, side, turn = RGBD(pose).answer(
        [Question(kind, (first, second)) for kind in kinds]
    )
    step = first.camera.camera_from_world[:3, :3] @ (ASIDE[:3, 3] - first.camera.world_from_camera[:3, 3])
    assert_allclose(vector.value, step, atol=1e-6 if pose == "auto" else 0.02)
    assert length.value == pytest.approx(np.linalg.norm(step), abs=1e-6 if pose == "auto" else 0.02)
    heading = np.degrees(np.arctan2(ASIDE[1, 2], ASIDE[0, 2])) - 90
    assert yaw.value == pytest.approx(abs(heading), abs=1e-6 if pose == "auto" else 1.5)
    assert pitch.unit == "deg" and side.value == "right"
    assert turn.value == ("left" if heading > 0 else "right")


def test_a_point_is_found_in_the_other_picture(table):
    first, second = table.frame(), table.frame(eye=ASIDE)
    truth = table.point(second, FRONT)
    [match] = RGBD().answer([Question("vc_coord", (first, second), (table.point(first, FRONT),))])
    assert match.valid and match.unit == "px"
    assert_allclose(match.value, truth[:2], atol=1.0)
    others = [PixelPoint(20, 20, 1), PixelPoint(140, 30, 1), truth._replace(frame=1), PixelPoint(30, 140, 1)]
    points = (table.point(first, FRONT), *others)
    [choice] = RGBD().answer([Question("vc_mcq", (first, second), points, ("", "A", "B", "C", "D"))])
    assert choice.value == "C" and choice.valid


def test_a_size_needs_a_point_or_a_colour(table):
    frame = table.frame()
    ball = (-0.15, 0.07, 0.06)
    named = Question("size_height", (frame, frame), labels=("ball",))
    shown = Question("size_length", (frame, frame), (table.point(frame, ball),), ("ball",))
    [unknown, length] = RGBD().answer([named, shown])
    assert not unknown.valid and "'ball' says no colour" in unknown.text
    assert 0.04 < length.value < 0.09  # the part of an 80 mm ball that one view shows


def test_other_kinds_and_bad_options_are_refused_clearly(table):
    [answer] = RGBD().answer([Question("smell", (table.frame(),))])
    assert not answer.valid and "does not know questions of kind 'smell'" in answer.text
    with pytest.raises(ValueError, match="`pose` must be one of"):
        RGBD("guessed")
    with pytest.raises(ValueError, match=r"Unknown model 'rgdb'. Known models: .*rgbd"):
        load_model("rgdb")


@pytest.mark.parametrize(("x", "frame"), [(np.nan, 0), (-3.0, 0), (1e6, 0), (5.0, 2)])
def test_points_that_are_nowhere_are_named(table, x, frame):
    question = Question("depth_est_coord", (table.frame(),), (PixelPoint(x, 5.0, frame),))
    [answer] = RGBD().answer([question])
    assert not answer.valid and ("outside the picture" in answer.text or "is in frame 2, of 1" in answer.text)

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spatial_reward import Answer, Camera, Frame, Reference
from spatial_reward.camera import look_at, transform
from spatial_reward.models import load_model
from spatial_reward.rewards import Judge, Near, Then, parse_goal

START, GOAL = np.array([0.0, 0.0, 0.1]), np.array([0.3, 0.0, 0.1])
CAMERA = Camera.from_fov(45, 64, 48, look_at((0.0, -1.0, 0.5), START))
CUBE, PAD = Reference("cube", (32.0, 24.0), START), Reference("pad", position=GOAL)
THINGS = {"cube": CUBE, "pad": PAD}


def frame(camera=CAMERA, depth=None):
    return Frame(np.zeros((48, 64, 3), np.uint8), camera=camera, depth=depth)


def motion(world, **changes):
    """Make the answer of a motion [m, world] with a std of 1 cm."""
    value = CAMERA.camera_from_world[:3, :3] @ np.asarray(world, float)
    return replace(Answer(value, "m", 0.01, match=(30.0, 20.0)), **changes)


@pytest.fixture
def judge():
    judge = Judge("near(cube, pad, within=3cm)")
    judge.reset(frame(), THINGS)
    return judge


def observe(judge, *answers, now=None):
    judge.questions(now or frame())
    return judge.signal(answers)


def test_only_what_can_move_is_asked_for(judge):
    now = frame()
    (question,) = judge.questions(now)
    assert question.kind == "obj_vec_coord" and question.frames == (judge.frame, now)
    assert question.points == ((32.0, 24.0, 0),) and question.previous is None and question.answer is None
    assert_allclose(question.anchor, transform(CAMERA.camera_from_world, START))


def test_the_potential_is_minus_the_distance_in_the_world(judge):
    signal = observe(judge, motion((0.1, 0.0, 0.0)))
    assert signal.valid and signal.potential == pytest.approx(-0.2)
    assert signal.progress == pytest.approx(1 / 3) and signal.std == pytest.approx(0.01, rel=1e-2)
    assert signal.success < 1e-6 and signal.answers["cube"].valid
    assert observe(judge, motion((0.3, 0.0, 0.0))).success > 0.9


def test_a_covariance_in_camera_axes_is_turned_into_the_world(judge):
    # Uncertain along the viewing axis only, across which the goal lies: the distance is known well.
    along = motion((0.1, 0, 0), covariance=np.diag([1e-8, 1e-8, 1e-2]))
    across = motion((0.1, 0, 0), covariance=np.diag([1e-2, 1e-8, 1e-8]))
    assert observe(judge, along).std < 0.05 < observe(judge, across).std


def test_nothing_has_moved_in_the_reference_frame(judge):
    assert judge.questions(judge.frame) == []
    signal = judge.signal([])
    assert signal.potential == pytest.approx(-0.3) and signal.std == 0.0 and signal.progress == 0.0
    assert_allclose(signal.answers["cube"].value, 0)


def test_the_last_valid_answer_is_where_the_next_search_starts(judge):
    usable = motion((0, 0, 0))
    observe(judge, usable)
    observe(judge, motion((0, 0, 0), match=(1.0, 1.0), valid=False))
    assert judge.questions(frame())[0].previous is usable
    judge.reset(frame(), THINGS)
    assert judge.questions(frame())[0].previous is None


@pytest.mark.parametrize(
    "answer",
    [
        Answer.unknown("hidden"),
        motion((0, 0, 0), valid=False),
        motion((0, 0, 0), value=np.array([np.nan, 0, 0])),
        motion((0, 0, 0), value=0.1),
        motion((0, 0, 0), value=None),
    ],
)
def test_an_unusable_answer_makes_the_signal_unknown(judge, answer):
    signal = observe(judge, answer)
    assert (
        not signal.valid and np.isnan([signal.potential, signal.progress, signal.success, signal.std]).all()
    )
    assert signal.answers["cube"] is answer
    assert observe(judge, motion((0.1, 0, 0))).valid


def test_an_unknown_std_stays_unknown(judge):
    signal = observe(judge, motion((0.3, 0, 0), std=np.nan))
    assert signal.valid and np.isnan(signal.std) and signal.potential == pytest.approx(0, abs=1e-12)
    assert signal.success == 1.0


def test_a_reference_without_position_is_placed_by_its_depth():
    judge = Judge("near(cube, pad, within=3cm)")
    judge.reset(frame(), {"cube": Reference("cube", CUBE.pixel), "pad": PAD})
    (question,) = judge.questions(judge.frame)
    assert question.kind == "depth_est_coord" and question.frames == (judge.frame,)
    depth = float(np.linalg.norm(START - CAMERA.world_from_camera[:3, 3]))
    signal = judge.signal([Answer(depth, "m", 0.02)])
    assert signal.potential == pytest.approx(-0.3) and signal.std == pytest.approx(0.0, abs=3e-3)
    (question,) = judge.questions(frame())
    assert question.kind == "obj_vec_coord" and question.anchor is None
    assert judge.signal([motion((0.1, 0, 0))]).potential == pytest.approx(-0.2)


def test_the_std_of_a_start_matters_along_its_ray():
    judge = Judge("near(cube, pad, within=3cm)")
    pad = Reference("pad", position=START + 0.3 * CAMERA.world_from_camera[:3, 2])
    judge.reset(frame(), {"cube": Reference("cube", CUBE.pixel), "pad": pad})
    depth = float(np.linalg.norm(START - CAMERA.world_from_camera[:3, 3]))
    assert observe(judge, Answer(depth, "m", 0.02), now=judge.frame).std == pytest.approx(0.02, rel=1e-2)


@pytest.mark.parametrize(
    "depth", [Answer.unknown("no depth", "m"), Answer(float("nan"), "m"), Answer(0.0, "m")]
)
def test_without_a_start_nothing_is_known_and_it_is_asked_again(depth):
    judge = Judge("near(cube, pad, within=3cm)")
    judge.reset(frame(), {"cube": Reference("cube", CUBE.pixel), "pad": PAD})
    assert not observe(judge, depth, now=judge.frame).valid
    asked = judge.questions(frame())
    assert [question.kind for question in asked] == ["depth_est_coord", "obj_vec_coord"]
    signal = judge.signal([depth, motion((0, 0, 0))])
    assert not signal.valid and not signal.answers["cube"].valid
    asked = judge.questions(frame())
    assert judge.signal([Answer(1.0, "m", 0.01), motion((0, 0, 0))]).valid


def test_questions_carry_the_truth_where_it_is_given():
    judge = Judge("near(cube, pad, within=3cm)")
    truth = {"cube": START, "pad": GOAL}
    judge.reset(frame(), {"cube": Reference("cube", CUBE.pixel), "pad": PAD}, truth)
    (question,) = judge.questions(judge.frame, truth)
    assert question.answer.value == pytest.approx(np.linalg.norm(START - CAMERA.world_from_camera[:3, 3]))
    judge.signal([question.answer])
    moved = {**truth, "cube": START + np.array([0.1, 0.02, 0.0])}
    (question,) = judge.questions(frame(), moved)
    distance = np.linalg.norm(moved["cube"] - GOAL)
    assert judge.signal([question.answer]).potential == pytest.approx(-distance)


def test_a_moving_camera_changes_nothing_as_motion_is_in_the_first_axes(judge):
    elsewhere = Camera.from_fov(45, 64, 48, look_at((1.0, 0.0, 0.5), START))
    assert observe(judge, motion((0.1, 0, 0)), now=frame(elsewhere)).potential == pytest.approx(-0.2)


def test_the_stage_lives_in_the_judge_and_reset_begins_anew():
    judge = Judge(Then((Near("cube", "pad", 0.03), parse_goal("lift(cube, by=10cm)"))))
    judge.reset(frame(), THINGS)
    assert observe(judge, motion((0.3, 0, 0))).progress == pytest.approx(0.5)
    assert observe(judge, motion((0.1, 0, 0.1))).success == pytest.approx(
        0.64, abs=0.01
    )  # the start of a stage is measured, too
    judge.reset(frame(), THINGS)
    assert observe(judge, motion((0.1, 0, 0.1))).success == 0.0


class Still:
    name, needs = "still", frozenset()

    def __init__(self):
        self.calls = 0

    def answer(self, questions):
        self.calls += 1
        return [motion((0, 0, 0)) for _ in questions]


def test_observe_asks_only_when_there_is_something_to_ask(judge):
    model = Still()
    assert judge.observe(judge.frame, model).valid and model.calls == 0
    assert judge.observe(frame(), model).potential == pytest.approx(-0.3) and model.calls == 1


def test_unknown_names_are_told_with_the_near_one():
    with pytest.raises(ValueError, match=r"speaks of 'cub', but .*\['cube', 'pad'\]. Did you mean 'cube'\?"):
        Judge("near(cub, pad, within=3cm)").reset(frame(), THINGS)


def test_a_pixel_needs_a_camera_and_a_place_in_the_picture():
    judge = Judge("near(cube, pad, within=3cm)")
    with pytest.raises(ValueError, match="no camera: metres need a calibrated"):
        judge.reset(frame(None), THINGS)
    with pytest.raises(ValueError, match=r"pixel \(64.0, 10.0\) of 'cube' is outside the 64 x 48 picture"):
        judge.reset(frame(), {**THINGS, "cube": Reference("cube", (64.0, 10.0))})


def test_asking_before_reset_and_answering_too_little_are_errors(judge):
    with pytest.raises(RuntimeError, match="reset"):
        Judge("keep(cube)").questions(frame())
    judge.questions(frame())
    with pytest.raises(ValueError, match="1 questions were asked, but 0 answers"):
        judge.signal([])


def test_a_hole_in_the_measured_depth_is_unknown_and_says_so():
    rgb = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    holed = Frame(rgb, camera=CAMERA, depth=np.full((48, 64), np.nan, np.float32))
    judge = Judge("near(cube, pad, within=3cm)")
    judge.reset(holed, {"cube": Reference("cube", CUBE.pixel), "pad": PAD})
    for now in (holed, replace(holed, time=1.0)):
        signal = judge.observe(now, load_model("rgbd"))
        assert not signal.valid and np.isnan(signal.potential)
        assert "depth" in signal.answers["cube"].text

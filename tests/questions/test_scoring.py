"""When an answer counts: the published boundaries, still truths, and what is never correct."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_reward.questions.scoring import (
    score_angle,
    score_candidate,
    score_length,
    score_pixel,
    score_word,
    truth_of,
)
from spatial_reward.types import Answer, Frame, PixelPoint, Question

WIDE = Frame(np.zeros((968, 1296, 3), np.uint8))
SMALL = Frame(np.zeros((100, 200, 3), np.uint8))
BOTH = ("paper", "strict")


def about(kind, truth, unit, frames=(SMALL, WIDE), points=(), labels=()):
    return Question(kind, frames, points, labels, answer=Answer(truth, unit))


def length(predicted, truth, mode):
    return score_length(Answer(predicted, "m"), about("cam_dist", truth, "m"), mode)


def vector(predicted, truth, mode):
    return score_length(Answer(np.array(predicted), "m"), about("cam_vec", np.array(truth), "m"), mode)


def angle(predicted, truth, mode):
    return score_angle(Answer(predicted, "deg"), about("cam_deg_yaw", truth, "deg"), mode)


@pytest.mark.parametrize("mode", BOTH)
@pytest.mark.parametrize(
    ("pixels", "correct"), [(0, True), (64, True), (64.8, True), (64.9, False), (66, False), (-64, True)]
)
@pytest.mark.parametrize("axis", [0, 1])
def test_check_7_coordinates_at_1296_x_968(mode, pixels, correct, axis):
    truth = np.array([600.0, 500.0])
    answer = Answer(truth + pixels * np.eye(2)[axis], "px")
    assert score_pixel(answer, about("vc_coord", truth, "px"), mode) is correct


def test_check_7_the_distance_is_euclidean():
    truth = np.array([600.0, 500.0])
    inside, outside = truth + 45.0, truth + 46.0  # 63.6 px and 65.1 px away, each axis well within 64.8 px
    assert score_pixel(Answer(inside, "px"), about("vc_coord", truth, "px"), "paper")
    assert not score_pixel(Answer(outside, "px"), about("vc_coord", truth, "px"), "paper")


def test_the_width_is_that_of_the_last_frame():
    truth = np.array([50.0, 50.0])
    answer = Answer(np.array([70.0, 50.0]), "px")  # 10 % of the first frame's width, 1.5 % of the last one's
    assert score_pixel(answer, about("vc_coord", truth, "px", (SMALL, WIDE)), "paper")
    assert not score_pixel(answer, about("vc_coord", truth, "px", (WIDE, SMALL)), "paper")


@pytest.mark.parametrize("mode", BOTH)
@pytest.mark.parametrize(
    ("millimetres", "correct"), [(1000, True), (1200, True), (800, True), (1201, False), (799, False)]
)
def test_check_8_lengths_of_a_metre(mode, millimetres, correct):
    assert length(millimetres / 1000, 1.0, mode) is correct


@pytest.mark.parametrize(("millimetres", "correct"), [(0, True), (0.001, False), (1, False), (-1, False)])
def test_check_8_a_still_truth_asks_for_exactly_zero(millimetres, correct):
    assert length(millimetres / 1000, 0.0, "paper") is correct


@pytest.mark.parametrize(
    ("truth", "predicted", "correct"),
    [(0.0, 0.010, True), (0.0, 0.011, False), (0.005, 0.012, True), (0.005, 0.0, True), (0.009, 0.0, True)],
)
def test_strict_mode_allows_a_centimetre_around_a_still_truth(truth, predicted, correct):
    assert length(predicted, truth, "strict") is correct


def test_a_moving_truth_gets_no_allowance():
    assert not length(0.0, 0.010, "strict")
    assert not length(0.013, 0.010, "strict")
    assert length(0.012, 0.010, "strict")


@pytest.mark.parametrize("mode", BOTH)
@settings(max_examples=200, deadline=None)
@given(truth=st.integers(10, 10**6), sign=st.sampled_from([-1, 1]))
def test_the_boundary_counts_at_every_size(mode, truth, sign):
    boundary = (truth * 10 + sign * truth * 2) / 10  # [mm]
    assert length(boundary / 1000, truth / 1000, mode)
    assert not length((boundary + sign * truth * 1e-6) / 1000, truth / 1000, mode)


@pytest.mark.parametrize("mode", BOTH)
def test_vectors_are_scored_by_the_norm_of_the_difference(mode):
    assert vector((0.3, 0.4, 0.1), (0.3, 0.4, 0.0), mode)  # 0.1 = 20 % of 0.5
    assert not vector((0.3, 0.4, 0.101), (0.3, 0.4, 0.0), mode)
    assert not vector((-0.3, -0.4, 0.0), (0.3, 0.4, 0.0), mode)
    assert vector((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), mode)


@pytest.mark.parametrize("mode", BOTH)
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.0, 0.5))
def test_vectors_score_alike_in_every_direction(mode, seed, share):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=3)
    error = rng.normal(size=3)
    error *= share * np.linalg.norm(truth) / np.linalg.norm(error)
    if abs(share - 0.2) > 1e-6 and np.linalg.norm(truth) > 0.01:
        assert vector(truth + error, truth, mode) is (share < 0.2)


@pytest.mark.parametrize(
    ("predicted", "truth", "paper", "strict"),
    [
        (30, 30.0, True, True),
        (36, 30.0, True, True),
        (24, 30.0, True, True),
        (37, 30.0, False, False),
        (179, 179.0, True, True),
        (0, 0.0, True, True),
        (0, 0.9, True, True),  # truncated, the published truth is 0
        (1, 0.9, False, True),
        (1, 0.0, False, True),
        (1.1, 0.0, False, False),
        (36.5, 30.0, True, False),  # truncated to 36 before it is compared, as published
        (-30, 30.0, False, False),
    ],
)
def test_angles(predicted, truth, paper, strict):
    assert angle(float(predicted), truth, "paper") is paper
    assert angle(float(predicted), truth, "strict") is strict


@pytest.mark.parametrize("mode", BOTH)
def test_words_are_scored_exactly(mode):
    question = about("cam_dir_x", "left", "1")
    assert score_word(Answer("left"), question, mode)
    for other in ("right", "Left", "left ", "", 1.0, None):
        assert not score_word(Answer(other), question, mode)
    assert not score_word(Answer("left", valid=False), question, mode)


def candidates(truth=(60.0, 40.0)):
    points = (PixelPoint(60.0, 40.0), PixelPoint(100.0, 40.0))
    return about("depth_cmp_coord", np.array(truth), "px", (SMALL,), points, ("closer",))


@pytest.mark.parametrize(
    ("pixel", "paper", "strict"),
    [
        ((60.0, 40.0), True, True),
        ((60.2, 40.1), True, True),  # one thousandth of each side
        ((60.3, 40.0), False, True),  # one and a half
        ((60.5, 40.0), False, True),
        ((60.0, 40.3), False, True),
        ((79.0, 40.0), False, True),
        ((81.0, 40.0), False, False),
        ((80.0, 40.0), False, False),  # halfway names neither
        ((100.0, 40.0), False, False),
    ],
)
def test_candidates(pixel, paper, strict):
    answer = Answer(np.array(pixel), "px")
    assert score_candidate(answer, candidates(), "paper") is paper
    assert score_candidate(answer, candidates(), "strict") is strict


def test_of_two_candidates_within_the_tolerance_the_nearer_counts():
    points = (PixelPoint(60.0, 40.0), PixelPoint(60.2, 40.0))
    question = about("depth_cmp_coord", np.array([60.0, 40.0]), "px", (SMALL,), points, ("closer",))
    for mode in BOTH:
        assert score_candidate(Answer(np.array([60.05, 40.0]), "px"), question, mode)
        assert not score_candidate(Answer(np.array([60.15, 40.0]), "px"), question, mode)


def test_the_second_candidate_can_be_right():
    question = candidates(truth=(100.0, 40.0))
    for mode in BOTH:
        assert score_candidate(Answer(np.array([100.0, 40.0]), "px"), question, mode)
        assert not score_candidate(Answer(np.array([60.0, 40.0]), "px"), question, mode)


NAN, INF = float("nan"), float("inf")
FAMILIES = {
    "length": (score_length, about("cam_dist", 1.0, "m"), Answer(1.0, "m")),
    "vector": (score_length, about("cam_vec", np.ones(3), "m"), Answer(np.ones(3), "m")),
    "angle": (score_angle, about("cam_deg_yaw", 30.0, "deg"), Answer(30.0, "deg")),
    "pixel": (score_pixel, about("vc_coord", np.ones(2), "px"), Answer(np.ones(2), "px")),
    "word": (score_word, about("cam_dir_x", "left", "1"), Answer("left")),
    "candidate": (score_candidate, candidates(), Answer(np.array([60.0, 40.0]), "px")),
}
UNUSABLE = (None, NAN, INF, -INF, "1.0", "", np.array([]), np.full(2, NAN), np.full(3, INF), np.ones(4))


@pytest.mark.parametrize("mode", BOTH)
@pytest.mark.parametrize("family", FAMILIES)
def test_unusable_answers_are_wrong_and_never_an_error(family, mode):
    score, question, right = FAMILIES[family]
    assert score(right, question, mode)
    for value in UNUSABLE:
        assert score(Answer(value, right.unit), question, mode) is False
    assert score(Answer(right.value, right.unit, valid=False), question, mode) is False
    assert score(Answer.unknown("I do not know", right.unit), question, mode) is False


@pytest.mark.parametrize("family", ["length", "vector", "angle", "pixel", "candidate"])
def test_the_unit_must_be_that_of_the_question(family):
    score, question, right = FAMILIES[family]
    assert not score(Answer(right.value, "1"), question, "strict")


def test_a_question_without_a_truth_cannot_be_scored():
    with pytest.raises(ValueError, match="'cam_dist' question without a truth cannot be scored"):
        truth_of(Question("cam_dist", (SMALL, WIDE)))
    with pytest.raises(ValueError, match="set its `answer`"):
        score_length(Answer(1.0, "m"), Question("cam_dist", (SMALL, WIDE)), "paper")

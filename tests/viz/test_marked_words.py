import numpy as np
import pytest

from spatial_reward import Answer, Frame, PixelPoint, Question
from spatial_reward.viz.words import answer_words, asked_words

FRAME = Frame(np.zeros((40, 60, 3), np.uint8))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(0.125, "m", 0.002), "125 ± 2 mm"),
        (Answer(np.array([0.012, -0.0034, 0.4]), "m", np.full(3, 0.001)), "(12, -3.4, 400) ± (1, 1, 1) mm"),
        (Answer(-12.34, "deg", 0.5), "-12 ± 0.5 deg"),
        (Answer(np.array([30.0, 20.0]), "px"), "(30, 20) px"),
        (Answer("left", "1", 0.0), "left"),
        (Answer(0.1, "m", 0.0), "100 mm"),
        (Answer(0.1, "m", 0.2, valid=False, text="doubtful"), "100 ± 200 mm (not valid: doubtful)"),
        (Answer.unknown("", "m"), "unknown"),
    ],
)
def test_answers_are_said_in_the_units_that_people_read(answer, words):
    assert answer_words(answer) == words


def test_questions_are_said_in_their_own_words_or_those_of_their_kind():
    assert asked_words(Question("cam_dist", (FRAME, FRAME), prompt="How far?")) == "How far?"
    phrased = asked_words(Question("depth_est_coord", (FRAME,), (PixelPoint(30.0, 20.0),)))
    assert "[ 500 , 500 ]" in phrased
    incomplete = Question("depth_cmp_dot", (FRAME,), (PixelPoint(3.0, 2.0),))
    assert asked_words(incomplete) == "depth_cmp_dot at [(3.0, 2.0, 0)]"

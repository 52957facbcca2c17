import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spatial_reward.models import load_model
from spatial_reward.models.oracle import Oracle
from spatial_reward.types import Answer, Frame, Question

FRAME = Frame(np.zeros((4, 4, 3), np.uint8))


def asked(truth: Answer | None, kind: str = "obj_vec_coord") -> Question:
    return Question(kind, (FRAME, FRAME), answer=truth)


def test_the_truth_is_returned_as_it_is():
    truth = Answer(np.array([0.1, 0.0, -0.2]), "m", 0.0)
    [answer] = load_model("oracle").answer([asked(truth)])
    assert_array_equal(answer.value, truth.value)
    assert (answer.unit, answer.valid, answer.source) == ("m", True, "oracle")


@pytest.mark.parametrize("truth", [None, Answer.unknown("hidden")])
def test_without_truth_there_is_no_answer(truth):
    [answer] = Oracle().answer([asked(truth)])
    assert not answer.valid and answer.value is None and "no truth" in answer.text


def test_noise_is_as_large_as_stated_and_repeats_with_the_seed():
    questions = [asked(Answer(np.zeros(3), "m", 0.0)) for _ in range(400)]
    answers = Oracle(noise=0.01, seed=3).answer(questions)
    values = np.array([answer.value for answer in answers])
    assert values.std() == pytest.approx(0.01, rel=0.1)
    assert_array_equal(answers[0].std, [0.01] * 3)
    assert_array_equal(answers[0].covariance, 1e-4 * np.eye(3))
    again = Oracle(noise=0.01, seed=3).answer(questions)
    assert_array_equal(values, [answer.value for answer in again])


def test_a_number_stays_a_number_and_a_word_a_word():
    length, word = Oracle(noise=0.01).answer(
        [asked(Answer(0.5, "m", 0.0), "obj_dist_coord"), asked(Answer("left", "1", 0.0), "cam_dir_x")]
    )
    assert isinstance(length.value, float) and length.value != 0.5 and length.std == 0.01
    assert word.value == "left" and word.std == 0.0


def test_negative_noise_is_refused():
    with pytest.raises(ValueError, match=r"`noise` must not be negative, got -1"):
        Oracle(noise=-1)

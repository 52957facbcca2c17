"""The table of kinds, subtasks and rows, and how every kind scores through it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.questions import KINDS, SUBTASKS, TABLE_ROWS
from spatial_reward.types import Answer, Frame, PixelPoint, Question

WIDE = Frame(np.zeros((968, 1296, 3), np.uint8))
STEP = 1.296  # [px] a thousandth of the width
NEAR, FAR, BESIDE = PixelPoint(648.0, 484.0), PixelPoint(700.0, 484.0), PixelPoint(648.0 + STEP, 484.0)
MODES = ("paper", "strict")


def score(kind, truth, value, mode="paper", unit=None, points=(NEAR, FAR), valid=True):
    question = Question(kind, (WIDE, WIDE), points, answer=Answer(truth, KINDS[kind].unit, 0.0))
    return KINDS[kind].score(Answer(value, unit or KINDS[kind].unit, valid=valid), question, mode)


def test_there_are_22_kinds_26_subtasks_and_12_rows():
    assert len(KINDS) == 22 and all(name == kind.name for name, kind in KINDS.items())
    assert len(SUBTASKS) == 26 == len({subtask.name for subtask in SUBTASKS})
    assert {subtask.kind for subtask in SUBTASKS} == set(KINDS)
    assert sum(subtask.camera == "moving" for subtask in SUBTASKS) == 4
    assert sum(subtask.camera == "static" for subtask in SUBTASKS) == 4
    assert len(TABLE_ROWS) == 12
    listed = [name for row in TABLE_ROWS.values() for name in row]
    assert sorted(listed) == sorted(subtask.name for subtask in SUBTASKS)
    assert sorted(map(len, TABLE_ROWS.values())) == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    "kind", [name for name, kind in KINDS.items() if kind.unit == "m" and "vec" not in name]
)
def test_check_8_every_length_is_right_within_twenty_percent(kind):
    for mode in MODES:
        assert score(kind, 1.0, 1.2, mode) and score(kind, 1.0, 0.8, mode)
        assert not score(kind, 1.0, 1.201, mode) and not score(kind, 1.0, 0.799, mode)
        assert not score(kind, 1.0, -1.0, mode)


@pytest.mark.parametrize("kind", [name for name in KINDS if "vec" in name])
@given(st.lists(st.integers(-3000, 3000), min_size=3, max_size=3).filter(any))
def test_every_vector_is_right_within_twenty_percent(kind, millimetres):
    truth = np.array(millimetres) / 1000
    for mode in MODES:
        assert score(kind, truth, truth * 1.2, mode) and score(kind, truth, truth * 0.8, mode)
    assert not score(kind, truth, truth * 1.201) and not score(kind, truth, -truth)


def test_candidates_a_step_apart_are_told_apart():
    truth, other = np.array(NEAR[:2]), np.array(BESIDE[:2])
    for mode in MODES:
        assert score("depth_cmp_coord", truth, truth, mode, points=(NEAR, BESIDE))
        assert not score("depth_cmp_coord", truth, other, mode, points=(NEAR, BESIDE))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_is_right_and_no_usable_answer_ever_is(kind, mode):
    unit = KINDS[kind].unit
    truth = {"1": "A", "px": np.array([648.0, 484.0]), "m": 1.0, "deg": 10.0}[unit]
    truth = np.ones(3) if "vec" in kind else truth
    vectors = [np.full(3, np.nan), np.zeros(0), np.zeros(4), np.zeros((3, 3))]
    for value in [None, float("nan"), float("inf"), 1e308, "", *vectors]:
        assert not score(kind, truth, value, mode)
    assert score(kind, truth, truth, mode)
    assert not score(kind, truth, truth, mode, valid=False)
    assert unit == "1" or not score(kind, truth, truth, mode, unit="1")

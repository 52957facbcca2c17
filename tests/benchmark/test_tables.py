import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.benchmark.tables import (
    BENCHMARK,
    BLINK,
    FINE_TUNING,
    PER_SUBTASK,
    SUBTASK_COUNTS,
    row_mean,
    row_means,
    subtask_mean,
    weighted_mean,
    wilson_interval,
)
from spatial_reward.questions import SUBTASKS, TABLE_ROWS

OURS = "Multi-SpatialMLLM-8B"
NAMES = [subtask.name for subtask in SUBTASKS]
scores_of_subtasks = st.lists(st.floats(0, 100), min_size=26, max_size=26)


def test_check_1_the_mean_of_the_twelve_rows_is_the_published_average():
    averages = {name: round(column.average, 2) for name, column in BENCHMARK.items()}
    assert averages == {
        OURS: 56.11,
        "InternVL2-8B": 20.43,
        "InternVL2-26B": 21.36,
        "SpatialRGPT": 19.23,
        "Claude-3.5-Sonnet": 27.50,
        "Gemini-2.0-Flash": 30.31,
        "GPT-4o": 28.87,
    }
    assert BENCHMARK["SpatialRGPT"].printed_average == 16.24


def test_check_2_blink_averages_weigh_by_questions():
    averages = {name: round(column.average, 2) for name, column in BLINK.items()}
    assert averages == {
        "Gemini-2.0-Flash": 75.70,
        "Claude-3.5-Sonnet": 67.66,
        "GPT-4o": 73.78,
        "InternVL2-8B": 57.87,
        "InternVL2-26B": 61.36,
        "SpatialRGPT": 52.45,
        OURS: 84.97,
    }


def test_only_the_averages_known_to_be_misprinted_are_flagged():
    assert [name for name, column in BENCHMARK.items() if column.misprinted] == ["SpatialRGPT"]
    assert [name for name, column in FINE_TUNING.items() if column.misprinted] == ["full LLM + MLP + encoder"]
    assert [name for name, column in BLINK.items() if column.misprinted] == [OURS]
    assert round(FINE_TUNING["full LLM + MLP + encoder"].average, 2) == 68.93


def test_the_published_model_gains_what_is_claimed():
    assert BENCHMARK[OURS].average - BENCHMARK["InternVL2-8B"].average == pytest.approx(35.68, abs=0.01)


@pytest.mark.parametrize("column", [*BENCHMARK.values(), *FINE_TUNING.values()])
def test_every_published_row_is_a_mean_of_whole_answers(column):
    for row, score in column.scores.items():
        asked = PER_SUBTASK * SUBTASK_COUNTS[row]
        nearest = 100 * round(score / 100 * asked) / asked
        assert abs(score - nearest) < 0.015  # one cell is cut off, not rounded, more than once


def test_rows_have_26_subtasks():
    assert list(SUBTASK_COUNTS.values()) == [2, 2, 1, 1, 2, 2, 3, 1, 1, 4, 4, 3]


@given(scores_of_subtasks)
def test_the_mean_of_subtasks_is_that_of_rows_weighted_by_their_number(scores):
    subtasks = dict(zip(NAMES, scores, strict=True))
    rows = row_means(subtasks)
    weighted = sum(rows[row] * count for row, count in SUBTASK_COUNTS.items()) / 26
    assert subtask_mean(subtasks) == pytest.approx(weighted)
    assert row_mean(rows) == pytest.approx(np.mean(list(rows.values())))


def test_the_two_means_differ_where_a_large_row_is_better():
    subtasks = dict.fromkeys(NAMES, 0.0) | dict.fromkeys(TABLE_ROWS["object movement vector"], 100.0)
    assert row_mean(row_means(subtasks)) == pytest.approx(100 / 12)
    assert subtask_mean(subtasks) == pytest.approx(400 / 26)


def test_incomplete_scores_are_refused_by_name():
    with pytest.raises(ValueError, match=r"all 12 rows: missing \['object size'\]"):
        row_mean(dict.fromkeys(list(TABLE_ROWS)[:-1], 1.0))
    with pytest.raises(ValueError, match=r"unknown \['smell'\]"):
        subtask_mean(dict.fromkeys([*NAMES, "smell"], 1.0))
    with pytest.raises(ValueError, match="missing"):
        row_means({})
    with pytest.raises(ValueError, match="unknown"):
        weighted_mean({"a": 1.0, "b": 2.0}, {"a": 5})


def test_300_answers_at_one_half_are_known_to_six_points():
    low, high = wilson_interval(150, 300)
    assert (low, high) == (pytest.approx(0.4438, abs=1e-4), pytest.approx(0.5562, abs=1e-4))


def test_wilson_agrees_with_the_printed_example_of_ten_answers():
    low, high = wilson_interval(1, 10)  # Brown, Cai and DasGupta (2001): 0.018 to 0.404
    assert (round(low, 3), round(high, 3)) == (0.018, 0.404)


@given(st.integers(0, 500), st.integers(0, 500))
def test_intervals_hold_the_share_mirror_and_stay_in_bounds(a, b):
    correct, count = min(a, b), max(a, b)
    low, high = wilson_interval(correct, count)
    mirrored = wilson_interval(count - correct, count)
    assert 0 <= low <= high <= 1
    assert mirrored == (pytest.approx(1 - high), pytest.approx(1 - low))
    if count:
        assert low <= correct / count <= high


def test_wilson_covers_as_often_as_it_says():
    draws = np.random.default_rng(0).binomial(300, 0.18, 4000)
    bounds = np.array([wilson_interval(int(draw), 300) for draw in draws])
    covered = (bounds[:, 0] <= 0.18) & (bounds[:, 1] >= 0.18)
    assert 0.93 < covered.mean() < 0.97


@pytest.mark.parametrize("arguments", [(-1, 5), (6, 5), (1, 5, 1.0)])
def test_impossible_counts_are_refused(arguments):
    with pytest.raises(ValueError, match="0 <= correct <= count"):
        wilson_interval(*arguments)

import math

import numpy as np
import pytest

from spatial_reward.benchmark.reward_metrics import (
    average_precision,
    calibration_error,
    coverage,
    fpr_at_tpr,
    instruction_margin,
    kendall_tau_b,
    last_valid,
    median,
    preference_accuracy,
    risk_coverage,
    risk_coverage_area,
    roc_auc,
    spearman_with_time,
    stretch,
    trend,
    unearned,
)

NAN = float("nan")
SEEN = np.ones(12, bool)
RISING = np.linspace(0, 1, 12) ** 3


def some(seed, count=60):
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < 0.4
    return np.round(labels * 0.3 + rng.random(count), 1), labels  # rounded, so that there are ties


def test_order_with_time_sees_order_only():
    assert spearman_with_time(RISING, SEEN) == pytest.approx(1)
    assert spearman_with_time(-RISING, SEEN) == pytest.approx(-1)
    assert spearman_with_time(np.exp(RISING), SEEN) == pytest.approx(1)
    swapped = [2, 1, 3, 4, 5, 6, 7, 8, 9, 10]  # Spearman: 1 - 6 * sum(d^2) / (n^3 - n)
    assert spearman_with_time(swapped, SEEN[:10]) == pytest.approx(1 - 6 * 2 / 990)


def test_a_level_line_has_no_order_and_no_trend():
    jitter = 0.5 + 0.001 * (-1) ** np.arange(12)
    assert math.isnan(spearman_with_time(jitter, SEEN, noise=0.01))
    assert trend(jitter, SEEN, noise=0.01) == 0
    assert math.isnan(trend(jitter, SEEN & False)) and math.isnan(trend([NAN] * 12, SEEN))
    assert trend(RISING, SEEN) == spearman_with_time(RISING, SEEN)


def test_a_creeping_clock_is_not_taken_for_noise():
    creeping = np.arange(40) * 0.004  # each step below the noise, but not their sum
    assert spearman_with_time(creeping, np.ones(40, bool), noise=0.01) > 0.95


def test_the_stretch_begins_with_the_first_motion_and_ends_at_the_goal():
    distance = np.array([0.3, 0.3, 0.301, 0.2, 0.1, 0.02, 0.02, 0.02])
    assert stretch(distance, distance < 0.05) == slice(2, 6)
    assert stretch(distance, distance < 0) == slice(2, 8)
    assert stretch(np.full(5, 0.3), np.zeros(5, bool)) == slice(0, 0)


def test_kendall_counts_pairs_and_corrects_ties():
    predicted, truth = [1.0, 2, 2, 3], [1.0, 2, 3, 4]  # 5 concordant, none discordant, 1 tie of 6 pairs
    assert kendall_tau_b(predicted, truth) == pytest.approx(5 / np.sqrt(5 * 6))
    assert kendall_tau_b(truth, truth) == pytest.approx(1)
    assert kendall_tau_b([NAN, 2, 1], [0.0, 1, 2]) == pytest.approx(-1)
    assert math.isnan(kendall_tau_b([1, 1, 1], [1, 2, 3])) and math.isnan(kendall_tau_b([1], [1]))


def test_preferences_are_asked_within_a_group_and_beyond_the_margin():
    truth, groups = [0.0, 1.0, 0.05, 1.0], ["a", "a", "a", "b"]
    assert preference_accuracy([0, 1, 0, 0], truth, groups) == 1  # 1 over 0, 1 over 2; b is alone
    assert preference_accuracy([2, 1, 0, 0], truth, groups) == 0.5
    assert preference_accuracy([1, 1, 1, 1], truth, groups) == 0.5
    assert preference_accuracy([NAN, 1, 0, 0], truth, groups) == 0.5  # unknown is no preference
    assert math.isnan(preference_accuracy([1], [1], ["a"]))


@pytest.mark.parametrize("seed", range(4))
def test_the_area_under_the_roc_is_the_chance_of_a_right_pair(seed):
    scores, labels = some(seed)
    pairs = scores[labels][:, None] - scores[~labels][None]
    assert roc_auc(scores, labels) == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))
    assert roc_auc(-scores, labels) == pytest.approx(1 - roc_auc(scores, labels))
    assert math.isnan(roc_auc(scores, np.ones(60)))


@pytest.mark.parametrize("seed", range(4))
def test_precision_is_averaged_over_recall(seed):
    scores, labels = some(seed)
    area, recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        called = scores >= threshold
        found = (called & labels).sum() / labels.sum()
        area, recall = area + (found - recall) * labels[called].mean(), found
    assert average_precision(scores, labels) == pytest.approx(area)
    assert average_precision(labels, labels) == pytest.approx(1)
    assert average_precision(np.zeros(60), labels) == pytest.approx(labels.mean())


@pytest.mark.parametrize("seed", range(4))
def test_false_positives_at_the_highest_threshold_that_finds_enough(seed):
    scores, labels = some(seed)
    enough = [t for t in scores if (scores[labels] >= t).mean() >= 0.95]
    assert fpr_at_tpr(scores, labels) == pytest.approx((scores[~labels] >= max(enough)).mean())
    assert fpr_at_tpr(labels, labels) == 0 and fpr_at_tpr(np.zeros(60), labels) == 1


def test_intervals_cover_what_they_say():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.01, 0.1, 20000)
    errors = std * rng.standard_normal(20000)
    for level in (0.5, 0.9):
        assert coverage(errors, std, level) == pytest.approx(level, abs=0.015)
    assert coverage(errors, std / 10) < 0.2 and coverage(0 * errors, 0 * std) == 1
    assert math.isnan(coverage([], [])) and math.isnan(coverage([1.0], [NAN]))


def test_probabilities_are_held_against_shares():
    assert calibration_error([0.25] * 4, [1, 0, 0, 0]) == pytest.approx(0)
    assert calibration_error([1.0, 1.0], [1, 0]) == pytest.approx(0.5)
    # Two bins of two: |0.3 - 0.5| and |1.0 - 1.0|.
    assert calibration_error([0.3, 0.3, 1.0, 1.0], [1, 0, 1, 1]) == pytest.approx(0.1)
    assert math.isnan(calibration_error([NAN], [1]))


def test_who_knows_what_he_does_not_know_has_less_risk():
    errors = np.array([0.0, 1.0, 2.0, 3.0])
    share, risk = risk_coverage(errors, errors)
    assert share.tolist() == [0.25, 0.5, 0.75, 1.0] and risk.tolist() == [0, 0.5, 1, 1.5]
    assert risk_coverage_area(errors, errors) == 0.75
    assert risk_coverage_area(errors, -errors) == pytest.approx((3 + 2.5 + 2 + 1.5) / 4)
    assert math.isnan(risk_coverage_area([], []))


def test_an_instruction_that_is_not_read_has_no_margin():
    assert instruction_margin(np.eye(2)) == 1
    assert instruction_margin(np.ones((3, 3))) == 0
    assert instruction_margin([[0.8, 0.1], [NAN, 0.6]]) == pytest.approx(0.6)
    assert math.isnan(instruction_margin([[NAN, 1], [1, NAN]]))


def test_progress_is_unearned_only_beyond_the_truth_and_where_it_is_claimed():
    truth = np.zeros(10)
    assert unearned(truth + 0.5, truth, SEEN[:10]) == 0.5
    assert unearned(truth - 0.5, truth, SEEN[:10]) == 0
    assert unearned(np.r_[np.zeros(9), 1], truth, SEEN[:10]) < 0.2  # one blip
    assert unearned(np.r_[np.zeros(5), np.ones(5)], truth, np.arange(10) < 5) == 0
    assert math.isnan(unearned(truth, truth, SEEN[:10] & False))


def test_the_last_valid_value_is_held_and_medians_count_what_is_missing():
    assert last_valid([1, 2, 3], [True, True, False]) == 2
    assert math.isnan(last_valid([1, NAN], [False, True]))
    assert median([1.0, NAN, 3.0]) == (2.0, 1)

import math
import tracemalloc

import numpy as np
import pytest

from spatial_reward.benchmark.metrics import (
    EpisodeErrors,
    false_motion_rate,
    gross_error_rate,
    latency_percentiles,
    mae_mm,
    order_accuracy,
    spearman,
    summarise,
    thin,
    valid_share,
)

TRUTH = np.linspace(0.3, 0.0, 31)  # [m] steps of 10 mm
VALID = np.ones(31, bool)
NAN = float("nan")


def episode(error=0.0, truth=TRUTH, valid=VALID, **more):
    return EpisodeErrors(truth + error, truth, valid, np.full(len(truth), 0.02), **more)


@pytest.mark.parametrize("seed", range(5))
def test_thinned_steps_differ_from_the_last_kept_one_and_nothing_else_is_lost(seed):
    truth = np.random.default_rng(seed).normal(0, 0.004, 200).cumsum()
    kept = thin(truth)
    assert kept[0] == 0 and (np.abs(np.diff(truth[kept])) >= 0.005 - 1e-6).all()
    for index in np.setdiff1d(np.arange(200), kept):
        last = kept[kept < index][-1]
        assert abs(truth[index] - truth[last]) < 0.005


def test_thinning_keeps_steps_of_just_the_limit_and_skips_the_unknown():
    assert thin(np.arange(20) * 0.005).tolist() == list(range(20))
    assert thin([NAN, 0.1, NAN, 0.1, 0.2]).tolist() == [1, 4]
    assert thin([]).tolist() == [] and thin([NAN]).tolist() == []


def test_rank_metrics_see_order_only():
    assert spearman(TRUTH**3, TRUTH, VALID) == pytest.approx(1)
    assert spearman(-TRUTH, TRUTH, VALID) == pytest.approx(-1)
    assert order_accuracy(TRUTH**3, TRUTH, VALID) == 1
    assert order_accuracy(-TRUTH, TRUTH, VALID) == 0


def test_a_long_still_phase_does_not_rank_noise():
    noise = np.random.default_rng(0).normal(0, 0.001, 300)
    truth = np.r_[np.full(269, 0.3), TRUTH]
    from scipy.stats import spearmanr

    assert spearmanr(truth + noise, truth).statistic < 0.9
    assert spearman(truth + noise, truth, np.ones(300, bool)) > 0.99


def test_a_rank_of_too_few_steps_or_of_a_constant_is_unknown():
    assert math.isnan(spearman(TRUTH[:7], TRUTH[:7], VALID[:7]))
    assert not math.isnan(spearman(TRUTH[:8], TRUTH[:8], VALID[:8]))
    assert math.isnan(spearman(np.zeros(31), TRUTH, VALID))
    assert order_accuracy(np.zeros(31), TRUTH, VALID) == 0, "a tie is not right"
    assert math.isnan(order_accuracy(np.zeros(31), np.full(31, 0.2), VALID))


@pytest.mark.parametrize("seed", range(3))
def test_order_accuracy_is_the_share_of_far_pairs_in_the_right_order(seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 0.05, 40)
    predicted = truth + rng.normal(0, 0.01, 40)
    pairs = [(i, j) for i in range(40) for j in range(i) if abs(truth[i] - truth[j]) > 0.005]
    right = [(predicted[i] > predicted[j]) == (truth[i] > truth[j]) for i, j in pairs]
    assert order_accuracy(predicted, truth, np.ones(40, bool)) == pytest.approx(np.mean(right))


@pytest.mark.parametrize("measure", [spearman, order_accuracy, mae_mm, gross_error_rate])
def test_invalid_and_unknown_steps_do_not_count(measure):
    predicted, truth, valid = TRUTH + 0.003, TRUTH.copy(), VALID.copy()
    expected = measure(predicted[3:], truth[3:], valid[3:])
    predicted[0], truth[1], valid[2] = NAN, NAN, False
    predicted[2] = 99.0
    assert measure(predicted, truth, valid) == pytest.approx(expected)
    assert math.isnan(measure(predicted, truth, np.zeros(31, bool)))


def test_errors_are_in_millimetres_and_gross_beyond_fifty():
    predicted = TRUTH + np.r_[np.full(30, 0.002), -0.08]
    assert mae_mm(predicted, TRUTH, VALID) == pytest.approx((30 * 2 + 80) / 31)
    assert gross_error_rate(predicted, TRUTH, VALID) == pytest.approx(1 / 31)
    assert gross_error_rate(predicted, TRUTH, VALID, limit=0.1) == 0


def test_false_motion_counts_only_things_at_rest():
    true = np.array([[0, 0, 0], [0.0005, 0, 0], [0.2, 0, 0], [0, 0, 0], [0, 0, 0]])
    predicted = np.array([[0.02, 0, 0], [0, 0.005, 0], [0.5, 0, 0], [0, 0, 0.3], [NAN, 0, 0]])
    valid = np.array([True, True, True, False, True])
    assert false_motion_rate(predicted, true, valid) == 1 / 2
    lengths = np.linalg.norm(predicted, axis=1), np.linalg.norm(true, axis=1)
    assert false_motion_rate(*lengths, valid) == 1 / 2
    assert math.isnan(false_motion_rate([0.3], [0.2], [True]))


def test_shares_and_latencies():
    assert valid_share([True, False, True, True]) == 0.75 and math.isnan(valid_share([]))
    assert latency_percentiles([0.01, 0.02, 0.03, NAN], (0, 50, 100)) == pytest.approx((10, 20, 30))
    assert all(math.isnan(value) for value in latency_percentiles([]))


def test_a_summary_gives_medians_with_the_worst_beside():
    summary = summarise([episode(0.001), episode(0.002), episode(-0.009)])
    assert summary["mae_mm"] == pytest.approx(2) and summary["mae_mm_worst"] == pytest.approx(9)
    assert summary["spearman"] == summary["spearman_worst"] == pytest.approx(1)
    assert summary["order_accuracy"] == 1 and summary["episodes"] == 3
    assert summary["latency_ms_p50"] == summary["latency_ms_p95"] == pytest.approx(20)
    assert summary["valid_share"] == 1 and math.isnan(summary["false_motion_rate"])


def test_long_episodes_are_ordered_in_little_memory():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 0.1, 3000)
    predicted, valid = truth + rng.normal(0, 0.02, 3000), rng.random(3000) < 0.9
    t, p = truth[valid], predicted[valid]
    farther = t[:, None] - t > 0.005
    whole = (p[:, None] > p)[farther].mean()
    tracemalloc.start()
    assert order_accuracy(predicted, truth, valid) == pytest.approx(whole, abs=1e-12)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_the_worst_rank_is_the_lowest():
    reverse = EpisodeErrors(TRUTH[::-1], TRUTH, VALID, np.zeros(31))
    summary = summarise([episode(), episode(), reverse])
    assert summary["spearman"] == pytest.approx(1) and summary["spearman_worst"] == pytest.approx(-1)
    assert summary["order_accuracy_worst"] == 0


def test_undefined_episodes_are_counted_and_left_out_of_the_median():
    still = episode(truth=np.full(31, 0.2))
    summary = summarise([episode(), still])
    assert summary["spearman_undefined"] == 1 and summary["spearman"] == pytest.approx(1)
    assert math.isnan(summarise([still])["spearman"]) and math.isnan(summarise([still])["spearman_worst"])


def test_rates_pool_all_steps_so_that_one_bad_episode_shows():
    moved = dict(displacement_predicted=np.full(31, 0.05), displacement_true=np.zeros(31))
    rest = dict(displacement_predicted=np.zeros(31), displacement_true=np.zeros(31))
    summary = summarise([episode(**rest), episode(**rest), episode(0.2, **moved)])
    assert summary["gross_error_rate"] == pytest.approx(1 / 3)
    assert summary["false_motion_rate"] == pytest.approx(1 / 3)


def test_no_episode_gives_nan_and_never_a_zero():
    summary = summarise([])
    assert summary.pop("episodes") == 0
    unknown = {key: value for key, value in summary.items() if not key.endswith("_undefined")}
    assert all(math.isnan(value) for value in unknown.values())


def test_columns_must_be_equally_long_and_become_plain_lists():
    with pytest.raises(ValueError, match=r"must be equally long, got .*'truth': 30"):
        EpisodeErrors(TRUTH, TRUTH[1:], VALID, np.zeros(31))
    columns = episode().as_columns()
    assert sorted(columns) == ["latency", "predicted", "truth", "valid"]
    assert columns["valid"][0] is True and type(columns["truth"][0]) is float

import json

import numpy as np
import pytest

from spatial_reward.calibrate import Errors, coverage, fit, run_calibrate
from spatial_reward.config import compose
from spatial_reward.models.spatialnet_weights import SHIPPED, read_card


def errors(factor, count=3000):
    rng = np.random.default_rng(0)
    std = rng.uniform(0.005, 0.03, count)
    return Errors(factor * std * rng.normal(size=count), std)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_the_factor_makes_intervals_hold_nine_of_ten_errors(factor):
    found = fit(errors(factor), {"env": "x"})
    assert found == pytest.approx(factor, rel=0.07)
    assert coverage(errors(factor), found) == pytest.approx(0.9, abs=0.002)
    assert np.isnan(coverage(Errors(np.array([]), np.array([]))))


def test_too_few_errors_are_refused():
    with pytest.raises(ValueError, match="Only 20 valid answers in here, and a factor takes 30"):
        fit(errors(1.0, 60), {"env": "here"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=rgbd"], "Only spatialnet carries factors"),
        (["held_out=1"], "`held_out` must lie between 0 and 1"),
        (["episodes=1"], "`episodes` must be at least 2"),
    ],
    ids=["model", "share", "count"],
)
def test_wrong_settings_are_refused_before_anything_is_rolled(words, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        run_calibrate(compose("calibrate", [*words, f"out={tmp_path / 'out'}"]))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_environment_gives_a_model_whose_card_says_so(tmp_path):
    words = ["model.depth=predicted", "episodes=2", "held_out=0.5", "steps=50", f"out={tmp_path / 'out'}"]
    folder = run_calibrate(compose("calibrate", words))
    card, metrics = (
        read_card(folder / "model"),
        json.loads((folder / "summary.json").read_text())["metrics"],
    )
    assert card["files"] == read_card(SHIPPED)["files"]
    assert card["calibration"]["object"] == pytest.approx(metrics["object_factor"])
    assert card["about"]["calibrated_in"] == "SpatialReward/Push-v0"
    assert metrics["errors"] >= 90 and 0 <= metrics["coverage_90"] <= 1

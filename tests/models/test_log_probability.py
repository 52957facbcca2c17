import numpy as np
import pytest

from spatial_reward.models.log_probability import LogProbability
from spatial_reward.types import Frame

pytest.importorskip("transformers")


@pytest.fixture(scope="module", params=["internvl", "qwen3_vl"])
def checkpoint(request, tmp_path_factory):
    from spatial_reward.models.tiny_vlm import build_tiny_vlm

    return build_tiny_vlm(tmp_path_factory.mktemp(request.param) / "vlm", request.param)


def frames(count=6):
    rng = np.random.default_rng(0)
    return [Frame(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), float(n)) for n in range(count)]


def test_every_frame_is_scored_by_what_was_seen_up_to_it(checkpoint):
    scorer, seen = LogProbability(str(checkpoint), frames=3), frames()
    whole = scorer.score(seen, "lift the cube").progress
    assert whole.shape == (6,) and (whole > 0).all() and (whole < 1).all()
    assert scorer.score(seen[:4], "lift the cube").progress == pytest.approx(whole[:4], abs=1e-4)


def test_the_log_scale_is_the_logarithm_and_the_words_count(checkpoint):
    seen = frames(3)
    plain = LogProbability(str(checkpoint)).score(seen, "lift the cube").progress
    logs = LogProbability(str(checkpoint), scale="log").score(seen, "lift the cube").progress
    assert logs == pytest.approx(np.log(plain), abs=1e-4)
    other = LogProbability(str(checkpoint)).score(seen, "push it away at once").progress
    assert np.abs(other - plain).max() > 1e-6


def test_an_unknown_scale_is_named():
    with pytest.raises(ValueError, match="`scale` must be one of probability, log, got 'rank'"):
        LogProbability("nowhere", scale="rank")

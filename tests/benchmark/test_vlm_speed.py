import subprocess
import sys

import numpy as np
import pytest

from spatial_reward.benchmark.vlm_speed import FRAMES, latencies, utilisation
from spatial_reward.models.tiny_vlm import build_tiny_vlm


@pytest.mark.slow
@pytest.mark.parametrize("family", ["internvl", "qwen3_vl"])
def test_every_clip_is_timed_with_and_without_prefix(family, tmp_path):
    model = build_tiny_vlm(tmp_path / "tiny", family)
    rows = list(latencies(str(model), device="cpu", repeats=2, batches=(1, 2), size=(128, 96)))
    asked = {(row.frames, row.batch, row.reuse) for row in rows}
    assert asked == {(f, b, r) for f in FRAMES for b in (1, 2) for r in (False, True)}
    assert all(0 < row.median <= row.slow for row in rows)
    assert np.isnan([row.memory for row in rows]).all() or all(row.memory > 0 for row in rows)


def test_utilisation_counts_what_is_computed():
    assert utilisation(1000, 8e9, "full", 4.8e13) == 1.0
    assert utilisation(1000, 8e9, "lora", 4.8e13) == pytest.approx(4 / 6)
    with pytest.raises(ValueError, match="'lorra'"):
        utilisation(1, 1, "lorra", 1)


def test_the_command_says_how_it_is_used():
    command = [sys.executable, "-m", "spatial_reward.benchmark.vlm_speed", "model", "speed=fast"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "Usage" in done.stderr

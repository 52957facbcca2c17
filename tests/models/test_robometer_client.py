import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spatial_reward.models.robometer_client import RobometerClient
from spatial_reward.types import Frame


@pytest.fixture(scope="module")
def url():
    command = [sys.executable, str(Path(__file__).parent / "robometer_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.terminate()


@pytest.fixture(scope="module")
def frames():
    return [Frame(np.full((40, 60, 3), level, np.uint8)) for level in range(0, 200, 10)]


def test_every_frame_gets_the_last_value_of_its_prefix(url, frames):
    said = RobometerClient(url, batch=7).score(frames, "push the cube")
    assert said.progress == pytest.approx(np.arange(0, 200, 10) / 255)
    assert said.success == pytest.approx(np.full(20, 0.25))


def test_pictures_are_shrunk_before_they_are_sent(url, frames):
    large = [Frame(np.repeat(np.repeat(frame.rgb, 10, 0), 10, 1)) for frame in frames[:3]]
    assert RobometerClient(url, side=32).score(large, "push").progress == pytest.approx(
        [0, 10 / 255, 20 / 255]
    )


def test_what_the_server_leaves_out_is_unknown_and_not_zero(url, frames):
    said = RobometerClient(url, batch=20).score(frames, "gap")
    assert np.isnan(said.progress[0]) and np.isfinite(said.progress[1:]).all()
    assert RobometerClient(url).score(frames, "no opinion").success is None


@pytest.mark.parametrize(
    ("task", "words"),
    [("refuse", "HTTP 422.*refuse"), ("babble", "No usable reply"), ("short", "Asked about 16 samples.* 15")],
)
def test_a_bad_reply_is_named(url, frames, task, words):
    with pytest.raises(RuntimeError, match=words):
        RobometerClient(url).score(frames, task)


def test_no_server_and_bad_options_are_named(frames):
    with pytest.raises(RuntimeError, match="No usable reply of a Robometer server"):
        RobometerClient("http://127.0.0.1:9").score(frames, "push")
    with pytest.raises(ValueError, match="must start with http"):
        RobometerClient("localhost:8001")
    with pytest.raises(ValueError, match="at least 2 frames, got 1"):
        RobometerClient(frames=1)

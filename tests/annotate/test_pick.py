"""Clicking where things are, on a page of this computer."""

import json
import threading
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest
from recorded_rollouts import FPS, Still, rollout

from spatial_reward.annotate import Settings, run_annotate
from spatial_reward.annotate.jobs import open_source
from spatial_reward.annotate.pick import Picker
from spatial_reward.config import compose
from spatial_reward.data.episodes.record import FORMATS
from spatial_reward.data.episodes.rollout import Rollout

GOAL = "near(block, mark, within=2cm)"


@pytest.fixture
def data(tmp_path):
    """Two episodes whose things nobody has marked."""
    plain = [Rollout({"front": rollout(s, 4).frames["front"]}, "push") for s in range(2)]
    return FORMATS["hdf5"][1](plain, tmp_path / "a.hdf5", FPS)


@pytest.fixture
def picker(data, tmp_path):
    settings = Settings(str(data), {"name": "rgbd"}, goal=GOAL)
    picker = Picker(open_source(settings), settings, tmp_path / "points.json")
    picker.start()
    yield picker
    picker.close()


def send(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as reply:
        return reply.read()


def test_the_page_shows_the_first_frames(picker):
    assert picker.url.startswith("http://127.0.0.1:")
    assert b"Where are the things in the first frame?" in send(picker.url)
    tasks = json.loads(send(f"{picker.url}tasks"))["tasks"]
    assert [task["episode"] for task in tasks] == ["demo_0", "demo_1"] and tasks[0]["names"] == [
        "block",
        "mark",
    ]
    picture = cv2.imdecode(np.frombuffer(send(f"{picker.url}picture/1"), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(picture[..., ::-1], rollout(1, 1).frames["front"][0].rgb)


def test_clicks_become_points(picker):
    send(f"{picker.url}point", {"task": 0, "name": "block", "point": {"pixel": [20.5, 31]}})
    send(f"{picker.url}point", {"task": 0, "name": "mark", "point": {"box": [50, 40, 60, 50]}})
    reply = json.loads(send(f"{picker.url}done", {}))
    assert reply["missing"] == "block and mark of demo_1" and not picker.finished.is_set()
    send(f"{picker.url}rest", {"task": 0})
    assert json.loads(send(f"{picker.url}done", {}))["missing"] == ""
    assert picker.finished.wait(5)
    points = json.loads(picker.path.read_text())
    assert points["episodes"]["1"]["cameras"]["front"]["block"] == {"pixel": [20.5, 31.0]}


def test_nonsense_is_refused(picker):
    bad = [
        ("point", {"task": 9, "name": "block", "point": {"pixel": [1, 2]}}),
        ("point", {"task": 0, "name": "nothing", "point": {"pixel": [1, 2]}}),
        ("point", {"task": 0, "name": "block", "point": {}}),
        ("../tasks", None),
    ]
    for what, body in bad:
        with pytest.raises(urllib.error.HTTPError):
            send(picker.url + what, body)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        send(picker.url.replace(picker.token, "guess") + "tasks")
    assert not picker.path.exists()


def test_annotate_waits_for_the_clicks(data, tmp_path, monkeypatch):
    def click(picker):
        for name, pixel in (("block", [30, 40]), ("mark", [60, 40])):
            picker.set(0, name, {"pixel": pixel})
        picker.repeat(0)
        picker.finished.set()

    original = Picker.start

    def start(picker):
        original(picker)
        threading.Thread(target=click, args=(picker,)).start()

    monkeypatch.setattr(Picker, "start", start)
    words = [f"dataset={data}", "model=rgbd", f"goal={GOAL}", "points=pick", f"out={tmp_path / 'out'}"]
    config = compose("annotate", [*words, "reports=0", "overlays=0", "recordings=0"])
    out = run_annotate(config, Still())
    assert json.loads((out / "summary.json").read_text())["metrics"]["valid_share"] == 1
    assert (tmp_path / "out.points.json").is_file()
    run_annotate(config, Still())  # nothing is left to pick

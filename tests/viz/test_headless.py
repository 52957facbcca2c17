"""Pictures by the viewer itself, where it can draw without a screen."""

import stat
import time

import numpy as np
import pytest
from PIL import Image
from vulkan import needs_vulkan

from spatial_reward.viz import Recorder, headless
from spatial_reward.viz.headless import screenshot
from spatial_reward.viz.screenshots import COMMANDS, main, run


@pytest.fixture
def recording(simulated, tmp_path):
    with Recorder(tmp_path / "episode.rrd", "near(ball, goal)") as recorder:
        for step in simulated:
            recorder.log(step)
    return tmp_path / "episode.rrd"


@pytest.mark.slow
@needs_vulkan
def test_the_viewer_draws_a_recording_without_a_screen(recording, tmp_path):
    first = screenshot(recording, tmp_path / "first.png", timeline="step", at=0, size=(900, 640))
    last = screenshot(recording, tmp_path / "last.png", size=(900, 640))
    with Image.open(first) as start, Image.open(last) as end:
        assert start.size == end.size == (900, 640 - headless.TITLE_BAR)
        pictures = [np.asarray(image.convert("RGB"), int) for image in (start, end)]
    red = [(picture[..., 0] > 150) & (picture[..., 1:] < 90).all(-1) for picture in pictures]
    assert all(mask.sum() > 50 for mask in red), "the red ball"
    assert np.abs(pictures[0] - pictures[1]).max() > 50
    assert {path.name for path in tmp_path.iterdir()} == {"episode.rrd", "first.png", "last.png"}


@pytest.mark.slow
@needs_vulkan
def test_a_stream_to_an_open_viewer_is_laid_out_as_the_file_is(recording, simulated):
    with headless._viewer(recording, (900, 640)) as client:
        from_file = {(view.name, view.origin) for view in client.get_state().views}
        with Recorder(goal="near(ball, goal)", viewer=client.url) as recorder:
            for step in simulated:
                recorder.log(step)
        deadline = time.monotonic() + 30
        while len(client.get_state().recordings) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        state = client.get_state()
        client.take_screenshot()
        live = {(view.name, view.origin) for view in client.get_state().views}
    assert len(state.recordings) == 2 and len({one.store_id for one in state.recordings}) == 2
    assert live == from_file and len(live) == 13


def test_a_viewer_that_cannot_draw_says_what_it_lacks(recording, tmp_path, monkeypatch):
    program = tmp_path / "viewer"
    program.write_text("#!/bin/sh\necho No graphics adapter was found >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(headless, "viewer_program", lambda: str(program))
    with pytest.raises(RuntimeError, match=r"No graphics adapter was found.*mesa-vulkan-drivers"):
        screenshot(recording, tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists() and not list(tmp_path.glob(".*"))


def test_what_is_missing_is_named(recording, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"There is no recording .*lost\.rrd"):
        screenshot(tmp_path / "lost.rrd", tmp_path / "picture.png")
    monkeypatch.setattr(headless.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match=r'pip install "spatial-reward\[viz\]"'):
        screenshot(recording, tmp_path / "picture.png")


def test_the_pictures_of_the_readme_are_made_by_commands_that_end_in_one(capsys):
    for commands in COMMANDS.values():
        assert sum("screenshot={picture}" in word for command in commands for word in command) == 1
        assert "screenshot={picture}" in commands[-1] and commands[-1][2] == "view"
    with pytest.raises(SystemExit):
        main(["docs", "demos"])
    assert "there is no picture 'demos'" in capsys.readouterr().err


def test_a_command_that_fails_is_named_with_its_last_words(tmp_path):
    with pytest.raises(RuntimeError, match=r"`python -c raise .*` failed: ValueError: dark"):
        run(["-c", "raise ValueError('dark')"], tmp_path)

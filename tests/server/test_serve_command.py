import socket

import pytest
from serving_process import Served

from spatial_reward.config import compose
from spatial_reward.server import command
from spatial_reward.server.command import run_serve


@pytest.mark.parametrize(
    "words, message",
    [
        (["host=0.0.0.0"], "lets other computers ask, without a token"),
        (["batch=0"], "`batch` must be a whole number above 0, got 0"),
        (["batch=2.5"], "`batch` must be a whole number above 0, got 2.5"),
        (["queue=true"], "`queue` must be a whole number above 0, got True"),
        (
            ["queue=255"],
            "`queue` must hold the questions of one request, 256, got 255.*lower limits.questions",
        ),
        (["port=true"], "`port` must lie between 0"),
        (["idle_timeout=never"], "`idle_timeout` must be a number above 0, got 'never'"),
        (["wait_ms=soon"], "`wait_ms` must be a number of at least 0 .*got 'soon'"),
        (["wait_ms=null"], "`wait_ms` must be a number of at least 0 .*got None"),
        (["wait_ms=-5"], "`wait_ms` must be a number of at least 0 .*got -5"),
        (["limits.bytes=-1"], "`limits.bytes` must be a whole number above 0, got -1"),
        (["limits.frames=1.5"], "`limits.frames` must be a whole number above 0, got 1.5"),
        (["limits={bites: 3}"], "`limits` must be bytes, frames, .*'bites': 3"),
        (["limits=null"], "`limits` must be bytes, frames, .*got None"),
        (["scene=nowhere.json"], "scene=nowhere.json cannot be read"),
        (["model=oracle", "model.noise=-1"], "`noise` must not be negative"),
    ],
)
def test_what_cannot_be_served_is_told(words, message, monkeypatch):
    monkeypatch.delenv("SPATIAL_REWARD_TOKEN", raising=False)
    with pytest.raises(ValueError, match=message):
        run_serve(compose("serve", ["model=oracle", "port=0", *words]))


def test_a_scene_of_other_things_is_told(tmp_path):
    (tmp_path / "scene.json").write_text('{"gaol": 1}')
    with pytest.raises(ValueError, match="some of camera, goal, references"):
        run_serve(compose("serve", ["model=oracle", "port=0", f"scene={tmp_path / 'scene.json'}"]))


@pytest.mark.parametrize("scene", ['{"camera": {"width": 3}}', '{"references": {"ball": 3}}'])
def test_a_scene_that_makes_no_sense_is_told(tmp_path, scene):
    (tmp_path / "scene.json").write_text(scene)
    with pytest.raises(ValueError, match=r"scene=.*makes no sense .*as a request would"):
        run_serve(compose("serve", ["model=oracle", "port=0", f"scene={tmp_path / 'scene.json'}"]))


def test_a_configuration_of_ones_own_starts_from_that_of_the_command():
    with pytest.raises(ValueError, match=r"lacks model, host.*defaults: \[serve\]"):
        run_serve({})


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"Cannot listen on 127.0.0.1:{port}.*take another port"):
            run_serve(compose("serve", ["model=oracle", f"port={port}"]))


def test_interrupting_it_is_no_failure():
    server = Served("model=oracle")
    server.process.send_signal(2)
    assert server.process.wait(20) == 0
    server.process.stdout.close()


def test_small_answers_are_sent_at_once():
    with command._listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's algorithm on

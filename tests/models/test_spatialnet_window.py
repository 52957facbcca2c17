from dataclasses import replace

import numpy as np
import pytest
import torch

from spatial_reward.camera import Camera, look_at
from spatial_reward.models.spatialnet import SpatialNet
from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork
from spatial_reward.models.spatialnet_weights import save_weights
from spatial_reward.models.spatialnet_window import Windows, closer, shifted
from spatial_reward.types import Answer, Frame, PixelPoint, Question

POSE = look_at((0.0, -0.6, 0.5), (0.0, 0.0, 0.03))
WIDTH, HEIGHT = 320, 240


def frame_of(seed=0, *, width=WIDTH, height=HEIGHT):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Frame(rgb, float(seed), camera=Camera.from_fov(50, width, height, POSE))


@pytest.mark.parametrize("middle", [(160.3, 120.0), (0.0, 0.0), (319.0, 239.0), (70.0, 400.0)])
def test_a_window_lies_within_the_picture_and_keeps_its_rays(middle):
    frame = frame_of()
    window, (x, y) = Windows(128).cut(frame, np.array(middle), 128)
    assert (window.width, window.height, window.time) == (128, 128, frame.time)
    np.testing.assert_array_equal(window.rgb, frame.rgb[y : y + 128, x : x + 128])
    at = np.array([[10.5, 20.0], [100.0, 3.5]])
    np.testing.assert_allclose(window.camera.rays(at), frame.camera.rays(at + (x, y)), atol=1e-12)


def test_a_window_is_cut_once():
    windows, frame = Windows(128), frame_of()
    assert (
        windows.cut(frame, np.array([99.0, 99.0]), 128)[0] is windows.cut(frame, np.array([99.2, 99]), 128)[0]
    )


def test_windows_pay_only_where_pictures_have_more_to_show():
    windows = Windows(128)
    assert windows.side(frame_of(), 0.0) == 128
    assert windows.side(frame_of(), 60.0**2) == 180
    assert windows.side(frame_of(), 90.0**2) == 192
    assert windows.side(frame_of(width=200, height=200), 90.0**2) is None
    assert windows.side(frame_of(width=128, height=128), 0.0) is None


def test_a_question_about_windows_and_its_answer_speak_of_the_same_places():
    first, second = frame_of(0), frame_of(1)
    previous = Answer(np.zeros(3), "m", 0.01, match=(180.0, 110.0))
    question = Question("obj_vec_coord", (first, second), (PixelPoint(100.0, 90.0),), previous=previous)
    near, corner = closer(Windows(128), question, np.array([180.0, 110.0]), 128)
    ray = near.frames[0].camera.rays(np.array(near.points[0][:2]))
    np.testing.assert_allclose(ray, first.camera.rays(np.array([100.0, 90.0])))
    assert near.frames[1].camera.contains(near.previous.match) and question.previous is previous
    back = shifted(replace(near.previous, value=np.array(near.previous.match), unit="px"), corner)
    assert back.match == (180.0, 110.0) and back.value.tolist() == [180.0, 110.0]
    metric = shifted(near.previous, corner)
    assert metric.match == (180.0, 110.0) and metric.value.tolist() == [0, 0, 0]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "tiny"
    save_weights(path, SpatialNetwork(NetworkConfig(width=16, depth=1)), {}, {})
    return SpatialNet(path, depth="predicted")


def test_what_stayed_is_answered_from_windows_around_it(model, monkeypatch):
    first, asked = frame_of(0), []
    second = Frame(first.rgb.copy(), 1.0, camera=first.camera)
    ask = model._asked
    monkeypatch.setattr(model, "_asked", lambda questions: asked.extend(questions) or ask(questions))
    monkeypatch.setattr(model, "_sees", lambda question: True)
    monkeypatch.setattr("spatial_reward.models.spatialnet.VAGUE", 100.0)
    match = model.eyes.match  # of a network that knows nothing, and says so
    unsure = lambda pairs: [found._replace(std=found.std + 1e4) for found in match(pairs)]  # noqa: E731
    monkeypatch.setattr(model.eyes, "match", unsure)
    monkeypatch.setattr("spatial_reward.models.spatialnet_window.ROOM", 0.0)  # its masks mean nothing
    question = Question("obj_vec_coord", (first, second), (PixelPoint(100.0, 90.0),))
    [answer] = model.answer([question])
    assert [q.frames[0].width for q in asked] == [WIDTH, asked[1].frames[0].width]
    assert asked[1].frames[0].width < HEIGHT
    np.testing.assert_allclose(answer.match, (100.0, 90.0), atol=1e-6)
    np.testing.assert_allclose(answer.value, 0.0, atol=1e-9)
    asked.clear()
    [again] = model.answer([replace(question, previous=answer)])
    assert [q.frames[0].width < HEIGHT for q in asked] == [True]
    np.testing.assert_allclose(again.match, (100.0, 90.0), atol=1e-6)

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from spatial_reward.camera import Camera, look_at, rigid, transform
from spatial_reward.models import load_model
from spatial_reward.models.spatialnet import SpatialNet
from spatial_reward.models.spatialnet_motion import REGION, body_motion, region_pixels
from spatial_reward.models.spatialnet_network import NetworkConfig, SpatialNetwork
from spatial_reward.models.spatialnet_patch import Place
from spatial_reward.models.spatialnet_sight import Matched, network_size
from spatial_reward.models.spatialnet_weights import UNCALIBRATED, save_calibration, save_weights
from spatial_reward.questions import KINDS
from spatial_reward.types import Frame, PixelPoint, Question

POSE = look_at((0.0, -0.6, 0.5), (0.0, 0.0, 0.03))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "tiny"
    save_weights(path, SpatialNetwork(NetworkConfig(width=16, depth=1)), {}, {})
    return path


@pytest.fixture
def model(weights):
    return SpatialNet(weights, depth="predicted")


def frame_of(seed=0, width=96, height=96, *, depth=None, camera=True):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    images = None if depth is None else np.full((height, width), depth, np.float32)
    return Frame(rgb, camera=Camera.from_fov(50, width, height, POSE) if camera else None, depth=images)


def question_of(kind, *frames):
    points, labels = (PixelPoint(40.0, 50.0),), ()
    if kind.startswith("depth_cmp"):
        points, labels = (PixelPoint(40.0, 50.0), PixelPoint(70.0, 20.0)), ("A", "B", "closer")
    if kind == "vc_mcq":
        points = (PixelPoint(40.0, 50.0), *(PixelPoint(20.0 * i, 30.0, 1) for i in range(1, 5)))
        labels = ("", "A", "B", "C", "D")
    return Question(kind, frames[:1] if kind.startswith("depth") else frames, points, labels)


def same(first, second):
    return np.array_equal(np.asarray(first.value), np.asarray(second.value)) and first.valid == second.valid


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_answered_with_its_unit_and_a_standard_deviation(kind, model):
    [answer] = model.answer([question_of(kind, frame_of(0), frame_of(1))])
    assert answer.source == "spatialnet" and answer.value is not None, answer.text
    assert answer.unit == KINDS[kind].unit and np.all(np.asarray(answer.std) >= 0)


def test_a_batch_gives_what_single_questions_give(model, weights):
    frames = [frame_of(seed) for seed in range(3)] + [frame_of(7, 160, 96)]
    kinds = ("obj_vec_coord", "vc_coord", "depth_est_coord")
    questions = [question_of(kind, frames[0], other) for kind in kinds for other in frames[1:]]
    together = model.answer(questions)
    for question, answer in zip(questions, together, strict=True):
        [alone] = SpatialNet(weights, depth="predicted").answer([question])
        np.testing.assert_allclose(answer.value, alone.value, rtol=1e-3, atol=1e-3)


def test_a_frame_is_encoded_once(model, monkeypatch):
    encoded = []
    encode = model.eyes.runtime.encode
    monkeypatch.setattr(model.eyes.runtime, "encode", lambda x: encoded.append(len(x.rgb)) or encode(x))
    reference, now, later = (frame_of(seed) for seed in range(3))
    first = model.answer([question_of("obj_vec_coord", reference, now)])
    again = model.answer([question_of("obj_vec_coord", reference, now)])
    model.answer([question_of("obj_vec_coord", reference, later)])
    assert encoded == [2, 1] and same(first[0], again[0])


def test_measured_depth_is_used_where_it_is_given_and_wanted(weights):
    plain, deep = frame_of(0), frame_of(0, depth=0.7)
    question = question_of("depth_est_coord", deep)
    auto, forced = (SpatialNet(weights, depth=how).answer([question])[0] for how in ("auto", "predicted"))
    assert auto.value == pytest.approx(0.7) and auto.std < 0.01
    assert forced.value != pytest.approx(0.7, abs=1e-4) and forced.std > auto.std
    [refused] = SpatialNet(weights, depth="measured").answer([question_of("depth_est_coord", plain)])
    assert not refused.valid and "has no depth" in refused.text
    assert SpatialNet(weights, depth="measured").needs == {"camera", "depth"}
    assert SpatialNet(weights).needs == {"camera"}


def test_depths_are_compared_though_their_scale_is_not_known(model, monkeypatch):
    """They err together: a difference under the error of each may be sure."""
    question = question_of("depth_cmp_coord", frame_of(0))
    for between, sure in ((0.05, False), (0.3, True)):
        depths = np.array([1.0, 1.0 + between]), np.array([0.35, 0.35])
        monkeypatch.setattr(model, "_depths", lambda question, told=depths: told)
        [answer] = model.answer([question])
        assert answer.valid == sure


def test_what_cannot_be_answered_says_why(model):
    [no_camera] = model.answer([question_of("depth_est_coord", frame_of(0, camera=False))])
    assert not no_camera.valid and "has no camera" in no_camera.text
    [one_frame] = model.answer([question_of("obj_vec_coord", frame_of(0))])
    assert not one_frame.valid and "compares two frames" in one_frame.text
    [unknown] = model.answer([replace(question_of("depth_est_coord", frame_of(0)), kind="colour")])
    assert not unknown.valid and "colour" in unknown.text
    for x in (float("nan"), -3.0, 96.5):
        bad = replace(question_of("vc_coord", frame_of(0), frame_of(1)), points=(PixelPoint(x, 5.0),))
        fine = question_of("vc_coord", frame_of(0), frame_of(1))
        outside, answered = model.answer([bad, fine])
        assert not outside.valid and "outside the picture, 96 x 96" in outside.text
        assert answered.value is not None
    size = Question("size_width", (frame_of(0), frame_of(1)), labels=("cup",))
    [nameless] = model.answer([size])
    assert not nameless.valid and "says no colour" in nameless.text


def test_a_size_from_colours_uses_no_picture_of_hidden_pose(weights):
    frames, points = (frame_of(0), frame_of(1)), [PixelPoint(40.0, 50.0, number) for number in (0, 1)]
    asked = [(), (points[1],), (points[0],), tuple(points)]
    questions = [Question("size_height", frames, given) for given in asked]
    answers = SpatialNet(weights, depth="predicted", pose="estimated").answer(questions)
    assert ["in a picture whose pose is known" in answer.text for answer in answers] == [
        True,
        True,
        False,
        False,
    ]
    assert answers[2].value == answers[3].value
    [known] = SpatialNet(weights, depth="predicted").answer(questions[3:])
    assert known.value >= answers[3].value


def test_wrong_options_are_refused(weights):
    with pytest.raises(ValueError, match="`depth` must be one of"):
        SpatialNet(weights, depth="guessed")
    with pytest.raises(ValueError, match="`size` must be a multiple of 32 from 96 to 256, got 100"):
        SpatialNet(weights, size=100)
    for slides in (0, 1, -0.5, "often", float("nan")):
        with pytest.raises(ValueError, match="`slides` must be a probability"):
            SpatialNet(weights, slides=slides)
    assert SpatialNet(weights, slides=0.1).calibration["slides"] == 0.1
    assert SpatialNet(weights).calibration["slides"] == 0.5
    with pytest.raises(TypeError):
        load_model("spatialnet", wights="x")


def test_pictures_of_any_size_get_one_that_the_network_takes():
    assert network_size(128, 128, 128) == (128, 128)
    assert network_size(640, 480, 128) == (128, 96)
    assert network_size(320, 40, 256) == (256, 96)
    assert network_size(48, 64, 128) == (96, 128)


@pytest.mark.parametrize("rows", [2, 3])
def test_a_region_starts_at_its_pixel_and_has_one_length(model, rows):
    seen, at = model.eyes.seen(frame_of(0)), (40.0, 50.0)
    same_body = np.zeros(seen.views.log_depth.shape[1:])
    same_body[11 : 11 + rows, 9:12] = 0.9
    pixels, weight = region_pixels(seen, same_body, at)
    assert pixels.shape == (REGION + 1, 2) and tuple(pixels[0]) == at
    assert (weight > 0).sum() == 1 + min(REGION, 3 * rows)
    assert (np.abs(pixels[weight > 0] - at) < 16).all()


def exact(model, motion, count=25):
    """Return what a perfect network would say of points that all move by `motion` in camera axes."""
    seen = model.eyes.seen(frame_of(0))
    pixels = 48 + 60 * (np.random.default_rng(0).random((count, 2)) - 0.5)
    depth, _ = seen.depth_at(pixels)
    points = seen.camera.rays(pixels) * depth[:, None]
    moved = transform(motion, points)
    sure = np.full(count, 1e-3)
    matched = Matched(seen.camera.pixels(moved), sure, np.ones(count), np.log(moved[:, 2] / depth), sure)
    return seen, pixels, matched, points, moved


def test_a_perfect_match_gives_the_exact_motion_of_a_body(model):
    seen, pixels, matched, points, moved = exact(model, rigid(np.eye(3), [0.05, -0.02, 0.03]))
    alone = np.eye(len(pixels))[0]
    place = Place(matched.pixel[0], 0.0, "network")
    found = body_motion(seen, seen, pixels, alone, matched, place, None, UNCALIBRATED)
    np.testing.assert_allclose(found.displacement, moved[0] - points[0], atol=2e-3)
    np.testing.assert_allclose(transform(found.motion, points[0]), moved[0], atol=2e-3)
    assert np.linalg.eigvalsh(found.covariance).min() > 0


def test_what_stays_has_not_moved_and_its_error_is_that_of_its_place(model):
    seen, pixels, matched, *_ = exact(model, np.eye(4))
    place = Place(pixels[0], 0.0, "still")
    found = body_motion(seen, seen, pixels, np.ones(len(pixels)), matched, place, None, UNCALIBRATED)
    assert (found.displacement == 0).all() and (found.motion == np.eye(4)).all()
    vague = body_motion(
        seen, seen, pixels, np.ones(len(pixels)), matched, replace(place, unlike=20.0), None, UNCALIBRATED
    )
    assert np.trace(found.covariance) < np.trace(vague.covariance)


def test_a_known_anchor_sets_the_scale(model):
    seen, pixels, matched, points, moved = exact(model, rigid(np.eye(3), [0.05, 0.0, 0.0]))
    place, scales = Place(matched.pixel[0], 0.0, "network"), {**UNCALIBRATED, "depth": 10.0}
    far = 3 * points[0]
    found = body_motion(seen, seen, pixels, np.eye(len(pixels))[0], matched, place, far, scales)
    np.testing.assert_allclose(found.displacement, 3 * (moved[0] - points[0]), rtol=0.1, atol=2e-3)


def test_calibration_stretches_the_stated_errors(weights, tmp_path):
    shutil.copytree(weights, tmp_path / "wide")
    save_calibration(tmp_path / "wide", {"depth": 3.0}, {})
    question = question_of("depth_est_coord", frame_of(0))
    [plain], [wide] = (
        SpatialNet(path, depth="predicted").answer([question]) for path in (weights, tmp_path / "wide")
    )
    assert wide.value == plain.value and wide.std == pytest.approx(3 * plain.std)

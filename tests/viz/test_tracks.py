from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spatial_reward import Answer, Frame, Reference, Signal
from spatial_reward.viz.tracks import image_covariance, tracks


def test_a_followed_reference_is_where_its_displacement_in_camera_1_axes_leads(make_step):
    cube, pad = tracks(make_step(1, (0.1, -0.05, 0.02)))
    assert_allclose(cube.now, [0.1, -0.05, 0.12], atol=1e-12)
    assert_allclose(cube.moved[0], np.linalg.norm([0.1, -0.05, 0.02]))
    assert cube.pixel == (32.0, 24.0) and cube.match == (30.0, 20.0)
    assert pad.valid and not pad.followed
    assert_allclose(pad.now, [0.3, 0, 0.1])


def test_the_covariance_turns_with_the_camera(make_step, camera):
    cube = tracks(make_step(1))[0]
    for axis, variance in enumerate([1e-4, 4e-4, 9e-4]):
        direction = camera.world_from_camera[:3, axis]
        assert direction @ cube.covariance @ direction == pytest.approx(variance)


@pytest.mark.parametrize("std", [0.1, np.array([0.1, 0.1, 0.1])])
def test_a_stated_std_serves_where_there_is_no_covariance(make_step, std):
    answer = Answer(np.array([0.1, 0.0, 0.0]), "m", std)
    cube = tracks(make_step(1, signal=Signal(-0.2, 0.3, 0.0, 0.1, True, {"cube": answer})))[0]
    assert_allclose(cube.covariance, 0.01 * np.eye(3), atol=1e-12)
    assert cube.moved == pytest.approx((0.1, 0.1))


def test_an_unknown_std_gives_no_covariance(make_step):
    answer = Answer(np.array([0.1, 0.0, 0.0]), "m")
    cube = tracks(make_step(1, signal=Signal(-0.2, 0.3, 0.0, 0.1, True, {"cube": answer})))[0]
    assert cube.now is not None and cube.covariance is None and np.isnan(cube.moved[1])


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"cube": Answer.unknown("hidden behind the arm")}, "hidden behind the arm"),
        ({"cube": Answer(np.zeros(3), "m", valid=False, text="too uncertain")}, "too uncertain"),
        ({"cube": Answer(np.array([np.nan, 0.0, 0.0]), "m")}, "no usable measurement"),
        ({"cube": Answer(0.3, "m")}, "no usable measurement"),
        ({}, "no usable measurement"),
    ],
)
def test_what_is_not_found_has_no_position_but_a_reason(make_step, answers, reason):
    cube = tracks(make_step(1, signal=Signal.unknown(answers)))[0]
    assert not cube.valid and cube.now is None and cube.match is None
    assert cube.reason == reason
    assert cube.pixel == (32.0, 24.0), "where it was is still known"


def test_a_reference_without_position_starts_where_the_depth_says(make_step, camera):
    step = make_step(1, references={"cube": Reference("cube", (32.0, 24.0))})
    assert_allclose(tracks(step)[0].start, camera.unproject((32.0, 24.0), 1.2), atol=1e-6)


@pytest.mark.parametrize("pixel", [(32.0, 7.0), (99.0, 7.0)])
def test_without_depth_there_the_start_stays_unknown(make_step, pixel):
    cube = tracks(make_step(1, references={"cube": Reference("cube", pixel)}))[0]
    assert cube.valid and cube.start is None and cube.now is None and cube.match == (30.0, 20.0)


def test_pictures_without_a_camera_give_pixels_only(make_step):
    step = make_step(1)
    bare = replace(step, frame=Frame(step.frame.rgb), reference_frame=Frame(step.frame.rgb))
    cube, pad = tracks(bare)
    assert cube.valid and cube.now is None and cube.match == (30.0, 20.0)
    assert pad.match is None


def test_the_image_covariance_is_that_of_projected_samples(camera):
    rng, point = np.random.default_rng(1), np.array([0.1, 0.2, 0.1])
    spread = np.array([[4.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 3.0]]) * 1e-6
    pixels, _ = camera.project(rng.multivariate_normal(point, spread, 20_000))
    assert_allclose(image_covariance(camera, point, spread), np.cov(pixels.T), rtol=0.1, atol=1e-3)

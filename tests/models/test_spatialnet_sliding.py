import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.camera import Camera, look_at, transform
from spatial_reward.models.spatialnet_sliding import Change, Sliding, sliding, weighed

places = st.tuples(*[st.floats(-0.15, 0.15)] * 2)
heights = st.floats(-0.1, 0.3)
azimuths = st.floats(0, 6.28)


def camera_at(azimuth, distance=1.2, height=0.9):
    eye = (distance * np.cos(azimuth), distance * np.sin(azimuth), height)
    return Camera.from_fov(45, 128, 128, look_at(eye, (0, 0, 0.1)))


def pixel_of(camera, point):
    inside = transform(camera.camera_from_world, np.array([point]))
    return camera.pixels(inside)[0], float(inside[0, 2])


@given(places, places, heights, azimuths, st.floats(-0.5, 0.5))
def test_a_point_that_keeps_its_height_changes_its_depth_as_told(first, second, height, azimuth, turned):
    before, after = camera_at(azimuth), camera_at(azimuth + turned)
    pixel, depth = pixel_of(before, (*first, height))
    there, depth_there = pixel_of(after, (*second, height))
    slides = sliding(before, after, pixel, depth, there, there, 0.5)
    assert slides.found == slides.placed == pytest.approx(np.log(depth_there / depth), abs=1e-9)
    assert slides.lifted == pytest.approx(1 / (0.9 - height))


@given(places, heights, azimuths)
def test_the_error_of_the_pixel_is_that_of_a_small_step_along_the_steepest_way(place, height, azimuth):
    camera = camera_at(azimuth)
    pixel, depth = pixel_of(camera, (*place, height))
    std = 0.01
    ways = pixel + std * np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 6.28, 361)])
    changes = [sliding(camera, camera, pixel, depth, way, way, std).placed for way in ways]
    assert sliding(camera, camera, pixel, depth, pixel, pixel, std).std == pytest.approx(
        max(changes), rel=0.01
    )


def test_the_height_of_the_camera_itself_is_never_met():
    level = Camera.from_fov(45, 128, 128, look_at((1, 0, 0.5), (0, 0, 0.5)))
    middle = np.array([64.0, 64.0])
    assert sliding(level, level, middle, 1.0, middle, middle, 0.5) is None
    above = np.array([64.0, 10.0])  # a ray that rises, from a camera above the point
    camera = Camera.from_fov(60, 128, 128, look_at((1, 0, 0.3), (0, 0, 0.2)))
    assert sliding(camera, camera, np.array([64.0, 100.0]), 1.0, above, above, 0.5) is None


SLIDES = Sliding(found=0.02, placed=0.03, std=0.004, lifted=1.0)


def test_what_agrees_slides():
    change = weighed(Change(0.02, 0.002), SLIDES)
    assert change.value == pytest.approx(0.03, abs=2e-4)
    assert change.std < 0.006


def test_what_is_far_from_it_was_lifted():
    told = Change(0.2, 0.01)
    assert weighed(told, SLIDES) == pytest.approx(told, abs=1e-4)


def test_where_lifts_are_small_one_is_believed_sooner():
    told = Change(0.06, 0.02)
    values = [weighed(told, SLIDES, 0.5, lifts).value for lifts in (0.04, 0.2, 2.0)]
    assert values == sorted(values, reverse=True) and values[0] - values[-1] > 0.01


def test_without_a_height_the_network_is_believed():
    assert weighed(Change(0.2, 0.01), None) == (0.2, 0.01)


@given(st.floats(-0.5, 0.5), st.floats(0, 0.3))
def test_the_mixture_is_between_its_cases_and_as_unsure_as_they_are_apart(value, std):
    change = weighed(Change(value, std), SLIDES)
    low, high = sorted((value, SLIDES.placed))
    assert low - 1e-12 <= change.value <= high + 1e-12
    assert min(std, SLIDES.std) - 1e-12 <= change.std <= max(std, SLIDES.std) + (high - low)


def test_where_things_are_known_to_slide_they_are_believed_to():
    told = Change(0.08, 0.02)
    values = [weighed(told, SLIDES, prior).value for prior in (0.05, 0.5, 0.95)]
    assert values == sorted(values, reverse=True) and values[0] - values[-1] > 0.01


def test_doubt_of_the_network_favours_sliding():
    values = [weighed(Change(0.06, std), SLIDES).value for std in (0.01, 0.02, 0.05)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.045

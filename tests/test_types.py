"""A frame's depth is floats in metres; anything else is refused where the frame is made."""

import warnings

import numpy as np
import pytest

from spatial_reward.types import Frame, typical_depth

RGB = np.zeros((48, 64, 3), np.uint8)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, bool])
def test_depth_of_integers_is_refused_with_the_conversion(kind):
    with pytest.raises(ValueError, match=r"floats in metres, got \w+: .* \(millimetres by 1000\)"):
        Frame(RGB, depth=np.ones((48, 64), kind))


def test_depth_in_millimetres_is_refused_also_with_holes():
    depth = np.full((48, 64), 750, np.float32)
    depth[:, ::2] = np.nan
    with pytest.raises(ValueError, match=r"a median of 750 m, beyond the 100 m .* divide by 1000"):
        Frame(RGB, depth=depth)


@pytest.mark.parametrize("fill", [np.nan, np.inf, 0.0, -1.0, 0.75, 99.0])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_depth_in_metres_and_unknown_depth_are_taken(fill, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = Frame(RGB, depth=np.full((48, 64), fill, kind))
    assert frame.depth.dtype == kind


def test_a_far_background_is_taken():
    depth = np.full((48, 64), 0.7, np.float32)
    depth[:20] = 900
    assert Frame(RGB, depth=depth).depth.max() == 900


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (48, 64), (720, 1280)])
def test_the_typical_depth_is_a_median_of_few_pixels(shape):
    depth = np.random.default_rng(0).uniform(0.5, 1.5, shape)
    assert abs(typical_depth(depth) - np.median(depth)) < 0.2

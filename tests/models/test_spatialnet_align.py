import cv2
import numpy as np
import pytest

from spatial_reward.models.spatialnet_align import align

SIDE = 96


def texture(seed=0):
    """A smooth random picture (H, W, 3)."""
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.uniform(0, 255, (SIDE, SIDE, 3)), (0, 0), 2.5).astype(np.float32) * 3 - 250


def moved(picture, about, turn=0.0, scale=1.0, shift=(0.0, 0.0)):
    """Turn [deg] and stretch a picture about a pixel, and shift it [px]."""
    x, y = np.subtract(about, 0.5)
    affine = cv2.getRotationMatrix2D((float(x), float(y)), turn, scale)
    affine[:, 2] += shift
    return cv2.warpAffine(picture, affine, (SIDE, SIDE), flags=cv2.INTER_CUBIC)


def patch(picture, pixel, half=12):
    corner = np.floor(pixel).astype(int) - half
    box = (slice(corner[1], corner[1] + 2 * half + 1), slice(corner[0], corner[0] + 2 * half + 1))
    return np.ascontiguousarray(picture[box]), corner


@pytest.mark.parametrize(
    ("turn", "scale", "shift"),
    [
        (0.0, 1.0, (1.3, -0.7)),
        (8.0, 1.0, (0.6, 0.4)),
        (-12.0, 1.0, (0.0, 1.5)),
        (0.0, 1.12, (0.5, 0.5)),
        (5.0, 0.92, (-1.2, 0.8)),
    ],
)
def test_a_patch_that_turned_is_found_between_pixels(turn, scale, shift):
    picture, pixel = texture(), np.array([48.2, 45.7])
    colours, corner = patch(picture, pixel)
    there = moved(picture, pixel, turn, scale, shift)
    true = pixel + shift
    found = align(colours, np.ones_like(colours), pixel - corner, there, np.round(true - 0.5) + 0.5)
    np.testing.assert_allclose(found.pixel, true, atol=0.12)
    angle = np.radians(turn)
    expected = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(found.linear, expected, atol=0.05)
    assert found.unlike < 6


def test_what_is_there_already_stays():
    picture, pixel = texture(), np.array([40.5, 50.5])
    colours, corner = patch(picture, pixel)
    found = align(colours, np.ones_like(colours), pixel - corner, picture, pixel)
    assert found.pixel.tolist() == pixel.tolist() and found.unlike == pytest.approx(0, abs=1e-3)


def test_a_plain_patch_is_not_bent():
    plain = np.full((SIDE, SIDE, 3), 90.0, np.float32)
    colours, corner = patch(plain, np.array([48.5, 48.5]))
    noise = np.random.default_rng(0).normal(0, 2, plain.shape).astype(np.float32)
    start = np.array([50.5, 47.5])
    found = align(colours, np.ones_like(colours), np.array([48.5, 48.5]) - corner, plain + noise, start)
    np.testing.assert_allclose(found.linear, np.eye(2), atol=0.1)
    assert np.linalg.norm(found.pixel - start) <= 7


def test_it_is_never_worse_than_where_it_starts():
    picture, other, pixel = texture(0), texture(1), np.array([48.5, 48.5])
    colours, corner = patch(picture, pixel)
    for start in (np.array([48.5, 48.5]), np.array([2.5, 3.5]), np.array([300.5, -40.5])):
        found = align(colours, np.ones_like(colours), pixel - corner, other, start)
        assert np.isfinite(found.pixel).all() and np.linalg.norm(found.pixel - start) < 10
        assert np.isfinite(found.unlike)


def test_only_what_counts_is_compared():
    picture, pixel = texture(), np.array([48.5, 48.5])
    colours, corner = patch(picture, pixel)
    there = moved(picture, pixel, shift=(0.8, 0.0))
    there[:, 55:] = 0  # something else has come before it
    weight = np.ones_like(colours)
    weight[:, 55 - corner[0] - 1 :] = 0
    found = align(colours, weight, pixel - corner, there, pixel)
    np.testing.assert_allclose(found.pixel, pixel + (0.8, 0), atol=0.1)

"""Depth as sensors measure it: noise that grows with the square of the distance, and holes."""

import re

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from spatial_reward.camera import Camera, look_at
from spatial_reward.models import rgbd
from spatial_reward.models.ego_motion import ego_motion
from spatial_reward.models.region import View, grow
from spatial_reward.models.rgbd import RGBD
from spatial_reward.models.sensor_noise import measured_noise, smoothed
from spatial_reward.types import Frame, Question

CENTRE = np.array([0.0, 0.0, 0.03])  # of the cube [m]
FRONT = np.array([0.0, -0.03, 0.035])  # a point of its front, seen by the camera
ASIDE = look_at((0.06, -0.6, 0.49), (0.01, 0.0, 0.03))
NOISE = 0.012  # [1/m], 7 mm at the cube: as much as one of 2 mm at 1 m has at 1.9 m
STEPS = [(0.02, 0, 0), (0, 0.02, 0), (0, 0, 0.03), (-0.015, 0.01, 0.0), (0.01, -0.01, 0.02)]  # [m]


def noisy(frame, seed, noise=NOISE, together=0):
    """Return a frame with noise [1/m], that of pixels up to `together` px apart going together."""
    error = np.random.default_rng(seed).standard_normal(frame.depth.shape)
    if together:
        error = gaussian_filter(error, together)
    depth = frame.depth + noise * frame.depth**2 * error / error.std()
    return Frame(frame.rgb, camera=frame.camera, depth=depth.astype(np.float32))


def holed(frame, place, reach):
    """Return a frame where no depth was measured so far [px] around a place."""
    row, column = int(place.y), int(place.x)
    depth = frame.depth.copy()
    depth[row - reach : row + reach + 1, column - reach : column + reach + 1] = np.nan
    return Frame(frame.rgb, camera=frame.camera, depth=depth)


def moved(table, first, second):
    return Question(
        "obj_vec_coord", (first, second), (table.point(first, FRONT),), anchor=table.anchor(first, CENTRE)
    )


def normalised(table, together):
    """Return the errors of moved cubes, squared, in the deviations stated; one is NaN if not valid."""
    found = []
    for seed, step in enumerate(STEPS):
        first, second = table.frame(), table.frame(cube=CENTRE + step)
        pictures = noisy(first, seed, together=together), noisy(second, seed + 100, together=together)
        [answer] = RGBD().answer([moved(table, *pictures)])
        error = first.camera.camera_from_world[:3, :3] @ step - answer.value
        found.append(error @ np.linalg.solve(answer.covariance, error) if answer.valid else np.nan)
    return np.array(found)


def test_a_drawn_picture_has_no_noise(table):
    assert View.of(table.frame()).noise == 0
    assert measured_noise(np.full((3, 3), np.nan)) == 0


@pytest.mark.parametrize(("together", "least"), [(0, 0.9), (2, 0.75)])
@pytest.mark.parametrize("noise", [0.001, 0.003])
def test_the_noise_is_told_from_the_picture(table, noise, together, least):
    frame = noisy(table.frame(), 0, noise, together)
    assert least < measured_noise(frame.depth) / noise < 1.15


def test_noise_is_averaged_but_neither_across_edges_nor_into_holes(table):
    frame = table.frame(wall=(0, 0.3, 0.1))
    depth = noisy(frame, 0, 0.003).depth
    depth[40:50, 60:70] = np.nan
    even = smoothed(depth, 0.003)
    known = np.isfinite(depth)
    assert (np.isfinite(even) == known).all()
    error, before = np.abs(even - frame.depth)[known], np.abs(depth - frame.depth)[known]
    assert np.median(error) < 0.7 * np.median(before)
    assert np.quantile(error, 0.99) < np.quantile(before, 0.99)


@pytest.mark.parametrize("together", [0, 3])
def test_what_moves_before_a_noisy_camera_is_followed_to_what_is_stated(table, together):
    errors = normalised(table, together)
    assert np.isfinite(errors).sum() >= 4
    assert (errors[np.isfinite(errors)] < 16).all()  # four standard deviations


def test_a_noisy_camera_finds_its_own_motion(table):
    first, second = table.frame(), table.frame(eye=ASIDE)
    fit = ego_motion(noisy(first, 0), noisy(second, 1))
    truth = second.camera.camera_from_world @ first.camera.world_from_camera
    assert fit.valid
    assert np.linalg.norm(fit.b_from_a[:3, 3] - truth[:3, 3]) < 0.02


@pytest.mark.parametrize("reach", [0, 2])
def test_a_hole_under_the_pixel_is_passed_over(table, reach):
    first, step = table.frame(), np.array([0.015, 0.01, 0.0])
    second = table.frame(cube=CENTRE + step)
    pictures = first, holed(first, table.point(first, FRONT), reach)
    whole, answer = RGBD().answer([moved(table, picture, second) for picture in pictures])
    assert answer.valid and (answer.std > whole.std).all()
    assert np.linalg.norm(first.camera.world_from_camera[:3, :3] @ answer.value - step) < 0.005


def test_the_surface_beside_a_hole_is_that_of_its_colour():
    rgb, depth = np.full((60, 60, 3), 120, np.uint8), np.ones((60, 60), np.float32)
    rgb[:, 31:], depth[:, 31:] = (20, 90, 30), 0.8
    depth[:, 29:31] = np.nan
    camera = Camera(np.array([[250, 0, 30], [0, 250, 30], [0, 0, 1.0]]), np.eye(4), 60, 60)
    region = grow(View.of(Frame(rgb, camera=camera, depth=depth)), (30.5, 30.5))
    assert region.origin[2] == pytest.approx(1.0)
    assert region.aside == pytest.approx(2 / 250)


def test_a_large_hole_is_told_as_one(table):
    first = table.frame()
    [answer] = RGBD().answer([moved(table, holed(first, table.point(first, FRONT), 4), table.frame())])
    assert not answer.valid
    assert "No depth was measured at pixel" in answer.text and "point elsewhere" in answer.text


def test_what_is_hardly_known_says_so(table, monkeypatch):
    monkeypatch.setattr(rgbd, "VAGUE", 1e-3)
    [answer] = RGBD().answer([moved(table, table.frame(), table.frame())])
    assert not answer.valid and re.search(r"known only to \d+ mm", answer.text)

"""Peaks are read to a pixel; of two, that whose body finds its way back is taken."""

import numpy as np
import pytest
import torch

from spatial_reward.models.spatialnet_matching import Features, Matcher
from spatial_reward.models.spatialnet_peaks import STRIDE, aside, either, read_peak

SIDE = 16


def hill(x, y, side=SIDE):
    """Logits (1, 1, side, side) that are highest at a pixel."""
    row, column = STRIDE * (
        torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")) + 0.5
    )
    return -((column - x) ** 2 + (row - y) ** 2)[None, None] / 30


@pytest.mark.parametrize(("x", "y"), [(30.0, 26.0), (31.0, 26.0), (31.0, 27.0), (33.5, 41.25)])
def test_a_peak_is_read_at_its_pixel_and_a_shift_of_one_pixel_shifts_it_by_one(x, y):
    peak = read_peak(hill(x, y))
    np.testing.assert_allclose(peak.pixel[0, 0], (x, y), atol=0.15)
    assert 2 < peak.spread < 8 and 0.9 < peak.share <= 1 and peak.height == pytest.approx(0, abs=0.3)


def test_without_some_cells_the_next_peak_is_read():
    logits = torch.maximum(hill(12.0, 12.0), hill(50.0, 40.0) - 1)
    first = read_peak(logits)
    second = read_peak(logits, aside(torch.full((1, 1, SIDE, SIDE), -1.0), first.pixel))
    np.testing.assert_allclose(first.pixel[0, 0], (12, 12), atol=0.2)
    np.testing.assert_allclose(second.pixel[0, 0], (50, 40), atol=0.2)
    assert second.height == pytest.approx(float(first.height) - 1, abs=0.3)


def test_what_is_left_aside_is_the_body_and_what_is_next_to_the_pixel():
    body = torch.full((1, 1, SIDE, SIDE), -1.0)
    body[..., :2, :] = 1.0
    left = aside(body, torch.tensor([[[42.0, 42.0]]]))[0, 0]  # the middle of cell (10, 10)
    assert left[:2].all() and left[8:13, 8:13].all() and left.sum() == 2 * SIDE + 25


def test_where_everything_is_left_aside_a_peak_is_still_finite():
    peak = read_peak(hill(30.0, 26.0), torch.ones(1, 1, SIDE, SIDE, dtype=torch.bool))
    assert all(part.isfinite().all() for part in peak)


def test_either_peak_is_taken_for_each_pixel():
    first, second = (
        read_peak(hill(12.0, 12.0).repeat(1, 2, 1, 1)),
        read_peak(hill(50.0, 40.0).repeat(1, 2, 1, 1)),
    )
    taken = either(torch.tensor([[True, False]]), first, second)
    assert torch.equal(taken.pixel[:, 0], first.pixel[:, 0])
    assert torch.equal(taken.pixel[:, 1], second.pixel[:, 1])
    assert torch.equal(taken.height, torch.stack([first.height[0, 0], second.height[0, 1]])[None])


def features(**things):
    """Two things of 3 x 3 cells, each with its look [rad] and its corner; the rest looks like nothing."""
    look, mask = torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, 2, SIDE, SIDE)
    look[:, 2] = 1.0
    for number, (angle, (row, column)) in enumerate(things.values()):
        angle = torch.tensor(angle)
        where = (slice(None), slice(None), slice(row, row + 3), slice(column, column + 3))
        look[where] = torch.stack([angle.cos(), angle.sin(), torch.tensor(0.0)])[None, :, None, None]
        mask[:, number, where[2], where[3]] = 10.0
    plain, given = torch.zeros(1, SIDE, SIDE), torch.zeros(1, 7, SIDE, SIDE)
    given[:, 0] = torch.linspace(-0.3, 0.3, SIDE)
    none = torch.zeros(1, 8, SIDE, SIDE)
    return Features(look, none, mask, plain, plain, none, given, torch.zeros(1, 4, 2 * SIDE, 2 * SIDE))


@pytest.mark.parametrize(("other", "found"), [(0.4, (3, 9)), (3.0, (10, 4))])
def test_a_thing_is_not_taken_for_another_that_was_there_before(other, found):
    """The second thing looks more like the first than the first does itself, but most like itself."""
    torch.manual_seed(0)
    matcher = Matcher(8).eval()
    reference = features(asked=(0.0, (3, 3)), other=(other, (10, 4)))
    current = features(asked=(-0.3, (3, 9)), other=(0.25, (10, 4)))
    with torch.no_grad():
        matcher.sharpness.fill_(4.0)
        matcher.judge[-1].weight.zero_(), matcher.judge[-1].bias.zero_()
        [[[x, y]]] = matcher(reference, current, torch.tensor([[[18.0, 18.0]]])).pixel.tolist()
    row, column = found
    assert (column * 4, row * 4) <= (x, y) and x <= column * 4 + 12 and y <= row * 4 + 12

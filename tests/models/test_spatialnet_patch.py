import numpy as np
import pytest

from spatial_reward.models.spatialnet_patch import Prepared, cut, place

GROUND, THING = (90, 100, 110), (200, 60, 50)
SIDE = 14


def picture(left, top, *, thing=THING, noise=0.0, seed=0):
    """A plain square on a plain ground, with sensor noise."""
    rgb = np.full((96, 96, 3), GROUND, float)
    rgb[top : top + SIDE, left : left + SIDE] = thing
    rgb += noise * np.random.default_rng(seed).normal(size=rgb.shape)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def found(first, second, pixel, *, still=True, network=None, last=None, spread=9.0):
    patch = cut(Prepared.of(first), pixel)
    at = np.array(pixel if network is None else network, float)
    unmoved = np.array(pixel, float) if still else None
    return place(patch, Prepared.of(second), unmoved, at, last, spread=spread, stays=still)


def test_a_patch_covers_one_colour_and_its_border():
    rgb = picture(40, 30)
    patch = cut(Prepared.of(rgb), (45.5, 36.5))
    assert (patch.mask[..., 0] == 1).sum() >= (SIDE - 2) ** 2 and (patch.mask == 0).any()
    row, column = np.array([36, 45]) - patch.corner[::-1]
    assert patch.mask[row, column, 0] == 1 and patch.pixel.tolist() == [45.5, 36.5]


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_what_has_not_moved_is_still_whatever_the_network_says(noise):
    first, second = picture(40, 30, noise=noise), picture(40, 30, noise=noise, seed=1)
    at = found(first, second, (45.5, 36.5), network=(48.0, 35.0))
    assert at.how == "still" and at.pixel.tolist() == [45.5, 36.5] and at.unlike < 4


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -4), (9, 7)])
def test_a_plain_thing_is_found_by_its_border(right, down):
    first, second = picture(40, 30, noise=1.0), picture(40 + right, 30 + down, noise=1.0, seed=2)
    near = (45.5 + right + 1.5, 36.5 + down - 2)  # a cell's worth of error
    at = found(first, second, (45.5, 36.5), network=near)
    assert at.how == "patch"
    np.testing.assert_allclose(at.pixel, (45.5 + right, 36.5 + down), atol=0.3)


def test_where_the_network_is_lost_the_whole_picture_is_searched():
    at = found(picture(20, 20), picture(60, 66), (25.5, 26.5), network=(10.0, 80.0))
    assert at.how == "search" and at.std > 1
    np.testing.assert_allclose(at.pixel, (65.5, 72.5), atol=0.3)


def test_disagreement_and_strangeness_make_a_place_doubtful():
    sure = found(picture(40, 30), picture(43, 30), (45.5, 36.5), network=(48.5, 36.5))
    apart = found(picture(40, 30), picture(43, 30), (45.5, 36.5), network=(53.5, 36.5))
    strange = found(picture(40, 30), picture(43, 30, thing=(170, 90, 80)), (45.5, 36.5), network=(48.5, 36.5))
    assert sure.std < apart.std and sure.std < strange.std


def test_pixels_at_the_edge_and_places_outside_do_no_harm():
    first, second = picture(0, 0), picture(82, 82)
    for pixel in ((0.2, 0.2), (95.9, 95.9), (50.0, 0.1)):
        at = found(first, second, pixel, network=(300.0, -200.0))
        assert np.isfinite(at.pixel).all() and np.isfinite(at.unlike)
    assert np.isfinite(found(first, second, (3.0, 3.0), still=False, network=(np.nan, np.nan)).pixel).all()


def test_large_pictures_are_compared_smaller_and_answered_in_their_own_pixels():
    first, second = (np.kron(picture(left, 30), np.ones((5, 5, 1), np.uint8)) for left in (40, 46))
    at = found(first, second, (227.5, 182.5), network=(270.0, 175.0), spread=60.0)
    np.testing.assert_allclose(at.pixel, (257.5, 182.5), atol=2)
    assert at.unit == pytest.approx(480 / 128, rel=0.02)


def test_where_a_thing_was_last_helps_to_find_it():
    first, second = picture(40, 30), picture(60, 30)
    second[70:90, 5:25] = first[27:47, 37:57]  # the same thing again elsewhere
    at = found(first, second, (45.5, 36.5), network=(13.0, 79.0), last=np.array([64.0, 37.0]))
    lost = found(first, second, (45.5, 36.5), network=(13.0, 79.0))
    assert at.away < 3 and lost.away < 3
    assert at.how in ("patch", "followed")


def test_where_the_patch_looks_strange_a_sure_network_is_believed():
    first, second = picture(40, 30), picture(43, 30, thing=(20, 20, 20))
    sure = found(first, second, (45.5, 36.5), network=(49.0, 36.5), spread=0.5)
    assert sure.how == "network" and sure.pixel.tolist() == [49.0, 36.5]
    vague = found(first, second, (45.5, 36.5), network=(49.0, 36.5), spread=60.0)
    assert vague.how != "network" and vague.std > sure.std

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spatial_reward.viz import draw

GREY = np.full((60, 80, 3), 128, np.uint8)
ORANGE = (230, 159, 0)


def changed(picture):
    rows, columns = np.nonzero((picture != GREY).any(axis=-1))
    return columns, rows


@pytest.mark.parametrize(
    "mark",
    [
        lambda picture: draw.dot(picture, (20, 20), ORANGE, label="A"),
        lambda picture: draw.arrow(picture, (10, 10), (40, 30), ORANGE),
        lambda picture: draw.ellipse(picture, (30, 30), 9 * np.eye(2), ORANGE),
        lambda picture: draw.text(picture, "12 mm", (10, 30), ORANGE),
        lambda picture: draw.lines(picture, [("one", ORANGE), ("two", ORANGE)]),
    ],
)
def test_marks_are_drawn_on_a_copy(mark):
    marked = mark(GREY)
    assert (marked != GREY).any() and (GREY == 128).all()
    assert marked.shape == GREY.shape and marked.dtype == np.uint8


def test_a_dot_is_centred_on_its_continuous_pixel():
    """Pixel (40.5, 20.5) is the centre of column 40, row 20, so the dot is symmetric about it."""
    marked = draw.dot(GREY, (40.5, 20.5), ORANGE)
    assert tuple(marked[20, 40]) == ORANGE
    columns, rows = changed(marked)
    assert_allclose([columns.mean(), rows.mean()], [40, 20], atol=0.06)
    # A dot at the corner between four pixels covers them alike.
    columns, rows = changed(draw.dot(GREY, (40.0, 20.0), ORANGE))
    assert_allclose([columns.mean(), rows.mean()], [39.5, 19.5], atol=0.06)


def test_a_ring_leaves_its_middle_free():
    marked = draw.dot(GREY, (40.5, 20.5), ORANGE, radius=6, ring=True)
    assert tuple(marked[20, 40]) == (128, 128, 128)
    assert (marked == ORANGE).all(axis=-1).any()


def test_an_arrow_goes_from_start_to_end_and_its_head_is_at_the_end():
    marked = draw.arrow(GREY, (10.5, 30.5), (60.5, 30.5), ORANGE)
    assert tuple(marked[30, 12]) == ORANGE and tuple(marked[30, 58]) == ORANGE
    columns, rows = changed(marked)
    height = np.array([np.ptp(rows[columns == column]) for column in (20, 52)])
    assert height[1] > height[0], "the head is wider than the shaft"


def test_no_motion_has_no_arrow():
    assert (draw.arrow(GREY, (10, 10), (10.2, 10.2), ORANGE) == GREY).all()


def test_the_ellipse_lies_at_two_standard_deviations():
    covariance = np.array([[25.0, 10.0], [10.0, 9.0]])
    offsets = draw.ellipse_outline((40, 30), covariance) - (40, 30)
    assert_allclose(np.einsum("ni,ij,nj->n", offsets, np.linalg.inv(covariance), offsets), 4.0)
    marked = draw.ellipse(GREY, (40.5, 30.5), np.diag([25.0, 9.0]), ORANGE)
    rows, columns = np.nonzero((np.abs(marked.astype(int) - ORANGE) < 30).all(axis=-1))
    assert_allclose([np.ptp(columns), np.ptp(rows)], [20, 12], atol=2)


@pytest.mark.parametrize("at", [(-50, -50), (500, 500), (70, 5)])
def test_words_stay_inside_the_picture(at):
    inside = draw.text(GREY, "12 mm", at, ORANGE, size=0.5)
    whole = draw.text(GREY, "12 mm", (10, 30), ORANGE, size=0.5)
    assert (inside == ORANGE).all(-1).sum() == pytest.approx((whole == ORANGE).all(-1).sum(), rel=0.05)


def test_letters_and_colours_never_run_out():
    assert [draw.letter(index) for index in (0, 25, 26)] == ["A", "Z", "A"]
    assert draw.RED not in {draw.colour(index) for index in range(40)}


def test_a_picture_scales_with_its_coordinates():
    picture = GREY.copy()
    picture[20, 40] = (255, 255, 255)
    large = draw.enlarge(picture, 4)
    assert large.shape == (240, 320, 3)
    row, column = np.unravel_index(large[..., 0].argmax(), large.shape[:2])
    assert abs(column + 0.5 - 4 * 40.5) <= 1 and abs(row + 0.5 - 4 * 20.5) <= 1

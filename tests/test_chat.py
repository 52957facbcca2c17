from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.chat import (
    COLOURS,
    dot_radius,
    dots_on,
    draw_dots,
    drawn,
    internvl_text,
    messages,
    tile_grid,
)
from spatial_reward.questions import KINDS
from spatial_reward.types import Frame, PixelPoint, Question

sides = st.integers(1, 3000)


def test_check_11_the_published_pair_has_seven_and_seven_tiles_and_stock_one_and_one():
    pair = [(1296, 968)] * 2
    assert [tile_grid(*size, most=6).tiles for size in pair] == [7, 7]
    assert [tile_grid(*size, most=6 // len(pair)).tiles for size in pair] == [1, 1]


@pytest.mark.parametrize(
    ("size", "grids"),
    [
        ((1296, 968), [(1, 1), (3, 2), (4, 3)]),
        ((512, 512), [(1, 1), (1, 1), (1, 1)]),
        ((640, 480), [(1, 1), (3, 2), (4, 3)]),
        ((1280, 720), [(2, 1), (2, 1), (4, 2)]),
        ((640, 360), [(2, 1), (2, 1), (2, 1)]),
    ],
)
def test_grids_are_internvls_for_at_most_3_6_and_12_tiles(size, grids):
    assert [tile_grid(*size, most=most) for most in (3, 6, 12)] == grids


@given(sides, sides, st.integers(1, 12))
def test_a_grid_keeps_the_limit_and_more_than_one_tile_brings_a_thumbnail(width, height, most):
    grid = tile_grid(width, height, most)
    assert 1 <= grid.columns * grid.rows <= most
    assert grid.tiles == grid.columns * grid.rows + (grid.columns * grid.rows > 1)


@given(sides, st.integers(1, 12))
def test_no_grid_is_nearer_the_aspect(width, most):
    grid = tile_grid(width, 700, most)
    off = abs(width / 700 - grid.columns / grid.rows)
    others = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if c * r <= most]
    assert all(off <= abs(width / 700 - c / r) for c, r in others)


def test_one_tile_is_all_there_is_for_one():
    assert tile_grid(5000, 10, most=1) == (1, 1)


@pytest.mark.parametrize("arguments", [(0, 5), (5, -1), (5, 5, 0)])
def test_sizes_below_one_are_refused(arguments):
    with pytest.raises(ValueError, match="must be at least 1"):
        tile_grid(*arguments)


def grey(width=320, height=240, shade=120):
    return np.full((height, width, 3), shade, np.uint8)


def question(kind, count=2, points=(), labels=(), **size):
    return Question(kind, tuple(Frame(grey(**size)) for _ in range(count)), points, labels)


CHOICE = question(
    "vc_mcq",
    points=(
        PixelPoint(40.5, 60.5),
        *(PixelPoint(x, y, 1) for x, y in ((20.5, 30.5), (300.5, 30.5), (60.5, 200.5), (250.5, 220.5))),
    ),
    labels=("", "A", "B", "C", "D"),
)


def test_one_picture_comes_before_the_words():
    assert messages(question("depth_est_dot", 1), "How far?", "It is `12` mm.") == [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "How far?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "It is `12` mm."}]},
    ]


def test_several_pictures_are_named_in_order():
    user, *rest = messages(question("cam_dist", 3), "How far?")
    assert not rest and user["role"] == "user"
    assert [block.get("text", "<image>") for block in user["content"]] == [
        "Image-1: ",
        "<image>",
        "Image-2: ",
        "<image>",
        "Image-3: ",
        "<image>",
        "How far?",
    ]


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "<image>\nHow far?"), (2, "Image-1: <image>\nImage-2: <image>\nHow far?")],
)
def test_internvl_text_is_the_published_form(count, text):
    assert internvl_text(question("cam_dist", count), "How far?") == text


def test_dots_are_drawn_where_the_points_are_and_nowhere_else():
    first, second = drawn(CHOICE, [grey(), grey()], "some id")
    for number, picture in enumerate((first, second)):
        marks = dots_on(CHOICE, number, "some id")
        for mark in marks:
            column, row = map(int, mark.at)
            assert tuple(picture[row, column]) == mark.colour
        rows, columns = np.nonzero((picture != 120).any(axis=-1))
        gaps = np.array([np.hypot(columns + 0.5 - m.at[0], rows + 0.5 - m.at[1]) for m in marks])
        assert gaps.min(axis=0).max() < 26  # the letter beside a dot included
    assert len(dots_on(CHOICE, 0, "some id")) == 1 and len(dots_on(CHOICE, 1, "some id")) == 4


def test_a_dot_is_centred_on_its_point_to_a_tenth_of_a_pixel():
    at = (100.3, 80.7)
    point = question("depth_est_dot", 1, (PixelPoint(*at),), width=1296, height=968)
    (picture,) = drawn(point, [grey(1296, 968)], "x")
    rows, columns = np.nonzero((picture != 120).any(axis=-1))
    assert np.mean(columns) + 0.5 == pytest.approx(at[0], abs=0.1)
    assert np.mean(rows) + 0.5 == pytest.approx(at[1], abs=0.1)
    (mark,) = dots_on(point, 0, "x")
    assert (picture == mark.colour).all(axis=-1).sum() == pytest.approx(np.pi * 10**2, rel=0.15)


@pytest.mark.parametrize(("width", "radius"), [(1296, 10.0), (648, 5.0), (224, 2.0), (2592, 20.0)])
def test_radii_scale_with_the_picture(width, radius):
    assert dot_radius(width) == radius


def test_points_scale_with_the_picture():
    small, large = (drawn(CHOICE, [grey(320 * k, 240 * k)] * 2, "x")[1] for k in (1, 3))
    for mark in dots_on(CHOICE, 1, "x"):
        column, row = map(int, mark.at)
        assert tuple(small[row, column]) == tuple(large[3 * row + 1, 3 * column + 1]) == mark.colour


def test_colours_differ_within_a_question_and_depend_on_the_seed_alone():
    def colours(seed):
        return [mark.colour for frame in (0, 1) for mark in dots_on(CHOICE, frame, seed)]

    assert colours("a") == colours("a")
    assert len({tuple(colours(str(seed))) for seed in range(50)}) > 30
    for seed in range(50):
        pairs = combinations(colours(str(seed)), 2)
        assert all(np.abs(np.subtract(*pair)).sum() >= 255 for pair in pairs)


def test_the_colour_of_the_first_picture_never_tells_the_choice():
    """Over many seeds every choice has every colour equally often, whatever the dot's own colour."""
    counts = np.zeros((len(COLOURS), 4))
    for seed in range(1200):
        for place, mark in enumerate(dots_on(CHOICE, 1, str(seed))):
            counts[COLOURS.index(mark.colour), place] += 1
    assert np.abs(counts - 200).max() < 60


@pytest.mark.parametrize("kind", [name for name in KINDS if not name.endswith("_dot") and name != "vc_mcq"])
def test_kinds_without_dots_leave_the_very_picture(kind):
    points = (PixelPoint(10, 10), PixelPoint(50, 20))
    pictures = [grey(), grey()]
    assert all(a is b for a, b in zip(drawn(question(kind, 2, points), pictures, "x"), pictures, strict=True))


def test_drawing_leaves_the_original_alone():
    picture = grey()
    draw_dots(picture, dots_on(CHOICE, 0, "x"))
    assert (picture == 120).all()


@pytest.mark.parametrize("at", [(1.0, 1.0), (318.0, 120.0), (160.0, 239.0), (319.9, 0.1)])
@pytest.mark.parametrize("shade", [0, 120, 255])
def test_letters_stay_inside_and_stand_out_from_any_background(at, shade):
    asked = question("depth_cmp_dot", 1, (PixelPoint(*at), PixelPoint(100, 100)), ("A", "B", "closer"))
    dot, _ = dots_on(asked, 0, "x")
    marked = draw_dots(grey(shade=shade), [dot])
    bare = draw_dots(grey(shade=shade), [dot._replace(letter="")])
    letter = marked[(marked != bare).any(axis=-1)]
    contrast = letter.max() - letter.min() if shade == 120 else np.abs(letter.astype(int) - shade).max()
    assert len(letter) > 20 and contrast > 150


def test_as_many_pictures_as_frames_are_needed():
    with pytest.raises(ValueError, match="about 2 frames got 1 pictures"):
        drawn(CHOICE, [grey()], "x")

import numpy as np

from spatial_reward.viz import draw
from spatial_reward.viz.pictures import current_picture, reference_picture


def near(picture, pixel, colour):
    column, row = np.floor(pixel).astype(int)
    return (picture[row - 1 : row + 2, column - 1 : column + 2] == colour).all(axis=-1).any()


def test_references_and_matches_are_marked_where_they_are(simulated):
    step = simulated[-1]
    start = step.references["ball"].pixel
    match = step.signal.answers["ball"].match
    before, now = reference_picture(step, 384), current_picture(step, 384)
    assert before.shape == now.shape == (384, 384, 3)
    orange = draw.colour(0)
    assert near(before, np.multiply(start, 4), orange) and near(now, np.multiply(match, 4), orange)
    assert near(now, 2 * np.add(start, match), orange), "the arrow joins both"
    assert not near(before, np.multiply(match, 4), orange)


def test_the_marked_pixel_is_the_ball(simulated):
    column, row = np.floor(simulated[-1].signal.answers["ball"].match).astype(int)
    red, green, _ = simulated[-1].frame.rgb[row, column].astype(int)
    assert red > 2 * green


def test_what_is_not_found_is_said_in_red_and_nothing_is_marked(make_step):
    picture = current_picture(make_step(1, None), 640)
    assert (picture == draw.RED).all(axis=-1).any()
    assert not (picture == draw.colour(0)).all(axis=-1).any()

"""Patches of several pictures show one thing where they meet."""

import numpy as np
import pytest

from spatial_reward.models.one_thing import MEETS, Patch, one_thing


def patch(score, x, points=5):
    where = np.column_stack([np.full(points, x), np.linspace(0, 0.04, points), np.zeros(points)])
    return Patch(score, np.ones((2, 2), bool), where)


def test_patches_that_meet_are_chosen_although_others_fit_better():
    alone, here, there, decoy = patch(0.9, 0.0), patch(0.5, 0.3), patch(0.4, 0.305), patch(0.8, 1.0)
    assert one_thing([[alone, here], [decoy, there]]) == [here, there]


@pytest.mark.parametrize(("gap", "meets"), [(0.9 * MEETS, True), (1.1 * MEETS, False)])
def test_the_best_of_the_first_picture_is_kept_where_none_meets(gap, meets):
    first, second = patch(0.9, 0.0), patch(0.8, gap)
    assert one_thing([[first], [second]]) == [first, second if meets else None]


def test_of_those_that_meet_the_best_is_taken():
    first, poor, good = patch(0.9, 0.0), patch(0.2, 0.001), patch(0.7, -0.001)
    assert one_thing([[first], [poor, good], []]) == [first, good, None]


def test_a_picture_without_patches_is_passed_over_and_places_that_are_not_known_never_meet():
    first = patch(0.9, 0.0)
    assert one_thing([[], [first], []]) == [None, first, None]
    assert one_thing([[], []]) == [None, None] and one_thing([]) == []
    assert one_thing([[patch(0.9, 0.0, 0)], [first]])[1] is None

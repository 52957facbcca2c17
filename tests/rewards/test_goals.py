from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spatial_reward.rewards import AllOf, Keep, Lift, Move, Near, Reach, Then, Track

ORIGIN = np.zeros(3)


def at(**positions):
    return {name: Track(np.array(position, float)) for name, position in positions.items()}


def spread(rng, scale=0.01):
    root = scale * rng.normal(size=(3, 3))
    return root @ root.T


def seen(goal, start, now):
    return goal.watch(start).see(now)


GEOMETRY = [
    (Near("a", "b", 0.03), 0.5),
    (Reach("a", "b"), 0.5),
    (Move("a", to="b"), 0.5),
    (Move("a", to=(0.3, 0.0, 0.0)), 0.4),
    (Move("a", by=(0.3, 0.0, 0.4)), 0.3),
    (Move("a", by=0.3), 0.1),
    (Move("a", by=0.5), 0.1),
    (Lift("a", by=0.5), 0.1),
    (Lift("a", by=0.3), 0.0),
    (Keep("a"), 0.4),
]


@pytest.mark.parametrize("goal, distance", GEOMETRY, ids=lambda value: str(value))
def test_distances_are_what_geometry_says(goal, distance):
    start = at(a=(0.3, 0, 0), b=(0, 0, 0.8))
    # `a` rises by 40 cm; `b` ends 30 cm beside and 40 cm above where `a` ends.
    now = at(a=(0.3, 0, 0.4), b=(0, 0, 0.8))
    assert seen(goal, start, now).distance == pytest.approx(distance)


def test_progress_is_the_share_of_the_initial_distance():
    goal, start = Near("a", "b", 0.02), at(a=ORIGIN, b=(0.4, 0, 0))
    for x, progress in [(0.0, 0.0), (0.1, 0.25), (0.4, 1.0), (-0.2, 0.0)]:
        assert seen(goal, start, at(a=(x, 0, 0), b=(0.4, 0, 0))).progress == pytest.approx(progress)


@pytest.mark.parametrize("goal", [Keep("a"), Near("a", "b", 0.01)])
def test_a_goal_met_from_the_start_loses_its_progress_by_moving_off(goal):
    start = at(a=ORIGIN, b=ORIGIN)
    progress = [seen(goal, start, at(a=(x, 0, 0), b=ORIGIN)).progress for x in (0.0, 0.005, 0.01, 0.1)]
    assert_allclose(progress, [1.0, 0.5, 0.0, 0.0])


@pytest.mark.parametrize(
    "goal",
    [
        Near("a", "b", 0.03),
        Move("a", to="b", within=0.03),
        Move("a", to=(0.02, 0.01, 0.0), within=0.03),
        Move("a", by=(0.02, 0.01, 0.0), within=0.03),
        Move("a", by=0.03, within=0.01),
        Lift("a", by=0.02),
        Keep("a", within=0.03),
    ],
    ids=str,
)
def test_success_is_the_probability_of_being_within(goal):
    """Where the measurement says `now`, the truth is distributed around it."""
    rng = np.random.default_rng(5)
    start = at(a=ORIGIN, b=(0.02, 0.01, 0.0))
    motion = spread(rng)
    measured = {**start, "a": Track(np.array([0.015, 0.002, 0.01]), motion)}
    watch = goal.watch(start)
    verdict = watch.see(measured)
    truths = rng.multivariate_normal(measured["a"].position, motion, size=4000)
    distances = [watch.see({**start, "a": Track(truth)}).distance for truth in truths]
    assert verdict.success == pytest.approx(np.mean(np.array(distances) <= goal.within), abs=0.03)


def test_std_is_the_spread_of_the_distance_far_from_the_goal():
    rng = np.random.default_rng(6)
    start = at(a=ORIGIN, b=(0.5, 0.2, 0.1), c=(0.1, 0.4, 0.3))
    motions = {name: spread(rng) for name in "abc"}
    measured = {name: Track(start[name].position, motions[name]) for name in "abc"}
    goals = [Near("a", "b", 0.03), AllOf((Near("a", "b", 0.03), Move("c", to=(0.5, 0.5, 0.5))))]
    for watch in [goal.watch(start) for goal in goals]:
        draws = {
            name: rng.multivariate_normal(start[name].position, motions[name], size=4000) for name in "abc"
        }
        truths = [watch.see({name: Track(draws[name][i]) for name in "abc"}).distance for i in range(4000)]
        assert watch.see(measured).std == pytest.approx(np.std(truths), rel=0.05)


def test_parts_that_share_a_name_state_an_upper_bound_of_the_std():
    start = at(a=ORIGIN, b=(0.5, 0, 0), c=(0.5, 0.1, 0))
    measured = {**start, "a": Track(ORIGIN, 1e-4 * np.eye(3))}
    single = seen(Near("a", "b", 0.03), start, measured).std
    assert seen(AllOf((Near("a", "b", 0.03), Near("a", "c", 0.03))), start, measured).std == pytest.approx(
        2 * single
    )


def test_where_a_thing_started_matters_for_its_place_but_not_for_its_displacement():
    start = {"a": Track(ORIGIN, start=4e-4 * np.eye(3)), "b": Track(np.array([0.5, 0, 0]))}
    assert seen(Near("a", "b", 0.03), start, start).std == pytest.approx(0.02, rel=1e-2)
    assert seen(Keep("a"), start, start).std == 0.0
    assert seen(Lift("a", by=0.1), start, start).std == 0.0


def test_lifting_higher_than_asked_is_as_good():
    start = at(a=ORIGIN)
    high = seen(Lift("a", by=0.1), start, at(a=(0, 0, 0.3)))
    assert high.distance == 0.0 and high.progress == 1.0 and high.success == 1.0


def test_a_cube_that_rose_by_a_fraction_of_a_millimetre_is_not_lifted():
    start = at(a=ORIGIN)
    now = {"a": Track(np.array([0.0535, 0.0, 0.00064]), 1e-6 * np.eye(3))}
    assert seen(Lift("a", by=0.02), start, now).success < 1e-6


def test_all_of_sums_distances_averages_progress_and_multiplies_success():
    start = at(a=ORIGIN, b=(0.4, 0, 0))
    parts = (Near("a", "b", 0.05), Keep("b", within=0.05))
    now = {
        "a": Track(np.array([0.3, 0, 0]), 1e-3 * np.eye(3)),
        "b": Track(np.array([0.36, 0, 0]), 1e-3 * np.eye(3)),
    }
    both = seen(AllOf(parts), start, now)
    one, other = (seen(part, start, now) for part in parts)
    assert both.distance == pytest.approx(one.distance + other.distance)
    assert both.progress == pytest.approx((one.progress + other.progress) / 2)
    assert both.success == pytest.approx(one.success * other.success)


def test_stages_go_in_order_and_latch():
    goal = Then((Reach("g", "c"), Near("c", "p", 0.03)))
    watch = goal.watch(at(g=(0.3, 0, 0), c=ORIGIN, p=(0, 0.2, 0)))
    first = watch.see(at(g=(0.15, 0, 0), c=ORIGIN, p=(0, 0.2, 0)))
    assert first == pytest.approx((0.15 + 0.2, 0.0, 0.25, 0.0))
    assert watch.see(at(g=(0.0, 0, 0), c=ORIGIN, p=(0, 0.2, 0))) == pytest.approx((0.2, 0.0, 0.5, 0.0))
    moved_away = watch.see(at(g=(0.3, 0, 0), c=(0, 0.1, 0), p=(0, 0.2, 0)))
    assert moved_away == pytest.approx((0.1, 0.0, 0.75, 0.0))
    assert watch.see(at(g=(0.3, 0, 0), c=(0, 0.2, 0), p=(0, 0.2, 0))) == pytest.approx((0.0, 0.0, 1.0, 1.0))


def test_a_later_stage_alone_is_no_success():
    watch = Then((Reach("g", "c"), Near("c", "p", 0.03))).watch(at(g=(0.3, 0, 0), c=ORIGIN, p=(0, 0.2, 0)))
    assert watch.see(at(g=(0.3, 0, 0), c=(0, 0.2, 0), p=(0, 0.2, 0))).success == 0.0


@pytest.mark.parametrize(
    "goal",
    [
        Then((Near("a", "p", 0.02), Near("a", "q", 0.02))),
        Then((Lift("a", by=0.1, within=0.02), Move("a", to=(0.4, 0, 0.1)))),
        Then((Move("a", by=(0.2, 0, 0)), Keep("a"), Move("a", by=(0, 0.1, 0)))),
        Then((Then((Near("a", "p", 0.02), Lift("a", by=0.1))), Near("a", "q", 0.02))),
        Then((AllOf((Near("a", "p", 0.02), Keep("q"))), Near("a", "q", 0.02))),
    ],
    ids=str,
)
def test_the_distance_is_continuous_where_a_stage_changes(goal):
    """It changes by a step of the path plus what the reached stage was short of, twice its `within`."""
    start = at(a=ORIGIN, p=(0.3, 0, 0), q=(0.05, 0.2, 0))
    corners = _corners(goal)
    path = np.concatenate([np.linspace(a, b, 400) for a, b in pairwise(corners)])
    watch = goal.watch(start)
    verdicts = [watch.see({**start, "a": Track(point)}) for point in path]
    distances = [verdict.distance for verdict in verdicts]
    stride = np.abs(np.diff(path, axis=0)).sum(axis=1).max()
    assert np.abs(np.diff(distances)).max() <= 2 * 0.02 + 2 * stride
    assert distances[0] == pytest.approx(watch.initial) and distances[-1] <= 0.021
    assert verdicts[-1].success == 1.0 and verdicts[-1].progress > 0.9


def _corners(goal):
    """Where `a` goes, stage by stage."""
    where = {"p": (0.3, 0, 0), "q": (0.05, 0.2, 0)}
    corners = [np.zeros(3)]
    for stage in _flat(goal):
        if isinstance(stage, Near):
            corners.append(np.array(where[stage.b]))
        elif isinstance(stage, Lift):
            corners.append(corners[-1] + (0, 0, stage.by))
        elif isinstance(stage, Move) and stage.to:
            corners.append(np.array(stage.to))
        elif isinstance(stage, Move):
            corners.append(corners[-1] + stage.by)
    return corners


def _flat(goal):
    if isinstance(goal, AllOf | Then):
        return [leaf for child in goal.goals for leaf in _flat(child)]
    return [goal]


def test_a_goal_can_be_watched_anew():
    goal = Then((Near("a", "b", 0.02), Keep("a")))
    start = at(a=ORIGIN, b=(0.1, 0, 0))
    goal.watch(start).see(at(a=(0.1, 0, 0), b=(0.1, 0, 0)))
    assert goal.watch(start).see(start).success == 0.0


def test_names_are_listed_once_in_order():
    goal = AllOf((Near("a", "b", 0.1), Then((Lift("b", 0.1), Move("a", to="c")))))
    assert goal.names == ("a", "b", "c")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Near("a", "a", 0.1), "two different names"),
        (lambda: Near("a", "b", 0.0), "`within` must be a positive length"),
        (lambda: Near("a", "b", float("nan")), "`within` must be a positive length"),
        (lambda: Near("a b", "c", 0.1), "made of letters"),
        (lambda: Near("3cm", "c", 0.1), "is no length"),
        (lambda: Move("a"), "either `to` or `by`"),
        (lambda: Move("a", to="b", by=0.1), "either `to` or `by`"),
        (lambda: Move("a", to=(1.0, 2.0)), "three finite numbers"),
        (lambda: Move("a", by=-0.1), "`by` must be a positive length"),
        (lambda: Move("a", to="a"), "two different names"),
        (lambda: Lift("a", by=0.0), "`by` must be a positive length"),
        (lambda: AllOf(()), "one or more goals"),
        (lambda: Then(("keep(a)",)), "one or more goals"),
    ],
)
def test_goals_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_lengths_are_numbers():
    with pytest.raises(TypeError, match="length in metres"):
        Near("a", "b", "3cm")

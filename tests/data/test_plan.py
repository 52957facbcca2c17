"""Dividing questions over subtasks, scenes and parts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.data.plan import ORDER, plan_parts
from spatial_reward.questions import KINDS, SUBTASKS

SUPPORT = st.dictionaries(
    st.text("abc", min_size=1, max_size=3),
    st.sets(st.sampled_from(ORDER), max_size=26),
    min_size=1,
    max_size=9,
)


def asked(parts):
    """List (scene, subtask, number) of all parts."""
    return [
        (scene, name, number)
        for part in parts
        for scene, quotas in part.shares.items()
        for name, number in quotas.items()
    ]


def test_every_subtask_has_its_place_in_the_order():
    assert sorted(ORDER) == sorted(subtask.name for subtask in SUBTASKS)
    families = [KINDS[next(s.kind for s in SUBTASKS if s.name == name)].family for name in ORDER]
    assert families == sorted(families, key=families.index)  # families are not mixed
    assert families[-4:] == ["depth"] * 4


@given(st.integers(1, 3000), SUPPORT, st.integers(1, 500))
def test_the_count_is_met_and_only_what_is_supported_is_asked(count, support, per_shard):
    parts = plan_parts(count, support, per_shard)
    rows = asked(parts)
    assert sum(number for *_, number in rows) == (count if any(support.values()) else 0)
    assert all(name in support[scene] and number > 0 for scene, name, number in rows)
    assert [part.number for part in parts] == list(range(len(parts)))
    assert sum(part.total for part in parts) == sum(number for *_, number in rows)


@given(st.integers(1, 3000), SUPPORT, st.integers(1, 500))
def test_no_subtask_of_a_scene_is_drawn_in_two_places(count, support, per_shard):
    rows = asked(plan_parts(count, support, per_shard))
    assert max(Counter((scene, name) for scene, name, _ in rows).values(), default=1) == 1


@given(st.integers(1, 3000), SUPPORT, st.integers(1, 500))
def test_subtasks_and_their_scenes_get_the_same_to_within_one(count, support, per_shard):
    rows = asked(plan_parts(count, support, per_shard))
    subtasks = {name for supported in support.values() for name in supported}
    totals = Counter({name: 0 for name in subtasks})
    for _, name, number in rows:
        totals[name] += number
    assert not totals or max(totals.values()) - min(totals.values()) <= 1
    for name in subtasks:
        numbers = {scene: 0 for scene in support if name in support[scene]}
        numbers.update({scene: number for scene, other, number in rows if other == name})
        assert max(numbers.values()) - min(numbers.values()) <= 1


@given(st.integers(1, 3000), SUPPORT, st.integers(1, 500))
def test_parts_of_several_scenes_are_no_larger_than_a_shard(count, support, per_shard):
    for part in plan_parts(count, support, per_shard):
        assert len(part.shares) == 1 or part.total <= per_shard


def test_a_large_scene_is_shared_by_parts_that_each_have_something_plentiful():
    parts = plan_parts(26_000, {"room": ORDER}, 5000)
    assert len(parts) == 6
    assert all(set(part.shares["room"]) & set(ORDER[-6:]) for part in parts)
    assert max(part.total for part in parts) <= 5000


def test_small_scenes_are_gathered_into_parts_of_about_equal_size():
    parts = plan_parts(20_000, {f"room{i}": ORDER for i in range(20)}, 5000)
    assert (
        len(parts) in (4, 5) and max(part.total for part in parts) - min(part.total for part in parts) <= 1100
    )


def test_parts_of_a_later_turn_go_on_counting():
    parts = plan_parts(10, {"room": ("vc_mcq",)}, 5, first=7, turn=2)
    assert [(part.number, part.turn) for part in parts] == [(7, 2)]
    assert parts[0].as_json() == {"number": 7, "turn": 2, "shares": {"room": {"vc_mcq": 10}}}


@pytest.mark.parametrize("subtask", ["cam_dist", "depth_cmp_dot"])
def test_one_subtask_of_one_scene_is_never_divided(subtask):
    (part,) = plan_parts(100_000, {"room": (subtask,)}, 1000)
    assert part.shares == {"room": {subtask: 100_000}}

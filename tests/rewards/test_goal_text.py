import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_reward.rewards import AllOf, Keep, Lift, Move, Near, Reach, Then, parse_goal
from spatial_reward.rewards.goal_text import MAX_DEPTH
from spatial_reward.rewards.lengths import LENGTH

NAMES = st.from_regex(r"\A[A-Za-z0-9_\-:/.]{1,12}\Z").filter(lambda name: not LENGTH.fullmatch(name))
LENGTHS = st.floats(1e-6, 1e3)
VECTORS = st.tuples(*[st.floats(-10, 10)] * 3)
PAIRS = st.tuples(NAMES, NAMES).filter(lambda pair: pair[0] != pair[1])
SIMPLE = st.one_of(
    st.builds(lambda pair, within: Near(*pair, within), PAIRS, LENGTHS),
    st.builds(lambda pair, within: Reach(*pair, within), PAIRS, LENGTHS),
    st.builds(lambda pair, within: Move(pair[0], to=pair[1], within=within), PAIRS, LENGTHS),
    st.builds(lambda name, to, within: Move(name, to=to, within=within), NAMES, VECTORS, LENGTHS),
    st.builds(lambda name, by, within: Move(name, by=by, within=within), NAMES, LENGTHS | VECTORS, LENGTHS),
    st.builds(Lift, NAMES, LENGTHS, LENGTHS),
    st.builds(Keep, NAMES, LENGTHS),
)
GOALS = st.recursive(
    SIMPLE,
    lambda goals: st.builds(
        lambda kind, parts: kind(tuple(parts)),
        st.sampled_from([AllOf, Then]),
        st.lists(goals, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


@given(GOALS)
def test_text_and_goal_are_the_same(goal):
    assert parse_goal(str(goal)) == goal


@given(st.text(alphabet="nearmoveliftkeep_all_of(),=. 3cmtoby", max_size=60))
def test_any_text_is_a_goal_or_one_clear_error(text):
    try:
        parse_goal(text)
    except ValueError as error:
        assert "Cannot read goal" in str(error) and "position" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    "text, goal",
    [
        ("near(cube, pad, within=3cm)", Near("cube", "pad", 0.03)),
        (" near ( cube,pad ,within = 30 mm ) ", Near("cube", "pad", 0.03)),
        ("reach(robot0:grip, object0)", Reach("robot0:grip", "object0", 0.02)),
        (
            "move(a/b.c-1, to=(1cm, -2cm, 0m), within=.5cm)",
            Move("a/b.c-1", to=(0.01, -0.02, 0.0), within=0.005),
        ),
        ("move(cube, to=pad)", Move("cube", to="pad")),
        ("move(cube, by=5cm)", Move("cube", by=0.05)),
        ("lift(cube, by=1e-1m)", Lift("cube", 0.1)),
        ("all_of(keep(vase), then(lift(x, by=5mm)))", AllOf((Keep("vase"), Then((Lift("x", 0.005),))))),
    ],
)
def test_goals_read_as_meant(text, goal):
    assert parse_goal(text) == goal


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "neer(cube, pad, within=3cm)",
            r"position 0: expected one of the goals reach, .*Did you mean 'near'\?",
        ),
        ("near(cube pad)", r"'near\(cube pad\)' at position 10: expected ',' or '\)', found 'pad\)'"),
        ("near(cube, pad, within=3)", r"position 23: expected a length with its unit \(mm, cm or m\)"),
        ("near(cube, pad, within=3km)", "expected a length with its unit"),
        ("near(cube, pad)", "expected near with within=<length>"),
        ("near(cube, within=3cm)", r"expected near with 2 name\(s\)"),
        ("near(a, b, c, within=3cm)", "position 11: expected no more than 2"),
        ("keep(cube, wthin=3cm)", "position 11: expected within="),
        ("keep(cube, within=3cm, within=3cm)", r"position 23: expected '\)'"),
        ("move(cube)", "either `to` or `by`"),
        ("move(cube, by=(1cm, 2cm))", "expected three lengths"),
        ("lift(cube, by=-3cm)", "`by` must be a positive length"),
        ("near(cube, cube, within=3cm)", "two different names"),
        ("near(cube, pad, within=3cm", "position 26: expected ',' or '\\)', found the end"),
        ("near(cube, pad, within=3cm) or so", "expected the end, found 'or so'"),
        ("", "found the end"),
        ("all_of()", "position 7: expected one of the goals"),
        ("__import__('os')", "expected one of the goals"),
        ("then(" * (MAX_DEPTH + 1) + "keep(a)", f"at most {MAX_DEPTH} goals in one another"),
        ("then(" * 100_000, "at most"),
    ],
)
def test_errors_show_the_text_the_position_and_what_was_expected(text, message):
    with pytest.raises(ValueError, match=message):
        parse_goal(text)


def test_a_goal_is_read_from_text():
    with pytest.raises(TypeError, match="read from text"):
        parse_goal(3)

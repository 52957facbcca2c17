"""Replies as models give them: harnesses score them with their quirks, `strict` scores what was meant."""

import json
from collections import Counter
from pathlib import Path

import pytest

from spatial_reward.benchmark.harness.compat_vlmevalkit import last_number, option, rules
from spatial_reward.benchmark.harness.items import Item
from spatial_reward.benchmark.harness.scored import mean_relative_accuracy
from spatial_reward.benchmark.harness.scorers import COMPAT, STRICT, scored
from spatial_reward.benchmark.harness.strict import strict
from spatial_reward.benchmark.harness.strict_numbers import number_in, score_in

GOLDEN = json.loads((Path(__file__).parent / "golden_replies.json").read_text())
TABLE = [one for one in GOLDEN if one["named_in_3_6"]]


def item_of(one):
    return Item(
        *("1", one["benchmark"], "subset", one["form"], one["question"], one["answer"]),
        *(tuple(one["options"]), list, one["unit"]),
    )


def choice(answer="B", options=("the chair", "the table", "the lamp", "the door")):
    return Item("1", "erqa", "Other", "choice", "Which?", answer, options, list)


@pytest.mark.parametrize("one", GOLDEN, ids=lambda one: f"{one['benchmark']}-{one['reply'][:24]!r}")
def test_every_reply_is_scored_as_written_down(one):
    found = {name: list(score) for name, score in scored(item_of(one), one["reply"]).items()}
    for name, (read, value) in one["expected"].items():
        assert found.pop(name) == [read, pytest.approx(value)], (name, one["why"])
    assert not found


def test_the_golden_file_is_large_and_has_every_scorer():
    assert len(GOLDEN) >= 30 and len({(one["benchmark"], one["reply"]) for one in GOLDEN}) == len(GOLDEN)
    counts = Counter(one["benchmark"] for one in GOLDEN)
    assert set(counts) == set(COMPAT) and min(counts.values()) >= 9
    for one in GOLDEN:
        assert set(one["expected"]) == {*COMPAT[one["benchmark"]], STRICT} and one["why"]


def test_the_scorers_disagree_where_they_are_known_to():
    """The rows of the table that was made by running the harnesses' own parsers; B is right in each."""
    wrong = {}
    for one in TABLE:
        for name, (_, value) in one["expected"].items():
            if value < 1:
                wrong.setdefault((one["benchmark"], name), set()).add(one["reply"])
    first = {
        *("Answer: B", "The answer is B.", "**B**", "`B`", "\\boxed{B}", "<answer>B</answer>", "Option B"),
        *("A chair is on the left, so B", "I think a camera turned. B"),
    }
    two_letters = {"A chair is on the left, so B", "B because A. is wrong"}
    assert wrong == {
        ("blink", "lmms_eval"): first,
        ("cv_bench", "lmms_eval"): first,
        ("erqa", "lmms_eval"): {"A chair is on the left, so B"},
        ("erqa", "vlmevalkit_exact"): {one["reply"] for one in TABLE} - {"B"},
        **{(name, "vlmevalkit_rules"): two_letters for name in ("blink", "cv_bench", "erqa")},
    }


def test_strict_reads_the_whole_table_right():
    assert len(TABLE) == 3 * 13
    assert all(strict(item_of(one), one["reply"]) == ("B", 1.0) for one in TABLE)


def test_rules_count_a_row_as_right_if_truth_and_reply_are_unreadable():
    item = choice(answer="K", options=tuple("abcdefghij"))
    assert rules(item, "Hard to say.") == ("", 1.0)
    assert strict(item, "Hard to say.") == ("", 0.0)


@pytest.mark.parametrize(
    "reply",
    [
        *("B", " b ", "[B]", "B:", "Option (B)", "answer is B", "**Answer:** B"),
        *("My choice would be B.", "I'd go with B", "I choose option B", "the table", "The table."),
        *("It's B!", "Both seem close. Therefore B.", "A: no. C: no.\nB", "\\boxed{\\text{B}}"),
        *("<think>A</think>\nB", "Answer: A\nOn second thought, answer: B", "B is the correct option."),
        *('"B"', "The best option is: (B) the table", "<answer>A</answer> no, <answer> B. </answer>"),
    ],
)
def test_strict_reads_a_letter_however_it_is_put(reply):
    assert strict(choice(), reply) == ("B", 1.0)


@pytest.mark.parametrize(
    "reply",
    [
        *("", " ", "A and B", "B/C", "Answer: B or C", "The answer is not B", "E", "<think>B", "Because."),
        *("The answer is a lamp on a table", "A. the chair B. the table", "either A or B", "\\boxed{}"),
        *("Bring it to the table and the lamp", "I am not sure.", "<answer></answer>", "both"),
    ],
)
def test_strict_reads_no_letter_where_none_was_chosen(reply):
    assert strict(choice(), reply) == ("", 0.0)


def test_two_options_of_one_text_are_not_told_apart_by_it():
    assert strict(choice(options=("red", "red", "blue", "green")), "red").read == ""


@pytest.mark.parametrize(
    ("said", "unit", "number"),
    [
        *(("3", "", 3), ("Three chairs.", "", 3), ("3.0", "", 3), ("Answer: **3**", "", 3), ("-3", "", None)),
        *(("about 2.5 metres", "m", 2.5), ("2.5m", "m", 2.5), ("8 feet", "m", 2.4384), ("2500 mm", "m", 2.5)),
        *(("2 or 3", "", None), ("2–3 m", "m", None), ("between 2 m and 3 m", "m", None), ("2, 3", "", None)),
        *(
            ("5 m x 4 m = 20 m²", "m2", 20),
            ("20 sq. meters", "m2", 20),
            ("20 m", "m2", None),
            ("", "m", None),
        ),
        *(("I see 1 by the door.\nTotal: 3", "", 3), ("1,200", "cm", 1200), ("1.2e2 cm", "cm", 120)),
        *(("215 square feet", "m2", pytest.approx(19.974, abs=0.001)), ("$2.5\\,\\text{m}$", "m", 2.5)),
    ],
)
def test_strict_numbers(said, unit, number):
    assert number_in(said, unit) == number


@pytest.mark.parametrize(
    ("said", "score"),
    [
        *(("ANSWER: 5", 5), ("answer: (3)", 3), ("Reward = 2", 2), ("4/5", 4), ("4 out of 5", 4), ("1", 1)),
        *(("ANSWER: 0", None), ("ANSWER: 6", None), ("ANSWER: 45", None), ("It takes 3 steps", None)),
        *(("**ANSWER: 4**", 4), ("3 - Partial Completion", 3), ("5.0", 5), ("ANSWER: 2\nANSWER: 3", 3)),
    ],
)
def test_strict_scores(said, score):
    assert score_in(said) == score


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        *(("<think>C</think> the rest", "C"), ("so it is A\n\n", "A"), ("选 B", "B"), ("Answer: b.", "B")),
        *(("Option A: left\nOption B: right\nB", "B"), ("G", ""), ("<answer>g</answer>", "G")),
        *(("Answer:\nA. no\nso\nB. yes", "B"), ("\ufeffB", "B"), ("A-B", "B")),
    ],
)
def test_the_rules_read_letters_in_their_order(reply, letter):
    assert option(reply) == letter


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        *(("twenty-one", -1), ("[3, 4]", 3), ("[3, x]", None), ("1.5e1", 15), (".5", 0.5), ("none", None)),
        *(("<answer>7 chairs</answer> 9", 7), ("<think>5</think>6", 6), ("4 <think>", 4), ("3-4", -4)),
    ],
)
def test_the_rules_read_numbers_with_their_quirks(reply, number):
    assert last_number(reply) == number


def test_mean_relative_accuracy_is_that_of_its_definition():
    for number in (0.0, 1.0, 1.9, 2.0, 2.2, 2.9, 3.0, 5.0):
        errors = [abs(number - 2) / 2 <= 1 - (0.5 + 0.05 * step) + 1e-12 for step in range(10)]
        assert mean_relative_accuracy(number, 2.0) == pytest.approx(sum(errors) / 10, abs=0.1)
    assert mean_relative_accuracy(float("nan"), 2.0) == mean_relative_accuracy(float("inf"), 2.0) == 0
    assert [mean_relative_accuracy(value, 10.0) for value in (10.4, 11.2, 14.4, 15.1)] == [1, 0.8, 0.2, 0]

"""The forms that answers are held to: every truth fits them, and is read back from them."""

import json
import re

import numpy as np
import pytest
from question_rooms import room

from spatial_reward.models.answer_format import CHOICES, VECTORS, pattern, schema
from spatial_reward.questions import KINDS, written
from spatial_reward.questions.camera_motion import TRUTHS
from spatial_reward.types import Frame, Question


@pytest.fixture(scope="module")
def questions():
    scenes, rng = [room(1), room(2, moving_bodies=True)], np.random.default_rng(0)
    asked = {
        name: [
            kind.ask(scene, rng, mode) for scene in scenes for mode in ("strict", "paper") for _ in range(4)
        ]
        for name, kind in KINDS.items()
    }
    return {name: [question for question in found if question] for name, found in asked.items()}


def in_json(words, name):
    """Write what stands between the backticks as JSON."""
    numbers = [int(number) for number in re.findall(r"-?\d+", words)]
    if name in CHOICES:
        return words
    return numbers if words.startswith("[") else numbers[0]


def fits(value, form):
    """Check a value against the few words of JSON schema that are used."""
    if "enum" in form:
        return value in form["enum"]
    if form["type"] == "array":
        return len(value) == form["minItems"] == form["maxItems"] and all(
            fits(v, form["items"]) for v in value
        )
    whole = form["type"] == "integer"
    return isinstance(value, int if whole else (int, float)) and value >= form.get("minimum", -1e9)


@pytest.mark.parametrize("name", KINDS)
def test_every_truth_has_the_form_and_is_read_back(name, questions):
    assert questions[name]
    for question in questions[name]:
        words = written(question)
        assert re.fullmatch(pattern(name), f"`{words}`")
        form, reply = schema(name), {"answer": in_json(words, name)}
        assert set(form["required"]) == set(form["properties"]) == set(reply)
        assert fits(reply["answer"], form["properties"]["answer"])
        for text in (f"`{words}`", json.dumps(reply)):
            assert KINDS[name].score(KINDS[name].read(text, question), question, "strict"), (text, question)


def test_choices_are_those_that_the_readers_know():
    frame = Frame(np.zeros((4, 4, 3), np.uint8))
    for name, words in CHOICES.items():
        question = Question(name, (frame, frame))
        assert [KINDS[name].read(f"`{word}`", question).value for word in words] == list(words)
        assert not KINDS[name].read("`E`", question).valid
    assert {name for name, kind in KINDS.items() if kind.unit == "1"} == set(CHOICES)
    assert {name for name in TRUTHS if name.startswith("cam_dir")} < set(CHOICES) and set(VECTORS) < set(
        KINDS
    )


def test_the_form_leaves_nothing_else():
    for name in KINDS:
        for reply in ("", "``", "I think `12` mm", "`-1`", "`[ 1 , 2 ]", "`[ 1 , 2 , 3 , 4 ]`", "`none`"):
            assert not re.fullmatch(pattern(name), reply)

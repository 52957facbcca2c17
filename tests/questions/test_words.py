"""Wording: enough of it, natural slots, numbers as published, and every sentence reads back."""

import numpy as np
import pytest

from spatial_reward.questions import KINDS, dots, kind, to_degrees, to_millimetres, to_thousandths, written
from spatial_reward.questions.wording_camera import CAMERA_WORDING
from spatial_reward.questions.wording_correspondence import CORRESPONDENCE_WORDING
from spatial_reward.questions.wording_depth import DEPTH_WORDING
from spatial_reward.questions.wording_object import OBJECT_MOTION_WORDING, SIZE_WORDING
from spatial_reward.types import Answer, Frame, PixelPoint, Question

WORDING = DEPTH_WORDING | CORRESPONDENCE_WORDING | CAMERA_WORDING | OBJECT_MOTION_WORDING | SIZE_WORDING
FIRST, SECOND = Frame(np.zeros((120, 160, 3), np.uint8)), Frame(np.zeros((90, 200, 3), np.uint8))
POINTS = (PixelPoint(40.0, 30.0), PixelPoint(120.0, 90.0))
CHOICES = (POINTS[0], *(PixelPoint(20.0 * i, 10.0 * i, 1) for i in range(1, 5)))
WORDS = {
    "cam_dir_x": ("left", "right"),
    "cam_dir_y": ("up", "down"),
    "cam_dir_z": ("forward", "backward"),
    "cam_dir_yaw": ("left", "right"),
    "cam_dir_pitch": ("up", "down"),
}


def examples(name):
    """Questions of a kind with several truths, among them zero and awkward ones."""
    unit = KINDS[name].unit
    frames = (FIRST,) if name.startswith("depth") else (FIRST, SECOND)
    points = () if name.startswith(("cam", "size")) else CHOICES if name == "vc_mcq" else POINTS
    labels = [("chair {x} of A. B.",)] if name.startswith("size") else [()]
    truths = [0.0004, 0.0125, 0.57, 1.2345, 12.0]
    if "cmp" in name:
        letters = () if "coord" in name else ("A", "B")
        labels = [(*letters, "closer"), (*letters, "farther")]
        truths = [np.array(p[:2]) for p in POINTS] if "coord" in name else ["A", "B"]
    elif name.startswith("vc"):
        truths = [np.array([199.99, 0.0]), np.array([33.3, 44.4])] if unit == "px" else list("ABCD")
    elif name in WORDS:
        truths = list(WORDS[name])
    elif "vec" in name:
        truths = [np.zeros(3), np.array([0.012, -0.003, 0.4]), np.array([-1.2345, 0, 12.0])]
    elif unit == "deg":
        truths = [0.0, 0.9, 12.3, 170.0]
    elif not name.startswith(("depth", "size")):
        truths = [0.0, *truths]
    return [
        Question(name, frames, points, lab, answer=Answer(t, unit, 0.0)) for lab in labels for t in truths
    ]


def rounding(question):
    """The largest error that printing may cause."""
    if KINDS[question.kind].unit == "px":
        return 0.51 / 1000 * np.array([question.frames[-1].width, question.frames[-1].height])
    return {"m": 0.00051, "deg": 1.0}[KINDS[question.kind].unit]


@pytest.mark.parametrize("name", KINDS)
def test_every_reply_reads_back_as_the_truth(name):
    for question in examples(name):
        replies = WORDING[name].all_replies(question)
        assert len(set(replies)) >= 10
        for reply in replies:
            assert reply.count("`") == 2 and "{" not in reply.replace("{x}", "")
            answer = KINDS[name].read(reply, question)
            assert answer.valid, reply
            if isinstance(question.answer.value, str):
                assert answer.value == question.answer.value, reply
            else:
                gap = np.abs(np.subtract(answer.value, question.answer.value))
                assert (gap <= rounding(question)).all(), reply


@pytest.mark.parametrize("name", KINDS)
def test_every_phrase_states_its_slots(name):
    for question in examples(name):
        asked = [point for point in POINTS[: WORDING[name].points]]
        for hint in (False, True):
            for phrase in WORDING[name].phrases(question, format_hint=hint):
                assert "{" not in phrase.replace("{x}", "") and "<1>" not in phrase and "  " not in phrase
                assert ("backticks" in phrase) == hint
                if name.endswith("coord"):
                    for point in asked:
                        assert f"[ {point.x / 160 * 1000:.0f} , {point.y / 120 * 1000:.0f} ]" in phrase
                    assert "1000" in phrase or "thousandths" in phrase
                if name.startswith("size"):
                    assert question.labels[0] in phrase and name[5:] in phrase


@pytest.mark.parametrize("name", KINDS)
def test_there_are_twenty_ways_to_ask_and_ten_to_answer(name):
    question = examples(name)[1]
    phrases = WORDING[name].phrases(question)
    assert len(phrases) == len(set(phrases)) >= 20
    assert len(set(WORDING[name].questions)) >= 8 and len(set(WORDING[name].settings)) >= 5
    rng = np.random.default_rng(0)
    assert len({KINDS[name].phrase(question, rng, False) for _ in range(400)}) >= 20
    assert len({KINDS[name].reply(question, rng) for _ in range(200)}) >= 10


@pytest.mark.parametrize("name", KINDS)
def test_the_same_seed_gives_the_same_words(name):
    question = examples(name)[0]

    def words(seed):
        rng = np.random.default_rng(seed)
        return [(KINDS[name].phrase(question, rng, True), KINDS[name].reply(question, rng)) for _ in range(5)]

    assert words(3) == words(3) != words(4)


def all_phrases(name):
    return [p for question in examples(name) for p in WORDING[name].phrases(question)]


def test_conventions_are_stated():
    for name in ("cam_vec", "obj_vec_coord", "obj_vec_dot"):
        for phrase in all_phrases(name):
            assert "X" in phrase and "Y" in phrase and "Z" in phrase
            assert "first camera" in phrase or "first image's camera" in phrase
    for name, wording in WORDING.items():
        unit = KINDS[name].unit
        for phrase in all_phrases(name) if unit in ("m", "deg") else ():
            assert (
                ("degrees" in phrase)
                if unit == "deg"
                else ("millimetre" in phrase or " mm" in phrase or "(mm" in phrase)
            )
        if name.startswith("cam"):
            assert all(
                "static" in s or "still" in s or "motionless" in s or "Nothing" in s for s in wording.settings
            )
            assert all("first image" in s for s in wording.settings)
        if name.startswith("obj"):
            assert all("may" in s or "not said" in s for s in wording.settings)


@pytest.mark.parametrize("name", WORDS)
def test_the_order_of_the_directions_gives_nothing_away(name):
    one, other = WORDS[name]
    ahead = [text.index(one) < text.index(other) for text in WORDING[name].questions]
    assert sum(ahead) * 2 == len(ahead)


@pytest.mark.parametrize("name", ["obj_dist_coord", "obj_vec_dot"])
def test_still_points_first_say_that_they_did_not_move(name):
    still, moving = examples(name)[0], examples(name)[1]
    for reply in WORDING[name].all_replies(still):
        shorter = reply.split("`")[0] + "."
        assert "`0`" in reply or "`[ 0 , 0 , 0 ]`" in reply
        if "(" not in reply and not shorter.endswith((" only .", " result is .")):
            assert (
                KINDS[name].read(shorter.split(":")[0].split(";")[0].split(",")[0] + ".", still).value
                is not None
            )
    assert not any("not move" in reply for reply in WORDING[name].all_replies(moving))


def test_comparisons_ask_for_what_their_last_label_says():
    near, far = examples("depth_cmp_dot")[0], examples("depth_cmp_dot")[-1]
    for question, words, others in (
        (near, ("closer", "smaller", "front"), ("farther", "larger", "behind")),
        (far, ("farther", "larger", "behind"), ("closer", "smaller", "front")),
    ):
        for phrase in WORDING["depth_cmp_dot"].phrases(question):
            assert any(w in phrase for w in words) and not any(w in phrase for w in others), phrase


@pytest.mark.parametrize("name", KINDS)
def test_a_prompt_replaces_the_wording(name):
    question = examples(name)[0]
    own = Question(name, question.frames, question.points, question.labels, prompt="How so? {first}")
    rng = np.random.default_rng(0)
    assert KINDS[name].phrase(own, rng, False) == "How so? {first}"
    assert KINDS[name].phrase(own, rng, True) == "How so? {first} " + WORDING[name].hint


def test_missing_points_and_truths_are_named():
    with pytest.raises(ValueError, match=r"'depth_est_coord' question needs 1 `points`, got 0"):
        KINDS["depth_est_coord"].phrase(
            Question("depth_est_coord", (FIRST,)), np.random.default_rng(0), False
        )
    with pytest.raises(ValueError, match="without a truth has no reply: set its `answer`"):
        KINDS["cam_dist"].reply(Question("cam_dist", (FIRST, SECOND)), np.random.default_rng(0))


def test_numbers_are_written_as_published():
    assert to_millimetres(-0.69697) == -697 and to_millimetres(-0.69697, "truncate") == -696
    assert to_millimetres(0.57, "truncate") == 570 and to_millimetres(0.0025) == 2  # half to even, as round()
    assert to_degrees(-12.9) == 12 and to_degrees(30.0) == 30 and to_degrees(0.99) == 0
    assert to_thousandths((1296, -5), (1296, 968)) == (1000, 0)
    frames = (FIRST, SECOND)
    vector = np.array([-0.69697, 0.0019, 1.0])
    camera = Question("cam_vec", frames, answer=Answer(vector, "m"))
    assert written(camera, "paper") == "[ -696 , 1 , 1000 ]" and written(camera) == "[ -697 , 2 , 1000 ]"
    thing = Question("obj_vec_dot", frames, POINTS, answer=Answer(vector, "m"))
    assert written(thing, "paper") == "[ -697 , 2 , 1000 ]"
    for name, paper in (
        ("cam_dist", "1"),
        ("obj_dist_dot", "1"),
        ("depth_est_dot", "2"),
        ("size_width", "2"),
    ):
        length = Question(name, frames, POINTS, answer=Answer(0.0019, "m"))
        assert written(length, "paper") == paper and written(length) == "2"


def test_dots_are_drawn_where_a_kind_needs_them():
    assert dots(examples("depth_cmp_dot")[0]) == [(POINTS[0], "A"), (POINTS[1], "B")]
    assert dots(examples("obj_vec_dot")[0])[0] == (POINTS[0], "")
    assert dots(examples("obj_vec_coord")[0]) == [] == dots(examples("cam_dist")[0])
    choice = Question("vc_mcq", (FIRST, SECOND), CHOICES, ("", "A", "B", "C", "D"))
    assert [letter for _, letter in dots(choice)] == ["", "A", "B", "C", "D"]


def test_an_unknown_kind_is_answered_with_near_matches():
    assert kind("cam_vec") is KINDS["cam_vec"]
    with pytest.raises(ValueError, match=r"Unknown question kind 'cam_vect'\. Did you mean \['cam_vec'"):
        kind("cam_vect")
    with pytest.raises(ValueError, match=r"Unknown question kind 'zzz'\. Known kinds: \['cam_deg_pitch'"):
        kind("zzz")

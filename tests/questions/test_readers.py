"""Nasty replies: what every family of readers makes of what language models really write."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_reward.questions import KINDS
from spatial_reward.types import Frame, PixelPoint, Question

WIDE = Frame(np.zeros((968, 1296, 3), np.uint8))
SMALL = Frame(np.zeros((100, 200, 3), np.uint8))


def question(kind):
    return Question(kind, (SMALL, WIDE), (PixelPoint(10, 10), PixelPoint(50, 50)))


def read(kind, text):
    return KINDS[kind].read(text, question(kind))


SCALAR = [
    ("It is `1200` mm away.", 1.2),
    ("`1200`", 1.2),
    ("`1200 mm`", 1.2),
    ("`1200mm`.", 1.2),
    ("`1.2` m", 1.2),
    ("`1.2 m`", 1.2),
    ("`120` cm", 1.2),
    ("`120 centimetres`", 1.2),
    ("`1.2` meters", 1.2),
    ("`1.2` metres away", 1.2),
    ("The depth is `1,200` mm", 1.2),
    ("The depth is `1,234,567` mm", 1234.567),
    ("The depth is `1 200` mm", None),
    ("The depth is `1\u202f200` mm", 1.2),
    ("The depth is 1,200.5 mm.", 1.2005),
    ("The depth is 1200.", 1.2),
    ("The depth is **1200 mm**.", 1.2),
    ("**Answer:** 1200", 1.2),
    ("Answer: *1200* millimeters", 1.2),
    ("$1200\\,\\text{mm}$", 1.2),
    ("\\boxed{1200}", 1.2),
    ("\\boxed{1.2\\text{ m}}", 1.2),
    ("<answer>1200</answer>", 1.2),
    ("```\n1200\n```", 1.2),
    ('```json\n{"answer": 1200}\n```', 1.2),
    ('{"depth_mm": 1200, "confidence": 0.9}', 1.2),
    ('{"depth_m": 1.2}', 1.2),
    ('{"answer": "1.2 m"}', 1.2),
    ('{"answer": 1.2, "unit": "m"}', 1.2),
    ('{"a": 1200, "b": 900}', None),
    ('{"answer": null}', None),
    ("First I thought `900`, but it is `1200` mm.", 1.2),
    ("First 900 mm, then on reflection 1200 mm.", 1.2),
    ("In image 1 and image 2 it is 1200 mm deep.", 1.2),
    ("It is 1200 mm away in image 1.", 1.2),
    ("Looking at 2 images, 3D geometry gives 1.2 m.", 1.2),
    ("The point [ 500 , 300 ] is 1200 mm deep", 1.2),
    ("1200 is the depth of the point at (500, 300)", 1.2),
    ("The point `[ 500 , 300 ]` has", None),
    ("approximately 1200mm, I guess", 1.2),
    ("I am not sure, but about 1200 mm.", 1.2),
    ("1.2 m (1200 mm)", 1.2),
    ("~1200 mm", 1.2),
    ("1200 ± 50 mm", 1.2),
    ("`1200 ± 50` mm", 1.2),
    ("1200 +/- 50 mm", 1.2),
    ("between 1000 and 1200 mm", None),
    ("1000-1200 mm", None),
    ("1000 – 1200 mm", None),
    ("`1000-1200` mm", None),
    ("1000 to 1200 mm", None),
    ("1000 mm or 1200 mm", None),
    ("`1000 or 1200`", None),
    ("1/2 m", None),
    ("2*600 mm", None),
    ("1.2e3 mm", 1.2),
    ("1.2 × 10^3 mm", None),
    ("1,5 m", None),
    ("1 m 20 cm", None),
    ("4 feet", 1.2192),
    ("less than 1200 mm", None),
    ("`<1200` mm", None),
    ("not 1200 mm", None),
    ("`-1200` mm", None),
    ("−1200 mm", None),
    ("The depth is - 1200 mm", 1.2),
    ("NaN", None),
    ("`nan`", None),
    ("`inf` mm", None),
    ("1e999 mm", None),
    ("9" * 40, None),
    ("", None),
    ("   \n", None),
    ("`", None),
    ("``", None),
    ("```", None),
    ("`1200 mm", 1.2),
    ("don`t know, `1200` mm", 1.2),
    ("I cannot determine the depth from 2 images.", None),
    ("As an AI I can't measure depth to within 10 mm.", None),
    ("`unknown`", None),
    ("I first said `1200`, in truth `unknown`.", None),
    ("`Image-1` shows it at 1200 mm", 1.2),
    ("The depth is `1200` mm in `image 1`.", 1.2),
    ("It is `1200` pixels away", None),
    ("1200 px", None),
    ("50 % of the depth", None),
    ("`30` degrees", None),
    ("In metres it is `1.2`.", 1.2),
    ("The answer in cm: 120", 1.2),
    ("twelve hundred", None),
    ("1200 (confidence 90)", 1.2),
    ("1. Look at the image.\n2. It is 1200 deep.\n3. That is all.", 1.2),
    ("`1200`mm, i.e. `1.2`m", 1.2),
    ("1200 mm (confidence: 95 %)", 1.2),
    ("It is 5 units away", None),
    ("depth=1200", 1.2),
    ("1200mm/1.2m", 1.2),
    ("100, 200, 300", None),
    ("−1200", None),
    ("１２００ mm", None),
    ("1200²", None),
    ("A1200", None),
    ("The speed is 5 mm/s", None),
    ("up 1200mm\x00", 1.2),
]


@pytest.mark.parametrize(("text", "expected"), SCALAR)
def test_nasty_scalars(text, expected):
    answer = read("depth_est_coord", text)
    assert answer.value == (None if expected is None else pytest.approx(expected))
    assert answer.valid == (expected is not None)
    assert answer.text == text and answer.unit == "m"


MOTION = [
    ("The point did not move.", 0.0),
    ("The point didn't move", 0.0),
    ("The point didn’t move at all.", 0.0),
    ("The point has not moved.", 0.0),
    ("The point did not move: `0` mm", 0.0),
    ("There is no movement.", 0.0),
    ("There was no visible motion of the point.", 0.0),
    ("The object is stationary.", 0.0),
    ("It remained still.", 0.0),
    ("It stayed in place", 0.0),
    ("`did not move`", 0.0),
    ("`stationary`", 0.0),
    ("zero displacement", 0.0),
    ("`-0` mm", 0.0),
    ("Although the camera moved, the point did not move.", 0.0),
    ("The camera did not move, the point did.", None),
    ("The camera is static.", None),
    ("There is no movement of the camera.", None),
    ("The point is not stationary.", None),
    ("I cannot tell whether the point moved or was stationary.", None),
    ("The point may or may not have moved.", None),
    ("If the point did not move, the answer would be zero.", None),
    ("It is almost stationary.", None),
    ("It did not move much.", None),
    ("It did not move significantly", None),
    ("It did not move more than 20 mm", None),
    ("The camera moved by 300 mm, while the point did not move.", None),
    ("The point did not move at first, then moved 300 mm.", None),
    ("The point moved.", None),
    ("It moved `60` mm.", 0.06),
    ("It moved 6 cm to the left.", 0.06),
    ("60", 0.06),
]


@pytest.mark.parametrize(("text", "expected"), MOTION)
def test_nasty_motions(text, expected):
    assert read("obj_dist_dot", text).value == (None if expected is None else pytest.approx(expected))


ANGLE = [
    ("`30`", 30),
    ("`30` degrees", 30),
    ("`30°`", 30),
    ("`30`°", 30),
    ("30 deg", 30),
    ("30º", 30),
    ("a 30-degree turn", 30),
    ("about 30.5 degrees to the left", 30.5),
    ("$30^\\circ$", 30),
    ("$30^{\\circ}$", 30),
    ("\\boxed{30^\\circ}", 30),
    ("**30°**", 30),
    ("It turned 30 degrees between image 1 and image 2.", 30),
    ("It turned 30 degrees between frames 0 and 3", 30),
    ("between frames 0 and 3 it is 30", 30),
    ("It moved 1200 mm and turned 30 degrees.", 30),
    ("It turned 30 degrees and moved 1200 mm.", 30),
    ("0.5235987756 rad", 30),
    ("`0.5235987756` radians", 30),
    ("1,080 degrees", 1080),
    ("`-30`", None),
    ("−30 degrees", None),
    ("30 or 40 degrees", None),
    ("30-40 degrees", None),
    ("30° to 40°", None),
    ("`30`, no, `40`", 40),
    ("at least 30 degrees", None),
    ("more than 30 degrees", None),
    ("30 ± 5 degrees", 30),
    ("`30` mm", None),
    ("`30 mm`", None),
    ("30 mm", None),
    ("[30, 40, 50]", None),
    ("The camera did not rotate.", 0),
    ("There is no rotation.", 0),
    ("The camera did not turn", 0),
    ("The scene is static.", None),
    ("The objects did not move.", None),
    ("I can't determine the angle.", None),
    ("I cannot say exactly, maybe 30 degrees", 30),
    ("nan degrees", None),
    ("", None),
    ("left", None),
    ('{"angle": 30}', 30),
    ('{"yaw_deg": 30, "probability": 0.5}', 30),
    ('{"angle": NaN}', None),
    ('{"angle": [30, 40]}', None),
    ("{" * 5000 + "}" * 5000, None),
    ("thirty", None),
    ("1/6 of a turn", None),
]


@pytest.mark.parametrize(("text", "expected"), ANGLE)
def test_nasty_angles(text, expected):
    assert read("cam_deg_yaw", text).value == (None if expected is None else pytest.approx(expected))


VECTOR = [
    ("`[ 12 , -3 , 400 ]` mm", (12, -3, 400)),
    ("`[12,-3,400]`", (12, -3, 400)),
    ("`[ 12 , − 3 , 400 ]`", (12, -3, 400)),
    ("`[12, –3, 400]`", (12, -3, 400)),
    ("`(12, -3, 400)`", (12, -3, 400)),
    ("`12, -3, 400`", (12, -3, 400)),
    ("`12 -3 400`", (12, -3, 400)),
    ("[12 -3 400]", (12, -3, 400)),
    ("[12; -3; 400]", (12, -3, 400)),
    ("np.array([12., -3., 400.])", (12, -3, 400)),
    ("[[12, -3, 400]]", (12, -3, 400)),
    ("[12, -3, 400,]", (12, -3, 400)),
    ("`[0.012, -0.003, 0.4]` m", (12, -3, 400)),
    ("`[0.012, -0.003, 0.4] m`", (12, -3, 400)),
    ("[1.2, -0.3, 40] cm", (12, -3, 400)),
    ("[12 mm, -3 mm, 400 mm]", (12, -3, 400)),
    ("[1.2 cm, -3 mm, 0.4 m]", (12, -3, 400)),
    ("[12, -3, 400 mm]", (12, -3, 400)),
    ("In metres: `[0.012, -0.003, 0.4]`", (12, -3, 400)),
    ("[12 px, -3 px, 400 px]", None),
    ("[12 mm, -3, 400]", None),
    ("[1,200, 3, 4]", (1200, 3, 4)),
    ("[1,200, -3,400, 5,600]", (1200, -3400, 5600)),
    ("[1,200,3]", (1, 200, 3)),
    ("[12,345,678]", (12, 345, 678)),
    ("[1,200, 300, 4, 5]", None),
    ("[100,200,300, 4]", None),
    ("[1 200, 3, 4]", None),
    ("The point [500, 300] moved by [12, -3, 400].", (12, -3, 400)),
    ("It moved by [12, -3, 400] from [500, 300].", (12, -3, 400)),
    ("It moved by `[12, -3, 400]` from `[500, 300]`.", (12, -3, 400)),
    ("First `[1, 2, 3]`, rather `[12, -3, 400]`.", (12, -3, 400)),
    ("[1, 2, 3] or [12, -3, 400]", None),
    ("`[1, 2, 3]` mm, i.e. `image 2`", (1, 2, 3)),
    ("dx = 12, dy = -3, dz = 400", (12, -3, 400)),
    ("dx: 12 mm\ndy: -3 mm\ndz: 40 cm", (12, -3, 400)),
    ("`[dx = 12, dy = -3, dz = 400]`", (12, -3, 400)),
    ("[dy = 12, dx = -3, dz = 400]", (-3, 12, 400)),
    ("x = 1, y = 2, z = 3, so x = 5", None),
    ('{"dx": 12, "dy": -3, "dz": 400}', (12, -3, 400)),
    ('{"answer": [12, -3, 400]}', (12, -3, 400)),
    ('{"displacement_m": [0.012, -0.003, 0.4], "confidence": 1}', (12, -3, 400)),
    ("$[12, -3, 400]$", (12, -3, 400)),
    ("\\boxed{[12, -3, 400]}", (12, -3, 400)),
    ("**[12, -3, 400]**", (12, -3, 400)),
    ("[12 ± 1, -3 ± 1, 400 ± 9]", (12, -3, 400)),
    ("[12, -3]", None),
    ("[12, -3, 400, 5]", None),
    ("`[12, -3]`", None),
    ("[12, nan, 400]", None),
    ("`[nan, nan, nan]`", None),
    ("[1, 2, 3], I mean [?, ?, ?]", None),
    ("[inf, 0, 0]", None),
    ("[1e999, 0, 0]", None),
    ("`0`", (0, 0, 0)),
    ("`0` mm", (0, 0, 0)),
    ("`300` mm", None),
    ("300 mm to the left", None),
    ("The point did not move.", (0, 0, 0)),
    ("The point did not move: `[ 0 , 0 , 0 ]` mm.", (0, 0, 0)),
    ("`no movement`", (0, 0, 0)),
    ("The camera did not move.", None),
    ("The camera moved by [12, -3, 400] while the point did not move.", None),
    ("I cannot determine it.", None),
    ("[dx, dy, dz]", None),
    ("", None),
    ("[" * 5000, None),
    ("[-0, 0, -0.0]", (0, 0, 0)),
]


@pytest.mark.parametrize(("text", "expected"), VECTOR)
def test_nasty_vectors(text, expected):
    answer = read("obj_vec_coord", text)
    if expected is None:
        assert answer.value is None and not answer.valid
    else:
        np.testing.assert_allclose(answer.value, np.array(expected) / 1000, atol=1e-12)


COORDINATE = [
    ("`[ 500 , 250 ]`", (500, 250)),
    ("`[500,250]`", (500, 250)),
    ("`(500, 250)`", (500, 250)),
    ("`500, 250`", (500, 250)),
    ("500, 250", (500, 250)),
    ("500 250", (500, 250)),
    ("[500 250]", (500, 250)),
    ("<500, 250>", (500, 250)),
    ("It is at [500, 250].", (500, 250)),
    ("It goes from [10, 20] to [500, 250].", (500, 250)),
    ("The point `[ 10 , 20 ]` is now at `[ 500 , 250 ]`.", (500, 250)),
    ("[10, 20] or [500, 250]", None),
    ("[500, 250] or [500, 250]", (500, 250)),
    ("x = 500, y = 250", (500, 250)),
    ("x: 500\ny: 250", (500, 250)),
    ('{"x": 500, "y": 250}', (500, 250)),
    ('{"answer": [500, 250]}', (500, 250)),
    ("```json\n[500, 250]\n```", (500, 250)),
    ("[500.4, 250.2]", (500.4, 250.2)),
    ("[0, 0]", (0, 0)),
    ("[1000, 1000]", (1000, 1000)),
    ("[1,000, 500]", (1000, 500)),
    ("[1, 0]", (1, 0)),
    ("[1200, 250]", None),
    ("[500, 1001]", None),
    ("[-5, 250]", None),
    ("[0.5, 0.25]", None),
    ("[500 px, 250 px]", None),
    ("[500 mm, 250 mm]", None),
    ("[500, 250, 3]", None),
    ("[500]", None),
    ("`500`", None),
    ("500", None),
    ("[x, y]", None),
    ("[nan, nan]", None),
    ("`[ 500 , nan ]`", None),
    ("The point [ 500 , 250 ] cannot be seen in the second image.", None),
    ("It is occluded.", None),
    ("`not visible`", None),
    ("[500, 250] is not visible, but I guess [400, 200]", (400, 200)),
    ("**[500, 250]**", (500, 250)),
    ("\\boxed{[500, 250]}", (500, 250)),
    ("", None),
    ("[" + "1," * 3000 + "1]", None),
    ("bounding box [10, 20, 30, 40]", None),
    ("`[500, 250] in image 2`", (500, 250)),
    ("[500,250]", (500, 250)),
]


@pytest.mark.parametrize(("text", "expected"), COORDINATE)
def test_nasty_coordinates(text, expected):
    answer = read("vc_coord", text)
    if expected is None:
        assert answer.value is None and not answer.valid
    else:
        np.testing.assert_allclose(answer.value, np.array(expected) / 1000 * (1296, 968))


def test_coordinates_of_a_comparison_are_those_of_its_only_image():
    np.testing.assert_allclose(read("depth_cmp_coord", "`[ 500 , 500 ]`").value, (100, 50))


LETTER = [
    ("`A`", "A"),
    ("`b`", "B"),
    ("A", "A"),
    ("a", "A"),
    ("B.", "B"),
    ("(C)", "C"),
    ("D)", "D"),
    ("Answer: B", "B"),
    ("The answer is B", "B"),
    ("the answer is c.", "C"),
    ("Point A is closer.", "A"),
    ("point b is closer", "B"),
    ("A is closer to the camera.", "A"),
    ("A point near the wall: B", "B"),
    ("A dot is marked.", None),
    ("It is a point in the scene.", None),
    ("It has a label, which I think is option D.", "D"),
    ("The match is **C**.", "C"),
    ("\\boxed{D}", "D"),
    ('{"answer": "B"}', "B"),
    ('{"answer": "b", "confidence": 0.7}', "B"),
    ("`Point B`", "B"),
    ("`(B)`", "B"),
    ("`E`", None),
    ("E", None),
    ("A or B", None),
    ("`A` or `B`", None),
    ("`A or B`", None),
    ("Both A and B", None),
    ("A and B are equally far", None),
    ("A B C D", None),
    ("Not A", None),
    ("It isn't A", None),
    ("Neither A nor B", None),
    ("`A` is closer than `B`", None),
    ("I first chose `A`; final answer: `C`", "C"),
    ("I can't tell.", None),
    ("I don't know, I'd say B", "B"),
    ("I am not sure but B", "B"),
    ("`unknown`", None),
    ("", None),
    ("B, B and B again", "B"),
    ("The dot labelled 'C'", "C"),
    ("“D”", "D"),
    ("DAB", None),
    ("Grade A+?", "A"),
    ("C'est la vie", None),
    ("1", None),
    ("<answer>B</answer>", "B"),
]


@pytest.mark.parametrize(("text", "expected"), LETTER)
def test_nasty_letters(text, expected):
    assert read("vc_mcq", text).value == expected


def test_letters_beyond_the_closed_set_are_unread():
    assert read("depth_cmp_dot", "`C`").value is None
    assert read("depth_cmp_dot", "`B`").value == "B"


WORD = [
    ("`left`", "left"),
    ("`Left`", "left"),
    ("LEFT", "left"),
    ("to the left.", "left"),
    ("The camera moved leftwards", "left"),
    ("It moved rightward.", "right"),
    ("**right**", "right"),
    ("\\text{right}", "right"),
    ('{"direction": "right"}', "right"),
    ("`moved right`", "right"),
    ("left or right", None),
    ("either left or right", None),
    ("`left or right`", None),
    ("`left` or `right`", None),
    ("left, no: right", None),
    ("first `left`, but then `right`", "right"),
    ("not left", None),
    ("It did not move to the left", None),
    ("It didn't go right", None),
    ("neither left nor right", None),
    ("up", None),
    ("forward", None),
    ("The camera did not move.", None),
    ("leftover", None),
    ("bright", None),
    ("right-handed left", "left"),
    ("left left left", "left"),
    ("I cannot determine the direction.", None),
    ("I'm not sure, but left", "left"),
    ("I cannot say whether it went left", None),
    ("`unknown`", None),
    ("`n/a`", None),
    ("", None),
    ("1200", None),
    ("l", None),
    ("links", None),
    ("`Image-1` to `Image-2`: left", "left"),
    ("Answer: `left`.", "left"),
    ("answer = left;", "left"),
    ("\nleft\n", "left"),
    ("<answer>right</answer>", "right"),
]


@pytest.mark.parametrize(("text", "expected"), WORD)
def test_nasty_directions(text, expected):
    assert read("cam_dir_x", text).value == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("cam_dir_y", "it went upward", "up"),
        ("cam_dir_y", "`Down`", "down"),
        ("cam_dir_z", "it moved forwards", "forward"),
        ("cam_dir_z", "BACKWARDS", "backward"),
        ("cam_dir_z", "back and forth", None),
        ("cam_dir_yaw", "turned to the left", "left"),
        ("cam_dir_pitch", "tilted upwards", "up"),
    ],
)
def test_other_directions(kind, text, expected):
    assert read(kind, text).value == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("cam_dist", "The camera did not move.", 0.0),
        ("cam_dist", "The scene is static.", None),
        ("cam_dist", "The camera did not rotate.", None),
        ("cam_dist", "The point did not move.", None),
        ("cam_dist", "The scene is static; the camera moved `1200` mm.", 1.2),
    ],
)
def test_stillness_is_that_of_the_camera(kind, text, expected):
    assert read(kind, text).value == expected


def test_lists_are_long_enough():
    assert min(map(len, (SCALAR, ANGLE, VECTOR, COORDINATE, LETTER, WORD))) >= 40


HUGE = {
    "digits": "1" * 1_000_000,
    "groups": "1,111" * 200_000,
    "ticks": "`" * 1_000_000,
    "spans": "`1` " * 250_000,
    "brackets": "[" * 1_000_000,
    "tuples": "[1, 2, 3] " * 100_000,
    "open tuples": "[1, 2, 3 " * 111_000,
    "braces": "{" * 500_000 + "}" * 500_000,
    "letters": "a " * 500_000,
    "still": "not moved " * 100_000,
    "negations": "not " * 250_000 + "left",
    "spaces": "12" + " " * 1_000_000 + "mm",
    "minus": "-" * 1_000_000,
    "words": "the depth is about one metre or so. " * 28_000,
    "dots": "1." * 500_000,
    "plus-minus": "±" * 1_000_000,
    "tags": "<a" * 500_000,
    "escapes": "\\" * 1_000_000,
    "circles": "^ " * 500_000,
}


READERS = ["depth_est_dot", "obj_vec_dot", "vc_coord", "vc_mcq", "cam_dir_x"]


@pytest.mark.parametrize("name", HUGE)
def test_long_replies_are_read_in_linear_time(name):
    start = time.process_time()
    for kind in READERS:
        read(kind, HUGE[name][:100_000])
    assert time.process_time() - start < 8.0  # [s]; a quadratic pattern takes minutes


@pytest.mark.parametrize("name", ["digits", "ticks", "brackets", "braces", "spaces", "words", "escapes"])
@pytest.mark.parametrize("kind", READERS)
def test_a_megabyte_is_no_trouble(name, kind):
    start = time.process_time()
    read(kind, HUGE[name])
    assert time.process_time() - start < 8.0  # [s]


SIGNS = st.sampled_from('`[](){}, \n-−1°A":±/²٣\x00\ud800')
WORDS = st.sampled_from(
    ["1,200", "0.5", "1e5", "mm", " m", "left", "not ", "nan", "or ", "did not move", "answer", "x="]
)
PIECES = st.lists(SIGNS | WORDS, max_size=25).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | PIECES)
def test_reading_never_raises_and_never_gives_nonsense(text):
    for kind in KINDS.values():
        answer = kind.read(text, question(kind.name))
        assert answer.valid == (answer.value is not None)
        assert answer.unit == kind.unit
        if answer.valid and not isinstance(answer.value, str):
            assert np.isfinite(answer.value).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**7), st.sampled_from(["{} mm", "`{}`", "about {} mm.", "It is `{}` mm.", "**{}**"]))
def test_every_number_comes_back(number, template):
    for text in (template.format(number), template.format(f"{number:,}")):
        value = read("depth_est_dot", text).value
        assert value is not None and math.isclose(value, number / 1000)

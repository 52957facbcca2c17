"""Every family's way of writing positions: there and back, in prompts and in replies."""

import re

import numpy as np
import pytest

from spatial_reward.chat import tile_grid
from spatial_reward.models.coordinates import (
    FAMILIES,
    LEAST_PIXELS,
    MOST_PIXELS,
    PERCENT,
    PIXELS,
    THOUSANDTHS,
    Y_FIRST,
    family,
    fitted,
    fitted_size,
    read,
    translate,
)
from spatial_reward.models.positions import native_positions, positions
from spatial_reward.questions import KINDS
from spatial_reward.questions.wording_correspondence import CORRESPONDENCE_WORDING
from spatial_reward.questions.wording_depth import COORDINATES, DEPTH_WORDING
from spatial_reward.questions.wording_object import OBJECT_MOTION_WORDING
from spatial_reward.types import Answer, Frame, PixelPoint, Question

SIZES = [(160, 120), (224, 224), (640, 480), (1296, 968), (97, 1501)]
WORDING = CORRESPONDENCE_WORDING | DEPTH_WORDING | OBJECT_MOTION_WORDING
COORDINATE_KINDS = [name for name in WORDING if name.endswith("coord")]
OTHERS = {"molmo": PERCENT, "gemini": Y_FIRST, "gemma": Y_FIRST, "qwen2.5-vl": PIXELS}


def blank(width, height):
    return Frame(np.zeros((height, width, 3), np.uint8))


def question(kind, size, points=((0.25, 0.5), (0.75, 0.125))):
    frames = (blank(*size),) * (1 if kind.startswith("depth") else 2)
    return Question(kind, frames, tuple(PixelPoint(x * size[0], y * size[1]) for x, y in points))


def written_positions(text):
    return [tuple(map(float, pair)) for pair in re.findall(r"\[ ([\d.]+) , ([\d.]+) \]", text)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_position_survives_prompt_and_reply_within_a_thousandth(name, size):
    kin, rng = FAMILIES[name], np.random.default_rng(0)
    for share in [(0, 0), (1, 1), (0.5, 0), *rng.uniform(size=(40, 2))]:
        asked = question("vc_coord", size, [share])
        truth = np.multiply(share, size)
        words = KINDS["vc_coord"].phrase(asked, rng, True)
        prompt, space = translate(words, asked, kin)
        assert space == kin.space
        for sentence in COORDINATES:
            prompt = prompt.replace(sentence, "")
        [shown] = re.findall(r"\[ [\d.]+ , [\d.]+ \]", prompt)  # a model that says back what it was shown
        for reply in (f"It is at `{shown}`.", f"`{shown.strip('[] ')}`", f'{{"answer": {shown}}}'):
            answer = read(reply, asked, kin, space)
            assert answer.valid and answer.unit == "px"
            error = 1000 * np.abs(answer.value - truth) / size
            assert error.max() <= 1, (reply, answer, truth)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("kind", COORDINATE_KINDS)
def test_no_prompt_contradicts_the_space_it_speaks_of(kind, name):
    kin = FAMILIES[name]
    asked = question(kind, (640, 480))
    for words in WORDING[kind].phrases(asked, format_hint=True):
        before = written_positions(words.replace("[ 0 , 0 ]", "").replace("[ 1000 , 1000 ]", ""))
        prompt, space = translate(words, asked, kin)
        assert space == OTHERS[name] and prompt.count(space.convention[:30]) == 1
        after = written_positions(prompt)
        assert len(after) == len(before) >= 1
        extent = space.extent((640, 480))
        for old, new in zip(before, after, strict=True):
            x, y = reversed(new) if space.y_first else new
            assert (1000 * x / extent[0], 1000 * y / extent[1]) == pytest.approx(old, abs=0.51)
        assert "thousandths" not in prompt
        assert ("1000" in prompt) == space.y_first and ("[ x , y ]" in prompt) != space.y_first


def test_pixels_are_those_of_the_picture_that_is_sent():
    kin = FAMILIES["qwen2.5-vl"]
    asked = question("obj_vec_coord", (1296, 968))
    prompt, _ = translate(WORDING["obj_vec_coord"].phrases(asked, True)[0], asked, kin)
    assert "every picture is 1288 x 980 pixels large" in prompt and "[ 322.0 , 490.0 ]" in prompt
    assert "[ dx , dy , dz ]" in prompt
    assert fitted(asked.frames[0].rgb, kin).shape == (980, 1288, 3)
    mixed = Question("vc_coord", (blank(160, 120), blank(640, 480)), (PixelPoint(80, 60),))
    prompt, _ = translate(WORDING["vc_coord"].phrases(mixed)[0], mixed, kin)
    assert "Image-1 is 168 x 112 pixels large, Image-2 is 644 x 476 pixels large" in prompt
    assert "[ 84.0 , 56.0 ]" in prompt
    assert read("`[ 322 , 238 ]`", mixed, kin, PIXELS).value == pytest.approx([320, 240])


def test_fitted_sizes_stay_as_they_are():
    rng = np.random.default_rng(0)
    for width, height in np.exp(rng.uniform(np.log(30), np.log(8000), (300, 2))).astype(int):
        if max(width, height) > 100 * min(width, height):
            continue
        size = fitted_size(int(width), int(height))
        assert fitted_size(*size) == size and LEAST_PIXELS <= size[0] * size[1] <= MOST_PIXELS
        assert not size[0] % 28 and not size[1] % 28
    # As transformers' smart_resize says (5.24).
    assert [fitted_size(*size) for size in ((224, 224), (640, 480), (97, 1501), (8000, 6000), (40, 30))] == [
        (224, 224),
        (644, 476),
        (84, 1512),
        (4116, 3080),
        (84, 56),
    ]


@pytest.mark.parametrize("name", OTHERS)
def test_prompts_that_explain_their_own_coordinates_are_left_alone(name):
    own = "Coordinates are normalised to 1000. Where is the point [ 250 , 500 ] of image 1 in image 2?"
    asked = question("vc_coord", (640, 480))
    assert translate(own, asked, FAMILIES[name]) == (own, THOUSANDTHS)
    assert read("`[ 250 , 500 ]`", asked, FAMILIES[name], THOUSANDTHS).value == pytest.approx([160, 240])


@pytest.mark.parametrize("name", FAMILIES)
def test_questions_without_coordinates_are_asked_and_read_as_they_are(name):
    asked = question("cam_vec", (640, 480))
    assert translate("How far?", asked, FAMILIES[name]).prompt == "How far?"
    assert read("`[ 10 , 20 , -30 ]`", asked, FAMILIES[name]).value == pytest.approx([0.01, 0.02, -0.03])
    assert read("`12`", question("cam_dist", (640, 480)), FAMILIES[name]).value == 0.012


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("molmo", '<point x="25.0" y="50.0" alt="the point">the point</point>'),
        ("molmo", "x: 25, y: 50"),
        ("molmo", "The match is at (25.0%, 50.0%)."),
        ("molmo2", '<points coords="2 1 250 500">the point</points>'),
        ("gemini", '```json\n[{"point": [500, 250], "label": "match"}]\n```'),
        ("gemini", "The point is at [500, 250]."),
        ("gemini", "x=250, y=500"),
        ("gemini", '[{"box_2d": [480, 240, 520, 260], "label": "match"}]'),
        ("qwen2.5-vl", '```json\n[{"point_2d": [161, 238], "label": "match"}]\n```'),
        ("qwen2.5-vl", "(161, 238)"),
        ("qwen2.5-vl", '{"x": 161, "y": 238}'),
        ("qwen2.5-vl", "`[ 161 px , 238 px ]`"),
        ("qwen3-vl", '{"point_2d": [250, 500], "label": "match"}'),
        ("qwen3-vl", '[{"bbox_2d": [240, 480, 260, 520]}]'),
        ("internvl", "<box>[[240, 480, 260, 520]]</box>"),
        ("glm-v", "<think>maybe [ 1 , 1 ]</think><|begin_of_box|>[ 250 , 500 ]<|end_of_box|>"),
        ("thousandths", "so [ 9 , 9 ]?\n</think>\n\nIt is `[ 250 , 500 ]`."),
    ],
)
def test_replies_in_a_familys_own_way_are_read(name, reply):
    kin = FAMILIES[name]
    answer = read(reply, question("vc_coord", (640, 480)), kin, kin.space)
    assert answer.valid and answer.value == pytest.approx([160, 240], abs=0.1), answer


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("molmo", '<points x1="25" y1="50" x2="75" y2="10">two</points>'),
        ("molmo2", '<points coords="1 1 250 500;1 2 300 600">two</points>'),
        ("gemini", '[{"point": [500, 250]}, {"point": [100, 100]}]'),
        ("qwen2.5-vl", "`[ 1,200 , 340 ]`"),
        ("qwen2.5-vl", "`[ 1,000 , 340 ]`"),
        ("qwen2.5-vl", "`[ 2000 , 100 ]`"),
        ("molmo", "`[ 250 , 500 ]`"),
        ("thousandths", "<think>perhaps [ 250 , 500 ], but"),
        ("qwen2.5-vl", "<think>perhaps [ 250 , 500 ], but"),
        ("molmo", ""),
        ("gemini", "I cannot see it."),
        ("molmo", " , ".join(f"x={n % 99}, y={n % 98}" for n in range(20_000))),
        ("gemini", "[" * 50_000),
        ("molmo", "<points " + 'x1="1" ' * 20_000),
    ],
)
def test_what_is_not_one_position_of_the_space_is_unread(name, reply):
    kin = FAMILIES[name]
    answer = read(reply, question("vc_coord", (640, 480)), kin, kin.space)
    assert answer.value is None and not answer.valid and answer.unit == "px"


def test_a_guess_of_two_candidates_is_still_scored():
    asked = question("depth_cmp_coord", (640, 480))
    right = np.array([480.0, 60.0])
    asked = Question(asked.kind, asked.frames, asked.points, ("closer",), answer=Answer(right, "px"))
    for name, reply in (
        ("gemini", "`[ 125 , 750 ]`"),
        ("molmo", "`[ 75 , 12.5 ]`"),
        ("qwen2.5-vl", "`[483, 60]`"),
    ):
        kin = FAMILIES[name]
        assert KINDS[asked.kind].score(read(reply, asked, kin, kin.space), asked, "strict")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl"),
        ("Qwen2_5_VLForConditionalGeneration", "qwen2.5-vl"),
        ("Qwen/Qwen3-VL-4B-Instruct", "qwen3-vl"),
        ("Qwen/Qwen3.5-9B", "qwen3.5"),
        ("OpenGVLab/InternVL3_5-8B-HF", "internvl"),
        ("google/gemini-2.5-pro", "gemini"),
        ("google/gemma-4-31b-it", "gemma"),
        ("allenai/Molmo2-8B", "molmo2"),
        ("allenai/Molmo-7B-D-0924", "molmo"),
        ("zai-org/GLM-4.5V", "glm-v"),
        ("gpt-5-mini", "thousandths"),
    ],
)
def test_families_are_found_by_the_models_name(model, name):
    assert family(model) is FAMILIES[name]
    assert family("anything", name) is FAMILIES[name]


def test_an_unknown_family_is_refused():
    with pytest.raises(
        ValueError, match=r"Unknown model family 'qwen'. Known families: qwen2\.5-vl, qwen3\.5"
    ):
        family("Qwen/Qwen3-VL-4B-Instruct", "qwen")


def test_internvl_cuts_every_picture_as_published():
    kin = FAMILIES["internvl"]
    assert [tile_grid(1296, 968, kin.tiles).tiles for _ in range(2)] == [7, 7] and kin.mark == "<image>\n"


def test_positions_leave_other_numbers_alone():
    text = "Image 2: moved [ 1 , 2 , 3 ], 7 in all, at [ 10 , 20 ]."
    same, found = positions(text, False, lambda position: position)
    assert found == [(10, 20)] and same == text.replace("10 , 20", "10.0000 , 20.0000")
    assert native_positions("It is at [ 10 , 20 ].", y_first=True) == []

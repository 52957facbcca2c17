import base64
import io
import json
from dataclasses import fields

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spatial_reward import Answer, Camera, Frame, PixelPoint, Question, Reference, Signal
from spatial_reward.models.wire import (
    Decoder,
    Encoder,
    pack,
    read_json,
    unpack,
)
from spatial_reward.models.wire_arrays import (
    Limits,
    WireError,
    claimed_pixels,
    decode_array,
    decode_picture,
    encode_array,
    encode_picture,
)
from spatial_reward.models.wire_values import (
    answer_from,
    answer_json,
    references_from,
    references_json,
    signal_json,
)

NAN = float("nan")
RNG = np.random.default_rng(0)
CAMERA = Camera.from_fov(50.0, 8, 6, np.eye(4))


def frame(seed=0, **options):
    rgb = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Frame(rgb, **{"time": 0.1 * seed, "camera": CAMERA, **options})


ANSWERS = [
    Answer(None, "m", valid=False, text="not seen", source="x"),
    Answer(0.1 + 0.2, "m", 1e-300),
    Answer("left", "1", NAN),
    Answer(np.array([0.1, NAN, 1 / 3]), "m", np.array([0.01, NAN, 0.03]), covariance=RNG.normal(size=(3, 3))),
    Answer(np.array([1.5, 2.5]), "px", match=(1 / 3, 2.5), motion=RNG.normal(size=(4, 4))),
    Answer(NAN, "m"),
]


def same(one, other):
    for field in fields(one):
        np.testing.assert_equal(getattr(other, field.name), getattr(one, field.name))


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_answers_travel_exactly(number):
    text = json.dumps(answer_json(ANSWERS[number]), allow_nan=False)
    back = answer_from(json.loads(text))
    same(ANSWERS[number], back)
    assert back.valid == ANSWERS[number].valid and back.unit == ANSWERS[number].unit


def test_an_unknown_signal_has_no_numbers():
    told = json.loads(json.dumps(signal_json(Signal.unknown()), allow_nan=False))
    assert told == {"potential": None, "progress": None, "success": None, "std": None, "valid": False}


def travelled(questions, form="npy", decoder=None, **options):
    encoder = Encoder(form, **options)
    told = [encoder.question(question) for question in questions]
    message = pack({"frames": encoder.frames, "questions": told}, encoder.blobs)
    return (decoder or Decoder()).questions(*unpack(message))


def test_questions_travel_exactly_and_frames_once():
    depth = np.where(RNG.uniform(size=(6, 8)) < 0.3, np.nan, 1.5).astype(np.float32)
    first, second = frame(1, depth=depth, view="front"), frame(2, bodies=np.ones((6, 8), np.int32))
    asked = [
        Question(
            "obj_vec_coord", (first, second), (PixelPoint(1 / 3, 2.5),), anchor=np.array([0.1, 0.2, 1 / 3])
        ),
        Question(
            "obj_vec_coord", (first, second), (PixelPoint(4.0, 5.0, 1),), previous=ANSWERS[4], prompt="?"
        ),
        Question("depth_est_coord", (first,), labels=("A", "B"), answer=ANSWERS[1]),
    ]
    encoder = Encoder(truth=True)
    for question in asked:
        encoder.question(question)
    assert len(encoder.frames) == 2 and len(encoder.blobs) == 4
    got = travelled(asked, truth=True)
    assert got[0].frames[0] is got[1].frames[0] is got[2].frames[0]
    for one, other in zip(asked, got, strict=True):
        for name in ("kind", "points", "labels", "prompt"):
            assert getattr(one, name) == getattr(other, name)
        np.testing.assert_equal(other.anchor, one.anchor)
        for mine, theirs in zip(one.frames, other.frames, strict=True):
            same_frame(mine, theirs)
    same(asked[1].previous, got[1].previous)
    same(asked[2].answer, got[2].answer)


def same_frame(one, other):
    for name in ("rgb", "depth", "bodies", "time", "view"):
        np.testing.assert_equal(getattr(other, name), getattr(one, name))
    for name in ("intrinsics", "world_from_camera", "width", "height"):
        np.testing.assert_equal(getattr(other.camera, name), getattr(one.camera, name))


def test_truth_and_depth_are_told_only_where_asked_for():
    question = Question(
        "depth_est_coord",
        (frame(depth=np.ones((6, 8), np.float32), bodies=np.ones((6, 8), np.int32)),),
        answer=ANSWERS[1],
    )
    [got] = travelled([question], depth=False)
    assert got.answer is None and got.frames[0].depth is None and got.frames[0].bodies is None
    assert travelled([question])[0].frames[0].depth is not None


@pytest.mark.parametrize("form, most", [("npy", 0), ("png", 0), ("jpeg", 60)])
def test_pictures_travel_in_three_forms(form, most):
    smooth = cv2.resize(frame().rgb, (64, 48), interpolation=cv2.INTER_CUBIC)
    got = decode_picture(encode_picture(smooth, form), 10**6)
    assert got.shape == smooth.shape and np.abs(got.astype(int) - smooth.astype(int)).max() <= most
    assert np.abs(got.astype(int) - smooth.astype(int)).mean() < 5  # red is still red


def test_a_frame_that_was_seen_before_is_the_same_object():
    decoder = Decoder(kept=2)
    question = Question("depth_est_coord", (frame(1),), (PixelPoint(1.0, 1.0),))
    [one], [other] = (travelled([question], decoder=decoder) for _ in range(2))
    assert one.frames[0] is other.frames[0]
    moved = Question("depth_est_coord", (frame(1, time=9.0),), (PixelPoint(1.0, 1.0),))
    [third] = travelled([moved], decoder=decoder)
    assert third.frames[0] is not one.frames[0]
    travelled([Question("depth_est_coord", (frame(5),))], decoder=decoder)
    assert len(decoder._known) == 2
    assert travelled([question], decoder=decoder)[0].frames[0] is not one.frames[0]  # forgotten


def test_a_frame_does_not_keep_its_message():
    [got] = travelled([Question("depth_est_coord", (frame(),))])
    assert got.frames[0].rgb.base is None or got.frames[0].rgb.base.base is None


def test_plain_json_with_base64_is_understood():
    blob = {"base64": base64.b64encode(encode_picture(frame().rgb, "png")).decode()}
    header = {"frames": [{"rgb": blob}], "questions": [{"kind": "depth_est_coord", "frames": [0]}]}
    [got] = Decoder().questions(read_json(json.dumps(header).encode()), ())
    np.testing.assert_equal(got.frames[0].rgb, frame().rgb)


def test_references_travel():
    references = {"a": Reference("a", (1.5, 2.5)), "b": Reference("b", position=np.array([0.1, 0.2, 1 / 3]))}
    got = references_from(json.loads(json.dumps(references_json(references))))
    assert got["a"].pixel == (1.5, 2.5) and got["a"].position is None and got["b"].pixel is None
    np.testing.assert_equal(got["b"].position, references["b"].position)


def pickled():
    stream = io.BytesIO()
    np.save(stream, np.array([{}], object), allow_pickle=True)
    return stream.getvalue()


def lying(shape):
    """An npy whose header promises more than there is."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


PNG = encode_picture(RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8), "png")
JPEG = encode_picture(RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8), "jpeg")
HUGE = PNG[:16] + (60_000).to_bytes(4, "big") * 2 + PNG[24:]  # claims 3.6 gigapixels


@pytest.mark.parametrize(
    "read, data, status, message",
    [
        (decode_picture, b"GIF89a", 400, "neither npy, PNG nor JPEG"),
        (decode_picture, PNG[:100], 400, "damaged"),
        (decode_picture, PNG[:20], 400, "cut off"),
        (decode_picture, JPEG[:8], 400, "cut off"),
        (decode_picture, HUGE, 413, "60000 x 60000"),
        (decode_picture, encode_array(np.zeros((9, 9))), 422, "uint8"),
        (decode_picture, encode_array(np.zeros((0, 9, 3), np.uint8)), 422, "uint8"),
        (decode_array, pickled(), 422, "object"),
        (decode_array, lying((10**9,)), 413, "elements"),
        (decode_array, lying((2**62, 2**62)), 413, "elements"),
        (decode_array, lying((100,)), 400, "cut off"),
        (decode_array, encode_array(np.zeros(9)) + b"x", 400, "too long"),
        (decode_array, encode_array(np.zeros(9, complex)), 422, "complex"),
        (decode_array, b"\x93NUMPY\x09\x00aaaa", 400, "no npy"),
        (decode_array, b"", 400, "no npy"),
    ],
    ids=lambda value: None,
)
def test_bad_bytes_are_refused_with_a_status(read, data, status, message):
    with pytest.raises(WireError, match=message) as caught:
        read(data, 10_000)
    assert caught.value.status == status


def test_a_cut_jpeg_does_not_pass_as_a_picture_of_another_size():
    with pytest.raises(WireError):
        decode_picture(JPEG[:200], 10**6)


@given(arrays.arrays(st.sampled_from([np.uint8, np.float32, np.int32]), arrays.array_shapes(max_side=5)))
def test_any_array_travels(array):
    got = decode_array(encode_array(array), 10_000)
    np.testing.assert_equal(got, array)
    assert got.dtype == array.dtype


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data):
    message = pack(
        {"frames": [{"rgb": {"blob": 0}}], "questions": [{"kind": "depth_est_coord", "frames": [0]}]}, [data]
    )
    with pytest.raises(WireError):
        Decoder().questions(*unpack(message))
    with pytest.raises(WireError):
        unpack(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
QUESTION_KEYS = ("kind", "frames", "points", "labels", "answer", "anchor", "previous")
FRAME_KEYS = ("rgb", "depth", "time", "view", "camera")


@given(
    st.dictionaries(st.sampled_from(QUESTION_KEYS), json_values),
    st.dictionaries(st.sampled_from(FRAME_KEYS), json_values),
    st.booleans(),
)
def test_no_header_does_more_than_be_refused(question, told, known):
    header = {"frames": [{"rgb": {"blob": 0}, **told}], "questions": [question]}
    if known:
        question["kind"] = "depth_est_coord"
    try:
        Decoder().questions(header, [PNG])
    except WireError as error:
        assert error.status in (400, 413, 422)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(kind="no_such"), "no known kind"),
        (dict(frames=[1]), "no frame 1"),
        (dict(frames=[True]), "no frame True"),
        (dict(points=[[1, 2, 3]]), "in frame 3 of 1"),
        (dict(points=[[1, 2]]), "makes no sense"),
        (dict(anchor=[1, 2]), "shape"),
        (dict(previous={"value": {"number": [1]}}), "no value"),
    ],
)
def test_a_question_that_makes_no_sense_is_told(change, message):
    question = {"kind": "depth_est_coord", "frames": [0], **change}
    with pytest.raises(WireError, match=message) as caught:
        Decoder().questions({"frames": [{"rgb": {"blob": 0}}], "questions": [question]}, [PNG])
    assert caught.value.status == 422


@pytest.mark.parametrize(
    "limits, message",
    [
        (Limits(frames=1), "2 frames are more than 1"),
        (Limits(questions=1), "2 questions are more than 1"),
        (Limits(pixels=100), "more than 100"),
        (Limits(total_pixels=2 * 80 * 60 - 1), "9600 pixels together, more than 9599"),
        (Limits(bytes=2 * len(PNG) - 1), "name each blob once"),
    ],
)
def test_limits_are_kept(limits, message):
    header = {
        "frames": [{"rgb": {"blob": 0}}] * 2,
        "questions": [{"kind": "depth_est_coord", "frames": [0]}] * 2,
    }
    with pytest.raises(WireError, match=message) as caught:
        Decoder(limits).questions(header, [PNG])
    assert caught.value.status == 413


def test_depth_counts_as_pixels_as_well():
    header = {"frames": [{"rgb": {"blob": 0}, "depth": {"blob": 1}}]}
    blobs = [PNG, encode_array(np.ones((60, 80), np.float32))]
    assert len(Decoder(Limits(total_pixels=9600)).frames(header, blobs)) == 1
    with pytest.raises(WireError, match="9600 pixels together"):
        Decoder(Limits(total_pixels=9599)).frames(header, blobs)


def test_what_is_refused_has_not_been_decoded(monkeypatch):
    monkeypatch.setattr("spatial_reward.models.wire.decode_picture", lambda *_: pytest.fail("decoded"))
    with pytest.raises(WireError, match="together"):
        Decoder(Limits(total_pixels=9599)).frames({"frames": [{"rgb": {"blob": 0}}] * 2}, [PNG])


@pytest.mark.parametrize("form", ["npy", "png", "jpeg"])
def test_the_size_of_a_picture_is_known_before_it_is_decoded(form):
    assert claimed_pixels(memoryview(encode_picture(np.zeros((60, 80, 3), np.uint8), form))) == 4800


def test_frames_are_forgotten_when_they_take_much_memory():
    decoder = Decoder(kept_bytes=2 * frame().rgb.nbytes)
    questions = [Question("depth_est_coord", (frame(seed),)) for seed in (1, 2, 3)]
    first = [travelled([one], decoder=decoder)[0].frames[0] for one in questions]
    again = [travelled([one], decoder=decoder)[0].frames[0] for one in reversed(questions)]
    assert [one is other for one, other in zip(first, reversed(again), strict=True)] == [False, True, True]
    assert decoder._known_bytes == 2 * frame().rgb.nbytes


def test_a_header_of_very_many_values_is_refused():
    with pytest.raises(WireError, match="send numbers as blobs") as caught:
        read_json(b"[" + b"[]," * 1_000_000 + b"[]]")
    assert caught.value.status == 413


def test_a_jpeg_keeps_its_pixels_as_they_are_stored():
    turning = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(turning) + 2).to_bytes(2, "big") + turning
    turned = JPEG[:2] + segment + JPEG[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (80, 60, 3)
    np.testing.assert_equal(decode_picture(turned, 10**6), decode_picture(JPEG, 10**6))


def test_a_jpeg_of_very_many_segments_is_refused():
    with pytest.raises(WireError, match="cut off"):
        decode_picture(JPEG[:2] + b"\xff\xe0\0\x02" * 10_000 + JPEG[2:], 10**6)


@pytest.mark.parametrize("cut", [0, 3, 7, 20, -1])
def test_a_message_that_is_cut_off_is_told(cut):
    message = pack({"frames": []}, [b"12345"])
    with pytest.raises(WireError, match=r"no message|cut off|names 5"):
        unpack(message[:cut])

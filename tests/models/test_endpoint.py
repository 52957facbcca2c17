"""A server that does everything wrong, in a process of its own: every question still ends."""

import asyncio
import base64
import inspect
import json
import math
import pickle
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from endpoint_server import TIMEOUT
from omegaconf import OmegaConf
from question_rooms import room

from spatial_reward.models import endpoint_http, load_model
from spatial_reward.models.coordinates import FAMILIES
from spatial_reward.models.endpoint import Endpoint
from spatial_reward.models.endpoint_reply import choice_probabilities
from spatial_reward.models.endpoint_request import STRUCTURED, RequestStyle
from spatial_reward.questions import KINDS, written
from spatial_reward.types import Frame, Model, PixelPoint, Question

HERE = Path(__file__).parent
CONCURRENCY = 16
KEY = "sk-very-secret-0123456789"

# Case -> how many of the thousand questions, and the reason (None: an answer).
CASES = {
    "good": (661, None),
    "late_once": (6, None),
    "late": (3, r"no reply within 2.5 s \(3 attempts\)"),
    "busy_once": (60, None),
    "busy": (20, r"HTTP 429: slow down \(3 attempts\)"),
    "broken_once": (60, None),
    "broken": (20, r"HTTP 500: .*Internal Server Error.* \(3 attempts\)"),
    "hidden_error_once": (10, None),
    "hidden_error": (5, "upstream is down"),
    "dropped_once": (30, None),
    "dropped": (10, "a lost one"),
    "hung_up_once": (20, None),
    "hung_up": (10, "a lost one"),
    "truncated_once": (20, None),
    "truncated": (10, "not JSON, or cut off"),
    "drip": (2, "no reply within 2.5 s"),
    "drip_headers": (2, "no reply within 2.5 s"),
    "huge": (2, "larger than 8 MiB|no reply within"),
    "endless": (2, "larger than 8 MiB|no reply within"),
    "html": (5, "not JSON"),
    "list": (5, "no chat completion"),
    "choiceless": (5, "no chat completion"),
    "null": (4, "no usable answer"),
    "number": (3, "no chat completion"),
    "nested": (3, "not JSON|no chat completion"),
    "chatter": (6, "no usable answer: I would rather not say"),
    "long_text": (2, "600000 characters"),
    "cut": (6, "cut off at the limit of its tokens: raise `max_tokens`"),
    "filtered": (3, "content filter"),
    "moved": (3, "HTTP 307: redirected to itself, which is not followed"),
    "refused": (2, "HTTP 400: this model takes no pictures"),
}
PASSING = ("good", "chatter", "null")  # whose replies are complete, and so are kept


class Running:
    """A server process."""

    def __init__(self):
        command = [sys.executable, str(HERE / "endpoint_server.py")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    def stats(self):
        with urllib.request.urlopen(self.url.removesuffix("v1") + "stats", timeout=10) as reply:
            return json.load(reply)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(endpoint_http, "BACKOFF", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    running = Running()
    yield running
    found = running.stats()["violations"]
    running.stop()
    assert not found


def picture(seed=0, size=(24, 32)):
    return Frame(np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8))


PAIR = (picture(0), picture(1))


def ask(case, number, kind="cam_dist"):
    return Question(kind, PAIR, prompt=f"How far did the camera move? case={case} id={number}")


def model(server, **options):
    settings = {"timeout": 20.0, "retries": 2, "concurrency": CONCURRENCY} | options
    return Endpoint(server.url, "some-model", **settings)


def thousand():
    cases = [case for case, (count, _) in CASES.items() for _ in range(count)]
    assert len(cases) == 1000
    order = np.random.default_rng(3).permutation(1000)
    return [(cases[index], number) for number, index in enumerate(order, start=1)]


@pytest.mark.slow
def test_a_thousand_questions_to_a_bad_server_all_end(server, tmp_path):
    asked = thousand()
    questions = [ask(case, number) for case, number in asked]
    asking = model(server, timeout=TIMEOUT, cache=tmp_path, prices=(2.0, 10.0))
    start = time.monotonic()
    answers = asking.answer(questions)
    assert time.monotonic() - start < 45

    for (case, number), answer in zip(asked, answers, strict=True):
        reason = CASES[case][1]
        assert answer.source == asking.name == "endpoint:some-model"
        if reason is None:
            assert answer.valid and answer.value == pytest.approx(number / 1000) and answer.unit == "m", (
                answer
            )
        else:
            assert answer.value is None and not answer.valid and re.search(reason, answer.text), (
                case,
                answer,
            )

    stats, usage = server.stats(), asking.usage
    assert CONCURRENCY / 2 < stats["peak"] <= CONCURRENCY and stats["elsewhere"] == 0
    right = sum(answer.valid for answer in answers)
    complete = right + sum(CASES[case][0] for case in ("chatter", "null"))
    paid = complete + sum(CASES[case][0] for case in ("cut", "filtered"))
    assert usage.questions == 1000 and usage.requests == stats["requests"] > 1000 and usage.cached == 0
    assert usage.failed == 1000 - complete and usage.unread == complete - right and usage.unmetered == 0
    assert (usage.prompt_tokens, usage.completion_tokens) == (100 * paid, 5 * paid)
    assert usage.cost == pytest.approx(paid * (100 * 2 + 5 * 10) / 1e6)
    assert len(list(tmp_path.rglob("*.json"))) == complete and not list(tmp_path.rglob("*.part"))

    settled = [index for index, (case, _) in enumerate(asked) if CASES[case][1] is None or case in PASSING]
    again = model(server, cache=tmp_path)
    repeated = again.answer([questions[index] for index in settled])
    assert server.stats()["requests"] == stats["requests"] and again.usage.requests == 0
    assert again.usage.cached == len(settled) == complete and again.usage.prompt_tokens == 0
    assert [(a.value, a.text) for a in repeated] == [(answers[i].value, answers[i].text) for i in settled]


@pytest.fixture(scope="module")
def asked():
    """Some questions of every kind, with their truth."""
    scenes, rng = [room(1), room(2, moving_bodies=True)], np.random.default_rng(0)
    tries = [kind.ask(scene, rng, "strict") for kind in KINDS.values() for scene in scenes for _ in range(2)]
    return [question for question in tries if question is not None]


@pytest.mark.parametrize("family", ["thousandths", "gemini", "molmo", "qwen2.5-vl", "qwen3.5"])
def test_every_kind_is_asked_and_read_in_the_terms_of_every_family(server, asked, family):
    """The server says what the prompt ends with: the truth, translated as all of the prompt is."""
    rng, said = np.random.default_rng(1), []
    for number, question in enumerate(asked):
        kind = KINDS[question.kind]
        words = f"{kind.phrase(question, rng, True)} case=say id={number} say: `{written(question)}`"
        said.append(replace(question, prompt=words))
    asking = model(server, family=family, format_hint=False)
    answers = asking.answer(said)
    assert {question.kind for question in asked} == set(KINDS)
    for question, answer in zip(asked, answers, strict=True):
        assert answer.valid and KINDS[question.kind].score(answer, question, "strict"), (
            question.kind,
            answer,
        )
        assert answer.source == asking.name and answer.unit == KINDS[question.kind].unit
        assert type(answer.value) is type(question.answer.value)


def test_only_complete_replies_are_kept_and_by_their_whole_content(server, tmp_path):
    questions = [ask(case, 1) for case in ("good", "cut", "filtered", "broken", "truncated", "chatter")]
    model(server, cache=tmp_path).answer(questions)
    assert len(list(tmp_path.rglob("*.json"))) == 2
    assert not any(KEY in path.read_text() for path in tmp_path.rglob("*.json"))
    other = Question("cam_dist", (PAIR[0], picture(7)), prompt=questions[0].prompt)
    for options, question, cached in (
        ({}, questions[0], 1),
        ({"concurrency": 1}, questions[0], 1),
        ({"temperature": 0.5}, questions[0], 0),
        ({"extra": {"seed": 1}}, questions[0], 0),
        ({}, other, 0),
    ):
        asking = model(server, cache=tmp_path, **options)
        assert asking.answer([question])[0].value == 0.001 and asking.usage.cached == cached


@pytest.mark.parametrize("content", ["", "{", "[]", '{"speech": 1}'])
def test_a_damaged_file_of_the_cache_is_asked_for_again(server, tmp_path, content):
    asking = model(server, cache=tmp_path)
    asking.answer([ask("good", 5)])
    [path] = tmp_path.rglob("*.json")
    path.write_text(content)
    assert asking.answer([ask("good", 5)])[0].value == 0.005
    assert asking.usage.requests == 2 and asking.usage.cached == 0
    assert asking.answer([ask("good", 5)])[0].value == 0.005 and asking.usage.cached == 1


def test_the_key_is_sent_and_never_told(server, monkeypatch):
    asking = model(server)
    [denied] = asking.answer([ask("denied", 1)])
    assert not denied.valid and denied.text == "HTTP 401: Incorrect API key provided: ***."
    assert KEY not in repr(vars(asking)) + str(pickle.dumps(asking))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\nInjected: header")
    assert "OPENAI_API_KEY holds no key" in model(server).answer([ask("good", 1)])[0].text
    monkeypatch.delenv("OPENAI_API_KEY")
    assert model(server).answer([ask("good", 1)])[0].valid
    assert server.stats()["keys"] == ["", f"Bearer {KEY}"]


def test_waiting_that_a_server_asks_for_ends_with_the_deadline(server):
    start = time.monotonic()
    [answer] = model(server, deadline=2.0).answer([ask("busy_long", 1)])
    assert not answer.valid and "HTTP 429" in answer.text and time.monotonic() - start < 2
    [answer] = model(server, timeout=0.5, retries=1000, deadline=2.0).answer([ask("late", 1)])
    assert not answer.valid and 1.5 < time.monotonic() - start < 8


def test_an_asked_wait_is_respected_and_capped():
    assert 30 <= endpoint_http._pause(0, 30.0) <= endpoint_http.LONGEST_WAIT
    assert endpoint_http._pause(0, 1e9) == endpoint_http.LONGEST_WAIT
    drawn = [endpoint_http._pause(2, 0.0) for _ in range(500)]
    assert 0 <= min(drawn) < 0.2 and 1.8 < max(drawn) <= 4 * endpoint_http.BACKOFF
    assert 86400 * 365 < endpoint_http.asked_wait("Fri, 31 Dec 2999 23:59:59 GMT") < math.inf


def test_no_server_at_all_is_a_reason():
    asking = Endpoint("http://127.0.0.1:9", "m", retries=0)
    for answer in asking.answer([ask("good", 1)] * 20):
        assert not answer.valid and "no connection" in answer.text
    assert asking.usage.failed == 20 and math.isnan(asking.usage.cost)


def test_impossible_questions_are_unknown_and_spoil_no_others(server):
    questions = [
        Question("no_such_kind", PAIR),
        Question("obj_vec_coord", PAIR),
        Question("vc_coord", PAIR, (PixelPoint(1, 1, 9),)),
        ask("good", 3),
    ]
    answers = model(server).answer(questions)
    assert [answer.valid for answer in answers] == [False, False, False, True]
    assert "Unknown question kind" in answers[0].text and "needs 1 `points`" in answers[1].text
    assert [answer.unit for answer in answers] == ["1", "m", "px", "m"] and answers[2].text
    assert model(server).answer([]) == []


def test_it_answers_inside_a_running_event_loop_and_after_pickling(server):
    async def notebook():
        return pickle.loads(pickle.dumps(model(server))).answer([ask("good", 4)])

    assert asyncio.run(notebook())[0].value == 0.004
    assert isinstance(model(server), Model)


def test_replies_without_counts_are_counted(server):
    asking = model(server, prices=(1, 1))
    assert asking.answer([ask("unmetered", 8)])[0].value == 0.008
    assert asking.usage.unmetered == 1 and asking.usage.cost == 0


def test_how_sure_a_choice_is_becomes_its_std(server):
    [answer] = model(server, logprobs=True).answer([ask("sure", 1, "depth_cmp_dot")])
    assert answer.value == "B" and answer.std == pytest.approx(math.sqrt(0.1), abs=1e-4)
    [answer] = model(server).answer([ask("sure", 1, "depth_cmp_dot")])
    assert answer.value == "B" and math.isnan(answer.std)


def listed(*words, token="`"):
    top = [{"token": word, "logprob": math.log(share)} for word, share in words]
    return [{"token": token, "logprob": 0.0, "top_logprobs": []}, {**top[0], "top_logprobs": top}]


def test_probabilities_are_normalised_over_the_choices():
    shares = choice_probabilities(
        listed(("True", 0.6), ("False", 0.2), (" true", 0.1)), "True", ("True", "False")
    )
    assert shares == pytest.approx({"True": 0.7 / 0.9, "False": 0.2 / 0.9})
    shares = choice_probabilities(
        listed(("for", 0.5), ("b", 0.3)) + [{"token": "ward"}], "forward", ("forward", "backward")
    )
    assert shares == pytest.approx({"forward": 5 / 8, "backward": 3 / 8})
    unlisted = choice_probabilities(listed(("C", 0.9), ("The", 0.01)), "C", "ABCD")
    assert unlisted["A"] == unlisted["D"] == pytest.approx(0.01 / 0.93)
    about = listed(("B", 0.8), ("A", 0.2), token="A careful look: ") + [{"token": " about"}]
    assert choice_probabilities(about, "B", "AB")["B"] == pytest.approx(0.8)
    for useless in (
        [],
        [{}],
        [{"token": "B"}],
        listed(("x", 0.5), ("y", 0.5)),
        [{"token": "B", "top_logprobs": 3}],
    ):
        assert choice_probabilities(useless, "B", "AB") is None


def test_the_request_has_the_documented_shape():
    style = RequestStyle("Qwen/Qwen3-VL-4B-Instruct", FAMILIES["qwen3-vl"], extra={"seed": 0})
    question = Question("vc_coord", PAIR, (PixelPoint(16, 12),))
    body = style.body(question, style.prompt(question).prompt)
    assert {k: v for k, v in body.items() if k != "messages"} == {
        "model": "Qwen/Qwen3-VL-4B-Instruct",
        "max_tokens": 256,
        "temperature": 0.0,
        "seed": 0,
    }
    [message] = body["messages"]
    assert message["role"] == "user"
    types = [part["type"] for part in message["content"]]
    assert types == ["text", "image_url", "text", "image_url", "text"]
    assert message["content"][0]["text"] == "Image-1: " and "[ 500 , 500 ]" in message["content"][-1]["text"]
    assert json.loads(json.dumps(body)) == body
    assert style.body(question, "x") == style.body(question, "x")


def decoded(part):
    content = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)


def test_pictures_arrive_as_they_are_and_with_their_dots():
    style = RequestStyle("m", FAMILIES["thousandths"], picture_format="png")
    plain = Question("vc_coord", PAIR, (PixelPoint(16, 12),))
    parts = style.body(plain, "")["messages"][0]["content"]
    assert all((decoded(parts[i]) == f.rgb).all() for i, f in ((1, PAIR[0]), (3, PAIR[1])))
    dotted = Question("obj_dist_dot", PAIR, (PixelPoint(16, 12),))
    parts = style.body(dotted, "")["messages"][0]["content"]
    changed = np.argwhere((decoded(parts[1]) != PAIR[0].rgb).any(-1))
    assert len(changed) and np.abs(changed.mean(0) + 0.5 - (12, 16)).max() < 1
    assert (decoded(parts[3]) == PAIR[1].rgb).all()


def test_pictures_have_the_size_whose_pixels_the_prompt_counts():
    style = RequestStyle("m", FAMILIES["qwen2.5-vl"])
    question = Question("vc_coord", (picture(size=(120, 160)),) * 2, (PixelPoint(80, 60),))
    prompt = style.prompt(question).prompt
    part = style.body(question, prompt)["messages"][0]["content"][1]
    assert "168 x 112 pixels" in prompt and decoded(part).shape == (112, 168, 3)


def test_jpeg_keeps_the_colour_of_small_dots():
    grey = Frame(np.full((120, 160, 3), 128, np.uint8))
    style = RequestStyle("m", FAMILIES["thousandths"])
    [part, _] = style.body(Question("depth_est_dot", (grey,), (PixelPoint(80, 60),)), "")["messages"][0][
        "content"
    ]
    centre = decoded(part)[60, 80].astype(int)
    assert (np.minimum(centre, 255 - centre) < 40).all() and part["image_url"]["url"].startswith(
        "data:image/jpeg;"
    )


@pytest.mark.parametrize("name", STRUCTURED)
def test_the_form_of_an_answer_is_asked_for_in_the_servers_field(name):
    style = RequestStyle("m", FAMILIES["thousandths"], structured=name)
    asked = Question("cam_dir_x", PAIR)
    body = style.body(asked, style.prompt(asked).prompt)
    expected = "`(left|right)`"
    if name == "structured_outputs":
        assert body[name] == {"regex": expected}
    elif name == "response_format":
        form = body[name]["json_schema"]
        assert body[name]["type"] == "json_schema" and form["strict"] and form["name"] == "answer"
        assert form["schema"]["properties"]["answer"]["enum"] == ["left", "right"]
        assert "JSON object" in body["messages"][0]["content"][-1]["text"]
    else:
        assert body[name] == expected
    assert Counter(set(STRUCTURED) & set(body)) == Counter([name])


def test_fields_can_be_added_and_taken_out():
    extra = {"max_tokens": None, "max_completion_tokens": 9}
    style = RequestStyle("gpt", FAMILIES["thousandths"], temperature=None, extra=extra)
    assert set(style.body(ask("good", 1), "")) == {"model", "messages", "max_completion_tokens"}
    style = RequestStyle("Qwen/Qwen3.5-4B", FAMILIES["qwen3.5"])
    assert style.body(ask("good", 1), "")["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("ftp://host/v1", "`url` must look like"),
        ("localhost:8000", "`url` must look like"),
        ("https://user:secret@host/v1", "`url` must look like.*'host/v1'"),
        ("http://example.org/v1", "Plain http would send pictures and key to example.org"),
        ("http://127.0.0.1.example.org/v1", "Plain http"),
    ],
)
def test_unsafe_addresses_are_refused(url, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        Endpoint(url, "m")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"model": None}, "`model` must name a model"),
        ({"concurrency": 0}, "`concurrency` must be a whole number of at least 1, got 0"),
        ({"retries": -1}, "`retries` must be a whole number of at least 0"),
        ({"timeout": 0}, "`timeout` must be a time above 0 s"),
        ({"deadline": math.inf}, "`deadline` must be a time"),
        ({"max_tokens": 0}, "`max_tokens`"),
        ({"structured": "grammar"}, "`structured` must be None or one of .*response_format"),
        ({"picture_format": "gif"}, "`picture_format` must be one of .*png"),
        ({"family": "llava"}, "Unknown model family 'llava'. Known families: qwen2.5-vl"),
        ({"prices": [1]}, "`prices` must be two numbers"),
    ],
)
def test_senseless_options_are_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        Endpoint("https://host/v1", **({"model": "m"} | options))


def test_the_configuration_lists_the_options():
    config = OmegaConf.load(Path(endpoint_http.__file__).parents[1] / "conf/model/endpoint.yaml")
    parameters = inspect.signature(Endpoint).parameters
    assert set(config) - {"name"} == set(parameters)
    defaults = {k: p.default for k, p in parameters.items() if p.default is not inspect.Parameter.empty}
    plain = OmegaConf.to_container(config)
    assert {k: plain[k] for k in defaults if k != "extra"} == {
        k: v for k, v in defaults.items() if k != "extra"
    }
    loaded = load_model(**(plain | {"model": "m", "insecure": True, "url": "http://host"}))
    assert loaded.name == "endpoint:m" and loaded.needs == frozenset()

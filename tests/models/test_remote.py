import json
import math
import pickle
import re
import socket
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore
import numpy as np
import pytest
from serving_process import Served

from spatial_reward import Answer, Camera, Frame, PixelPoint, Question
from spatial_reward.models import load_model
from spatial_reward.models.remote import RemoteModel
from spatial_reward.models.remote_http import Connections
from spatial_reward.models.remote_parts import Takes
from spatial_reward.models.wire import unpack

CAMERA = Camera.from_fov(50.0, 16, 16, np.eye(4))


def frame(number=0):
    return Frame(np.full((16, 16, 3), number % 256, np.uint8), float(number), camera=CAMERA)


def question(value=0.5, **options):
    truth = Answer(np.array([value, 0.1, 1 / 3]), "m", 0.01)
    return Question("obj_vec_coord", (frame(), frame(1)), (PixelPoint(8.0, 8.0),), answer=truth, **options)


@pytest.fixture(scope="module")
def served():
    with Served(slow=0.0) as server:
        yield server


def quiet(model, questions):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return model.answer(questions)


def until_answered(model, seconds=30.0):
    """Ask until there is a valid answer; return how often it took."""
    end, asked = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        asked += 1
        [answer] = quiet(model, [question()])
        if answer.valid:
            return asked
        time.sleep(0.05)
    raise AssertionError("there was no answer")


@pytest.mark.parametrize("form", ["npy", "png", "jpeg"])
def test_answers_are_those_of_the_servers_model(served, form):
    model = RemoteModel(served.url, picture_format=form, timeout=20)
    assert model.name == "remote:slow" and model.needs == {"truth"} and model.follows is False
    asked = [question(value) for value in (0.1, 0.2, 0.3)]
    for one, answer in zip(asked, model.answer(asked), strict=True):
        np.testing.assert_array_equal(answer.value, one.answer.value)
        assert answer.std == one.answer.std
    assert model.answered == 3 and model.failed == 0 and model.answer([]) == []
    model.close()


def test_it_is_loaded_by_name(served):
    model = load_model("remote", url=served.url)
    assert isinstance(model, RemoteModel)
    model.close()


def noisy(side, number=0):
    rng = np.random.default_rng(number)
    return Frame(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), float(number))


def pair(value, side=64):
    """A question about two pictures that do not compress: 24 kB of 64 x 64 pixels."""
    frames = noisy(side, 2 * round(100 * value)), noisy(side, 2 * round(100 * value) + 1)
    truth = Answer(np.array([value, 0.0, 0.0]), "m", 0.01)
    return Question("obj_vec_coord", frames, (PixelPoint(8.0, 8.0),), answer=truth)


def values(answers):
    return [float(answer.value[0]) if answer.valid else None for answer in answers]


class Fake(BaseHTTPRequestHandler):
    """A server that tells what it is told to, and answers with the truth, after `server.before(request)`."""

    protocol_version, wbufsize = "HTTP/1.1", -1

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send(200, self.server.info)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        header, _ = unpack(body)
        self.server.asked.append((time.monotonic(), header, len(body)))
        status, headers = self.server.before(header, body) or (200, {})
        answers = [asked.get("answer") for asked in header["questions"]]
        self.send(status, {"answers": answers} if status == 200 else {"error": "no"}, headers)

    def send(self, status, told, headers=()):
        body = json.dumps(told).encode()
        self.send_response(status)
        for name, text in {"content-length": str(len(body)), **dict(headers)}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def fake(before=lambda header, body: None, **info):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fake)
    server.handle_error = lambda *_: None  # a client that does not wait is none
    server.daemon_threads, server.block_on_close = True, False
    server.info = {"model": "fake", "needs": ["truth"], "follows": False, "limits": {}, **info}
    server.asked, server.before, server.url = [], before, f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def sizes(takes, asked, most=100, sent=("rgb",)):
    parts = []
    while asked:
        parts.append(len(takes.first(asked, most, sent)))
        asked = asked[parts[-1] :]
    return parts


def test_what_a_request_cannot_hold_is_cut_into_parts():
    pictures = [noisy(16, n) for n in range(5)]  # of 768 bytes
    asked = [Question("depth_est_coord", (pictures[n // 2],)) for n in range(10)]
    assert sizes(Takes(frames=2), asked) == [4, 4, 2]
    assert sizes(Takes(), asked, most=3) == [3, 3, 3, 1]
    assert sizes(Takes(bytes=3 * 768), asked) == [6, 4]
    assert sizes(Takes(total_pixels=2 * 256), asked) == [4, 4, 2]
    assert sizes(Takes(bytes=1, frames=1, total_pixels=1), asked) == [1] * 10
    deep = Frame(np.zeros((16, 16, 3), np.uint8), depth=np.ones((16, 16), np.float32))
    asked[2:4] = [Question("depth_est_coord", (deep,))] * 2
    assert sizes(Takes(total_pixels=2 * 256), asked) == [4, 4, 2]
    assert sizes(Takes(total_pixels=2 * 256), asked, sent=("rgb", "depth")) == [2, 2, 4, 2]
    assert sizes(Takes(bytes=2 * 768 + 1024), asked, sent=("rgb", "depth", "bodies")) == [4, 6]
    asked[4:6] = [Question("depth_est_coord", (noisy(17),)), Question("depth_est_coord", (noisy(17),))]
    assert sizes(Takes(pixels=256), asked) == [4, 1, 1, 4]


def test_limits_are_those_that_the_server_states():
    stated = {"bytes": 10, "frames": 2, "total_pixels": 500, "questions": 7, "later": "unknown to us"}
    takes = Takes.told({"limits": stated})
    assert (takes.bytes, takes.frames, takes.total_pixels, takes.questions) == (10, 2, 500, 7)
    assert Takes.told({}) == Takes() and Takes().total_pixels == math.inf
    for nonsense in ("many", None, 0, -1, math.nan):
        with pytest.raises(ValueError, match=r"the limit `frames` is .* no number above 0"):
            Takes.told({"limits": {"frames": nonsense}})


@pytest.mark.parametrize("form", ["npy", "png"])
def test_what_fits_in_parts_is_sent_in_parts_and_what_never_fits_is_told(form):
    limits = "limits={bytes: 100000, frames: 128, pixels: 20000, questions: 256, seconds: 30.0}"
    with Served(limits, slow=0.0) as server:
        model = RemoteModel(server.url, timeout=20, picture_format=form)
        asked = [pair(value / 10) for value in range(8)]
        for _ in range(3):
            assert values(model.answer(asked)) == [value / 10 for value in range(8)]
        asked[3:5] = [pair(0.3, side=150), pair(0.4, side=140)]
        with pytest.warns(RuntimeWarning, match="too large.*: 22500 pixels in one picture") as caught:
            answers = model.answer(asked)
        assert len(caught) == 1 and values(answers) == [0.0, 0.1, 0.2, None, None, 0.5, 0.6, 0.7]
        words = r"too large.*: 1\d{5} bytes are more than the 100000 .* \(limits.bytes\); send smaller"
        assert re.search(words, answers[4].text) and model.failed == 2
        assert values(model.answer(asked[:1])) == [0.0]  # the server is not left alone for that
        model.close()


def test_a_limit_of_all_pixels_of_a_request_is_kept():
    with fake(limits={"total_pixels": 3 * 2 * 64 * 64}) as server:
        model = RemoteModel(server.url, timeout=20)
        assert values(model.answer([pair(value / 10) for value in range(10)])) == [n / 10 for n in range(10)]
        assert max(len(header["frames"]) for _, header, _ in server.asked) == 6
        answers = quiet(model, [pair(0.1, side=200), pair(0.2)])
        assert values(answers) == [None, 0.2] and "arrays together" in answers[0].text
        model.close()


def test_a_server_with_smaller_limits_than_before_is_asked_for_them():
    def before(header, body):
        return (413, {}) if len(header["frames"]) > server.info["limits"]["frames"] else None

    with fake(before, limits={"frames": 100}) as server:
        model = RemoteModel(server.url, timeout=20)
        asked = [pair(value / 10) for value in range(8)]
        assert None not in values(model.answer(asked))
        server.info = {**server.info, "limits": {"frames": 4}}
        server.asked.clear()
        assert values(model.answer(asked)) == [value / 10 for value in range(8)]
        assert [len(header["questions"]) for _, header, _ in server.asked] == [8, 2, 2, 2, 2]
        model.close()


def test_a_proxy_that_takes_less_than_the_server_says_gets_halves():
    with fake(lambda header, body: (413, {}) if len(body) > 80_000 else None) as server:
        model = RemoteModel(server.url, timeout=20)
        asked = [pair(value / 10) for value in range(8)]
        assert values(model.answer(asked)) == [value / 10 for value in range(8)]
        server.asked.clear()
        answers = quiet(model, [*asked, pair(0.9, side=200)])
        assert values(answers)[:8] == [value / 10 for value in range(8)]
        assert len(server.asked) == 6 and "413" in answers[8].text and model.failed == 1
        model.close()


def test_limits_are_asked_for_although_needs_are_stated():
    limits = "limits={bytes: 67108864, frames: 8, pixels: 4194304, questions: 256, seconds: 30.0}"
    with Served(limits, slow=0.0) as server:
        model = RemoteModel(server.url, timeout=20, needs=["truth", "depth"])
        assert model.follows is False and model.name == "remote:slow" and model.needs == {"truth", "depth"}
        assert values(model.answer([pair(value / 10) for value in range(8)])) == [n / 10 for n in range(8)]
        model.close()
        server.kill()
        model = RemoteModel(server.url, timeout=20, needs=["truth"])
        assert model.follows is True  # unknown yet
        server.restart()
        until_answered(model)
        assert model.follows is False and model.needs == {"truth"}
        assert values(model.answer([pair(value / 10) for value in range(8)])) == [n / 10 for n in range(8)]
        model.close()


def test_limits_that_no_server_has_do_not_stop_it():
    with fake(limits={"questions": 0.5, "frames": 2.5, "pixels": 1e9}) as server:
        model = RemoteModel(server.url, timeout=20)
        assert values(model.answer([pair(0.1), pair(0.2)])) == [0.1, 0.2]
        model.close()


def test_depth_is_sent_to_a_model_that_uses_it_although_needs_are_stated():
    seen = Frame(np.zeros((16, 16, 3), np.uint8), depth=np.ones((16, 16), np.float32))
    with fake(uses=["depth"]) as server:
        model = RemoteModel(server.url, timeout=20, needs=["truth"])
        truth = Answer(1.0, "m", 0.01)
        assert model.answer([Question("depth_est_coord", (seen,), answer=truth)])[0].valid
        assert model.uses == {"depth"} and "depth" in server.asked[0][1]["frames"][0]
        model.close()


def test_the_questions_of_an_episode_need_not_fit_one_timeout():
    with fake(lambda header, body: time.sleep(0.01 * len(header["questions"]))) as server:
        model = RemoteModel(server.url, timeout=0.6)
        asked = [question(value / 200) for value in range(200)]  # 2 s
        assert values(quiet(model, asked)) == [value / 200 for value in range(200)]
        counts = [len(header["questions"]) for _, header, _ in server.asked]
        assert counts[0] == 1 and max(counts) > 5 and model.failed == 0
        model.close()


def test_a_call_waits_for_one_timeout_at_most_once():
    def before(header, body):
        time.sleep(3.0 if len(server.asked) > 2 else 0.05)

    with fake(before) as server:
        model, begin = RemoteModel(server.url, timeout=0.4, rest=0.0), time.monotonic()
        got = values(quiet(model, [question(0.5)] * 100))
        assert time.monotonic() - begin < 1.5 and got[0] == 0.5 and got[-1] is None and len(server.asked) == 3
        model.close()


def test_a_full_server_is_asked_ever_more_rarely():
    def before(header, body):
        return (503, {}) if time.monotonic() - server.asked[0][0] < 1.0 else None

    with fake(before) as server:
        model = RemoteModel(server.url, timeout=10)
        assert values(model.answer([question(0.5)])) == [0.5]
        pauses = np.diff([moment for moment, _, _ in server.asked])
        assert 10 <= len(server.asked) < 25 and len(set(pauses.round(4))) > 5  # no two clients in step
        model.close()


def test_a_full_server_is_left_alone_as_long_as_it_asks():
    with fake(lambda header, body: (503, {"retry-after": "1"}) if len(server.asked) == 1 else None) as server:
        model = RemoteModel(server.url, timeout=10)
        assert values(model.answer([question(0.5)])) == [0.5] and model.failed == 0
        [(first, _, _), (second, _, _)] = server.asked
        assert 1.0 < second - first < 1.8
        model.close()
    with fake(lambda header, body: (503, {"retry-after": "3"})) as server:
        model, begin = RemoteModel(server.url, timeout=1.5), time.monotonic()
        assert not quiet(model, [question()])[0].valid and time.monotonic() - begin < 1.0
        time.sleep(0.3)
        assert "a moment ago" in quiet(model, [question()])[0].text and len(server.asked) == 1
        model.close()


def test_large_batches_reach_a_server_with_small_limits():
    limits = "limits={bytes: 200000, frames: 4, pixels: 4096, questions: 3, seconds: 5.0}"
    with Served(limits, slow=0.0) as server:
        model = RemoteModel(server.url, timeout=20)
        answers = model.answer([question(value / 10) for value in range(10)])
        assert [answer.value[0] for answer in answers] == [value / 10 for value in range(10)]
        model.close()


def test_a_slow_server_makes_answers_unknown_in_time_and_is_left_alone_for_a_moment():
    with Served(slow=1.0) as server:
        model, begin = RemoteModel(server.url, timeout=0.3), time.monotonic()
        with pytest.warns(RuntimeWarning, match="gave no answers: .*; potentials are held"):
            [answer] = model.answer([question()])
        assert not answer.valid and answer.value is None and answer.unit == "m"
        assert time.monotonic() - begin < 0.9 and model.failed == 1
        begin = time.monotonic()
        [answer] = model.answer([question()])
        assert "a moment ago" in answer.text and time.monotonic() - begin < 0.05
        model.timeout = 10.0
        until_answered(model)
        model.close()


def test_a_full_server_is_asked_again_until_the_deadline():
    with Served("queue=1", "batch=1", "limits.questions=1", slow=0.2) as server:
        models = [RemoteModel(server.url, timeout=30) for _ in range(5)]
        valid = []

        def ask(model):
            valid.append(model.answer([question()])[0].valid)

        threads = [threading.Thread(target=ask, args=(model,)) for model in models]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert valid == [True] * 5
        for model in models:
            model.close()


def test_threads_may_share_a_client(served):
    model, wrong = RemoteModel(served.url, timeout=20), []

    def ask(thread):
        for number in range(12):
            asked = [thread + number / 100 + part / 1000 for part in range(1 + number % 3)]
            if values(model.answer([question(value) for value in asked])) != asked:
                wrong.append(asked)

    threads = [threading.Thread(target=ask, args=(thread,)) for thread in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and model.answered == 16 * 24
    model.close()


def test_a_killed_server_is_missed_and_found_again():
    with Served(slow=0.0) as server:
        model = RemoteModel(server.url, timeout=5.0)
        assert model.answer([question()])[0].valid
        server.kill()
        with pytest.warns(RuntimeWarning, match="gave no answers"):
            assert not model.answer([question()])[0].valid
        for _ in range(5):
            time.sleep(0.1)
            assert not quiet(model, [question()])[0].valid
        server.restart()
        until_answered(model)
        assert model.answer([question()])[0].valid
        server.kill()
        server.restart()  # while nobody asked: the connection that was kept is dead
        assert model.answer([question()])[0].valid
        model.close()


def test_warnings_are_counted_not_repeated():
    model = RemoteModel("http://127.0.0.1:1", needs=["truth"], timeout=0.2)
    with pytest.warns(RuntimeWarning) as caught:
        for _ in range(12):
            model._rests_until = 0.0
            model.answer([question()])
    texts = [str(one.message) for one in caught]
    assert len(texts) == 2 and texts[1].endswith("(10 times so far)") and model.failed == 12


def http(body, status="200 OK"):
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


INFO = http(b'{"model": "hostile", "needs": ["truth"]}')


def hostile(reply, info=(INFO,)):
    """Serve bytes to whoever connects; return the URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                begin = connection.recv(100_000)
                for part in info if begin.startswith(b"GET") else reply:
                    try:
                        connection.sendall(part)
                    except OSError:
                        break
                    time.sleep(0.05)

    threading.Thread(target=serve, daemon=True).start()
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    "reply",
    [
        [b""],
        [b"nonsense"],
        [http(b"nonsense")],
        [http(b"{}")],
        [http(b'{"answers": []}')],
        [http(b'{"answers": [null]}')],
        [http(b'{"answers": [{"value": {"number": "x"}}]}')],
        [http(b'{"error": "no"}', "422 No")],
        [http(b"<html>", "502 Bad")],
        [http(b"", "302 Found")],
        [http(b'{"answers"')[:-4]],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", *[b"x"] * 80],  # drop by drop
        [b"HTTP/1.1 200 OK\r\n", *[b"a: b\r\n"] * 80],
    ],
    ids=["nothing", "nonsense", "no json", "no answers", "too few", "null", "no number", "refused", "gateway"]
    + ["elsewhere", "cut", "slow body", "slow head"],
)
def test_whatever_a_server_says_is_no_exception(reply):
    for options in ({}, {"info": reply}):
        listening, url = hostile(reply, **options)
        model, begin = RemoteModel(url, needs=["truth"], timeout=0.5), time.monotonic()
        [answer] = quiet(model, [question()])
        assert not answer.valid and answer.text and time.monotonic() - begin < 1.5
        listening.close()
        model.close()


@pytest.mark.parametrize("told", [b"[]", b'"x"', b"{}", b'{"model": "x", "limits": {"frames": "many"}}'])
def test_a_server_that_says_nonsense_of_itself_is_no_server(told):
    listening, url = hostile([b""], [http(told)])
    with pytest.raises(RuntimeError, match="does not say what it is"):
        RemoteModel(url)
    listening.close()


def test_the_deadline_holds_while_a_message_is_sent():
    listening = socket.create_server(("127.0.0.1", 0))

    def read_drops():
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            while connection.recv(20_000):
                time.sleep(0.05)

    threading.Thread(target=read_drops, daemon=True).start()
    begin = time.monotonic()
    connections = Connections(f"http://127.0.0.1:{listening.getsockname()[1]}")
    with pytest.raises(TimeoutError):
        connections.exchange("POST", "/", {}, bytes(60_000_000), begin + 0.5)
    assert time.monotonic() - begin < 1.5
    connections.close()
    listening.close()


def test_the_deadline_holds_while_the_name_is_looked_up(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    connections, begin = Connections("http://slow.example"), time.monotonic()
    with pytest.raises(TimeoutError):
        connections.exchange("GET", "/", {}, None, begin + 0.3)
    assert time.monotonic() - begin < 1.0
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with pytest.raises(ConnectionError, match=r"slow.example has no address"):
        connections.exchange("GET", "/", {}, None, time.monotonic() + 5)


def test_another_address_of_the_server_is_tried(monkeypatch):
    own, addresses = socket.getaddrinfo, ["127.0.0.2", "127.0.0.1"]

    def look_up(host, *rest, **options):
        hosts = addresses if host == "two.example" else [host]
        return [entry for one in hosts for entry in own(one, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    connect = httpcore.SyncBackend.connect_tcp

    def slow(self, host, port, timeout=None, *rest):
        if host == "127.0.0.2":
            time.sleep(timeout)
            raise httpcore.ConnectTimeout
        return connect(self, host, port, timeout, *rest)

    with fake() as server:
        connections, begin = Connections(server.url.replace("127.0.0.1", "two.example")), time.monotonic()
        assert connections.exchange("GET", "/", {}, None, begin + 2.0).status == 200  # the first one refuses
        monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", slow)
        connections.close()
        assert connections.exchange("GET", "/", {}, None, time.monotonic() + 2.0).status == 200
        connections.close()


def test_it_begins_without_a_server_only_if_it_is_told_what_is_needed():
    with pytest.raises(RuntimeError, match="start it with `spatial-reward serve`, or state `needs`"):
        RemoteModel("http://127.0.0.1:1", timeout=0.2)
    assert RemoteModel("http://127.0.0.1:1", needs=["depth"]).needs == {"depth"}


def test_the_token_comes_from_the_environment(monkeypatch):
    with Served(slow=0.0, token="open sesame") as server:
        monkeypatch.delenv("SPATIAL_REWARD_TOKEN", raising=False)
        with pytest.raises(ValueError, match="environment variable SPATIAL_REWARD_TOKEN"):
            RemoteModel(server.url)
        monkeypatch.setenv("OTHER", "open sesame")
        model = RemoteModel(server.url, token_env="OTHER", timeout=20)
        assert model.answer([question()])[0].valid
        monkeypatch.setenv("OTHER", "open barley")
        [answer] = quiet(model, [question()])
        assert not answer.valid and "401" in answer.text
        model.close()


def test_it_can_be_sent_to_another_process(served):
    model = RemoteModel(served.url, timeout=20)
    assert model.answer([question()])[0].valid
    again = pickle.loads(pickle.dumps(model))
    assert again.answer([question()])[0].valid and again.needs == model.needs
    model.close()
    again.close()


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(url="ftp://a"), "`url` must look like"),
        (dict(url="http://me:secret@localhost"), "without a name or key"),
        (dict(url="http://example.org"), "in the clear"),
        (dict(timeout=0), "`timeout` and `rest` must be times above 0"),
        (dict(picture_format="gif"), "`picture_format` must be npy, png or jpeg"),
    ],
)
def test_bad_arguments_are_told(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        RemoteModel(**{"url": "http://localhost:1", "needs": [], **options})
    assert "secret" not in str(caught.value)

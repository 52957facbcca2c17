import pickle
import socket
import threading
import time
import warnings

import numpy as np
import pytest
from serving_process import Served

from spatial_reward import Answer, Camera, Frame, PixelPoint, Question
from spatial_reward.models import load_model
from spatial_reward.models.remote import RemoteModel, _parts

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


def test_what_a_request_cannot_hold_is_cut_into_parts():
    asked = [Question("depth_est_coord", (frame(n // 2),)) for n in range(10)]
    pictures = [frame(n) for n in range(5)]
    asked = [Question("depth_est_coord", (pictures[n // 2],)) for n in range(10)]
    assert [len(part) for part in _parts(asked, 2, 100)] == [4, 4, 2]
    assert [len(part) for part in _parts(asked, 100, 3)] == [3, 3, 3, 1]
    assert [one for part in _parts(asked, 1, 1) for one in part] == asked and list(_parts([], 1, 1)) == []


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
    with Served("queue=1", "batch=1", slow=0.2) as server:
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


def hostile(reply):
    """Serve bytes to whoever connects; return the URL."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(100_000)
                for part in reply:
                    try:
                        connection.sendall(part)
                    except OSError:
                        break
                    time.sleep(0.05)

    threading.Thread(target=serve, daemon=True).start()
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


def http(body, status="200 OK"):
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


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
        [b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", *[b"x"] * 40],  # drop by drop
        [b"HTTP/1.1 200 OK\r\n", *[b"a: b\r\n"] * 40],
    ],
    ids=["nothing", "nonsense", "no json", "no answers", "too few", "null", "no number", "refused", "gateway"]
    + ["elsewhere", "cut", "slow body", "slow head"],
)
def test_whatever_a_server_says_is_no_exception(reply):
    listening, url = hostile(reply)
    model, begin = RemoteModel(url, needs=["truth"], timeout=0.5), time.monotonic()
    [answer] = quiet(model, [question()])
    assert not answer.valid and answer.text and time.monotonic() - begin < 3
    listening.close()
    model.close()


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

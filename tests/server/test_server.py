import json
import signal
import threading
import time

import numpy as np
import pytest
from server_requests import CAMERA, HTTP, SMALL, frame, header_of_an_episode, message, post, question
from serving_process import Served

from spatial_reward import Reference
from spatial_reward.models.remote import RemoteModel
from spatial_reward.models.wire import BINARY, pack
from spatial_reward.models.wire_arrays import encode_array
from spatial_reward.models.wire_values import camera_json
from spatial_reward.rewards import Judge


@pytest.fixture(scope="module")
def served():
    with Served(SMALL, "header_timeout=1.0", slow=0.0) as server:
        yield server


@pytest.fixture(scope="module")
def measuring():
    with Served("model=rgbd") as server:
        yield server


def test_it_says_how_it_is_and_what_it_serves(served):
    assert HTTP.get(served.url + "/health").json() == {"status": "healthy"}
    info = HTTP.get(served.url + "/v1/info").json()
    assert info["model"] == "slow" and info["needs"] == ["truth"] and info["follows"] is False
    assert info["limits"]["pixels"] == 4096 and "obj_vec_coord" in info["kinds"]


def test_measurements_come_back_in_order(served):
    reply = post(served, message(*(question(value) for value in (0.1, 0.2, 0.3))))
    assert reply.status_code == 200
    assert [one["value"]["array"][0] for one in reply.json()["answers"]] == [0.1, 0.2, 0.3]


def test_rewards_are_those_of_a_judge_here(measuring):
    from spatial_reward.models import load_model

    header, blobs = header_of_an_episode(4)
    reply = post(measuring, pack(header, blobs), "/v1/reward")
    judge, model, first = Judge(header["goal"]), load_model("rgbd"), frame()
    judge.reset(first, {"ball": Reference("ball", (8.0, 8.0), np.array([0.0, 0.0, 1.0]))})
    signals = [judge.observe(frame(number) if number else first, model) for number in range(4)]
    assert reply.status_code == 200 and len(reply.json()["signals"]) == 4
    for told, signal_ in zip(reply.json()["signals"], signals, strict=True):
        assert told["valid"] == signal_.valid
    assert reply.json()["signals"][0]["potential"] == pytest.approx(-0.1)


def test_it_counts_for_prometheus(served):
    post(served, message(question()))
    post(served, b"nonsense")
    text = HTTP.get(served.url + "/metrics").text
    assert 'spatial_reward_requests_total{route="/v1/measure",status="200"}' in text
    assert 'spatial_reward_requests_total{route="/v1/measure",status="400"}' in text
    assert "spatial_reward_batch_questions_bucket" in text and "spatial_reward_waiting_questions 0.0" in text


NPY = encode_array(np.zeros((100, 100, 3), np.uint8))
MEASURE = {"frames": [{"rgb": {"blob": 0}}], "questions": [{"kind": "depth_est_coord", "frames": [0]}]}


@pytest.mark.parametrize(
    "content, kind, status",
    [
        (b"", BINARY, 400),
        (b"nonsense", BINARY, 400),
        (message(question())[:-10], BINARY, 400),
        (message(question())[:9], BINARY, 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 422),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (pack(MEASURE, [NPY]), BINARY, 413),
        (pack({**MEASURE, "frames": MEASURE["frames"] * 9}, [NPY]), BINARY, 413),
        (pack({**MEASURE, "questions": MEASURE["questions"] * 17}, [NPY]), BINARY, 413),
        (b"x" * 200_001, BINARY, 413),
        (pack({"frames": [], "questions": [{"kind": "no"}]}, []), BINARY, 422),
    ],
    ids=["empty", "nonsense", "cut", "cut header", "no json", "list", "no frames", "form", "pixels", "frames"]
    + ["questions", "bytes", "kind"],
)
def test_what_cannot_be_served_is_refused_with_the_right_status(served, content, kind, status):
    reply = post(served, content, kind=kind)
    assert reply.status_code == status and reply.json()["error"]
    assert post(served, message(question())).status_code == 200  # and it goes on


@pytest.mark.parametrize("path, method, status", [("/v1/nothing", "GET", 404), ("/v1/measure", "GET", 405)])
def test_other_routes_are_none(served, path, method, status):
    assert HTTP.request(method, served.url + path).status_code == status


def test_questions_that_the_model_fails_on_do_not_spoil_those_of_others():
    with Served(slow=0.1) as server:
        replies = {}

        def ask(name, prompt):
            replies[name] = post(server, message(question(0.25, prompt=prompt))).status_code

        threads = [threading.Thread(target=ask, args=(n, "fail" if n == 2 else "")) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert replies == {0: 200, 1: 200, 2: 500, 3: 200, 4: 200}


def test_a_full_queue_refuses_and_a_deadline_is_kept():
    with Served("queue=4", "limits.questions=4", "batch=1", slow=0.4) as server:
        statuses = []

        def ask(**headers):
            statuses.append(post(server, message(question()), **headers).status_code)

        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses.count(503) >= 3 and statuses.count(200) >= 4 and len(statuses) == 10
        assert post(server, message(question()), **{"x-timeout": "0.1"}).status_code == 504
        assert post(server, message(question()), **{"x-timeout": "soon"}).status_code == 422
        assert post(server, message(question())).status_code == 200


def test_it_finishes_what_was_asked_before_it_ends():
    server = Served(slow=0.6)
    replies = []
    thread = threading.Thread(target=lambda: replies.append(post(server, message(question())).status_code))
    thread.start()
    time.sleep(0.3)
    assert server.close() in (0, -signal.SIGTERM)
    thread.join()
    assert replies == [200]


def test_clients_at_the_same_time_get_their_own_answers():
    with Served(slow=0.002) as server:
        models = [RemoteModel(server.url, timeout=10) for _ in range(64)]
        wrong, done, until = [], [], time.monotonic() + 3

        def ask(client):
            number = 0
            while time.monotonic() < until or number < 2:
                number += 1
                value = client + number / 1000
                answers = models[client].answer([question(value), question(-value)])
                got = [float(answer.value[0]) for answer in answers]
                if got != [value, -value]:
                    wrong.append((value, got))
            done.append(number)
            models[client].close()

        threads = [threading.Thread(target=ask, args=(client,)) for client in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        text = HTTP.get(server.url + "/metrics").text
    assert not wrong and len(done) == 64
    count, total = (
        float(
            next(line for line in text.splitlines() if line.startswith(f"spatial_reward_{name} ")).split()[1]
        )
        for name in ("batch_questions_count", "batch_questions_sum")
    )
    assert total == 2 * sum(done) and total / count > 4  # batches across clients


def test_a_stream_judges_an_episode(measuring):
    from websockets.sync.client import connect

    header, blobs = header_of_an_episode(3)
    with connect(measuring.url.replace("http", "ws") + "/v1/stream") as stream:
        replies = []
        for _ in range(2):
            for number in range(3):
                kind = "step" if number else "reset"
                one = {**header, "type": kind, "frames": [{**header["frames"][number], "rgb": {"blob": 0}}]}
                stream.send(pack(one, [blobs[number]]))
                replies.append(json.loads(stream.recv()))
        assert [reply["step"] for reply in replies] == [0, 1, 2] * 2
        assert replies[0]["signal"]["valid"] and replies[0]["signal"]["potential"] == pytest.approx(-0.1)
        assert not replies[1]["signal"]["valid"]  # rgbd needs depth
        assert "spatial_reward_streams 1.0" in HTTP.get(measuring.url + "/metrics").text


def test_the_scene_of_the_server_stands_in_for_what_an_episode_lacks(tmp_path):
    from websockets.sync.client import connect

    header, [blob] = header_of_an_episode(1)
    scene = tmp_path / "scene.json"
    known = {"goal": header["goal"], "references": header["references"], "camera": camera_json(CAMERA)}
    scene.write_text(json.dumps(known))
    bare = {"goal": None, "frames": [{"rgb": {"blob": 0}, "camera": None}]}
    with Served("model=rgbd", f"scene={scene}") as server:
        [signal_] = post(server, pack(bare, [blob]), "/v1/reward").json()["signals"]
        with connect(server.url.replace("http", "ws") + "/v1/stream") as stream:
            stream.send(pack({**bare, "type": "reset"}, [blob]))
            assert json.loads(stream.recv()) == {"step": 0, "signal": signal_}
        assert signal_["valid"] and signal_["potential"] == pytest.approx(-0.1)
        own = {**header, "goal": "move(ball, by=20cm, within=1cm)"}  # what an episode says goes first
        [signal_] = post(server, pack(own, [blob]), "/v1/reward").json()["signals"]
        assert signal_["potential"] == pytest.approx(-0.2)


@pytest.mark.parametrize(
    "sent, code, reason",
    [
        ("nonsense", 1007, "no JSON"),
        (b"nonsense", 1007, "no message"),
        ("{}", 1007, "one frame"),
        (
            pack({"type": "step", "frames": [{"rgb": {"blob": 0}}]}, [encode_array(frame().rgb)]),
            1007,
            "begins",
        ),
        (pack({"type": "reset", "frames": [{"rgb": {"blob": 0}}]}, [NPY]), 1009, "more than"),
        (b"x" * 200_001, 1009, None),
    ],
    ids=["text", "bytes", "no frame", "no reset", "pixels", "long"],
)
def test_a_stream_that_makes_no_sense_is_closed(served, sent, code, reason):
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    with connect(served.url.replace("http", "ws") + "/v1/stream") as stream:
        stream.send(sent)
        if reason is not None:
            assert reason in json.loads(stream.recv())["error"]
        with pytest.raises(ConnectionClosed) as caught:
            stream.recv()
        assert caught.value.rcvd.code == code


def robometer_form(video, **trajectory):
    """Return what Robometer's clients send for one video."""
    sample = {
        "sample_type": "progress",
        "trajectory": {
            "frames": {"__numpy_file__": "sample_0_trajectory_frames"},
            "frames_shape": list(video.shape),
            "task": "move(ball, by=10cm, within=1cm)",
            "id": "0",
            "metadata": {"subsequence_length": len(video)},
            "video_embeddings": None,
            **trajectory,
        },
    }
    name = "sample_0_trajectory_frames.npy"
    files = {"sample_0_trajectory_frames": (name, encode_array(video), "application/octet-stream")}
    return files, {"sample_0": json.dumps(sample), "use_frame_steps": "false"}


def test_clients_of_robometer_are_served(measuring, tmp_path):
    video = np.stack([frame(number).rgb for number in range(4)])
    references = {"ball": {"pixel": [8, 8], "position": [0, 0, 1]}}
    files, data = robometer_form(video, metadata={"references": references, "camera": camera_json(CAMERA)})
    reply = HTTP.post(measuring.url + "/evaluate_batch_npy", files=files, data=data).json()
    progress = np.array(reply["outputs_progress"]["progress_pred"][0], np.float32)
    assert progress.shape == (4,) and progress[0] == 0.0 and np.isnan(progress[1:]).all()
    assert len(reply["outputs_success"]["success_probs"][0]) == 4 and reply["outputs_preference"] is None
    scene = tmp_path / "scene.json"
    scene.write_text(json.dumps({"references": references, "camera": camera_json(CAMERA)}))
    files, data = robometer_form(video)
    with Served("model=rgbd", f"scene={scene}") as server:
        again = HTTP.post(server.url + "/evaluate_batch_npy", files=files, data=data).json()
    assert again == reply


@pytest.mark.parametrize(
    "change, status",
    [
        (dict(task="push the cube onto the pad"), 422),
        (dict(frames=[[0]]), 422),
        (dict(metadata={"references": {"ball": {"pixel": [99, 99]}}, "camera": camera_json(CAMERA)}), 422),
        (dict(), 422),
        (dict(metadata={"camera": {"width": 3}}), 422),
    ],
    ids=["words", "list", "outside", "no references", "camera"],
)
def test_videos_that_cannot_be_judged_are_refused(served, change, status):
    files, data = robometer_form(np.zeros((2, 16, 16, 3), np.uint8), **change)
    reply = HTTP.post(served.url + "/evaluate_batch_npy", files=files, data=data)
    assert reply.status_code == status and reply.json()["error"]


def test_damaged_forms_are_refused(served):
    kind = "multipart/form-data; boundary=x"
    assert post(served, b"nonsense", "/evaluate_batch_npy", kind).status_code in (400, 422)
    assert post(served, b"{}", "/evaluate_batch_npy", "application/json").status_code == 415
    files, data = robometer_form(np.zeros((9, 16, 16, 3), np.uint8))
    assert HTTP.post(served.url + "/evaluate_batch_npy", files=files, data=data).status_code == 413

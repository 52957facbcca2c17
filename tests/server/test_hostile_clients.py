import asyncio
import socket
import time
from contextlib import ExitStack, suppress

import httpx
import numpy as np
import pytest
from server_requests import HTTP, SMALL, handshake, message, post, question
from serving_process import Served

from spatial_reward.models.wire import BINARY, pack
from spatial_reward.models.wire_arrays import Limits, WireError, encode_picture
from spatial_reward.server.reading import Reader


@pytest.fixture(scope="module")
def served():
    with Served(SMALL, "header_timeout=1.0", slow=0.0) as server:
        yield server


@pytest.fixture(scope="module")
def guarded():
    with Served(SMALL, "header_timeout=1.0", "connections=20", slow=0.0, token="sesame") as server:
        yield server


def test_a_body_that_grows_beyond_the_limit_is_not_read_to_its_end(served):
    sent = []

    def endless():
        while len(sent) < 10_000:
            sent.append(1)
            yield b"x" * 50_000

    try:
        reply = HTTP.post(served.url + "/v1/measure", content=endless(), headers={"content-type": BINARY})
        assert reply.status_code == 413
    except httpx.WriteError:
        pass  # it hung up while we were still sending
    assert len(sent) < 1000


def head_of(length, more=""):
    """Return the headers of a request whose body is to come."""
    head = f"POST /v1/measure HTTP/1.1\r\nhost: localhost\r\ncontent-type: {BINARY}\r\n"
    return f"{head}content-length: {length}\r\n{more}\r\n".encode()


def slowly(served, head, drops):
    """Send a request drop by drop; return what comes back, and after how long."""
    begin, received = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(head)
        connection.settimeout(0.2)
        for _ in range(drops):
            try:
                connection.sendall(b"x")
                received = connection.recv(1000)
                break
            except TimeoutError:
                continue
            except OSError:
                break
    return received, time.monotonic() - begin


def test_headers_that_come_drop_by_drop_are_not_waited_for(served):
    received, seconds = slowly(served, b"POST /v1/measure HTTP/1.1\r\nhost: localhost\r\nx-slow: ", 60)
    assert received.startswith(b"HTTP/1.1 408") and 0.5 < seconds < 5
    received, seconds = slowly(served, b"", 60)
    assert received.startswith(b"HTTP/1.1 408") and seconds < 5


def test_a_body_that_comes_drop_by_drop_is_not_waited_for(served):
    received, seconds = slowly(served, head_of(9999), 60)
    assert received.startswith(b"HTTP/1.1 408") and 1.5 < seconds < 8


def test_slow_clients_do_not_hinder_others(served):
    slow = []
    for _ in range(50):
        connection = socket.create_connection(("127.0.0.1", served.port))
        connection.sendall(b"POST /v1/measure HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
        slow.append(connection)
    begin = time.monotonic()
    assert post(served, message(question())).status_code == 200 and time.monotonic() - begin < 1
    for connection in slow:
        connection.settimeout(10)
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
        connection.close()


def test_a_kept_connection_may_rest_between_requests(served):
    with httpx.Client() as client:
        for _ in range(2):
            assert client.get(served.url + "/health").status_code == 200
            time.sleep(1.5)  # longer than headers may take


def test_a_client_that_hangs_up_does_no_harm(served):
    body = message(question())
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(head_of(len(body)) + body[: len(body) // 2])
    time.sleep(0.1)
    assert post(served, body).status_code == 200


def test_a_token_is_asked_for_everywhere_but_at_the_door():
    with Served(slow=0.0, token="open sesame") as server:
        assert HTTP.get(server.url + "/health").status_code == 200
        for path in ("/v1/info", "/metrics", "/v1/nothing"):
            assert HTTP.get(server.url + path).status_code == 401
        wrong = post(server, message(question()), authorization="Bearer open barley")
        assert wrong.status_code == 401 and wrong.headers["www-authenticate"] == "Bearer"
        assert post(server, message(question()), authorization="Bearer open sesame").status_code == 200
        assert handshake(server, b"") == 401
        assert handshake(server, b"authorization: Bearer open sesame\r\n") == 101


def test_foreign_web_pages_are_refused(served):
    headers = {"origin": "https://evil.example"}
    assert HTTP.get(served.url + "/v1/info", headers=headers).status_code == 403
    assert handshake(served, b"origin: https://evil.example\r\n") == 403
    assert HTTP.get(served.url + "/v1/info", headers={"origin": served.url}).status_code == 200


def dripping(server, path, *headers):
    """Return a connection with a request whose body is to come, and the status of its early answer."""
    lines = [f"{path} HTTP/1.1", "host: localhost", "content-length: 99999", *headers]
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    connection.settimeout(10)
    return connection, int(connection.recv(1000).split()[1])


def seconds_until_hung_up(connection):
    """Send a body drop by drop; return how long the server takes it [s], 10 at most."""
    begin = time.monotonic()
    connection.settimeout(0.2)
    while (passed := time.monotonic() - begin) < 10:
        try:
            connection.sendall(b"x")
            if not connection.recv(1000):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    connection.close()
    return passed


@pytest.mark.parametrize(
    "path, headers, status",
    [
        ("GET /health", [], 200),
        ("POST /v1/measure", [f"content-type: {BINARY}"], 401),
        ("POST /v1/measure", ["authorization: Bearer sesame", "content-type: text/plain"], 415),
        ("POST /v1/nothing", ["authorization: Bearer sesame"], 404),
    ],
    ids=["health", "no token", "type", "no route"],
)
def test_a_body_that_nobody_has_waited_for_does_not_keep_a_connection(guarded, path, headers, status):
    connection, got = dripping(guarded, path, *headers)
    assert got == status and 0.5 < seconds_until_hung_up(connection) < 5


def test_bodies_that_come_drop_by_drop_do_not_shut_others_out(guarded):
    slow = [dripping(guarded, "POST /v1/measure")[0] for _ in range(19)]
    until = time.monotonic() + 3
    while time.monotonic() < until:
        for connection in slow:
            with suppress(OSError):  # hung up
                connection.sendall(b"x")
        time.sleep(0.2)
    assert post(guarded, message(question()), authorization="Bearer sesame").status_code == 200
    for connection in slow:
        connection.close()


def receive_until(words, connection):
    """Receive until these words have come; return all that came."""
    received = b""
    while words not in received:
        more = connection.recv(1000)
        assert more, f"hung up after {received!r}"
        received += more
    return received


def test_who_is_refused_early_may_ask_again_on_the_same_connection(guarded):
    body = message(question())
    with socket.create_connection(("127.0.0.1", guarded.port)) as connection:
        connection.settimeout(10)
        connection.sendall(head_of(len(body)))
        receive_until(b"missing or wrong", connection)
        connection.sendall(body)
        connection.sendall(head_of(len(body), "authorization: Bearer sesame\r\n") + body)
        assert b" 200 " in receive_until(b" 200 ", connection)


def test_a_body_that_ends_late_does_not_let_a_connection_rest_for_ever(guarded):
    with socket.create_connection(("127.0.0.1", guarded.port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n")
        assert b" 200 " in connection.recv(1000)
        connection.sendall(b"x")
        while connection.recv(1000):
            pass


def test_a_stream_may_follow_a_request_on_the_same_connection(served):
    upgrade = (
        "GET /v1/stream HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        receive_until(b"healthy", connection)
        connection.sendall(upgrade.encode())
        receive_until(b"\r\n\r\n", connection)
        connection.settimeout(2)  # longer than headers may take
        with pytest.raises(TimeoutError):
            connection.recv(1000)


def test_a_page_whose_name_leads_here_is_refused(served):
    rebound = {"host": f"evil.example:{served.port}", "origin": f"http://evil.example:{served.port}"}
    for headers in (rebound, {"host": rebound["host"]}, {"host": "["}):
        reply = HTTP.get(served.url + "/v1/info", headers=headers)
        assert reply.status_code == 403 and "ask for 127.0.0.1, ::1, localhost" in reply.json()["error"]
    for host in ("localhost", f"LOCALHOST:{served.port}", f"127.0.0.1:{served.port}", "[::1]:80"):
        assert HTTP.get(served.url + "/v1/info", headers={"host": host}).status_code == 200


def test_with_a_token_a_server_may_have_any_name(guarded):
    headers = {"host": "robots.example", "authorization": "Bearer sesame"}
    assert HTTP.get(guarded.url + "/v1/info", headers=headers).status_code == 200


def test_an_origin_that_makes_no_sense_is_foreign(served):
    for origin in ("http://[", "null", ""):
        assert HTTP.get(served.url + "/v1/info", headers={"origin": origin}).status_code == 403
    assert 'requests_total{route="other",status="403"}' in HTTP.get(served.url + "/metrics").text


def test_streams_leave_room_for_requests():
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    with Served("connections=5", slow=0.0) as server, ExitStack() as streams:
        url = server.url.replace("http", "ws") + "/v1/stream"
        first = [streams.enter_context(connect(url)) for _ in range(2)]
        for _ in range(5):
            with connect(url) as further, pytest.raises(ConnectionClosed, match="try again later") as caught:
                further.recv(10)
            assert caught.value.rcvd.code == 1013
        assert post(server, message(question())).status_code == 200
        assert "spatial_reward_streams 2.0" in HTTP.get(server.url + "/metrics").text
        first[0].close()
        until = time.monotonic() + 10
        while "spatial_reward_streams 1.0" not in HTTP.get(server.url + "/metrics").text:
            assert time.monotonic() < until
        again = streams.enter_context(connect(url))
        again.send("nonsense")
        assert "no JSON" in again.recv(10)  # it was let in


def test_one_connection_is_enough():
    with Served("connections=1", slow=0.0) as server:
        assert HTTP.get(server.url + "/health").status_code == 200


def test_one_small_picture_named_many_times_is_refused_at_once():
    png = encode_picture(np.zeros((2000, 2000, 3), np.uint8), "png")
    told = {"kind": "depth_est_coord", "frames": [0], "points": [[1, 1, 0]]}
    frames = [{"rgb": {"blob": 0}, "time": float(number)} for number in range(60)]
    with Served(slow=0.0) as server:
        begin = time.monotonic()
        reply = post(server, pack({"frames": frames, "questions": [told]}, [png]))
        assert reply.status_code == 413 and "pixels together" in reply.json()["error"]
        assert time.monotonic() - begin < 2


def test_decoding_does_not_hold_up_others_and_keeps_the_deadline():
    reader = Reader(Limits())

    async def scenario():
        loop = asyncio.get_running_loop()
        working = asyncio.create_task(reader.aside(loop.time() + 10, lambda: time.sleep(0.5) or "read"))
        await asyncio.sleep(0.1)
        assert not working.done()  # the loop goes on meanwhile
        with pytest.raises(WireError, match="deadline") as caught:
            await reader.aside(loop.time() + 0.1, lambda: pytest.fail("too late"))
        assert caught.value.status == 504 and not working.done()
        return await working

    assert asyncio.run(scenario()) == "read"
    reader.stop()

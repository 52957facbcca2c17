"""What the tests of the server ask, and how."""

import socket

import httpx
import numpy as np

from spatial_reward import Answer, Camera, Frame, PixelPoint, Question, Reference
from spatial_reward.models.wire import BINARY, Encoder, pack
from spatial_reward.models.wire_values import references_json

HTTP = httpx.Client(verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
CAMERA = Camera.from_fov(50.0, 16, 16, np.eye(4))
SMALL = "limits={bytes: 200000, frames: 8, pixels: 4096, questions: 16, seconds: 2.0}"


def frame(number=0):
    rgb = np.full((16, 16, 3), number % 256, np.uint8)
    return Frame(rgb, float(number), camera=CAMERA)


def question(value=0.5, **options):
    truth = Answer(np.array([value, 0.0, 0.0]), "m", 0.01)
    return Question("obj_vec_coord", (frame(), frame(1)), (PixelPoint(8.0, 8.0),), answer=truth, **options)


def message(*questions):
    encoder = Encoder(truth=True)
    told = [encoder.question(one) for one in questions]
    return pack({"frames": encoder.frames, "questions": told}, encoder.blobs)


def post(server, content, path="/v1/measure", kind=BINARY, **headers):
    return HTTP.post(
        server.url + path, content=content, headers={"content-type": kind, **headers}, timeout=20
    )


def header_of_an_episode(count):
    encoder = Encoder()
    for number in range(count):
        encoder.frame(frame(number))
    references = {"ball": Reference("ball", (8.0, 8.0), np.array([0.0, 0.0, 1.0]))}
    header = {"goal": "move(ball, by=10cm, within=1cm)", "references": references_json(references)}
    return {**header, "frames": encoder.frames}, encoder.blobs


def handshake(server, extra):
    """Return the status of a request for a WebSocket."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(
            b"GET /v1/stream HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n" + extra + b"\r\n"
        )
        return int(connection.recv(1000).split()[1])

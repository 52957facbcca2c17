"""A chat-completions server that misbehaves as the prompt's "case=" says; as a program, it prints its port.

It holds every request to the shape that vLLM documents, counts how many are under way at once, and
tells at GET /stats. In cases that end in "_once" only the first attempt at a question fails.
"""

import base64
import json
import re
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TIMEOUT = 2.5  # [s] of the client in the tests
FIELDS = {  # of vLLM's ChatCompletionRequest, as far as they concern us
    *("messages", "model", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "stop"),
    *("logprobs", "top_logprobs", "response_format", "structured_outputs", "chat_template_kwargs"),
}
LOCK = threading.Lock()
STATE = {"active": 0, "peak": 0, "requests": 0, "violations": [], "elsewhere": 0, "keys": []}
TRIED = {}


def violation(body):
    """Say what is wrong with a request, or nothing."""
    if set(body) - FIELDS:
        return f"fields {set(body) - FIELDS}"
    if not isinstance(body.get("model"), str) or [m["role"] for m in body["messages"]] != ["user"]:
        return "model or roles"
    for part in body["messages"][0]["content"]:
        if part["type"] == "text" and set(part) == {"type", "text"} and isinstance(part["text"], str):
            continue
        if part["type"] != "image_url" or set(part) != {"type", "image_url"}:
            return f"part {part}"
        head, _, data = part["image_url"]["url"].partition(";base64,")
        magic = {"data:image/jpeg": b"\xff\xd8\xff", "data:image/png": b"\x89PNG"}[head]
        if not base64.b64decode(data, validate=True).startswith(magic):
            return "picture"
    return ""


def completion(content, finish="stop", **more):
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        "finish_reason": finish,
        **more,
    }
    return {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        if self.path != "/stats":
            with LOCK:
                STATE["elsewhere"] += 1
        self.give(STATE)

    def do_POST(self):
        with LOCK:
            STATE["active"] += 1
            STATE["requests"] += 1
            STATE["peak"] = max(STATE["peak"], STATE["active"])
        self.counted = True
        try:
            size = int(self.headers["Content-Length"])
            content = self.rfile.read(size)
            if len(content) == size:  # else the client has given up
                self.respond(json.loads(content))
        finally:
            self.leave()

    def leave(self):
        """Count the request as over: just before the client can know it."""
        if self.counted:
            with LOCK:
                STATE["active"] -= 1
        self.counted = False

    def respond(self, body):
        wrong = violation(body)
        if wrong:
            STATE["violations"].append(wrong)
            return self.give({"error": {"message": wrong}}, 422)
        STATE["keys"] = sorted({*STATE["keys"], self.headers.get("Authorization", "")})
        words = body["messages"][0]["content"][-1]["text"]
        case, number = re.search(r"case=(\w+) id=(\d+)", words).groups()
        with LOCK:
            first = TRIED.setdefault(f"{case}{number}", 0) == 0
            TRIED[f"{case}{number}"] += 1
        if case.endswith("_once") and not first:
            case = "good"
        return getattr(self, case.removesuffix("_once"))(number, body)

    def give(self, data, status=200, **headers):
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.leave() if self.command == "POST" else None
        self.wfile.write(content)

    def good(self, number, body):
        time.sleep(0.005)
        self.give(completion(f"It is `{number}` mm."))

    def late(self, number, body):
        time.sleep(0.8 * TIMEOUT)
        self.leave()
        time.sleep(0.7 * TIMEOUT)
        self.close_connection = True

    def busy(self, number, body):
        self.give({"error": {"message": "slow down"}}, 429, Retry_After="0")

    def busy_long(self, number, body):
        self.give({"error": {"message": "slow down"}}, 429, Retry_After="40")

    def broken(self, number, body):
        self.give(b"<html>Internal Server Error</html>", 500)

    def hidden_error(self, number, body):
        self.give({"error": {"message": "upstream is down", "code": 502}})

    def dropped(self, number, body):
        """Reset the connection in the middle of the reply."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices": [')
        self.wfile.flush()
        self.leave()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def hung_up(self, number, body):
        self.leave()
        self.close_connection = True

    def truncated(self, number, body):
        self.give(json.dumps(completion(f"`{number}`")).encode()[:-40])

    def drip(self, number, body):
        """Send a byte now and then, so that no single read ever times out."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.trickle(b" ")

    def drip_headers(self, number, body):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self.trickle(b"a")

    def trickle(self, byte):
        end = time.time() + 1.5 * TIMEOUT
        while time.time() < end:
            if time.time() > end - 0.7 * TIMEOUT:
                self.leave()
            self.wfile.write(byte)
            self.wfile.flush()
            time.sleep(0.05)
        self.close_connection = True

    def huge(self, number, body):
        self.give(b'{"choices": "' + b"x" * (12 * 2**20) + b'"}')

    def endless(self, number, body):
        """A length that is never sent whole, without end."""
        self.send_response(200)
        self.send_header("Content-Length", str(10**12))
        self.end_headers()
        self.leave()
        for _ in range(30):
            self.wfile.write(b"x" * 2**20)
        self.close_connection = True

    def html(self, number, body):
        self.give(b"<html>welcome</html>")

    def list(self, number, body):
        self.give([completion("`1`")])

    def choiceless(self, number, body):
        self.give({"choices": [], "usage": None})

    def null(self, number, body):
        self.give(completion(None))

    def number(self, number, body):
        self.give(completion(12))

    def nested(self, number, body):
        self.give(b"[" * 100_000 + b"]" * 100_000)

    def chatter(self, number, body):
        self.give(completion("I would rather not say."))

    def long_text(self, number, body):
        self.give(completion("12 " * 200_000))

    def cut(self, number, body):
        self.give(completion("It is `1", "length"))

    def filtered(self, number, body):
        self.give(completion("", "content_filter"))

    def moved(self, number, body):
        self.give(b"", 307, Location="/elsewhere")

    def denied(self, number, body):
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.give({"error": {"message": f"Incorrect API key provided: {key}."}}, 401)

    def refused(self, number, body):
        self.give({"detail": "this model takes no pictures"}, 400)

    def say(self, number, body):
        """Say what the prompt ends with."""
        self.give(completion(body["messages"][0]["content"][-1]["text"].partition(" say: ")[2]))

    def unmetered(self, number, body):
        self.give({"choices": [{"message": {"content": f"`{number}`"}}]})

    def sure(self, number, body):
        """State the choice B with probability 0.9, if probabilities are asked for."""
        listed = [("B", -0.105360516), ("A", -2.302585093), ("The", -9.0)]
        top = [{"token": token, "logprob": value} for token, value in listed]
        tokens = [{"token": "`", "logprob": 0.0, "top_logprobs": []}]
        tokens += [{**top[0], "top_logprobs": top}, {"token": "`", "logprob": 0.0, "top_logprobs": []}]
        asked = body.get("logprobs") is True and body.get("top_logprobs") == 20
        self.give(completion("`B`", logprobs={"content": tokens} if asked else None))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            STATE["violations"].append(repr(sys.exception()))


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()

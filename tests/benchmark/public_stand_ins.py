"""Models that talk about public benchmarks: always the same, or by what they are shown."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Parrot:
    """Say the same words, whatever is asked; keep the questions."""

    heard = ()

    def __init__(self, words="Answer: B", most=10**9):
        self.name, self._words, self._left = f"parrot {words!r}", words, most

    def replies(self, questions):
        if self._left < len(questions):
            raise RuntimeError("the server is gone")
        self._left -= len(questions)
        Parrot.heard = (*Parrot.heard, *questions)
        return [self._words] * len(questions)


class Dying(Parrot):
    """The same, for two batches of four."""

    def __init__(self):
        super().__init__(most=9)


class Seer:
    """Tell the red shade of the first picture."""

    name = "seer"

    def replies(self, questions):
        return [str(question.frames[0].rgb[0, 0, 0]) for question in questions]


class Mute:
    """Answer, but not in words."""

    name, needs = "mute", frozenset()

    def answer(self, questions):
        return []


@contextmanager
def chat_server(reply, finish="stop", status=200):
    """Serve chat completions with one reply; give the URL and the requests."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": finish}
            content = json.dumps({"choices": [choice]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

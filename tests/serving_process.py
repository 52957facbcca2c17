"""A server in a process of its own, with a model for tests: run by `Served`, or with Python."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Slow:
    """The truth, after a while; fails where it is told to."""

    name, needs, follows = "slow", frozenset({"truth"}), False

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def answer(self, questions):
        time.sleep(self.seconds)
        if any(question.prompt == "fail" for question in questions):
            raise FloatingPointError("told to fail")
        return [question.answer for question in questions]


class Served:
    """A running server.

    Args:
        words: Overrides of `conf/serve.yaml`.
        slow: [s] that the model takes for a batch; None serves `model=...` of the words.
        token: What clients must know.
    """

    def __init__(self, *words, slow=None, token=None):
        self.words, self.slow, self.token = words, slow, token
        self.start("port=0")

    def start(self, *words):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        environment.pop("SPATIAL_REWARD_TOKEN", None)
        if self.token:
            environment["SPATIAL_REWARD_TOKEN"] = self.token
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps([self.slow, [*self.words, *words]])],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        line = self.process.stdout.readline()
        if not line.startswith("serving"):
            self.kill()
            raise RuntimeError(f"The server has not started: {line!r}.")
        self.url = line.split()[-1]
        self.port = int(self.url.rpartition(":")[2])

    def kill(self):
        """End the server at once, as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def restart(self):
        """Start it again on the same port."""
        self.start(f"port={self.port}")

    def close(self):
        """End the server as a supervisor does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.process.stdout.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.close()


def main():
    """Serve as the argument says."""
    from spatial_reward.config import compose
    from spatial_reward.server import command

    slow, words = json.loads(sys.argv[1])
    if slow is not None:
        command.load_model = lambda **_: Slow(slow)
    command.run_serve(compose("serve", words))


if __name__ == "__main__":
    main()

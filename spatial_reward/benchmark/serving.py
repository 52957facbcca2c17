"""Measure a real server under many clients: every answer the right one, in time, and memory flat.

    python -m spatial_reward.benchmark.serving
    python -m spatial_reward.benchmark.serving --clients 64 --seconds 120 --out benchmark/results/serving.md

Each client asks its next question when it has the answer to the last one, about two pictures of its own, and
knows the answer that it must get: the server's model is the oracle, and no two questions have the same truth.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spatial_reward.models.remote import RemoteModel
from spatial_reward.types import Answer, Frame, PixelPoint, Question

_PROGRAM = """
import json, sys
from spatial_reward.config import compose
from spatial_reward.server.command import run_serve
run_serve(compose("serve", json.loads(sys.argv[1])))
"""
WARM = 0.1  # share of the time after which memory is looked at first
SAMPLES = 20  # of the server's memory


class Load(NamedTuple):
    """What is done to the server.

    Attributes:
        clients: How many ask at the same time.
        seconds: For how long [s].
        deadline: Of an answer [s].
        size: Side of the pictures [px].
        processes: In which the clients live.
    """

    clients: int = 64
    seconds: float = 120.0
    deadline: float = 2.0
    size: int = 128
    processes: int = 4


class Outcome(NamedTuple):
    """What came of it.

    Attributes:
        asked: Questions.
        lost: Of these, unanswered in time.
        swapped: Of these, answered with something else.
        seconds: How long each answer took (N,) [s].
        memory: Of the server, from the first sample after warming up to the last (S,) [MB].
        batch: Questions that the server answered together, on average.
        busy: CPU time of the server for each question [s].
    """

    asked: int
    lost: int
    swapped: int
    seconds: np.ndarray
    memory: np.ndarray
    batch: float
    busy: float


def measure_serving(load: Load = Load(), words: Sequence[str] = ()) -> Outcome:  # noqa: B008  # never changes
    """Start a server, let clients ask, and return what came of it.

    Args:
        load: What is done to the server.
        words: Overrides of `conf/serve.yaml`.
    """
    with running_server(["model=oracle", "port=0", *words]) as (process, url):
        memory: list[float] = []
        before = busy_seconds(process.pid)
        until = time.time() + load.seconds
        watch = threading.Thread(target=_watch, args=(process.pid, load.seconds, memory))
        watch.start()
        shares = [share.tolist() for share in np.array_split(np.arange(load.clients), load.processes)]
        with ProcessPoolExecutor(load.processes, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(_clients, [(url, share, until, load) for share in shares if share]))
        watch.join()
        batch, busy = _mean_batch(url), busy_seconds(process.pid) - before
    seconds = np.concatenate([part[2] for part in parts])
    lost, swapped = sum(part[0] for part in parts), sum(part[1] for part in parts)
    return Outcome(len(seconds), lost, swapped, seconds, np.array(memory), batch, busy / len(seconds))


@contextmanager
def running_server(words: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server in a process of its own; yield the process and the URL.

    Raises:
        RuntimeError: If it does not start.
    """
    command = [sys.executable, "-c", _PROGRAM, json.dumps(list(words))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("serving"):
            raise RuntimeError(f"The server has not started: {line!r}.")
        yield process, line.split()[-1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def _clients(work: tuple[str, list[int], float, Load]) -> tuple[int, int, np.ndarray]:
    """Be some clients, a thread each; return how many answers were lost and swapped, and seconds of each."""
    url, numbers, until, load = work
    results: list[tuple[int, int, list[float]]] = []
    threads = [
        threading.Thread(target=lambda n=number: results.append(_client(url, n, until, load)))
        for number in numbers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = np.concatenate([np.array(one[2]) for one in results])
    return sum(one[0] for one in results), sum(one[1] for one in results), seconds


def _client(url: str, number: int, until: float, load: Load) -> tuple[int, int, list[float]]:
    model = RemoteModel(url, timeout=load.deadline, rest=0.0)
    rng = np.random.default_rng(number)
    pictures = rng.integers(0, 256, (2, load.size, load.size, 3), dtype=np.uint8)
    lost, swapped = 0, 0
    seconds: list[float] = []
    while time.time() < until:
        truth = np.array([number, len(seconds), rng.uniform()])
        question = _question(pictures, truth)
        begin = time.perf_counter()
        [answer] = model.answer([question])
        seconds.append(time.perf_counter() - begin)
        lost += not answer.valid
        swapped += answer.valid and not np.array_equal(np.asarray(answer.value, float), truth)
    model.close()
    return lost, swapped, seconds


def _question(pictures: np.ndarray, truth: np.ndarray) -> Question:
    frames = Frame(pictures[0]), Frame(pictures[1], time=float(truth[1]))
    return Question("obj_vec_coord", frames, (PixelPoint(1.0, 1.0),), answer=Answer(truth, "m", 0.0))


def _watch(process: int, seconds: float, memory: list[float]) -> None:
    """Sample the memory of a process [MB], after it has warmed up."""
    time.sleep(WARM * seconds)
    for _ in range(SAMPLES):
        memory.append(resident(process))
        time.sleep((1 - WARM) * seconds / SAMPLES)


def resident(process: int | None = None) -> float:
    """Return the resident memory of a process, of this one by default [MB]; NaN where it is not told."""
    path = Path(f"/proc/{process or os.getpid()}/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", path.read_text()) if path.exists() else None
    return int(found[1]) / 1024 if found else float("nan")


def busy_seconds(process: int) -> float:
    """Return the CPU time of a process so far [s]; NaN where it is not told."""
    path = Path(f"/proc/{process}/stat")
    if not path.exists():
        return float("nan")
    user, system = path.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _mean_batch(url: str) -> float:
    import httpx

    text = httpx.get(f"{url}/metrics", trust_env=False).text
    told = {
        key: float(value)
        for key, value in re.findall(r"^spatial_reward_batch_questions_(sum|count) (\S+)", text, re.MULTILINE)
    }
    return told["sum"] / max(told["count"], 1.0)


def as_markdown(load: Load, outcome: Outcome, command: str) -> str:
    """Return the results as a page."""
    p50, p95, p99 = (1000 * np.percentile(outcome.seconds, share) for share in (50, 95, 99))
    first, last, largest = outcome.memory[0], outcome.memory[-1], outcome.memory.max()
    rows: dict[str, Any] = {
        "clients at the same time": load.clients,
        "seconds": f"{load.seconds:.0f}",
        "pictures of a question": f"2 of {load.size} x {load.size}, npy",
        "questions": outcome.asked,
        "questions per second": f"{outcome.asked / load.seconds:.0f}",
        "questions in a batch, mean": f"{outcome.batch:.1f}",
        "lost (not answered by the deadline)": outcome.lost,
        "swapped (answered with another's answer)": outcome.swapped,
        "deadline [ms]": f"{1000 * load.deadline:.0f}",
        "latency p50 / p95 / p99 [ms]": f"{p50:.0f} / {p95:.0f} / {p99:.0f}",
        "server's CPU time of a question [ms]": f"{1000 * outcome.busy:.1f}",
        "longest latency [ms]": f"{1000 * outcome.seconds.max():.0f}",
        "server's memory after warming up / at the end [MB]": f"{first:.0f} / {last:.0f}",
        "server's largest memory [MB]": f"{largest:.0f}",
    }
    about = " ".join(__doc__.split("\n\n")[-1].split())
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    where = (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, clients and server on the same computer"
    )
    return "\n".join(
        ["# Serving under load", "", f"`{command}`", "", f"{where}. {about}"]
        + ["", "| | |", "|---|---:|", *lines, ""]
    )


def main() -> None:
    """Run the measurement and write or print the page; exit code 1 if an answer was lost or swapped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    defaults = Load()
    for name, value in defaults._asdict().items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--out", type=Path)
    options = vars(parser.parse_args())
    out = options.pop("out")
    load = Load(**options)
    outcome = measure_serving(load)
    words = [f"--{k} {v:g}" for k, v in load._asdict().items() if v != getattr(defaults, k)]
    page = as_markdown(load, outcome, " ".join(["python -m spatial_reward.benchmark.serving", *words]))
    if out is None:
        print(page)
    else:
        out.write_text(page)
    sys.exit(1 if outcome.lost or outcome.swapped else 0)


if __name__ == "__main__":
    main()

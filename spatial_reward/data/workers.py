"""Running a function over many tasks: in this process, in several, or on a Ray cluster."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, TypeVar

from spatial_reward._require import require

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 3  # tasks per worker that are handed out before the first is done
_PATIENCE = 10.0  # [s] for the cluster to answer
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # a worker is one core


def run(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    workers: int | None = None,
    cluster: str | None = None,
) -> Iterator[Result]:
    """Yield the results of a function over tasks, in the order of the tasks.

    Only a few tasks and results are held at a time. If a task fails or the caller stops, so do all workers.

    Args:
        function: Importable from a module, or a `partial` of such a one.
        tasks: Its arguments.
        workers: Processes, started afresh; 1 stays in this process; None for one per core.
        cluster: None for processes; "local" for Ray with `workers` CPUs; or the address of a Ray cluster,
            whose machines share the file system.

    Raises:
        ImportError: If Ray is wanted and missing.
        RuntimeError: If a worker dies.
        ValueError: If `workers` is less than 1.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise ValueError(f"`workers` must be at least 1, got {workers}.")
    if cluster is not None:
        yield from _on_ray(function, tasks, workers, cluster)
    elif workers == 1:
        yield from map(function, tasks)
    else:
        yield from _in_processes(function, tasks, workers)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory() -> int:
    """Return the most memory that this process has held [bytes]; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _in_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Iterator[Result]:
    others = set(active_children())
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker)
    try:
        yield from _in_order(
            lambda task: _submit(pool, function, task), tasks, _AHEAD * workers, Future.result
        )
    except BrokenProcessPool as error:
        raise RuntimeError(
            "A worker process died, perhaps for lack of memory: run again to resume, with fewer `workers`."
        ) from error
    except BaseException:
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    start: Callable[[Task], Any], tasks: Iterable[Task], ahead: int, result: Callable[[Any], Any]
) -> Iterator[Any]:
    """Keep `ahead` tasks started, and yield their results in order."""
    started: deque[Any] = deque()
    for task in tasks:
        started.append(start(task))
        if len(started) >= ahead:
            yield result(started.popleft())
    while started:
        yield result(started.popleft())


def _submit(pool: ProcessPoolExecutor, function: Callable[[Task], Result], task: Task) -> Future[Result]:
    with _environment({name: "1" for name in _ONE_THREAD}):  # inherited by the process that this may start
        return pool.submit(function, task)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


@contextmanager
def connected(cluster: str | None, workers: int | None = None) -> Iterator[None]:
    """Stay connected to a cluster over several calls of `run`; without a cluster, do nothing.

    Args:
        cluster: As `run` has it. What is connected already stays so.
        workers: CPUs of "local"; None for one per core.

    Raises:
        ImportError: If Ray is missing.
        RuntimeError: If there is no such cluster.
    """
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    with _environment({} if cluster is None else settings):
        ray = None if cluster is None else require("ray", extra="scale", purpose=f"cluster={cluster}")
        ours = ray is not None and not ray.is_initialized()
        if ours:
            _connect(ray, workers or cores(), str(cluster))
        try:
            yield
        finally:
            if ray is not None and ours:
                ray.shutdown()


def _on_ray(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int, cluster: str
) -> Iterator[Result]:
    with connected(cluster, workers):
        ray = require("ray", extra="scale")
        call = ray.remote(_called_there).options(num_cpus=1)
        here = (os.getcwd(), tuple(sys.path))
        yield from _in_order(
            lambda task: call.remote(*here, pickle.dumps((function, task))),
            tasks,
            _AHEAD * max(1, int(ray.cluster_resources().get("CPU", workers))),
            lambda reference: _got(ray, reference),
        )


def _connect(ray: Any, workers: int, cluster: str) -> None:
    """Start Ray on this machine, or find the cluster; Ray itself would look for it for many minutes."""
    settings = {"log_to_driver": False, "logging_level": "error"}
    try:
        if cluster == "local":
            ray.init(num_cpus=workers, include_dashboard=False, **settings)
        else:
            _knock(cluster)
            ray.init(address=cluster, **settings)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise RuntimeError(
            f"No Ray cluster at cluster={cluster} ({reason}): start one with `ray start --head`, "
            "or use cluster=local."
        ) from error


def _knock(address: str) -> None:
    """Raise OSError if nobody listens at host:port; other forms of address are left to Ray."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()


def _called_there(folder: str, places: Sequence[str], content: bytes) -> Any:
    """Call a pickled function of a task, with the caller's working directory and places of modules."""
    if os.path.isdir(folder):
        os.chdir(folder)
    sys.path += [place for place in places if place not in sys.path]
    function, task = pickle.loads(content)
    return function(task)


def _got(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.WorkerCrashedError as error:
        raise RuntimeError("A Ray worker died, perhaps for lack of memory: run again to resume.") from error


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for the moment, unless they are set."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)

"""Running over tasks: order, laziness, errors, death and interruption, in real processes."""

import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from functools import partial
from itertools import count
from multiprocessing import active_children

import pytest
from interrupts import hear

from spatial_reward.data.workers import connected, cores, peak_memory, run


def squared(number):
    """Return a square, sooner for later tasks."""
    time.sleep(0.02 * (number % 3 == 0))
    return number * number


def traced(folder, number):
    (folder / str(number)).touch()
    return os.getpid()


def refuse(number):
    if number == 3:
        raise ValueError("number 3 is refused")
    return number


def die(number):
    os._exit(9)


def threads(_):
    return os.environ.get("OMP_NUM_THREADS"), os.getcwd()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(workers):
    assert list(run(squared, range(20), workers=workers)) == [n * n for n in range(20)]
    assert list(run(squared, [], workers=workers)) == []


def test_one_worker_is_this_process_and_two_are_others(tmp_path):
    assert set(run(partial(traced, tmp_path), range(3), workers=1)) == {os.getpid()}
    assert os.getpid() not in set(run(partial(traced, tmp_path), range(3), workers=2))


def test_tasks_without_end_are_taken_only_as_needed_and_workers_stop_with_the_caller(tmp_path):
    results = run(partial(traced, tmp_path), count(), workers=2)
    for _ in range(4):
        next(results)
    results.close()
    assert len(list(tmp_path.iterdir())) < 20
    assert not active_children()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_task_is_the_callers(workers):
    results = run(refuse, range(9), workers=workers)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(ValueError, match="number 3 is refused"):
        next(results)
    assert not active_children()


def test_the_death_of_a_worker_is_one_clear_error():
    with pytest.raises(RuntimeError, match="A worker process died, perhaps for lack of memory: run again"):
        list(run(die, range(4), workers=2))


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="`workers` must be at least 1, got 0"):
        list(run(squared, [1], workers=0))


def test_a_worker_computes_on_one_thread_and_the_environment_stays(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert {one for one, _ in run(threads, range(4), workers=2)} == {"1"}
    assert "OMP_NUM_THREADS" not in os.environ


def test_cores_and_memory_are_known():
    assert 1 <= cores() <= (os.cpu_count() or 1)
    assert 2**24 < peak_memory() < 2**36


SLEEPERS = """
import sys, time
from spatial_reward.data.workers import run
def sleep(n):
    print("at work", flush=True)
    time.sleep(60)
if __name__ == "__main__":
    list(run(sleep, range(4), workers=2))
"""


@pytest.fixture
def sleepers(tmp_path):
    """Start a program whose two workers sleep, and wait until they do."""
    (tmp_path / "sleepers.py").write_text(SLEEPERS)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "sleepers.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear,
    )
    lines = [process.stdout.readline() for _ in range(2)]
    assert lines == ["at work\n"] * 2
    yield process
    process.kill()


def ended(process, seconds=20):
    """Tell whether the process and all who hold its output have ended."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent_however_it_ends(sleepers, how):
    sleepers.send_signal(how)
    assert ended(sleepers)


def test_interruption_ends_the_workers_at_once_and_quietly(sleepers):
    sleepers.send_signal(signal.SIGINT)
    _, errors = sleepers.communicate(timeout=20)
    assert errors.count("KeyboardInterrupt") == 1  # the parent's own


@contextmanager
def quiet_ray():
    """Let Ray leave sockets and files to the garbage collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.slow
def test_ray_gives_the_same_in_the_callers_folder(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    with quiet_ray(), connected("local", 2):
        assert list(run(squared, range(7), workers=2, cluster="local")) == [n * n for n in range(7)]
        assert {folder for _, folder in run(threads, range(2), workers=2, cluster="local")} == {str(tmp_path)}
        with pytest.raises(ValueError, match="number 3 is refused"):
            list(run(refuse, range(9), workers=2, cluster="local"))


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_a_clear_error():
    pytest.importorskip("ray")
    with quiet_ray(), pytest.raises(RuntimeError, match=r"No Ray cluster at cluster=127.0.0.1:1"):
        list(run(squared, [1], workers=1, cluster="127.0.0.1:1"))

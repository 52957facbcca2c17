"""Train SpatialNet in as many processes of this machine as that is fastest in."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial

import torch

from spatial_reward.data.workers import run

MOST_THREADS = 4  # of a process; more gain nothing for so small a network


def train_together(train: Callable[[], object], clips: int, cores: int) -> None:
    """Call a function that trains in several processes, which share the clips of each step.

    On two cores, two processes of one thread are half as fast again as one of two. A GPU takes one process.

    Args:
        train: Importable from a module, or a `partial` of such a one; it trains as its environment says.
        clips: Of a step, which the processes must share evenly.
        cores: That may be used.

    Raises:
        ValueError: What the function raises.
        RuntimeError: If a process dies.
    """
    processes = 1 if torch.cuda.is_available() else shares(clips, cores)
    threads = max(1, min(cores // processes, MOST_THREADS))
    if processes == 1:
        _with_threads(train, threads)
        return
    part = partial(_part, train, processes, threads, _free_port())
    failed = [error for error in run(part, range(processes), workers=processes) if error is not None]
    if failed:  # where one fails, the others only miss it
        raise next((error for error in failed if not isinstance(error, RuntimeError)), failed[0])


def shares(clips: int, cores: int) -> int:
    """Return the most processes that have a core each and share clips evenly."""
    return max(count for count in range(1, max(1, cores) + 1) if clips % count == 0)


def _part(
    train: Callable[[], object], processes: int, threads: int, port: int, rank: int
) -> Exception | None:
    """Train as one of several processes; return what went wrong, so that none waits for a failed one."""
    import torch.distributed as together

    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
    }
    try:
        _with_threads(train, threads)
    except Exception as error:
        return error
    finally:
        if together.is_initialized():
            together.destroy_process_group()
    return None


def _with_threads(train: Callable[[], object], threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        train()
    finally:
        torch.set_num_threads(before)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])

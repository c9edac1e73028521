"""Processes forked from this one, alone or as two ranks: they import nothing anew, so they start at once.

For CPUs only: torch forbids autograd in a fork of a process that used a GPU.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import torch
from accelerate.state import AcceleratorState, GradientState, PartialState

from kornia_srgan.training.hooks import StepEvent

PATIENCE = 1200  # seconds; a busy machine is slow, and a process that hangs stays so


def die_at(total: int) -> Callable[[StepEvent], None]:
    """A hook that kills its process before the step of that number, as a power failure would."""

    def look(event: StepEvent) -> None:
        if event.result is None and event.progress.total == total:
            os.kill(os.getpid(), signal.SIGKILL)

    return look


def start(work: Callable[[], object]) -> BaseProcess:
    """A process in a session of its own that does `work` and exits with the code that it returns, if any."""
    process = multiprocessing.get_context("fork").Process(target=_alone, args=(work,))
    process.start()
    return process


def run_two_ranks(work: Callable[[], object]) -> list[int]:
    """The exit codes of two processes that do `work` as ranks of one group; a signal's is negative."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=_as_rank, args=(rank, port, work)) for rank in (0, 1)]
    for process in ranks:
        process.start()
    return [exit_code(process) for process in ranks]


def exit_code(process: BaseProcess) -> int:
    """What a process ends with; one that hangs is killed."""
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode or 0


def _alone(work: Callable[[], object]) -> None:
    os.setsid()
    _do(work)


def _as_rank(rank: int, port: int, work: Callable[[], object]) -> None:
    group = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in group.items()} | {"MASTER_ADDR": "127.0.0.1"})
    _do(work)


def _do(work: Callable[[], object]) -> None:
    torch.set_num_threads(1)  # the pool of threads was not forked
    os.environ["OMP_NUM_THREADS"] = "1"
    AcceleratorState._reset_state()
    PartialState._reset_state()
    GradientState._reset_state()
    try:
        code = work()
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        os._exit(1)
    os._exit(code if type(code) is int else 0)  # a run's True is no exit code

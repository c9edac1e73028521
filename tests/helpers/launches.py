"""Trainings in this process and in others: one, or two under Accelerate's launcher or torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.commands.launch import launch_command, launch_command_parser

from kornia_srgan.cli.app import run_command_line
from tests.helpers import forked_ranks
from tests.helpers.forked_ranks import PATIENCE
from tests.helpers.half import fresh_state

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
COMMAND = [sys.executable, "-m", "kornia_srgan"]
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch"]
LAUNCH_OPTIONS = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
LAUNCH = [*ACCELERATE, *LAUNCH_OPTIONS]
TWO_OPTIONS = [*LAUNCH_OPTIONS, "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"]
TORCHRUN_TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


@contextmanager
def single_thread() -> Iterator[None]:
    """As those processes compute: another number of threads adds up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with fresh_state():
            yield
    finally:
        torch.set_num_threads(before)


def here(*arguments: object) -> None:
    """The command line in this process, which is spared the seconds of another one's start."""
    with single_thread():
        assert run_command_line([str(a) for a in arguments]) == 0


def launch(*arguments: object) -> None:
    """`accelerate launch` in this process, which should be a fork; what it launches are new processes."""
    os.environ.update(ENVIRONMENT)
    launch_command(launch_command_parser().parse_args([str(a) for a in arguments]))


def finish(command: list[str], **kwargs: Any) -> str:
    result = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE, check=False, **kwargs
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stderr


def interrupt(command: list[str], run: Path, number: int, *, after_step: int) -> int:
    """Send a signal once the run has logged a step, to it and all its processes."""
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    _signal_after(after_step, run, number, process.pid, process.poll)
    return process.wait(timeout=PATIENCE)


def interrupt_fork(work: Callable[[], object], run: Path, number: int, *, after_step: int) -> int:
    """As `interrupt`, but what is done is done in a fork of this process."""
    process = forked_ranks.start(work)
    assert process.pid is not None
    _signal_after(after_step, run, number, process.pid, lambda: process.exitcode)
    return forked_ranks.exit_code(process)


def _signal_after(step: int, run: Path, number: int, group: int, poll: Callable[[], int | None]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and poll() is None:
        log = run / "metrics.jsonl"
        if log.is_file() and f'"total": {step}' in log.read_text():
            break
        time.sleep(0.01)
    assert poll() is None, "the run ended before the signal"
    os.killpg(group, number)

"""Trainings in processes of their own: one, and two under Accelerate's launcher or torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
ONE = [sys.executable, "-m", "kornia_srgan", "train"]
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch"]
LAUNCH = [*ACCELERATE, "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
TWO = [*LAUNCH, "--multi_gpu", "--num_processes", "2", "--main_process_port", "0", "-m", "kornia_srgan.train"]
TORCHRUN_TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def finish(command: list[str], **kwargs: Any) -> str:
    result = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False, **kwargs
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stderr


def interrupt(command: list[str], run: Path, number: int, *, after_step: int) -> int:
    """Send a signal once the run has logged a step, to it and all its processes."""
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        log = run / "metrics.jsonl"
        if log.is_file() and f'"total": {after_step}' in log.read_text():
            break
        time.sleep(0.01)
    assert process.poll() is None, "the run ended before the signal"
    os.killpg(process.pid, number)
    return process.wait(timeout=120)

"""Measures the additional peak memory of a call."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")
CPU_METHOD = "growth of the process's peak resident memory (VmHWM) during the first forward"
CUDA_METHOD = "growth of torch's peak allocated device memory during the first forward"
NO_METHOD = "not measured on this system"

_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def memory_method(device: torch.device) -> str:
    """How `peak_memory` measures on a device, in words."""
    if device.type == "cuda":
        return CUDA_METHOD
    return CPU_METHOD if device.type == "cpu" and _reset_peak() else NO_METHOD


def peak_memory(call: Callable[[], T], device: torch.device) -> tuple[T, float | None]:
    """The result of a call and its additional peak memory in MiB; None if the system does not tell.

    On a CPU, free pages are returned to the system first, so that reused memory counts too. The result itself
    is included. Libraries with an arena show it in their first call only. After an allocation that
    failed, glibc moves the thread to another arena, whose free pages stay: what is reused there is not seen.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = call()
        torch.cuda.synchronize(device)
        return result, (torch.cuda.max_memory_allocated(device) - before) / 2**20
    _trim()
    if device.type != "cpu" or not _reset_peak():
        return call(), None
    before = _status_kib("VmRSS")
    result = call()
    return result, max(0, _status_kib("VmHWM") - before) / 2**10


def _reset_peak() -> bool:
    try:
        _RESET.write_text("5")  # VmHWM starts again from what is resident now
    except OSError:
        return False
    return True


def _status_kib(name: str) -> int:
    line = next(x for x in _STATUS.read_text().splitlines() if x.startswith(f"{name}:"))
    return int(line.split()[1])


def _trim() -> None:
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):  # not glibc
        return

"""Settings of glibc's allocator that let a process reuse freed memory instead of fetching fresh pages."""

from __future__ import annotations

import ctypes
import platform

import torch


def warm_allocator() -> None:
    """Free one block of almost 32 MB, untouched.

    glibc raises its limit for reused blocks to the size of the largest block that was freed. The effect is
    much smaller than that of `keep_freed_memory`, but it is harmless in any process.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)


def keep_freed_memory() -> bool:
    """Keep freed memory in this process for later allocations.

    By default glibc returns large tensors to the system at once, and every page of the next tensor must be
    fetched and cleared again. For a generator on a CPU this takes a tenth to a third of the time. Peak memory
    stays about the same. The setting affects the whole process with all threads and libraries, so use it in
    commands and scripts only.

    Returns:
        Whether it was set; False with other C libraries.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, mmap_threshold, arenas = -1, -3, -8  # M_* of malloc.h
    never = 2**31 - 1
    mallopt = ctypes.CDLL(None).mallopt
    # A single arena: what one thread freed, the next one finds.
    return all(
        mallopt(*setting) for setting in ((trim_threshold, never), (mmap_threshold, 2**30), (arenas, 1))
    )

"""How glibc hands out memory: settings that spare a process the fetching of fresh pages."""

from __future__ import annotations

import ctypes
import platform

import torch


def warm_allocator() -> None:
    """Free one block of almost 32 MB, untouched.

    glibc then serves blocks up to that size from memory that was freed before, in which it learns from what
    the process frees. Much less than `keep_freed_memory`, but harmless in any process.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees for what it needs next.

    By default glibc gives large tensors back to the system at once, and every page of the next one must be
    fetched and cleared again: for a generator on a CPU a tenth to a third of its time. The peak of memory
    stays about the same; it is given back when the process ends. For commands and scripts of one purpose: it
    holds for the whole process, all threads and libraries.

    Returns:
        Whether it was done; without effect where the C library is another.
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

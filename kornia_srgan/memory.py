"""Reads how much memory is free. Torch is only imported for CUDA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_UNKNOWN = 2 * 2**30  # a careful guess where nobody says
_MEMINFO = Path("/proc/meminfo")
_LIMIT, _USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def free_memory(device: torch.device) -> int:
    """Free bytes on a device: RAM for the CPU, the driver's figure for CUDA, otherwise a careful guess."""
    if device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    return free_ram() if device.type == "cpu" else _UNKNOWN


def free_ram() -> int:
    """Bytes of RAM for a new buffer, limited by the system and the control group."""
    free = _available() or _pages()
    try:  # a container's limit, which the system does not know of
        return min(free, max(0, int(_LIMIT.read_text()) - int(_USED.read_text())))
    except (OSError, ValueError):  # no control group, or no limit ("max")
        return free


def _available() -> int:
    """What Linux calls available; 0 elsewhere."""
    try:
        lines = _MEMINFO.read_text("ascii").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
    except (OSError, ValueError):
        return 0


def _pages() -> int:
    """Free pages where the system counts them, else half of all."""
    names = os.sysconf_names if hasattr(os, "sysconf") else {}
    if "SC_AVPHYS_PAGES" in names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if "SC_PHYS_PAGES" in names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return _UNKNOWN

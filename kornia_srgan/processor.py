"""The number of processors this process may use, and how its threads wait. Standard library only."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

from kornia_srgan.errors import ArgumentError

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")
_CPUINFO = Path("/proc/cpuinfo")
# By default threads wait for the next layer by spinning, for milliseconds. Where others use the processor, it
# takes from those whom all wait for: two commands with two threads each on two cores fell to a twentieth. A
# short while bridges the gap between two layers; then they sleep.
_WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}


def usable_processors(root: Path = _CGROUPS, own_group: Path = _OWN_GROUP) -> int:
    """The processors this process may use, by its affinity and the quota of its container; at least 1.

    Args:
        root: The mount point of control groups.
        own_group: The file that lists the control groups of this process.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        allowed = os.cpu_count() or 1
    quota = _quota(root, own_group)
    return max(1, allowed if quota is None else min(allowed, math.ceil(quota)))


def _quota(root: Path, own_group: Path) -> float | None:
    """Processors' worth of time that the control groups of this process allow; None without a limit."""
    found = []
    for line in _text(own_group).splitlines():
        _, kinds, path = [*line.split(":", 2), "", ""][:3]
        if kinds and "cpu" not in kinds.split(","):
            continue
        folder = root / kinds if kinds else root
        for place in (folder / path.strip("/"), *(folder / path.strip("/")).parents):
            found.append(_limit_of(place))
            if place == folder:
                break
    found += [_limit_of(root), _limit_of(root / "cpu")]  # as a container sees its own group
    limits = [limit for limit in found if limit is not None]
    return min(limits) if limits else None


def _limit_of(group: Path) -> float | None:
    quota, _, period = _text(group / "cpu.max").partition(" ")
    if not quota:
        quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
    try:
        time, per = float(quota), float(period)
    except ValueError:  # "max", or nothing there
        return None
    return time / per if time > 0 and per > 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def set_threads(count: int | None, environ: MutableMapping[str, str] = os.environ) -> None:
    """Set how many threads compute and how they wait; call it before torch is imported.

    Existing environment variables are kept unless `count` is given.

    Args:
        count: Threads; None for `OMP_NUM_THREADS`, or else `usable_processors`.
        environ: The environment to change.

    Raises:
        ArgumentError: If the number is below 1.
    """
    if count is not None and count < 1:
        raise ArgumentError(f"threads must be at least 1; got {count}", where="threads")
    if "OMP_WAIT_POLICY" not in environ:
        for name, value in _WAITING.items():
            environ.setdefault(name, value)
    if count is None and "OMP_NUM_THREADS" in environ:
        return
    usable = usable_processors()
    if count is None and usable >= (os.cpu_count() or 1):
        return  # torch's own choice, which knows cores from their hyper-threads
    environ["OMP_NUM_THREADS"] = str(count or usable)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count or usable)


def instruction_set() -> list[str]:
    """The instruction sets that decide the speed of convolutions on this processor; empty if unknown."""
    known = {
        "avx2": "AVX2",
        "avx512f": "AVX-512",
        "avx512_vnni": "VNNI",
        "avx_vnni": "AVX-VNNI",
        "avx512_bf16": "AVX-512 BF16",
        "amx_bf16": "AMX BF16",
        "amx_int8": "AMX INT8",
        "amx_fp16": "AMX FP16",
        "asimd": "NEON",
        "bf16": "NEON BF16",
        "sve": "SVE",
    }
    flags = set(_cpuinfo("flags", "Features").split())
    return [text for flag, text in known.items() if flag in flags]


def processor_name() -> str:
    """The name of this processor, as the system tells it."""
    import platform  # here, so that `--help` is as fast

    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(*names: str) -> str:
    """The first value with one of these names in Linux's description of the processor; empty elsewhere."""
    for line in _text(_CPUINFO).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""

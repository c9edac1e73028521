"""The machine and the versions that a measurement belongs to."""

from __future__ import annotations

import os
import platform
from typing import Any

import kornia
import torch

import kornia_srgan._version
from kornia_srgan.environment import git_revision
from kornia_srgan.processor import processor_name

# What makes two machines one as far as figures go.
_IDENTITY = ("device", "gpu", "cpu", "cores", "threads")


def machine_facts(device: str = "cpu") -> dict[str, Any]:
    """The machine in words and numbers; `threads` is the number that torch and all engines use."""
    found = {
        "cpu": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else [],
        "os": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "kornia": kornia.__version__,
        "kornia_srgan": kornia_srgan._version.__version__,
        "revision": git_revision(),
        "device": device,
    }
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device)
        found["cuda"] = torch.version.cuda
    return found


def machine_in_words(found: dict[str, Any]) -> str:
    """A machine in one line."""
    where = found.get("gpu") or f"{found['cpu']}, {found['threads']} of {found['cores']} cores in use"
    return (
        f"{where}; torch {found['torch']}, kornia_srgan {found['kornia_srgan']} {found['revision']}".strip()
    )


def machine_differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """In what two machines are not the same one, in words; empty where figures may be compared."""
    return [
        f"{key} '{old.get(key)}' there, '{new.get(key)}' here"
        for key in _IDENTITY
        if old.get(key) != new.get(key)
    ]

"""Kernels that give the same bytes every time, on devices that also have faster ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from kornia_srgan.errors import ConfigError

_NO_KERNEL = " does not have a deterministic implementation"


def take_deterministic_kernels() -> None:
    """Use no other kernels in this process from now on; on a CPU they all are deterministic."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA makes its first product
    torch.use_deterministic_algorithms(True)
    deterministic: Any = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = False  # nothing here reads such memory


@contextmanager
def missing_kernels_named() -> Iterator[None]:
    """Around a step: what has no such kernel is the recipe's fault.

    Raises:
        ConfigError: Naming torch's operation.
    """
    try:
        yield
    except RuntimeError as error:
        operation, found, _ = str(error).partition(_NO_KERNEL)
        if not found:
            raise
        raise ConfigError(
            f"train.deterministic: {operation.split()[-1]}{_NO_KERNEL} on this device; choose components "
            "that do without it, or leave train.deterministic off"
        ) from error

"""Deterministic or fast kernels for a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from kornia_srgan.errors import ConfigError

_NO_KERNEL = " does not have a deterministic implementation"


@contextmanager
def fast_kernels(*, deterministic: bool = False) -> Iterator[None]:
    """Use TF32 and cuDNN's fastest kernels on CUDA, or deterministic ones; restores the settings."""
    cudnn: Any = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark
    try:
        torch.set_float32_matmul_precision("high")  # TF32
        cudnn.allow_tf32 = True
        cudnn.benchmark = not deterministic  # crops have one size
        with deterministic_kernels() if deterministic else nullcontext():
            yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32, cudnn.benchmark = before[1:]


@contextmanager
def deterministic_kernels() -> Iterator[None]:
    """Use deterministic kernels only (on a CPU all are); restore the settings afterwards."""
    name = "CUBLAS_WORKSPACE_CONFIG"
    settings: Any = torch.utils.deterministic
    variable, fill = os.environ.get(name), settings.fill_uninitialized_memory
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    os.environ.setdefault(name, ":4096:8")  # read when CUDA makes its first product
    try:
        torch.use_deterministic_algorithms(True)
        settings.fill_uninitialized_memory = False  # nothing here reads such memory
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        settings.fill_uninitialized_memory = fill
        if variable is None:
            os.environ.pop(name, None)


@contextmanager
def missing_kernels_named() -> Iterator[None]:
    """Turn torch's error about a missing deterministic kernel into an error of the recipe.

    Raises:
        ConfigError: If an operation has no such kernel; the message names it.
    """
    try:
        yield
    except RuntimeError as error:
        operation, found, _ = str(error).partition(_NO_KERNEL)
        if not found:
            raise
        raise ConfigError.at(
            "train.deterministic",
            f"{operation.split()[-1]}{_NO_KERNEL} on this device; choose components "
            "that do without it, or leave train.deterministic off",
        ) from error

"""The device and the dtype to compute in, by name or by choice."""

from __future__ import annotations

import torch
from torch import nn

from kornia_srgan.errors import UserError
from kornia_srgan.explain import first_line
from kornia_srgan.geometry import supported_dtypes
from kornia_srgan.optimize.optimize import dtype_for


def pick_device(device: torch.device | str | None) -> torch.device:
    """The requested device, or the fastest one of this machine.

    Raises:
        UserError: If the device does not exist.
    """
    if device is None or device == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator if accelerator is not None else torch.device("cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UserError(
            f"device '{device}' is not known; give 'cpu', 'cuda', 'cuda:1', 'mps' or 'xpu', or leave it out",
            where="device",
        ) from error
    try:
        if torch.empty(1, device=chosen).is_meta:
            raise NotImplementedError("it holds no values")
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = first_line(error).partition(". ")[0]
        raise UserError(
            f"device '{device}' cannot be used here ({reason}); try 'cpu' or leave it out", where="device"
        ) from error
    return chosen


_DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


def pick_dtype(
    dtype: torch.dtype | str, device: torch.device | None = None, generator: nn.Module | None = None
) -> torch.dtype:
    """The dtype that the generator computes in, by its name.

    Args:
        dtype: A dtype, its name, or `auto` for that of the device (`optimize.dtype_for`).
        device: The device that `auto` decides by; by default the CPU.
        generator: The generator; `auto` is float32 if it cannot compute in lower precision.

    Raises:
        UserError: If it is not float32, float16, bfloat16 or auto, or the generator cannot compute in it.
    """
    if isinstance(dtype, str) and dtype != "auto" and dtype not in _DTYPES:
        raise UserError(
            f"dtype '{dtype}' is not known; use float32, float16, bfloat16 or auto", where="dtype"
        )
    supported = None if generator is None else supported_dtypes(generator)
    if dtype == "auto":
        chosen = dtype_for(device or torch.device("cpu"))
        return chosen if supported is None or _name_of(chosen) in supported else torch.float32
    chosen = dtype if isinstance(dtype, torch.dtype) else _DTYPES[dtype]
    if supported is not None and _name_of(chosen) not in supported:
        raise UserError(
            f"this generator cannot compute in {_name_of(chosen)}; use {' or '.join(supported)}, or auto",
            where="dtype",
        )
    return chosen


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

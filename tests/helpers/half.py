"""Mixed precision in float16 on a CPU, which has autocast and a scaler for it as a GPU has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState


@contextmanager
def fresh_state() -> Iterator[None]:
    """Accelerate keeps device and precision in class attributes: none from before, none left behind."""

    def forget() -> None:
        AcceleratorState._reset_state(reset_partial_state=not PartialState().use_distributed)
        GradientState._reset_state()

    forget()
    try:
        yield
    finally:
        forget()


@contextmanager
def restored_switches() -> Iterator[None]:
    """What a run on a GPU sets for the whole process is afterwards as it was."""
    matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn
    switches = cudnn.allow_tf32, cudnn.benchmark
    deterministic = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        cudnn.allow_tf32, cudnn.benchmark = switches
        torch.use_deterministic_algorithms(deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = fill


def fp16_accelerator(**scaler: Any) -> Accelerator:
    """What Accelerate makes for fp16 on a GPU, with a CPU's autocast and scaler in it.

    Accelerate itself leaves fp16 out on a CPU, without a word: neither autocast nor a scaler.

    Args:
        **scaler: Arguments of `torch.amp.GradScaler`.
    """
    accelerator = Accelerator(cpu=True, mixed_precision="fp16")
    assert not accelerator.native_amp
    assert accelerator.scaler is None
    accelerator.native_amp = True
    accelerator.scaler = torch.amp.GradScaler("cpu", **scaler)
    return accelerator

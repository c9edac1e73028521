"""Measures the operations and seconds of a forward pass, and the speed of a matrix product."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

# The side of a square matrix that is fastest differs by machine; a GPU needs large ones.
_SIDES = {"cuda": (4096, 8192)}
_CPU_SIDES = (512, 1024)
_LONG = 0.2  # seconds of one product


def count_flops(module: nn.Module, images: Tensor) -> int:
    """FLOPs of the convolutions and matrix products of a forward pass; a multiply-add counts as two.

    The module is run, because the algorithm may depend on size, layout and device of the input.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_packed_formula())
    with torch.no_grad(), counter:
        module(images)
    return counter.get_total_flops()


def _packed_formula() -> dict[Any, Any]:
    """How to count the convolutions of `ops.packed`, which PyTorch's counter does not know."""
    if not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return {}

    def flops(images: Any, second: Any, third: Any, *_: Any, out_shape: Any, **__: Any) -> int:
        weight = (
            third if third is not None and len(third) == 4 else second
        )  # after `other`, where there is a sum
        return 2 * math.prod(weight) * out_shape[0] * math.prod(out_shape[2:])

    return {torch.ops.mkldnn._convolution_pointwise: flops}


def count_plain_flops(module: nn.Module, images: Tensor) -> int:
    """`count_flops` of a module that always does the same, without computing anything where that works."""
    try:
        return count_flops(copy.deepcopy(module).to("meta"), images.to("meta"))
    except Exception:  # code that looks at the data, or an operation without a version for it
        weight = next(module.parameters(), None)
        return count_flops(module, images if weight is None else images.to(weight.device, weight.dtype))


def seconds_of(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of a call, until the device has finished."""
    synchronize(device)
    start = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def matmul_rate(device: torch.device, dtype: torch.dtype = torch.float32, *, repeats: int = 4) -> float:
    """FLOP/s of the fastest of some square matrix products in that dtype, after a warm-up.

    On CUDA, float32 products may use TF32 where convolutions may, so that both are of one kind.
    """
    before = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if torch.backends.cudnn.allow_tf32 else "highest")
    try:
        best = 0.0
        for side in _SIDES.get(device.type, _CPU_SIDES):
            best = max(best, _product_rate(device, dtype, side, repeats))
            if 2 * side**3 / best > _LONG:  # a dtype that this machine emulates; larger ones take minutes
                break
        return best
    finally:
        torch.set_float32_matmul_precision(before)


def _product_rate(device: torch.device, dtype: torch.dtype, side: int, repeats: int) -> float:
    a = torch.rand(side, side, device=device).to(dtype)
    times = [seconds_of(lambda: a @ a, device) for _ in range(repeats + 1)]
    return 2 * side**3 / min(times[1:])

"""Measures which of two algorithms is faster on this machine, once per process, on small tensors.

Different algorithms round differently. Processes that share one work therefore take over what one of them
has measured: `measurements` and `take_over`.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kornia_srgan.ops import winograd
from kornia_srgan.processor import instruction_set

_REPEATS = 3
_GAIN = 1.1  # required gain, so that a tie gives the same answer in every process
_WORK = 2**28  # multiplications of the measured convolution: a few milliseconds in float32
_WIDTH = 128
_BFLOAT16 = (0, 0)
_ROUNDS = 8  # of two ways in turns: the first ones of a process are often wrong
_HOPELESS = 8  # times slower; more rounds would change nothing

_found: dict[tuple[int, int], bool] = {}  # by numbers of channels


@dataclass(frozen=True)
class Measurements:
    """What one process has measured.

    Attributes:
        machine: PyTorch's version and what its processor can do.
        found: Whether each detour pays.
    """

    machine: tuple[str, ...]
    found: tuple[tuple[tuple[int, int], bool], ...]


def measurements() -> Measurements:
    """What was measured so far."""
    return Measurements(_machine(), tuple(_found.items()))


def take_over(other: Measurements) -> None:
    """Decide as another process did, if it ran on such a processor."""
    if other.machine == _machine():
        _found.update(other.found)


def _machine() -> tuple[str, ...]:
    return (str(torch.__version__), torch.backends.cpu.get_cpu_capability(), *instruction_set())


def measure_in_turns(
    cases: Mapping[str, Callable[[], float]], *, repeats: int, seed: int = 0
) -> dict[str, list[float]]:
    """Measure every case once a round, in another order each round, so that drift hits all alike."""
    order = random.Random(seed)
    values: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name in order.sample(list(cases), len(cases)):
            values[name].append(cases[name]())
    return values


def least_seconds(run: Callable[[], object], repeats: int = _REPEATS) -> float:
    """The minimum processor time of a call that one thread computes alone, after one call to warm up.

    The minimum of processor times depends little on other load. With more threads it would: a thread that
    waits for another one counts as busy.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run()
        found = []
        for _ in range(repeats):
            start = time.thread_time()
            run()
            found.append(time.thread_time() - start)
    finally:
        torch.set_num_threads(threads)
    return min(found)


def detour_pays(inputs: int, outputs: int) -> bool:
    """Whether `winograd_convolve` is faster for float32 3x3 convolutions with these numbers of channels."""
    if (inputs, outputs) not in _found:
        _found[inputs, outputs] = _winograd_is_faster(inputs, outputs)
    return _found[inputs, outputs]


def _winograd_is_faster(inputs: int, outputs: int) -> bool:
    x, weight, bias = _convolution(inputs, outputs)
    kernels = winograd.transform_kernels(weight)
    with torch.inference_mode():
        direct = least_seconds(lambda: F.conv2d(x, weight, bias, padding=1))
        return least_seconds(lambda: winograd.winograd_convolve(x, kernels, bias)) * _GAIN < direct


def bfloat16_pays() -> bool:
    """Whether convolutions of float32 images are faster in bfloat16, including the conversion."""
    if _BFLOAT16 not in _found:
        _found[_BFLOAT16] = _bfloat16_is_faster()
    return _found[_BFLOAT16]


def _bfloat16_is_faster() -> bool:
    # It is with AMX or AVX-512 BF16. On other processors it can be 100 times slower, so the image is small.
    x, weight, bias = _convolution(64, 64, work=_WORK // 8)
    low_weight, low_bias = weight.bfloat16(), bias.bfloat16()
    exact = low = math.inf
    with torch.inference_mode():
        for _ in range(_ROUNDS):
            exact = min(exact, least_seconds(lambda: F.conv2d(x, weight, bias, padding=1), 1))
            try:
                found = least_seconds(
                    lambda: F.conv2d(x.bfloat16(), low_weight, low_bias, padding=1).float(), 1
                )
            except RuntimeError:  # PyTorch was built without these convolutions
                return False
            low = min(low, found)
            if low > _HOPELESS * exact:
                break
    return low * _GAIN < exact


def _convolution(inputs: int, outputs: int, *, work: int = _WORK) -> tuple[Tensor, Tensor, Tensor]:
    rows = max(2, round(work / (9 * inputs * outputs * _WIDTH) / winograd.ROWS)) * winograd.ROWS
    random = torch.Generator().manual_seed(0)
    x = torch.rand(1, inputs, rows, _WIDTH, generator=random)
    weight = torch.rand(outputs, inputs, 3, 3, generator=random) - 0.5
    layout = torch.channels_last
    return x.to(memory_format=layout), weight.to(memory_format=layout), torch.zeros(outputs)

"""The same generator with less work.

Only the generators of this package are rewritten, because a module's structure alone does not say what its
`forward` does with it. In any other, only single layers take another way to the same result.
"""

from __future__ import annotations

import copy
from typing import Any, Literal, cast

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from kornia_srgan.contracts import KeepsLayout
from kornia_srgan.ops.measured import bfloat16_pays
from kornia_srgan.optimize.cuda_graph import CudaGraphed
from kornia_srgan.optimize.faithful import is_faithful
from kornia_srgan.optimize.packing import use_packed
from kornia_srgan.optimize.rewrites import REWRITES, fold_reparametrised
from kornia_srgan.optimize.strong import keep_strong_channels


def optimize_for_inference(
    generator: nn.Module,
    *,
    dtype: torch.dtype | Literal["auto"] | None = None,
    channels_last: bool = True,
    device: torch.device | str | None = None,
    compile: bool = False,
    graph_shape: tuple[int, int, int, int] | None = None,
) -> nn.Module:
    """A frozen copy that gives the same image with less work; the original stays as it is.

    - BatchNorm is folded into the convolution before it; activations and residuals work in place.
    - Re-parameterised convolutions become the one 3x3 convolution that they are.
    - Where a generator ends in convolution, pixel shuffle, activation, convolution, all run before the
      shuffle, on fewer and wider pixels (see `rewrites.before_shuffle`), and strip by strip (`fused.Tail`).
    - Channels-last makes convolutions on a CPU up to twice as fast.
    - On a CPU a convolution, its activation and the sum after it are one call (`packed.PackedConv2d`), and
      wide 3x3 convolutions on large images take half the multiplications where that is measured to be faster
      (`winograd.WinogradConv2d`).
    - With `dtype="auto"`, where the processor is measured to be faster at it, convolutions multiply in
      bfloat16 and sum in float32; the first layer, skips and the last sum stay in float32. The module takes
      and gives float32; its image is checked on a made one to be within 2 grey levels of float32's.

    `scale`, `halo` and `align` stay; the keys of the state dict change, so save the original. Weights are
    computed in float64 before they are rounded to `dtype`. In float32 the image differs by less than 1e-4.
    The copy overwrites intermediate results, never its input; gradients of its input are those of the
    original.

    Args:
        generator: Any module. `SRResNet`, `EDSR`, `MSRResNet` and `SPAN` themselves (no subclasses) are
            rewritten, also inside another module; nothing is, where hooks or parametrizations are attached.
        dtype: What the copy computes in; None for the dtype it has, `"auto"` for that of the device: see
            `dtype_for` and `mixes_precision`.
        channels_last: Lay out the weights, and so all that follows from them, channels-last.
        device: Where the copy goes; None for where the original is.
        compile: Have `torch.compile` make kernels, once for each shape, in place of those written here.
        graph_shape: `(B, 3, h, w)` of an input whose forward is recorded as a CUDA graph; other shapes run as
            without. See `cuda_graph.CudaGraphed`; not yet measured on a GPU.

    Returns:
        The copy, in eval mode, without gradients of its parameters.

    Raises:
        UserError: If a graph is asked for and the copy is not on a CUDA device.

    Example:
        >>> from kornia_srgan.components.generators.srresnet import SRResNet
        >>> ready = optimize_for_inference(SRResNet(scale=4, channels=8, num_blocks=1))
        >>> ready(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 20, 28])
        >>> any(isinstance(m, torch.nn.BatchNorm2d) for m in ready.modules())
        False
    """
    ready = copy.deepcopy(generator).eval().requires_grad_(False)
    if plain := _is_plain(ready):
        with torch.no_grad():
            fold_reparametrised(ready)
            for part in [m for m in ready.modules() if type(m) in REWRITES]:
                REWRITES[type(part)](part)
    if device is not None:
        ready = ready.to(device)
    mixed = dtype == "auto" and mixes_precision(_device_of(ready))
    if dtype is not None:
        ready = ready.to(dtype=dtype_for(_device_of(ready)) if dtype == "auto" else dtype)
    if channels_last:
        ready = cast(Any, ready).to(memory_format=torch.channels_last)
        if plain and not _keeps_layout(ready):
            ready = _packed(ready, mixed=mixed and not compile)
    ready = ready.eval().requires_grad_(False)
    if compile:
        ready.compile()
    return ready if graph_shape is None else CudaGraphed(ready, graph_shape)


def _keeps_layout(ready: nn.Module) -> bool:
    return any(isinstance(m, KeepsLayout) and m.keeps_layout for m in ready.modules())


def _packed(ready: nn.Module, *, mixed: bool) -> nn.Module:
    """On a CPU, with oneDNN's fused layers; in mixed precision only where its image is faithful."""
    if _device_of(ready).type != "cpu":
        return ready
    low = copy.deepcopy(ready) if mixed else None
    use_packed(ready)
    if low is not None:
        use_packed(low, torch.bfloat16)
        if is_faithful(low, ready) or (keep_strong_channels(low, ready) and is_faithful(low, ready)):
            return low
    return ready


def dtype_for(device: torch.device) -> torch.dtype:
    """What the parameters are in for `auto`: float16 on CUDA, float32 elsewhere.

    float16 stays within a grey level of float32's image (seen on a CPU; its speed on a GPU was not measured).
    Plain bfloat16 is off by several; what `auto` does with it on a CPU is `mixes_precision`.
    """
    return torch.float16 if device.type == "cuda" else torch.float32


def mixes_precision(device: torch.device) -> bool:
    """Whether `auto` multiplies in bfloat16 there: on a CPU that is measured to be faster at it."""
    return device.type == "cpu" and bfloat16_pays()


def _device_of(module: nn.Module) -> torch.device:
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _is_plain(generator: nn.Module) -> bool:
    """Whether nothing was attached to the modules that a rewrite would lose."""
    return not any(
        m._forward_hooks or m._forward_pre_hooks or is_parametrized(m) for m in generator.modules()
    )

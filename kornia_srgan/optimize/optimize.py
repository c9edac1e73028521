"""Optimizes generators for inference without changing their images.

Only the generators of this package are restructured, because the structure of a module does not tell what its
`forward` does. In other modules, only single layers are replaced.
"""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from kornia_srgan.contracts import KeepsLayout
from kornia_srgan.ops.measured import bfloat16_pays
from kornia_srgan.ops.modules import to_channels_last
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
    """Make an optimized, frozen copy of a generator that gives the same image.

    - BatchNorm is folded into the convolution before it; activations and residuals work in place.
    - Re-parameterised convolutions are merged into one 3x3 convolution.
    - If a generator ends in convolution, pixel shuffle, activation, convolution, all of them run before the
      shuffle, on fewer and wider pixels (see `rewrites.before_shuffle`), and strip by strip (`fused.Tail`).
    - A bilinearly enlarged picture that is added after the last pixel shuffle is added before it, as a small
      convolution (`enlarged.BilinearCells`).
    - Channels-last makes convolutions on a CPU up to twice as fast.
    - On a CPU, a convolution, its activation and the following sum are one call (`packed.PackedConv2d`), and
      wide 3x3 convolutions on large images use half the multiplications if that is measured to be faster
      (`winograd.WinogradConv2d`).
    - With `dtype="auto"`, convolutions multiply in bfloat16 and sum in float32 on processors where that is
      measured to be faster; the first layer, skip connections and the last sum stay in float32. Input and
      output are float32. The result is checked on a synthetic photograph to be within 2 grey levels of
      float32.

    `scale`, `halo` and `align` are kept. The keys of the state dict change, so save the original. Weights are
    computed in float64 before they are rounded to `dtype`. In float32 the image differs by less than 1e-4.
    The copy overwrites intermediate results but never its input; gradients of its input are those of the
    original.

    Args:
        generator: Any module. `SRResNet`, `EDSR`, `EdgeResNet`, `ECBSR`, `MSRResNet` and `SPAN` (but not
            subclasses) are restructured, also inside another module. Modules with hooks or parametrizations
            are left alone.
        dtype: The dtype of the copy; None keeps it, `"auto"` chooses by the device, see `dtype_for` and
            `mixes_precision`.
        channels_last: Use the channels-last memory format.
        device: The device of the copy; None keeps it.
        compile: Use `torch.compile`, which compiles once per shape, instead of the kernels of this package.
        graph_shape: `(B, 3, h, w)` of an input whose forward pass is recorded as a CUDA graph. See
            `cuda_graph.CudaGraphed`; not yet measured on a GPU.

    Returns:
        The copy, in eval mode, without gradients of its parameters.

    Raises:
        UserError: If a graph is requested and the copy is not on a CUDA device.

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
        ready = to_channels_last(ready)
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
    """The dtype of the parameters for `auto`: float16 on CUDA, float32 elsewhere.

    float16 stays within a grey level of float32 (checked on a CPU; its speed on a GPU was not measured).
    Plain bfloat16 is off by several levels; `mixes_precision` describes what `auto` does on a CPU.
    """
    return torch.float16 if device.type == "cuda" else torch.float32


def mixes_precision(device: torch.device) -> bool:
    """Whether `auto` multiplies in bfloat16: on a CPU where that is measured to be faster."""
    return device.type == "cpu" and bfloat16_pays()


def _device_of(module: nn.Module) -> torch.device:
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _is_plain(generator: nn.Module) -> bool:
    """Whether modules have no hooks or parametrizations that a rewrite would lose."""
    return not any(
        m._forward_hooks or m._forward_pre_hooks or is_parametrized(m) for m in generator.modules()
    )

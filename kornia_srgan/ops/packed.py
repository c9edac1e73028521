"""Frozen convolutions fused with activation and sum, by oneDNN on a CPU, with prepacked weights.

PyTorch's compiler calls the same operators. They apply activation and sum while values are in registers;
separate modules would read and write memory again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.ops.measured import detour_pays
from kornia_srgan.ops.modules import kernel_and_padding
from kornia_srgan.ops.rounding import round_to
from kornia_srgan.ops.winograd import WinogradConv2d, suits_winograd, winograd_convolve

_DTYPES = (torch.float32, torch.bfloat16)
_ONES = [1, 1]


@dataclass(frozen=True)
class Activation:
    """The activation after a convolution.

    Attributes:
        name: The name in PyTorch's operator; `none` for no activation.
        slope: The factor for negative values of `leaky_relu`.
    """

    name: Literal["none", "relu", "leaky_relu", "swish"] = "none"
    slope: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it; in place unless a gradient is needed, so the input must not be used again."""
        inplace = not (torch.is_grad_enabled() and x.requires_grad) and not torch.compiler.is_compiling()
        if self.name == "none":
            return x
        if self.name == "swish":
            return F.silu(x, inplace=inplace)
        return F.leaky_relu(x, self.slope if self.name == "leaky_relu" else 0.0, inplace=inplace)

    @property
    def scalars(self) -> list[float]:
        """Its arguments for the operator."""
        return [self.slope] if self.name == "leaky_relu" else []


IDENTITY = Activation()


class PackedConv2d(WinogradConv2d):
    """A convolution that keeps the size, with activation and sum, in one call to oneDNN.

    Shapes and parameters are those of `nn.Conv2d`. On other devices, for gradients, for tensors that are not
    channels-last, and under autocast or a compiler, it runs as a plain convolution followed by the
    activation. In float32, it uses Winograd's algorithm if that is faster on this machine.

    With `compute=torch.bfloat16`, a float32 module multiplies in bfloat16 and sums in float32, which is much
    faster on processors with AMX or AVX-512 BF16. With `inner`, the result stays in bfloat16 for the next
    layer; otherwise it is converted back to float32.

    Args:
        conv: Stride 1, odd kernel, zero padding that keeps the size, no groups. Its parameters are shared.
        activation: The activation.
        compute: The dtype of multiplications; None for that of the weight.
        inner: Keep the result in the dtype of multiplications.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        activation: Activation = IDENTITY,
        *,
        compute: torch.dtype | None = None,
        inner: bool = False,
    ) -> None:
        super().__init__(conv)
        self.activation, self.compute, self.inner = activation, compute, inner
        self._suits = suits_winograd(conv) and compute is None

    def forward(self, input: Tensor, add: Tensor | None = None) -> Tensor:
        """Convolve `(B, C, H, W)` and add `add`, before the result is rounded or after it, in more bits."""
        if not self.can_pack(input):
            result = self.exact(input)
            return result if add is None else result + add
        if self.pays(input, input.shape[-2]):
            result = self.activation(winograd_convolve(input, self.kernels, self.bias))
            return result if add is None else result.add_(add)
        fused = add if add is not None and add.dtype == (self.compute or self.weight.dtype) else None
        result = self.rows(input, pad=True, add=fused)
        result = result if self.inner else result.to(self.weight.dtype)
        if add is None or fused is not None:
            return result
        return result.to(torch.result_type(result, add)).add_(add)

    def rows(self, x: Tensor, *, pad: bool = False, add: Tensor | None = None) -> Tensor:
        """Convolve directly, in the dtype of multiplications; by default without padding above and below.

        Shape: `(B, C, H, W)` to `(B, O, H, W)`, fewer rows without padding.
        """
        dtype = self.compute or self.weight.dtype
        weight, bias = self._packed(dtype)
        _, (height, width) = kernel_and_padding(self)
        padding = [height if pad else 0, width]
        run, x = torch.ops.mkldnn._convolution_pointwise, x.to(dtype)
        if add is None:
            name, scalars = self.activation.name, self.activation.scalars
            return run(x, weight, bias, padding, _ONES, _ONES, 1, name, scalars, "")
        if self.activation.name != "none":
            raise ValueError("a sum after an activation is not what the operator computes")
        bias = None if bias is None else bias.to(dtype)  # the operator supports no other
        return run.binary(x, add.to(dtype), weight, bias, padding, _ONES, _ONES, 1, "add", 1.0, None, [], "")

    def exact(self, x: Tensor) -> Tensor:
        """Compute as a plain convolution in the dtype of its weight, then the activation."""
        return self.activation(nn.Conv2d.forward(self, x.to(self.weight.dtype)))

    def pays(self, x: Tensor, height: int) -> bool:
        """Whether Winograd's algorithm is faster, as measured on this machine."""
        if not (self._suits and super().pays(x, height)):
            return False
        return detour_pays(self.in_channels, self.out_channels)

    def can_pack(self, x: Tensor) -> bool:
        """Whether oneDNN's operator applies to `x`."""
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # first: a compiler must not look further
            return False
        gradient = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        return (
            x.device.type == "cpu"
            and not gradient
            and x.dtype in _DTYPES
            and self.weight.dtype in _DTYPES
            and (self.compute is not None or x.dtype == self.weight.dtype)
            and x.ndim == 4
            and x.numel() > 0
            and x.is_contiguous(memory_format=torch.channels_last)
            and not torch.is_autocast_enabled("cpu")
            and torch.backends.mkldnn.is_available()
            and bool(torch.backends.mkldnn.enabled)
        )

    def _packed(self, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        def make() -> tuple[Tensor, Tensor | None]:
            packed = pack_weight(round_to(self.weight.detach(), dtype), kernel_and_padding(self)[1])
            # The bias keeps its dtype: a rounded one would shift all pixels alike.
            return packed, None if self.bias is None else self.bias.detach()

        return self._kept(str(dtype), make)

    def extra_repr(self) -> str:
        """The description of the convolution, with the options of this class."""
        low = f", compute={self.compute}" if self.compute else ""
        return f"{super().extra_repr()}, activation={self.activation.name}{low}"


def convolve_and_add(conv: nn.Module, x: Tensor, add: Tensor) -> Tensor:
    """A convolution that keeps the size, plus `add`; in one call where the convolution can."""
    return conv(x, add=add) if isinstance(conv, PackedConv2d) else conv(x) + add


def pack_weight(weight: Tensor, padding: tuple[int, int]) -> Tensor:
    """A kernel `(O, C, kh, kw)` of any dtype of oneDNN, in the order in which it is read there."""
    weight = weight.contiguous(memory_format=torch.channels_last)
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, [*padding], _ONES, _ONES, 1)
    return packed


def can_become_packed(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether `PackedConv2d` can replace a module."""
    return (
        type(conv) is nn.Conv2d
        and conv.padding == tuple(side // 2 for side in conv.kernel_size)
        and all(side % 2 == 1 for side in conv.kernel_size)
        and conv.padding_mode == "zeros"
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
    )

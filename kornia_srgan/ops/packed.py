"""Frozen convolutions with what follows them in one call: oneDNN's, on a CPU, weights laid out once.

PyTorch's own compiler calls the same operators. They compute activation and sum on values in registers, where
a module of its own would take them through memory once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.ops.measured import detour_pays
from kornia_srgan.ops.rounding import round_to
from kornia_srgan.ops.winograd import WinogradConv2d, suits_winograd, winograd_convolve

_DTYPES = (torch.float32, torch.bfloat16)
_ONES = [1, 1]


@dataclass(frozen=True)
class Activation:
    """What becomes of each value after a convolution.

    Attributes:
        name: As PyTorch's operator calls it; `none` leaves the value as it is.
        slope: Factor below zero, for `leaky_relu`.
    """

    name: Literal["none", "relu", "leaky_relu", "swish"] = "none"
    slope: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """On a fresh tensor; in place where no gradient is asked for."""
        inplace = not (torch.is_grad_enabled() and x.requires_grad) and not torch.compiler.is_compiling()
        if self.name == "none":
            return x
        if self.name == "swish":
            return F.silu(x, inplace=inplace)
        return F.leaky_relu(x, self.slope if self.name == "leaky_relu" else 0.0, inplace=inplace)

    @property
    def scalars(self) -> list[float]:
        """Its arguments, as the operator takes them."""
        return [self.slope] if self.name == "leaky_relu" else []


IDENTITY = Activation()


class PackedConv2d(WinogradConv2d):
    """A convolution that keeps the size, its activation and a sum, in one call of oneDNN.

    Shapes and parameters as `nn.Conv2d`. Off the CPU, for gradients, on what is not channels-last, under
    autocast and compilers it is that convolution, with the activation after it. In float32 it takes
    Winograd's way where that is faster on this machine.

    With `compute=torch.bfloat16` a float32 module multiplies in bfloat16 and sums in float32, as processors
    with AMX or AVX-512 BF16 do many times faster. `inner` results stay in bfloat16 for the layer that
    follows; others are float32 again.

    Args:
        conv: Stride 1, odd kernel, zero padding that keeps the size, no groups. Its parameters are shared.
        activation: What follows it.
        compute: What it multiplies in; None for the dtype of its weight.
        inner: Whether the result stays in the dtype that it was computed in.
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
        """Convolve `(B, C, H, W)`; then add `add`, before the result is rounded."""
        if not self.can_pack(input):
            result = self.exact(input)
            return result if add is None else result + add
        if self.pays(input, input.shape[-2]):
            result = self.activation(winograd_convolve(input, self.kernels, self.bias))
            return result if add is None else result.add_(add)
        result = self.rows(input, pad=True, add=add)
        return result if self.inner else result.to(self.weight.dtype)

    def rows(self, x: Tensor, *, pad: bool = False, add: Tensor | None = None) -> Tensor:
        """The direct way, by default without padding above and below; in the dtype it computes in.

        Shape: `(B, C, H, W)` to `(B, O, H, W)`, fewer rows without padding.
        """
        dtype = self.compute or self.weight.dtype
        weight, bias = self._packed(dtype)
        height, width = cast(tuple[int, int], self.padding)
        padding = [height if pad else 0, width]
        run, x = torch.ops.mkldnn._convolution_pointwise, x.to(dtype)
        if add is None:
            name, scalars = self.activation.name, self.activation.scalars
            return run(x, weight, bias, padding, _ONES, _ONES, 1, name, scalars, "")
        if self.activation.name != "none":
            raise ValueError("a sum after an activation is not what the operator computes")
        bias = None if bias is None else bias.to(dtype)  # this one takes no other
        return run.binary(x, add.to(dtype), weight, bias, padding, _ONES, _ONES, 1, "add", 1.0, None, [], "")

    def exact(self, x: Tensor) -> Tensor:
        """As the plain convolution does it, in the dtype of its weight, then the activation."""
        return self.activation(nn.Conv2d.forward(self, x.to(self.weight.dtype)))

    def pays(self, x: Tensor, height: int) -> bool:
        """Whether Winograd's way is the faster one, as measured here."""
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
            weight = round_to(self.weight.detach(), dtype).contiguous(memory_format=torch.channels_last)
            padding = list(cast(tuple[int, int], self.padding))
            packed = torch.ops.mkldnn._reorder_convolution_weight(weight, padding, _ONES, _ONES, 1)
            # The bias stays in its own dtype: rounded, it would shift every pixel the same way.
            return packed, None if self.bias is None else self.bias.detach()

        return cast(Any, self._kept(str(dtype), make))

    def extra_repr(self) -> str:
        """As that of a convolution, with what is added."""
        low = f", compute={self.compute}" if self.compute else ""
        return f"{super().extra_repr()}, activation={self.activation.name}{low}"


def can_become_packed(conv: nn.Module) -> bool:
    """Whether a module is a convolution that `PackedConv2d` can take the place of."""
    return (
        type(conv) is nn.Conv2d
        and conv.padding == tuple(side // 2 for side in conv.kernel_size)
        and all(side % 2 == 1 for side in conv.kernel_size)
        and conv.padding_mode == "zeros"
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
    )

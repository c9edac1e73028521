"""Frozen convolutions that a gradient passes through, in bfloat16 by oneDNN, with prepacked weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kornia_srgan.ops.modules import kernel_and_padding
from kornia_srgan.ops.packed import pack_weight
from kornia_srgan.ops.rounding import round_to
from kornia_srgan.ops.winograd import WinogradConv2d, suits_winograd

_ONES = [1, 1]


class FrozenConv2d(WinogradConv2d):
    """A frozen convolution, with the ReLU that follows it, of a network that only passes a gradient on.

    Autocast rounds the weights of a frozen layer to bfloat16 anew at every call, and oneDNN reorders them,
    forward and backward. Here both are done once, on a CPU, and each kernel keeps its sum (`round_to`).
    Products are summed in float32, the bias is not rounded, and the ReLU is applied before the result is. The
    gradient of the input is a convolution too, with the kernel turned around. Without autocast this is a
    `WinogradConv2d`, for layers that suit it, or a plain convolution, and a ReLU in place.

    Shapes and parameters are those of `nn.Conv2d`. Packed weights are made on first use and not saved.

    Args:
        conv: Suits `can_become_packed`. Its parameters are shared.
        relu: Whether a ReLU follows.

    Example:
        >>> conv = FrozenConv2d(nn.Conv2d(3, 8, 3, padding=1).requires_grad_(False), relu=True)
        >>> float(conv(torch.rand(1, 3, 8, 8)).min()) >= 0
        True
    """

    def __init__(self, conv: nn.Conv2d, *, relu: bool) -> None:
        super().__init__(conv)
        self.relu = relu
        self._suits = suits_winograd(conv)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve `(B, C, H, W)`."""
        if not self.can_pack(input):
            result = super().forward(input)
            return result.relu_() if self.relu else result
        x = input.to(torch.bfloat16, memory_format=torch.channels_last)
        if torch.is_grad_enabled() and x.requires_grad:
            passed: Tensor = _Passage.apply(x, self)
            return passed
        return self.run_packed(x)

    def pays(self, x: Tensor, height: int) -> bool:
        """Whether Winograd's algorithm can be used, and is faster for images like `x` of that height."""
        return self._suits and super().pays(x, height)

    def can_pack(self, x: Tensor) -> bool:
        """Whether autocast would compute `x` in bfloat16 by oneDNN, in the layout that is packed here."""
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # first: a compiler must not look further
            return False
        return (
            x.device.type == self.weight.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.get_autocast_dtype("cpu") == torch.bfloat16
            and x.dtype in (torch.float32, torch.bfloat16)
            and self.weight.dtype == torch.float32
            and not self.weight.requires_grad
            and self.weight.is_contiguous(memory_format=torch.channels_last)
            and x.ndim == 4
            and x.numel() > 0
            and bool(torch.backends.mkldnn.enabled)
            and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        )

    def run_packed(self, x: Tensor) -> Tensor:
        """The result for `x` in bfloat16, channels-last."""
        bias = None if self.bias is None else self.bias.detach()
        return self._run(x, self._packed()[0], bias, "relu" if self.relu else "none")

    def run_back(self, gradient: Tensor) -> Tensor:
        """The gradient of the input, from that of the convolution's result."""
        return self._run(
            gradient.contiguous(memory_format=torch.channels_last), self._packed()[1], None, "none"
        )

    def _packed(self) -> tuple[Tensor, Tensor]:
        """The kernels, and those turned around; rounded once."""

        def make() -> tuple[Tensor, Tensor]:
            rounded = round_to(self.weight.detach(), torch.bfloat16)
            turned = rounded.transpose(0, 1).flip(2, 3)
            padding = kernel_and_padding(self)[1]
            return pack_weight(rounded, padding), pack_weight(turned, padding)

        return self._kept("packed", make)

    def _run(self, x: Tensor, weight: Tensor, bias: Tensor | None, activation: str) -> Tensor:
        padding = [*kernel_and_padding(self)[1]]
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, padding, _ONES, _ONES, 1, activation, [], ""
        )
        return result

    def extra_repr(self) -> str:
        """The description of the convolution, with what this class adds."""
        return f"{super().extra_repr()}, relu={self.relu}"


class _Passage(torch.autograd.Function):
    """`run_packed` and, backwards, `run_back`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: FrozenConv2d) -> Tensor:
        result = conv.run_packed(x)
        ctx.conv = conv
        ctx.save_for_backward(*([result] if conv.relu else []))
        return result

    # torch's stubs: what `once_differentiable` returns is no longer the method that it was given.
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradient = grad_outputs[0]
        for result in ctx.saved_tensors:
            gradient = torch.ops.aten.threshold_backward(gradient, result, 0)
        return ctx.conv.run_back(gradient), None

"""Faster forms of parts of generators: residual blocks, and tails that run in strips of rows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.ops.packed import PackedConv2d
from kornia_srgan.ops.winograd import (
    WinogradConv2d,
    in_float32_on_cpu,
    row_strips,
    rows_around,
    write_rows,
)


class Slope(nn.Module):
    """A leaky ReLU of any slope; in place unless a gradient is needed, so its input must not be used again.

    Args:
        slope: The factor for negative values.
    """

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; overwrites `x` unless it needs a gradient."""
        if torch.is_grad_enabled() and x.requires_grad:
            return F.leaky_relu(x, self.slope)
        return F.leaky_relu_(x, self.slope)

    def extra_repr(self) -> str:
        """The slope."""
        return f"{self.slope:g}"


class FreshSiLU(nn.Module):
    """SiLU; in place unless a gradient is needed, so its input must not be used again."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; overwrites `x` unless it needs a gradient."""
        return F.silu(x, inplace=not (torch.is_grad_enabled() and x.requires_grad))


class ChannelSlope(nn.PReLU):
    """A PReLU with one slope per channel that accepts inputs of any floating dtype."""

    def forward(self, input: Tensor) -> Tensor:
        """`(B, C, H, W)`."""
        return F.prelu(input, self.weight.to(input.dtype))


class Residual(nn.Module):
    """Convolution, activation, convolution, plus the input; `(B, C, H, W)` in and out.

    Args:
        first: The convolution before the activation.
        activation: May work in place.
        second: The convolution after it.
        scale: The factor of the residual.
    """

    def __init__(
        self, first: nn.Module, activation: nn.Module, second: nn.Module, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.first, self.activation, self.second = first, activation, second
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` plus the scaled residual, in the dtype of `x`."""
        inner = self.activation(self.first(x))
        if self.scale == 1.0 and isinstance(self.second, PackedConv2d):
            return self.second(inner, add=x)
        residual = self.second(inner)
        if (torch.is_grad_enabled() and residual.requires_grad) or torch.compiler.is_compiling():
            return torch.add(x, residual, alpha=self.scale)  # a compiler manages memory itself
        # Whole tensors: for many small ones, threads would fall asleep and be woken in between.
        residual = residual.to(x.dtype)
        return torch.add(x, residual, alpha=self.scale, out=residual)


class GatedResidual(nn.Module):
    """Three convolutions with SiLUs give `z`; the result is `(z + x) * (sigmoid(z) - 0.5)`.

    The block of SPAN, arXiv 2311.12770. Because `sigmoid(z) - 0.5 = tanh(z / 2) / 2`, the last convolution
    computes `u = z / 2`, and the result is `(u + x / 2) * tanh(u)`, written into the memory of `u` where the
    dtype allows. Shape: `(B, C, H, W)` in and out.

    Args:
        first: A convolution.
        second: The second convolution.
        third: The last convolution; its weights are halved.
    """

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d, third: nn.Conv2d) -> None:
        super().__init__()
        self.first, self.second, self.third = first, second, third
        self.activation: nn.Module = FreshSiLU()
        with torch.no_grad():
            third.weight.mul_(0.5)
            if third.bias is not None:
                third.bias.mul_(0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The result in the dtype of `x`, and the output of the first SiLU."""
        keep = (torch.is_grad_enabled() and x.requires_grad) or torch.compiler.is_compiling()
        first = self.activation(self.first(x))
        half = self.third(self.activation(self.second(first)))
        if keep:
            return torch.tanh(half) * (half + x / 2), first
        return apply_gate(half, x), first


def apply_gate(half: Tensor, x: Tensor) -> Tensor:
    """`(half + x / 2) * tanh(half)` in the dtype of `x`; may overwrite `half`."""
    weight = torch.tanh(half)
    half = half.to(x.dtype)
    return torch.add(half, x, alpha=0.5, out=half).mul_(weight)


class Tail(nn.Module):
    """Convolution, activation and a convolution to few channels, in strips of rows.

    The features between the two convolutions are the largest tensor of a generator. In strips, they stay in
    the cache. The second convolution runs as a convolution of a single row that computes the outputs of all
    kernel rows at once (a 5x5 with 12 channels becomes a 1x5 with 60, which uses the registers better); these
    are then summed, so strips are independent. On other devices, for gradients and for small images, the
    three layers run one after the other.

    Args:
        first: A 3x3 convolution.
        activation: Elementwise; may work in place.
        second: A convolution with an odd square kernel. Both use zero padding that keeps the size.
    """

    rows_kernel: Tensor

    def __init__(self, first: nn.Conv2d, activation: nn.Module, second: nn.Conv2d) -> None:
        super().__init__()
        self.first, self.activation, self.second = first, activation, second
        outputs, inputs, kernel, _ = second.weight.shape
        side_by_side = second.weight.detach().permute(2, 0, 1, 3).reshape(outputs * kernel, inputs, 1, kernel)
        self.register_buffer("rows_kernel", side_by_side.clone(), persistent=False)
        self._rows: PackedConv2d | None = None

    def pack(self, compute: torch.dtype | None) -> None:
        """Use oneDNN for the convolutions; `first` must be packed together with its activation."""
        kernel = self.rows_kernel
        outputs, inputs, _, side = kernel.shape
        conv = nn.Conv2d(inputs, outputs, (1, side), padding=(0, side // 2), bias=False, device="meta")
        conv.weight = nn.Parameter(kernel, False)
        assert isinstance(self.first, PackedConv2d)
        self.take(self.first, PackedConv2d(conv, compute=compute, inner=True))

    def take(self, first: PackedConv2d, rows: PackedConv2d) -> None:
        """Set the packed first convolution and the packed row convolution."""
        self.first = first
        # Not registered as a submodule: its weights are already in the state dict.
        self.__dict__["_rows"] = rows

    @property
    def packed_rows(self) -> PackedConv2d | None:
        """The second convolution as a packed convolution of a single row; None before `pack`."""
        return self._rows

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to `(B, O, H, W)`."""
        first, rows = self.first, self._rows
        if isinstance(first, PackedConv2d) and rows is not None and first.can_pack(x):
            return self._in_strips(x, rows)
        pieces = list(row_strips(x, first.out_channels))
        if len(pieces) == 1 or not in_float32_on_cpu(x) or self.rows_kernel.dtype != x.dtype:
            # Without the extra channels of a `PreciseConv2d`, which are zero here.
            return self.second(self.activation(first(x))[:, : self.second.in_channels])
        return self._in_strips(x, None)

    def _in_strips(self, x: Tensor, rows: PackedConv2d | None) -> Tensor:
        batch, _, height, width = x.shape
        outputs, kernel = self.second.out_channels, self.second.kernel_size[0]
        radius = kernel // 2
        # Sum in float32 for any dtype, so that each sum is rounded only once.
        partial = torch.zeros(batch, height + 2 * radius, width, outputs * kernel)
        for top, reach in row_strips(x, self.first.out_channels):
            bottom = min(reach, height)
            features = self.activation(self._first_rows(x, top, reach, bottom))
            if rows is None:
                strip = F.conv2d(features, self.rows_kernel, padding=(0, radius))
            else:
                strip = rows.rows(features)
            partial[:, radius + top : radius + bottom] = strip.permute(0, 2, 3, 1)
        # Row y of the result adds the output of kernel row k at row y + k - radius.
        parts = [partial[:, k : k + height, :, k * outputs : (k + 1) * outputs] for k in range(kernel)]
        result = parts[0] if self.second.bias is None else parts[0] + self.second.bias
        result = result + parts[1] if kernel > 1 else result
        for part in parts[2:]:
            result += part
        return result.permute(0, 3, 1, 2).to(self.second.weight.dtype)

    def _first_rows(self, x: Tensor, top: int, reach: int, bottom: int) -> Tensor:
        """Rows `top` to `bottom` of the first convolution; Winograd computes them up to `reach`."""
        first = self.first
        if isinstance(first, WinogradConv2d) and first.pays(x, x.shape[-2]):
            result = x.new_empty(x.shape[0], reach - top, x.shape[-1], first.out_channels)
            write_rows(x, top, result, first.kernels, first.bias)
            made = result[:, : bottom - top].permute(0, 3, 1, 2)
            return first.activation(made) if isinstance(first, PackedConv2d) else made
        around = rows_around(x, top, bottom)
        if isinstance(first, PackedConv2d):
            return first.rows(around)
        return F.conv2d(around, first.weight, first.bias, padding=(0, 1))

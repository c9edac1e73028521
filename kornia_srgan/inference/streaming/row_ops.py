"""What a layer does to some rows of its input, given the rows around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.ops.winograd import ROWS, WinogradConv2d, write_rows


class RowOp(Protocol):
    """A layer by rows. Of `take` rows of its inputs, with `radius` rows above and below, it makes `give`.

    Attributes:
        radius: Rows of the input on each side that it needs.
        zeros: Whether rows outside the picture are zeros; else they are not handed over.
        take: Rows of the input that go together.
        give: Rows of the output that come of them.
        writes_input: Whether it may overwrite its input.
    """

    radius: int
    zeros: bool
    take: int
    give: int
    writes_input: bool

    def __call__(self, inputs: Sequence[Tensor], above: int, below: int) -> Tensor:
        """The rows that `inputs` make.

        Args:
            inputs: `(1, C, rows, W)` each, `above` and `below` of them not to be answered for.
            above: Rows above; `radius`, fewer at the top of the picture where `zeros` is False.
            below: Rows below.
        """
        ...


@dataclass
class Pointwise:
    """What treats every position alone: activations, sums, concatenations."""

    function: Callable[..., Tensor]
    writes_input: bool = False
    radius: int = 0
    zeros: bool = False
    take: int = 1
    give: int = 1

    def __call__(self, inputs: Sequence[Tensor], above: int, below: int) -> Tensor:
        """Apply the function."""
        return self.function(*inputs)


@dataclass
class Resampling:
    """Pixel shuffles and interpolation by whole factors: `take` rows to `give`."""

    function: Callable[[Tensor], Tensor]
    take: int
    give: int
    radius: int = 0
    zeros: bool = False
    writes_input: bool = False

    def __call__(self, inputs: Sequence[Tensor], above: int, below: int) -> Tensor:
        """Resample; what the rows around gave is cut off."""
        result = self.function(inputs[0])
        top, bottom = (rows * self.give // self.take for rows in (above, below))
        return result[:, :, top : result.shape[-2] - bottom] if above or below else result


class Convolution:
    """A convolution of stride 1 that keeps the size, with zeros around.

    Args:
        conv: Its padding must keep the size.
    """

    zeros, take, give, writes_input = True, 1, 1, False

    def __init__(self, conv: nn.Conv2d) -> None:
        self.conv = conv
        self.radius = conv.dilation[0] * (conv.kernel_size[0] // 2)
        self._across = conv.dilation[1] * (conv.kernel_size[1] // 2)
        self._known = type(conv) in (nn.Conv2d, WinogradConv2d)

    def __call__(self, inputs: Sequence[Tensor], above: int, below: int) -> Tensor:
        """Convolve; only rows that are wanted are computed."""
        (x,), conv = inputs, self.conv
        x = x.to(conv.weight.dtype)
        if not self._known:
            return conv(x)[:, :, above : x.shape[-2] - below]
        rows = x.shape[-2] - 2 * self.radius
        if isinstance(conv, WinogradConv2d) and conv.pays(x, rows):
            padded = -(-rows // ROWS) * ROWS
            result = torch.empty(
                (1, conv.out_channels, padded, x.shape[-1]), dtype=x.dtype, memory_format=torch.channels_last
            )
            write_rows(x, 1, result.permute(0, 2, 3, 1), conv.kernels, conv.bias)
            return result[:, :, :rows]
        return F.conv2d(
            x, conv.weight, conv.bias, padding=(0, self._across), dilation=conv.dilation, groups=conv.groups
        )


class RowSums:
    """The sum over kernel rows of what `ops.fused.Tail.rows_kernel` makes, and the bias.

    Args:
        kernel: Rows of the kernel.
        bias: `(O,)` or None.
    """

    zeros, take, give, writes_input = True, 1, 1, False

    def __init__(self, kernel: int, bias: Tensor | None) -> None:
        self.kernel, self.bias = kernel, bias
        self.radius = kernel // 2

    def __call__(self, inputs: Sequence[Tensor], above: int, below: int) -> Tensor:
        """`(1, K * O, rows + 2 * radius, W)` to `(1, O, rows, W)`."""
        x = inputs[0].permute(0, 2, 3, 1)
        rows, outputs = x.shape[1] - 2 * self.radius, x.shape[-1] // self.kernel
        parts = [x[:, k : k + rows, :, k * outputs : (k + 1) * outputs] for k in range(self.kernel)]
        result = parts[0].clone() if self.bias is None else parts[0] + self.bias
        for part in parts[1:]:
            result += part
        return result.permute(0, 3, 1, 2)

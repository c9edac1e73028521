"""Row operations: a layer applied to some rows of its input, given the rows around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.ops.packed import PackedConv2d
from kornia_srgan.ops.winograd import ROWS, WinogradConv2d, write_rows


class RowOp(Protocol):
    """A layer by rows. It turns `take` rows of its inputs into `give` rows.

    Attributes:
        radius: Rows of the first input that it needs on each side.
        zeros: Whether rows outside the picture are passed as zeros; otherwise they are omitted.
        take: Number of input rows in a group.
        give: Number of output rows for a group.
        writes_input: Whether it may overwrite its first input.
    """

    radius: int
    zeros: bool
    take: int
    give: int
    writes_input: bool

    def __call__(self, inputs: Sequence[Tensor], above: int, below: int) -> Tensor:
        """Compute the output rows.

        Args:
            inputs: `(1, C, rows, W)` each; the first one has `above` and `below` additional rows as context.
            above: Context rows above: `radius`, or fewer at the top of the picture if `zeros` is False.
            below: Context rows below.
        """
        ...


@dataclass
class Pointwise:
    """Operations on single positions: activations, sums, concatenations."""

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
    """Pixel shuffles and interpolation by integer factors: `take` rows to `give` rows."""

    function: Callable[[Tensor], Tensor]
    take: int
    give: int
    radius: int = 0
    zeros: bool = False
    writes_input: bool = False

    def __call__(self, inputs: Sequence[Tensor], above: int, below: int) -> Tensor:
        """Resample and remove the result of the context rows."""
        result = self.function(inputs[0])
        top, bottom = (rows * self.give // self.take for rows in (above, below))
        return result[:, :, top : result.shape[-2] - bottom] if above or below else result


class Convolution:
    """A convolution with stride 1 and zero padding that keeps the size.

    A second input is added; only if `fuses_sum` does the call do this.

    Args:
        conv: Its padding must keep the size.
    """

    zeros, take, give, writes_input = True, 1, 1, False

    def __init__(self, conv: nn.Conv2d) -> None:
        self.conv = conv
        self.radius = conv.dilation[0] * (conv.kernel_size[0] // 2)
        self._across = conv.dilation[1] * (conv.kernel_size[1] // 2)

    def __call__(self, inputs: Sequence[Tensor], above: int, below: int) -> Tensor:
        """Convolve; context rows are not computed."""
        x, *added = inputs
        if isinstance(self.conv, PackedConv2d):
            return self._packed(self.conv, x, added[0] if added else None)
        return self._rows(x)

    def fuses_sum(self, inputs: Sequence[Tensor]) -> bool:
        """Whether the call adds the second input, given some rows of each."""
        x, *added = inputs
        computed = self.dtype_for(x)
        return isinstance(self.conv, PackedConv2d) and all(other.dtype == computed for other in added)

    def dtype_for(self, rows: Tensor) -> torch.dtype:
        """The dtype in which the convolution multiplies such rows."""
        conv = self.conv
        low = conv.compute if isinstance(conv, PackedConv2d) and conv.can_pack(rows) else None
        return low or rows.dtype

    def _rows(self, x: Tensor) -> Tensor:
        conv = self.conv
        if isinstance(conv, WinogradConv2d) and conv.pays(x, x.shape[-2] - 2 * self.radius):
            return _detour(conv, x)
        if type(conv) in (nn.Conv2d, WinogradConv2d):
            return F.conv2d(
                x,
                conv.weight,
                conv.bias,
                padding=(0, self._across),
                dilation=conv.dilation,
                groups=conv.groups,
            )
        return self._cut(conv(x))

    def _packed(self, conv: PackedConv2d, x: Tensor, add: Tensor | None) -> Tensor:
        if not conv.can_pack(x):
            result = self._cut(conv(x))
        elif conv.pays(x, x.shape[-2] - 2 * self.radius):
            result = conv.activation(_detour(conv, x))
        else:
            result = conv.rows(x, add=add)
            return result if conv.inner else result.to(conv.weight.dtype)
        return result if add is None else result.add_(add)

    def _cut(self, result: Tensor) -> Tensor:
        return result[:, :, self.radius : result.shape[-2] - self.radius]


def _detour(conv: WinogradConv2d, x: Tensor) -> Tensor:
    """Winograd's algorithm, for rows with one context row above and below."""
    rows = x.shape[-2] - 2
    shape = (1, -(-rows // ROWS) * ROWS, x.shape[-1], conv.out_channels)
    result = torch.empty(shape, dtype=x.dtype)
    write_rows(x, 1, result, conv.kernels, conv.bias)
    return result[:, :rows].permute(0, 3, 1, 2)


class RowSums:
    """Sums the outputs of the row kernels of an `ops.fused.Tail` over kernel rows, and adds the bias.

    Args:
        second: The convolution that it replaces.
    """

    zeros, take, give, writes_input = True, 1, 1, False

    def __init__(self, second: nn.Conv2d) -> None:
        self.second = second
        self.kernel = second.kernel_size[0]
        self.radius = self.kernel // 2

    def __call__(self, inputs: Sequence[Tensor], above: int, below: int) -> Tensor:
        """`(1, K * O, rows + 2 * radius, W)` to `(1, O, rows, W)`."""
        x = inputs[0].permute(0, 2, 3, 1)
        rows, outputs = x.shape[1] - 2 * self.radius, x.shape[-1] // self.kernel
        parts = [x[:, k : k + rows, :, k * outputs : (k + 1) * outputs] for k in range(self.kernel)]
        # In float32, whatever is summed: each is rounded once.
        result = torch.empty(parts[0].shape)
        if self.second.bias is None:
            result.copy_(parts[0])
        else:
            torch.add(parts[0], self.second.bias, out=result)
        for part in parts[1:]:
            result += part
        return result.to(self.second.weight.dtype).permute(0, 3, 1, 2)

"""3x3 convolutions with half the multiplications: Winograd's minimal filtering F(4, 3) along rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeGuard, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kornia_srgan.ops.modules import kernel_and_padding

ROWS = 4  # output rows that are computed together from six input rows
# The transform of a kernel's three rows at the six points 0, 1, -1, 2, -2 and infinity.
_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_ONE = 1  # the bias is added here: this product enters each output row once
# The direct algorithm is faster below this number of multiplications, because of fixed costs.
_LEAST_WORK = 4e8
_LEAST_CHANNELS = (32, 48)  # for inputs and outputs: with few, the sums over rows cost too much
_STRIP_BYTES = 4 * 2**20  # of a strip's features, so that they stay in the cache
Made = TypeVar("Made")


class WinogradConv2d(nn.Conv2d):
    """A frozen 3x3 convolution that computes four rows at once, as six of 1x3 on a quarter of the rows.

    Lavin and Gray 2016, arXiv 1509.09308, in one dimension: columns are not transformed, so all work is on
    whole rows with ordinary convolutions. The result equals that of the direct algorithm up to rounding, with
    about three times its rounding error. The gradient of the input is computed in the same way. The direct
    algorithm is used for small images, on other devices than the CPU, for other dtypes than float32, for
    tensors that are not channels-last, and if the weight needs a gradient.

    Shapes and parameters are those of `nn.Conv2d`. The transformed kernels are computed on first use and not
    saved.

    Args:
        conv: The convolution to replace, see `suits_winograd`. Its parameters are shared.

    Example:
        >>> conv = nn.Conv2d(32, 32, 3, padding=1).requires_grad_(False)
        >>> x = torch.rand(1, 32, 520, 520).to(memory_format=torch.channels_last)
        >>> torch.allclose(WinogradConv2d(conv)(x), conv(x), atol=1e-4)
        True
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        kernel, padding = kernel_and_padding(conv)
        super().__init__(
            conv.in_channels, conv.out_channels, kernel, padding=padding, bias=False, device="meta"
        )
        self.weight = conv.weight
        self.bias = conv.bias
        self._made: dict[str, tuple[object, Any]] = {}
        self.train(conv.training)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve `(B, C, H, W)`."""
        if not self.pays(input, input.shape[-2]):
            return super().forward(input)
        if torch.is_grad_enabled() and input.requires_grad:
            result: Tensor = _Detour.apply(input, self)
            return result
        return winograd_convolve(input, self.kernels, self.bias)

    @property
    def kernels(self) -> Tensor:
        """`(6 * O, C, 1, 3)`: what `winograd_convolve` takes."""
        return self._kept("forward", lambda: transform_kernels(self.weight.detach()))

    @property
    def kernels_back(self) -> Tensor:
        """`(6 * C, O, 1, 3)`: those of the convolution that gives the gradient of the input."""
        return self._kept("back", lambda: transform_kernels(self.weight.detach().transpose(0, 1).flip(2, 3)))

    def pays(self, x: Tensor, height: int) -> bool:
        """Whether Winograd's algorithm can be used, and is faster for images like `x` of that height."""
        return (
            can_detour(x)  # first: a compiler must not look at sizes
            and self.weight.dtype == x.dtype
            and not (torch.is_grad_enabled() and self.weight.requires_grad)
            and x.shape[0] * height * x.shape[-1] * self.in_channels * self.out_channels * 9 >= _LEAST_WORK
        )

    def _kept(self, name: str, make: Callable[[], Made]) -> Made:
        weight = self.weight
        # Computed anew when weights change or move; tensors made in inference mode have no version counter.
        state = (weight.data_ptr(), 0 if weight.is_inference() else weight._version)
        found = self._made.get(name)
        if found is None or found[0] != state:
            found = self._made[name] = (state, make())
        return found[1]

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the transformed kernels; a copy computes its own."""
        return self.__dict__ | {"_made": {}}


class _Detour(torch.autograd.Function):
    """`winograd_convolve` and, backwards, `winograd_convolve` with the transposed kernels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: WinogradConv2d) -> Tensor:
        ctx.conv = conv
        result = winograd_convolve(x, conv.kernels, conv.bias)
        return result.clone() if result._is_view() else result  # the next layer may overwrite it

    # torch's stubs: what `once_differentiable` returns is no longer the method that it was given.
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradient = grad_outputs[0].contiguous(memory_format=torch.channels_last)
        return winograd_convolve(gradient, ctx.conv.kernels_back, None), None


def transform_kernels(weight: Tensor) -> Tensor:
    """The six 1x3 kernels of a 3x3 kernel, `(O, C, 3, 3)` to `(6 * O, C, 1, 3)`, rounded once."""
    points = torch.tensor(_KERNEL, dtype=torch.float64)
    made = torch.einsum("pk,oikx->poix", points, weight.to("cpu", torch.float64)).flatten(0, 1)[:, :, None]
    return made.to(weight.device, weight.dtype, memory_format=torch.channels_last)


def winograd_convolve(x: Tensor, kernels: Tensor, bias: Tensor | None) -> Tensor:
    """A 3x3 convolution, padding 1, of `(B, C, H, W)`, channels-last, by kernels of `transform_kernels`."""
    batch, _, height, width = x.shape
    outputs = len(kernels) // 6
    shape = (batch, outputs, -(-height // ROWS) * ROWS, width)
    result = torch.empty(shape, memory_format=torch.channels_last)
    for top, bottom in row_strips(x, max(x.shape[1], outputs)):
        write_rows(x, top, result.permute(0, 2, 3, 1)[:, top:bottom], kernels, bias)
    return result if shape[2] == height else result[:, :, :height]


def write_rows(x: Tensor, top: int, result: Tensor, kernels: Tensor, bias: Tensor | None) -> None:
    """Write rows of a convolution from `top` on into `result`, `(B, 4n, W, O)`; some may lie below."""
    count = result.shape[1] // ROWS
    m = _products(*_row_sums(x, top, count), kernels, bias)
    y = [row.permute(0, 3, 1, 2) for row in result.unflatten(1, (count, ROWS)).unbind(2)]
    # y0 = m0 + m1 + m2 + m3 + m4, y1 = m1 - m2 + 2 (m3 - m4), y2 = m1 + m2 + 4 (m3 + m4),
    # y3 = m1 - m2 + 8 (m3 - m4) + m5
    ones, twos = m[1] + m[2], m[3] + m[4]
    m[0].add_(ones)
    torch.add(m[0], twos, out=y[0])
    torch.add(ones, twos, alpha=4, out=y[2])
    m[1].sub_(m[2])
    m[3].sub_(m[4])
    torch.add(m[1], m[3], alpha=2, out=y[1])
    m[5].add_(m[1])
    torch.add(m[5], m[3], alpha=8, out=y[3])


def _row_sums(x: Tensor, top: int, count: int) -> tuple[list[Tensor], Tensor, Tensor]:
    """For each group of four output rows, which needs rows d0 to d5: d1 to d4, d0 - d2 and d5 - d3.

    d0 of the first group may be the row above the image, and d5 of the last the row below it. Both are zero
    and are not stored. Padding is only needed if the image ends within a group.
    """
    bottom = top + ROWS * count
    if bottom > x.shape[-2]:
        x, top, bottom = rows_around(x, top, bottom), 1, 1 + ROWS * count
    d = [x[:, :, top - 1 + k : bottom - 4 + k : ROWS] for k in range(1, 5)]
    low, high = (torch.empty_like(d[0], memory_format=torch.channels_last) for _ in range(2))
    above, below = int(top == 0), int(bottom == x.shape[-2])
    torch.sub(x[:, :, top - 1 + ROWS * above : bottom - 4 : ROWS], d[1][:, :, above:], out=low[:, :, above:])
    torch.sub(
        x[:, :, top + 4 : bottom + 1 : ROWS], d[2][:, :, : count - below], out=high[:, :, : count - below]
    )
    if above:
        torch.neg(d[1][:, :, :1], out=low[:, :, :1])
    if below:
        torch.neg(d[2][:, :, -1:], out=high[:, :, -1:])
    return d, low, high


def _products(
    d: list[Tensor], low: Tensor, high: Tensor, kernels: Tensor, bias: Tensor | None
) -> list[Tensor]:
    """The six small convolutions; each takes a sum of every fourth row."""
    outputs = len(kernels) // 6

    def product(point: int, x: Tensor) -> Tensor:
        kernel = kernels[point * outputs : (point + 1) * outputs]
        return F.conv2d(x, kernel, bias if point == _ONE else None, padding=(0, 1))

    d1, d2, d3, d4 = d
    even, odd = d4 - d2, d3 - d1
    m3 = product(3, torch.add(even, odd, alpha=2))
    m4 = product(4, torch.sub(even, odd, alpha=2))
    m0 = product(0, torch.add(even, low, alpha=4, out=low))
    m5 = product(5, torch.sub(high, odd, alpha=4, out=high))
    torch.sub(d4, d2, alpha=4, out=even)
    torch.sub(d3, d1, alpha=4, out=odd)
    m1 = product(1, torch.add(even, odd, out=low))
    m2 = product(2, torch.sub(even, odd, out=high))
    return [m0, m1, m2, m3, m4, m5]


def suits_winograd(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether `WinogradConv2d` can replace a module and, for large images, is faster."""
    return (
        type(conv) is nn.Conv2d
        and conv.kernel_size == (3, 3)
        and conv.padding == (1, 1)
        and conv.padding_mode == "zeros"
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.weight.dtype == torch.float32
        and conv.in_channels >= _LEAST_CHANNELS[0]
        and conv.out_channels >= _LEAST_CHANNELS[1]
    )


def use_winograd(module: nn.Module) -> None:
    """Replace each suitable convolution on the CPU by a `WinogradConv2d`.

    Args:
        module: Changed in place; its keys are kept. A layer that is used twice stays shared.
    """
    made: dict[nn.Module, WinogradConv2d] = {}
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None and suits_winograd(child) and next(child.parameters()).device.type == "cpu":
                if child not in made:
                    made[child] = WinogradConv2d(child)
                setattr(parent, name, made[child])


def row_strips(x: Tensor, channels: int) -> Iterator[tuple[int, int]]:
    """The first row of each strip and the row after its last; the last strip may reach below the image.

    Args:
        x: The image, `(B, C, H, W)`.
        channels: The channels of the widest features.
    """
    row = x.shape[0] * x.shape[-1] * channels * x.element_size()
    rows = max(1, _STRIP_BYTES // row // ROWS) * ROWS
    height = x.shape[-2]
    for top in range(0, height, rows):
        yield top, min(top + rows, top + -(-(height - top) // ROWS) * ROWS)


def rows_around(x: Tensor, top: int, bottom: int) -> Tensor:
    """Rows `top - 1` to `bottom` of an image, inclusive; zeros outside."""
    above, below = int(top == 0), max(0, bottom + 1 - x.shape[-2])
    seen = x[:, :, top - 1 + above : bottom + 1]
    return F.pad(seen, (0, 0, above, below)) if above or below else seen


def in_float32_on_cpu(x: Tensor) -> bool:
    """Whether `can_detour(x)` holds and no gradient is needed."""
    return can_detour(x) and not (torch.is_grad_enabled() and x.requires_grad)


def can_detour(x: Tensor) -> bool:
    """Whether `x` is channels-last float32 on the CPU, without tracing or autocast."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and x.ndim == 4
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )

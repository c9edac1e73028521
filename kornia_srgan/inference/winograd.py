"""3x3 convolutions with half the multiplications: Winograd's minimal filtering F(4, 3), down the rows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROWS = 4  # output rows that are made together, of six input rows
# What becomes of a kernel's three rows at each of the six points 0, 1, -1, 2, -2 and infinity.
_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_ONE = 1  # the point whose value counts once in each output row: the bias goes there
# Multiplications, of the direct way, below which it is faster: the detour has fixed costs.
_LEAST_WORK = 4e8
_LEAST_CHANNELS = (32, 48)  # in and out: sums over rows cost as much for few outputs as for many
_STRIP_BYTES = 8 * 2**20  # of a strip's features: they stay in the processor's cache and reuse its memory


class WinogradConv2d(nn.Conv2d):
    """A 3x3 convolution that computes four rows at once, as six convolutions of 1x3 on a quarter of the rows.

    Lavin and Gray 2016, arXiv 1509.09308, in one dimension: columns stay as they are, hence all work is on
    whole rows and the convolutions are ordinary ones. The result is that of the direct way up to rounding,
    about three times its own. Takes the direct way on small images, for gradients, off the CPU, in other
    dtypes than float32, and on what is not channels-last.

    Shapes and parameters as `nn.Conv2d`; the transformed kernels are a buffer that is not saved.

    Args:
        conv: The convolution to take the place of; see `suits`. Its parameters are shared.

    Example:
        >>> conv = nn.Conv2d(32, 32, 3, padding=1).requires_grad_(False)
        >>> x = torch.rand(1, 32, 520, 520).to(memory_format=torch.channels_last)
        >>> torch.allclose(WinogradConv2d(conv)(x), conv(x), atol=1e-4)
        True
    """

    kernels: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv.in_channels, conv.out_channels, 3, padding=1, bias=False, device="meta")
        self.weight = conv.weight
        self.bias = conv.bias
        transform = torch.tensor(_KERNEL, dtype=torch.float64)
        exact = conv.weight.detach().to("cpu", torch.float64)
        made = torch.einsum("pk,oikx->poix", transform, exact).flatten(0, 1)[:, :, None]
        made = made.to(conv.weight.device, conv.weight.dtype, memory_format=torch.channels_last)
        self.register_buffer("kernels", made, persistent=False)
        self.train(conv.training)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve `(B, C, H, W)`."""
        batch, _, height, width = input.shape
        if not self.pays(input, height):
            return super().forward(input)
        result = input.new_empty(batch, -(-height // ROWS) * ROWS, width, self.out_channels)
        for top, bottom in strips(input, max(self.in_channels, self.out_channels)):
            self.write_rows(rows_around(input, top, bottom), result[:, top:bottom])
        return result[:, :height].permute(0, 3, 1, 2)

    def pays(self, x: Tensor, height: int) -> bool:
        """Whether the detour can be taken and is the faster way for an image like `x` of that height."""
        return (
            in_float32_on_cpu(x)
            and self.kernels.dtype == x.dtype
            and height * x.shape[-1] * self.in_channels * self.out_channels * 9 >= _LEAST_WORK
        )

    def write_rows(self, x: Tensor, result: Tensor) -> None:
        """Convolve `(B, C, 4n + 2, W)`, channels-last, into `(B, 4n, W, O)`: zeros left and right only."""
        count = result.shape[1] // ROWS
        m = self._products([x[:, :, k::ROWS][:, :, :count] for k in range(6)])
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

    def _products(self, d: list[Tensor]) -> list[Tensor]:
        """The six small convolutions, each of a sum of every fourth row."""
        even, odd = d[4] - d[2], d[3] - d[1]
        m3 = self._product(3, torch.add(even, odd, alpha=2))
        m4 = self._product(4, torch.sub(even, odd, alpha=2))
        low = d[0] - d[2]
        m0 = self._product(0, torch.add(even, low, alpha=4, out=low))
        high = d[5] - d[3]
        m5 = self._product(5, torch.sub(high, odd, alpha=4, out=high))
        torch.sub(d[4], d[2], alpha=4, out=even)
        torch.sub(d[3], d[1], alpha=4, out=odd)
        m1 = self._product(1, torch.add(even, odd, out=low))
        m2 = self._product(2, torch.sub(even, odd, out=high))
        return [m0, m1, m2, m3, m4, m5]

    def _product(self, point: int, x: Tensor) -> Tensor:
        kernel = self.kernels[point * self.out_channels : (point + 1) * self.out_channels]
        return F.conv2d(x, kernel, self.bias if point == _ONE else None, padding=(0, 1))


def suits(conv: nn.Module) -> bool:
    """Whether a module is a convolution that `WinogradConv2d` can do and, for large images, does faster."""
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


def strips(x: Tensor, channels: int) -> Iterator[tuple[int, int]]:
    """First row, and the row after the last, of each strip of an image; the last may reach below it.

    Args:
        x: The image, `(B, C, H, W)`.
        channels: Of the widest features made of it.
    """
    row = x.shape[0] * x.shape[-1] * channels * x.element_size()
    rows = max(1, _STRIP_BYTES // row // ROWS) * ROWS
    height = x.shape[-2]
    for top in range(0, height, rows):
        yield top, min(top + rows, top + -(-(height - top) // ROWS) * ROWS)


def rows_around(x: Tensor, top: int, bottom: int) -> Tensor:
    """Rows `top - 1` to `bottom` of an image and the one after; zeros where it has none."""
    above, below = int(top == 0), max(0, bottom + 1 - x.shape[-2])
    seen = x[:, :, top - 1 + above : bottom + 1]
    return F.pad(seen, (0, 0, above, below)) if above or below else seen


def in_float32_on_cpu(x: Tensor) -> bool:
    """Whether `x` is channels-last float32 on the CPU, and nothing records, traces or casts."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and x.ndim == 4
        and x.is_contiguous(memory_format=torch.channels_last)
        and not (torch.is_grad_enabled() and x.requires_grad)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )

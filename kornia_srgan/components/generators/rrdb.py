"""RRDBNet, the generator of ESRGAN and Real-ESRGAN, by Kornia."""

from __future__ import annotations

from kornia.models.rrdbnet import RRDBNet
from torch import Tensor

from kornia_srgan.components.generators.layers import check_positive
from kornia_srgan.errors import ArgumentError
from kornia_srgan.ops.padding import pad_to_multiple

_INNER_SCALE = 4  # what the network itself enlarges by, whatever `scale`


class RRDB(RRDBNet):
    """Residual-in-residual dense blocks, nearest-neighbour upsampling; Kornia's `RRDBNet` for any image size.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped; any floating dtype. For x2
    and x1 the image is pixel-unshuffled by 2 and 4 first, as in Real-ESRGAN; sizes that are no multiple of
    that are padded by repeating the border. The keys are those of the published checkpoints.

    Wang et al. 2018, arXiv 1809.00219 (ESRGAN); Wang et al. 2021, arXiv 2107.10833 (Real-ESRGAN).

    Attributes:
        align: Tiles must start on multiples of this, so that the unshuffled pixels are the same.

    Args:
        scale: 1, 2 or 4.
        channels: Channels between the blocks.
        num_blocks: Blocks of three dense blocks of five convolutions (23 in ESRGAN, 6 in the
            light anime model).
        growth_channels: Channels that each convolution of a dense block adds.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.generators.rrdb import RRDB
        >>> RRDB(scale=2, channels=8, num_blocks=1, growth_channels=4)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 10, 14])
    """

    def __init__(
        self, *, scale: int = 4, channels: int = 64, num_blocks: int = 23, growth_channels: int = 32
    ) -> None:
        if scale not in (1, 2, 4):
            raise ArgumentError(f"scale of rrdb must be 1, 2 or 4; got {scale!r}")
        check_positive(channels=channels, num_blocks=num_blocks, growth_channels=growth_channels)
        super().__init__(
            3, 3, scale=scale, num_feat=channels, num_block=num_blocks, num_grow_ch=growth_channels
        )
        self.align = _INNER_SCALE // scale
        self.halo = _halo(self.align, body_radius=1 + 15 * num_blocks + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`, `(B, 3, h, w)` in [0, 1]."""
        height, width = x.shape[-2:]
        enlarged = super().forward(pad_to_multiple(x, self.align))
        return enlarged[..., : self.scale * height, : self.scale * width]


def _halo(align: int, body_radius: int) -> int:
    """The reach in LR pixels, of which each feature pixel of the body holds `align` x `align`."""
    reach = 0
    for phase in range(_INNER_SCALE):  # the output pixels of feature pixel 0
        low, high = phase - 2, phase + 2  # conv_hr and conv_last
        for _ in range(2):  # x2 by nearest neighbour, then a convolution
            low, high = (low - 1) // 2, (high + 1) // 2
        low, high = low - body_radius, high + body_radius
        own = phase * align // _INNER_SCALE  # the LR pixel that this output pixel belongs to
        reach = max(reach, own - low * align, high * align + align - 1 - own)
    return reach

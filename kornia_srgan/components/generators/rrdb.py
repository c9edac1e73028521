"""RRDBNet, the generator of ESRGAN and Real-ESRGAN, by Kornia, and its variants."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from kornia.models.rrdbnet import ResidualDenseBlock, RRDBNet
from torch import Tensor, nn

from kornia_srgan.components.generators.layers import check_positive
from kornia_srgan.errors import ArgumentError
from kornia_srgan.ops.padding import pad_to_multiple


class RRDB(RRDBNet):
    """Residual-in-residual dense blocks, nearest-neighbour upsampling; Kornia's `RRDBNet` for any image size.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped; any floating dtype. Where
    the network doubles more often than the scale asks for, the image is pixel-unshuffled first, as in
    Real-ESRGAN at x2 (by 2) and x1 (by 4); sizes that are no multiple of that are padded by repeating the
    border. The keys are those of the published checkpoints.

    Wang et al. 2018, arXiv 1809.00219 (ESRGAN); Wang et al. 2021, arXiv 2107.10833 (Real-ESRGAN);
    Rakotonirina & Rasoanaivo 2020, arXiv 2001.08073 (ESRGAN+).

    Attributes:
        align: Tiles must start on multiples of this, so that the unshuffled pixels are the same.

    Args:
        scale: 1, 2, 4 or 8.
        channels: Channels between the blocks.
        num_blocks: Blocks of three dense blocks of five convolutions (23 in ESRGAN, 6 in the
            light anime model).
        growth_channels: Channels that each convolution of a dense block adds.
        doublings: How often the network doubles the image; by default 2, and 3 at x8. 1 at x2 and 0 at x1
            leave out the unshuffling, as many community models do.
        plus: The additional paths of ESRGAN+ inside the dense blocks.
        bands: Channels of the images; with another number than 3, `(B, bands, h, w)` in and out.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.generators.rrdb import RRDB
        >>> RRDB(scale=2, channels=8, num_blocks=1, growth_channels=4)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 10, 14])
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        num_blocks: int = 23,
        growth_channels: int = 32,
        doublings: int | None = None,
        plus: bool = False,
        bands: int = 3,
    ) -> None:
        if scale not in (1, 2, 4, 8):
            raise ArgumentError(f"scale of rrdb must be 1, 2, 4 or 8; got {scale!r}", where="scale")
        doublings = max(2, scale.bit_length() - 1) if doublings is None else doublings
        if not scale <= 2**doublings <= 16 * scale:
            raise ArgumentError(f"rrdb: {doublings} doublings do not give x{scale}", where="scale")
        check_positive(channels=channels, num_blocks=num_blocks, growth_channels=growth_channels, bands=bands)
        align = 2**doublings // scale
        super().__init__(
            bands * align**2, bands, num_feat=channels, num_block=num_blocks, num_grow_ch=growth_channels
        )
        self.scale = scale
        self.bands = bands
        self.align = align
        self.halo = _halo(doublings, align, body_radius=1 + 15 * num_blocks + 1)
        for step in range(doublings + 1, 3):  # Kornia's has two
            delattr(self, f"conv_up{step}")
        for step in range(3, doublings + 1):
            self.add_module(f"conv_up{step}", nn.Conv2d(channels, channels, 3, 1, 1))
        self._doublings = doublings
        if plus:
            for block in self.body:
                for name in ("rdb1", "rdb2", "rdb3"):
                    setattr(block, name, PlusBlock(channels, growth_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`, `(B, 3, h, w)` in [0, 1]."""
        height, width = x.shape[-2:]
        image = self.forward_aligned(pad_to_multiple(x, self.align) if self.align > 1 else x)
        return image[..., : self.scale * height, : self.scale * width]

    def forward_aligned(self, x: Tensor) -> Tensor:
        """`forward` for sizes that are multiples of `align`, without a look at them."""
        if self.align > 1:
            x = F.pixel_unshuffle(x, self.align)
        feat = self.conv_first(x)
        feat = feat + self.conv_body(self.body(feat))
        for step in range(1, self._doublings + 1):
            enlarge = self.get_submodule(f"conv_up{step}")
            feat = self.lrelu(enlarge(F.interpolate(feat, scale_factor=2.0, mode="nearest")))
        return self.conv_last(self.lrelu(self.conv_hr(feat)))


class PlusBlock(ResidualDenseBlock):
    """ESRGAN+'s dense block: a 1x1 convolution past the second layer, whose result the fourth one adds."""

    def __init__(self, num_feat: int, num_grow_ch: int) -> None:
        super().__init__(num_feat, num_grow_ch)
        self.conv1x1 = nn.Conv2d(num_feat, num_grow_ch, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Run the dense block on `x`, `(B, C, H, W)`."""
        x1 = self.lrelu(self.conv1(x))
        x2 = self.lrelu(self.conv2(torch.cat((x, x1), 1))) + self.conv1x1(x)
        x3 = self.lrelu(self.conv3(torch.cat((x, x1, x2), 1)))
        x4 = self.lrelu(self.conv4(torch.cat((x, x1, x2, x3), 1))) + x2
        return self.conv5(torch.cat((x, x1, x2, x3, x4), 1)) * 0.2 + x


def _halo(doublings: int, align: int, body_radius: int) -> int:
    """The reach in LR pixels, of which each feature pixel of the body holds `align` x `align`."""
    inner = 2**doublings  # what the network itself enlarges by
    reach = 0
    for phase in range(inner):  # the output pixels of feature pixel 0
        low, high = phase - 2, phase + 2  # conv_hr and conv_last
        for _ in range(doublings):  # x2 by nearest neighbour, then a convolution
            low, high = (low - 1) // 2, (high + 1) // 2
        low, high = low - body_radius, high + body_radius
        own = phase * align // inner  # the LR pixel that this output pixel belongs to
        reach = max(reach, own - low * align, high * align + align - 1 - own)
    return reach

"""Wrappers around generators: self-ensemble and colour fix. Each is a `contracts.Generator` itself."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kornia_srgan.errors import ArgumentError, WeightsError
from kornia_srgan.geometry import bands_of, geometry_of, supported_dtypes
from kornia_srgan.weights.blend import mix_tensors, same_tensors


class _Around(nn.Module):
    """Has the scale of the wrapped generator, and its halo plus a margin."""

    def __init__(self, generator: nn.Module, *, more_halo: int = 0) -> None:
        super().__init__()
        self.generator = generator
        geometry = geometry_of(generator)
        self.scale, self.align = geometry.scale, geometry.align
        self.halo = None if geometry.halo is None else geometry.halo + more_halo
        self.blend, self.bands = geometry.blend, bands_of(generator)
        self.supported_dtypes = supported_dtypes(generator)


class SelfEnsemble(_Around):
    """The mean over the eight flips and rotations of the input (EDSR's "+", arXiv 1707.02921).

    Eight times the work for 0.1 to 0.2 dB.

    Args:
        generator: The generator to wrap.
    """

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `(B, C, h, w)` in [0, 1] to `(B, C, scale*h, scale*w)`."""
        total = torch.zeros((), dtype=lr.dtype, device=lr.device)
        for turned in (False, True):
            for axes in ((), (-1,), (-2,), (-2, -1)):
                seen = (lr.transpose(-2, -1) if turned else lr).flip(axes)
                answer = self.generator(seen.contiguous(memory_format=torch.channels_last)).flip(axes)
                total = total + (answer.transpose(-2, -1) if turned else answer)
        return total / 8


class ColorFix(_Around):
    """Takes the low frequencies of colour and brightness from the input.

    Generators trained with an adversarial loss shift colours a little. The result is shrunk to the size of
    the input and subtracted from it; the blurred difference is added to the result.

    Args:
        generator: The generator to wrap.
        sigma: Of the Gaussian blur, in input pixels; finer detail is kept from the generator.
    """

    kernel: Tensor

    def __init__(self, generator: nn.Module, *, sigma: float = 3.0) -> None:
        self._radius = round(3 * sigma)
        super().__init__(generator, more_halo=self._radius + 1)
        offsets = torch.arange(-self._radius, self._radius + 1, dtype=torch.float32)
        kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
        self.register_buffer("kernel", kernel / kernel.sum(), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `(B, C, h, w)` in [0, 1] to `(B, C, scale*h, scale*w)`."""
        sr = self.generator(lr)
        missing = self._blurred(lr - F.avg_pool2d(sr, self.scale))
        return sr + F.interpolate(missing, scale_factor=float(self.scale), mode="bilinear")

    def _blurred(self, image: Tensor) -> Tensor:
        channels = image.shape[1]
        weight = self.kernel.to(image.dtype).expand(channels, 1, -1)
        r = self._radius
        padded = F.pad(image, (r, r, r, r), mode="replicate")
        across = F.conv2d(padded, weight[:, :, None, :], groups=channels)
        return F.conv2d(across, weight[:, :, :, None], groups=channels)


def interpolate_networks(a: nn.Module, b: nn.Module, weight: float) -> nn.Module:
    """Interpolate the weights of two generators of one architecture (network interpolation).

    Between a generator trained for PSNR and a GAN, this trades fidelity for texture (ESRGAN, arXiv
    1809.00219).

    Args:
        a: The first generator, which is copied.
        b: The second generator.
        weight: 0 gives `a`, 1 gives `b`.

    Returns:
        A new generator.

    Raises:
        WeightsError: If their architectures differ.
        ArgumentError: If the weight is not in [0, 1].
    """
    if not 0 <= weight <= 1:
        raise ArgumentError(
            f"the weight of an interpolation is {weight}; it must be in [0, 1]", where="interpolate"
        )
    first, second = a.state_dict(), b.state_dict()
    if not same_tensors(first, second):
        raise WeightsError(
            f"these generators cannot be interpolated: {type(a).__name__} and {type(b).__name__} "
            "are not of one architecture and size",
            where="generators",
        )
    result = copy.deepcopy(a)
    result.load_state_dict(mix_tensors(first, second, weight))
    return result

"""What has a formula is a function and a module, as in `kornia.losses`; the module only keeps arguments."""

import pytest
import torch

from kornia_srgan.components.losses import artifacts, pixel, structure
from kornia_srgan.components.transforms.resize import MatlabBicubic, matlab_bicubic


@pytest.mark.parametrize(
    ("function", "module", "arguments"),
    [
        (pixel.charbonnier_loss, pixel.CharbonnierLoss, {"eps": 0.1}),
        (pixel.spectral_angle_loss, pixel.SpectralAngleLoss, {"eps": 0.5}),
        (structure.ssim_loss, structure.SSIMLoss, {"window_size": 5}),
        (structure.frequency_loss, structure.FrequencyLoss, {}),
        (artifacts.ldl_loss, artifacts.LDLLoss, {"window": 5}),
        (artifacts.color_loss, artifacts.ColorLoss, {"cell": 4, "lightness": 0.1}),
        (artifacts.wavelet_loss, artifacts.WaveletLoss, {"low": 0.3, "details": 0.7, "levels": 1}),
    ],
)
def test_function_and_module_agree(function, module, arguments):
    sr, hr = torch.rand(2, 2, 3, 12, 13, generator=torch.Generator().manual_seed(0))
    given, default = function(sr, hr, **arguments), function(sr, hr)
    assert given == module(**arguments)(sr, hr)
    assert default == module()(sr, hr)
    assert not arguments or given != default


@pytest.mark.parametrize("quantize", [True, False])
def test_the_resizer_is_a_function_too(quantize):
    images = torch.rand(2, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(
        matlab_bicubic(images, (3, 4), quantize=quantize), MatlabBicubic(quantize=quantize)(images, (3, 4))
    )

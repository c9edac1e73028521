"""The enlarged picture before a pixel shuffle, against torch's interpolation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kornia_srgan.ops.enlarged import BilinearCells, EnlargedSum
from kornia_srgan.ops.packed import PackedConv2d
from tests.helpers.tolerances import assert_near


def bilinear(x, scale):
    return F.interpolate(x, scale_factor=float(scale), mode="bilinear", align_corners=False)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 1), (2, 2), (9, 5)])
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_shuffled_it_is_the_bilinear_picture(scale, channels, size):
    x = torch.randn(2, channels, *size)
    found = F.pixel_shuffle(BilinearCells(scale, channels)(x), scale)
    assert_near(found, bilinear(x, scale), "layer")


@pytest.mark.parametrize("compute", [None, torch.bfloat16])
def test_the_picture_is_added_in_float32(compute):
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 12, 3, padding=1).requires_grad_(False).to(memory_format=torch.channels_last)
    with torch.no_grad():
        for parameter in conv.parameters():  # so that only what is lost of the picture shows
            parameter.mul_(1e-3)
    tail = EnlargedSum(PackedConv2d(conv, compute=compute), nn.PixelShuffle(2), BilinearCells(2, 3))
    features, lr = (torch.rand(1, c, 6, 5).contiguous(memory_format=torch.channels_last) for c in (32, 3))
    expected = F.pixel_shuffle(conv(features), 2) + bilinear(lr, 2)
    assert (tail(features, lr) - expected).abs().max() < 1e-4


def test_its_state_is_that_of_the_convolution():
    tail = EnlargedSum(nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2), BilinearCells(2, 3))
    assert sorted(tail.state_dict()) == ["conv.bias", "conv.weight"]

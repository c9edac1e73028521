"""SSIM, MS-SSIM, total variation and the frequency loss against independent computations."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from kornia_srgan.components.losses.structure import (
    FrequencyLoss,
    MSSSIMLoss,
    SSIMLoss,
    TotalVariationLoss,
)
from kornia_srgan.errors import ArgumentError
from tests.helpers.tolerances import about, assert_near


def pair(size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(1, 3, size, size, generator=generator)
    return (hr + 0.1 * torch.randn(hr.shape, generator=generator)).clamp(0, 1), hr


def test_ssim_equals_scikit_image() -> None:
    sr, hr = pair()
    _, full = structural_similarity(
        sr[0].numpy().astype(np.float64),
        hr[0].numpy().astype(np.float64),
        channel_axis=0,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    expected = 1 - full[:, 5:-5, 5:-5].mean()
    assert float(SSIMLoss()(sr, hr)) == about(expected, "layer")


def test_ssim_window_shrinks_with_the_image() -> None:
    sr, hr = (x[..., :8, :4] for x in pair())
    torch.testing.assert_close(SSIMLoss()(sr, hr), SSIMLoss(window_size=3)(sr, hr))


def test_ms_ssim_without_structure_is_smoothed_l1() -> None:
    """With alpha 0 on a constant difference only the L1 is left, away from the padded border."""
    hr = torch.full((1, 3, 64, 64), 0.5)
    loss = MSSSIMLoss(alpha=0.0)
    loss.loss.reduction = "none"
    assert float(loss(hr + 0.1, hr)[0, 32, 32]) == pytest.approx(0.1, rel=1e-5)


def test_ms_ssim_grows_with_the_difference() -> None:
    sr, hr = pair()
    near, far = MSSSIMLoss()(hr + 0.5 * (sr - hr), hr), MSSSIMLoss()(sr, hr)
    assert 0 < near < far < 1


def test_total_variation_by_hand() -> None:
    image = torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 2.0]]).expand(1, 3, 2, 3)
    down, across = (2 + 1 + 1) / 3, (1 + 2 + 0 + 0) / 4
    assert float(TotalVariationLoss()(image, image)) == pytest.approx(down + across)


@pytest.mark.parametrize("frequency", [(0, 3), (2, 5)])
def test_frequency_loss_of_a_wave(frequency: tuple[int, int]) -> None:
    """A cosine of amplitude A on N pixels has one coefficient of A * sqrt(N) / 2 in the half plane."""
    height, width, amplitude = 8, 16, 0.2
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    wave = amplitude * torch.cos(2 * math.pi * (frequency[0] * y / height + frequency[1] * x / width) + 0.7)
    hr = torch.rand(1, 3, height, width)
    coefficient = amplitude * math.sqrt(height * width) / 2
    expected = coefficient / (height * (width // 2 + 1))
    assert float(FrequencyLoss()(hr + wave, hr)) == pytest.approx(expected, rel=1e-3)


def test_frequency_loss_sees_a_shift() -> None:
    """The magnitudes of a spectrum do not change when an image moves; the loss does."""
    _, hr = pair()
    moved = hr.roll(1, dims=-1)
    assert_near(torch.fft.rfft2(moved).abs(), torch.fft.rfft2(hr).abs(), "deep")
    assert FrequencyLoss()(moved, hr) > 0.1


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ArgumentError, match="window_size"):
        SSIMLoss(window_size=8)
    with pytest.raises(ArgumentError, match="alpha"):
        MSSSIMLoss(alpha=1.5)

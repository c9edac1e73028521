"""The losses against artefacts: by hand, and against slow spellings of their formulas."""

import pytest
import torch
import torch.nn.functional as F

from kornia_srgan.components.losses.artifacts import (
    ColorLoss,
    LDLLoss,
    WaveletLoss,
    artefact_map,
    haar_bands,
    rgb_to_oklab,
)
from kornia_srgan.errors import ArgumentError
from tests.helpers.tolerances import about, assert_near


def images(*shape, seed=0):
    return torch.rand(2, *shape, generator=torch.Generator().manual_seed(seed))


class TestLDL:
    def test_map_is_the_formula_spelt_out(self):
        """As the authors' code does it: an unbiased variance in a mirrored window, times the patch's."""
        sr, hr = images(2, 3, 11, 9)
        residual = (hr - sr).abs().sum(1, keepdim=True)
        windows = F.unfold(F.pad(residual, (3, 3, 3, 3), mode="reflect"), 7)
        local = windows.var(1, unbiased=True).view(2, 1, 11, 9)
        whole = residual.flatten(1).var(1, unbiased=True).pow(1 / 5).view(2, 1, 1, 1)
        torch.testing.assert_close(artefact_map(sr, hr, 7), local * whole)
        torch.testing.assert_close(LDLLoss()(sr, hr), (local * whole * (sr - hr).abs()).mean())

    def test_by_hand(self):
        """One pixel of 0.6 off in a 3x3 image of one channel: the variance of (0.6, 0 x 8) is 0.04."""
        sr, hr = torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
        sr[..., 1, 1] = 0.6
        found = artefact_map(sr, hr, 3)[0, 0]
        assert found[1, 1].item() == pytest.approx(0.04 * 0.04**0.2, rel=1e-5)
        assert LDLLoss(window=3)(sr, hr).item() == pytest.approx(0.6 / 9 * 0.04**1.2, rel=1e-5)

    def test_an_even_error_is_left_to_the_other_losses(self):
        hr = images(1, 3, 16, 16)[0] * 0.5
        assert LDLLoss()(hr + 0.1, hr) < 1e-6
        speckled = hr.clone()
        speckled[..., ::3, ::3] += 0.3  # the same mean error
        assert LDLLoss()(speckled, hr) > 1e-4

    def test_the_map_has_no_gradient(self):
        sr, hr = images(1, 3, 8, 8)
        sr.requires_grad_()
        assert not artefact_map(sr, hr, 7).requires_grad
        LDLLoss()(sr, hr).backward()
        expected = artefact_map(sr, hr, 7) * (sr - hr).sign() / sr.numel()
        torch.testing.assert_close(sr.grad, expected)

    def test_window_is_checked(self):
        for window in (1, 4):
            with pytest.raises(ArgumentError, match="window must be odd and at least 3"):
                LDLLoss(window=window)


class TestColor:
    @pytest.mark.parametrize(
        ("rgb", "lab"),
        [
            ((1, 1, 1), (1, 0, 0)),
            ((0, 0, 0), (0, 0, 0)),
            ((1, 0, 0), (0.627955, 0.224863, 0.125846)),
            ((0, 1, 0), (0.866440, -0.233888, 0.179498)),
            ((0, 0, 1), (0.452014, -0.032457, -0.311528)),
            ((0.5, 0.5, 0.5), (0.598181, 0, 0)),
        ],
    )
    def test_oklab_of_known_colours(self, rgb, lab):
        """As Ottosson publishes them and CSS Color 4 has them."""
        found = rgb_to_oklab(torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1)).flatten()
        assert_near(found, torch.tensor(lab, dtype=torch.float32), "network")

    def test_oklab_near_black_is_steep_but_finite_and_without_a_step(self):
        dark = torch.linspace(-0.05, 0.1, 601).view(1, 1, 1, -1).repeat(1, 3, 1, 1).requires_grad_()
        lightness = rgb_to_oklab(dark)[:, 0].flatten()
        assert (lightness.diff() > 0).all()
        assert lightness.diff().max() < 0.01
        lightness.sum().backward()
        assert dark.grad.abs().max() < 40

    def test_by_hand(self):
        """White beside black is a cell of middle grey, and red is what red is."""
        sr, hr = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)
        sr[..., 0] = 1
        assert ColorLoss(cell=2)(sr, hr) < 1e-6
        assert ColorLoss(cell=1)(sr, hr).item() == about(0.5 * ((1 - 0.598181) + 0.598181) / 2, "network")
        red, black = torch.zeros(1, 3, 3, 3), torch.zeros(1, 3, 3, 3)
        red[:, 0] = 1
        expected = 0.3 * 0.627955 + 0.224863 + 0.125846
        assert ColorLoss(cell=2, lightness=0.3)(red, black).item() == about(expected, "network")

    def test_blind_to_detail_and_not_to_a_tint(self):
        hr = images(1, 3, 32, 32)[0]
        detail = hr.clone()
        detail[..., ::2] += 0.1
        detail[..., 1::2] -= 0.1
        tint = hr + torch.tensor([0.05, 0.0, -0.05]).view(1, 3, 1, 1)
        assert ColorLoss()(tint, hr) > 100 * ColorLoss()(detail, hr)

    def test_arguments_are_checked(self):
        with pytest.raises(ArgumentError, match="cell must be positive"):
            ColorLoss(cell=0)


class TestWavelet:
    def test_haar_by_hand(self):
        image = torch.tensor([[1.0, 2.0], [4.0, 8.0]]).view(1, 1, 2, 2)
        low, details = haar_bands(image)
        assert low[0, 0, 0, 0] == 3.75
        assert details[0, :, 0, 0, 0].tolist() == [-1.25, -2.25, 0.75]  # left - right, top - bottom, diagonal
        assert low[0, 0, 1, 1] == 8  # the border is repeated
        assert details[0, :, 0, 1, 1].tolist() == [0, 0, 0]

    def test_bands_add_up_to_the_image(self):
        image = images(2, 3, 9, 7)[0]
        for level in (0, 1, 2):
            low, details = haar_bands(image, level)
            torch.testing.assert_close(low + details.sum(1), image)

    def test_second_level_is_two_apart(self):
        image = torch.zeros(1, 1, 1, 8)
        image[..., 2] = 1
        assert haar_bands(image, 1)[0].flatten().tolist() == [0.5, 0, 0.5, 0, 0, 0, 0, 0]

    def test_weighted_sum_of_bands(self):
        sr, hr = images(2, 3, 12, 10)
        total, a, b = 0.0, sr, hr
        for level in range(3):
            (a, da), (b, db) = haar_bands(a, level), haar_bands(b, level)
            total += 0.2 * sum((da[:, i] - db[:, i]).abs().mean() for i in range(3))
        total += 0.7 * (a - b).abs().mean()
        torch.testing.assert_close(WaveletLoss(low=0.7, details=0.2, levels=3)(sr, hr), total)

    def test_by_hand(self):
        """A tint is in the low band alone; stripes of one pixel are in one band of the first level."""
        hr = torch.full((1, 3, 8, 8), 0.5)
        assert WaveletLoss(low=2.0)(hr + 0.1, hr).item() == pytest.approx(0.2)
        stripes = hr.clone()
        stripes[..., ::2] += 0.1
        stripes[..., 1::2] -= 0.1
        # at the right end the border repeats, so that a column of eight has no detail and half a tint stays
        assert WaveletLoss(low=0.0, details=1.0, levels=1)(stripes, hr).item() == pytest.approx(0.1 * 7 / 8)
        assert WaveletLoss(details=0.0, levels=1)(stripes, hr).item() == pytest.approx(0.1 / 8, rel=1e-5)

    def test_arguments_are_checked(self):
        with pytest.raises(ArgumentError, match="low and details"):
            WaveletLoss(low=0.0, details=0.0)
        with pytest.raises(ArgumentError, match="levels"):
            WaveletLoss(levels=0)

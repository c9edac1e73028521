import numpy as np
import pytest
import torch

from kornia_srgan.components.transforms.degrade import real_esrgan
from kornia_srgan.components.transforms.mix import CutBlur, MixUp
from kornia_srgan.components.transforms.resize import MatlabBicubic
from kornia_srgan.errors import ArgumentError


def test_mixup_is_a_blend_of_the_image_and_its_half_turn() -> None:
    images = torch.rand(6, 3, 8, 8)
    mixed = MixUp(p=1.0)(images, range(6))
    turned = images.flip((-2, -1))
    for image, other, result in zip(images, turned, mixed, strict=True):
        share = ((result - other) / (image - other))[(image - other).abs() > 0.1]
        assert 0 <= share.median() <= 1
        torch.testing.assert_close(result, share.median() * image + (1 - share.median()) * other)
    assert torch.equal(MixUp(p=0.0)(images, range(6)), images)


def test_mixup_shares_follow_beta() -> None:
    """Beta(1.2, 1.2) has mean 1/2 and variance 1 / (4 * 3.4)."""
    images = torch.zeros(4000, 1, 1, 2)
    images[..., 0] = 1  # the first pixel of the result is the share
    shares = MixUp(p=1.0)(images, range(4000))[:, 0, 0, 0].numpy()
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / 13.6, rel=0.05)


def test_cutblur_is_clean_in_its_cut_and_degraded_elsewhere() -> None:
    images, size, seeds = torch.rand(4, 3, 32, 32), (8, 8), (3, 4, 5, 6)
    cutblur = CutBlur(p=1.0)
    result = cutblur(images, seeds, size)
    cut = torch.from_numpy(cutblur.cuts(seeds, size))[:, None].expand_as(result)
    assert torch.equal(result[cut], MatlabBicubic()(images, size)[cut])
    assert torch.equal(result[~cut], real_esrgan()(images, seeds, size)[~cut])
    assert cut.any()
    assert not cut.all()


def test_cuts_are_rectangles_of_the_expected_size_inside_or_outside() -> None:
    cuts = CutBlur(p=0.75, alpha=0.6).cuts(range(2000), (20, 30))
    some = np.array([0 < cut.mean() < 1 for cut in cuts])
    # A rectangle covers 0.6 * 0.6 on average, what is around it the rest: together one half.
    assert cuts[some].mean() == pytest.approx(0.5, abs=0.03)
    untouched = np.mean([not cut.any() for cut in cuts])
    assert untouched == pytest.approx(0.25, abs=0.04)
    assert all(is_rectangle(cut) or is_rectangle(~cut) for cut in cuts[some][:200])


def is_rectangle(mask: np.ndarray) -> bool:
    return bool(mask[np.ix_(mask.any(1), mask.any(0))].all())


def test_each_image_depends_on_its_own_seed_alone() -> None:
    images = torch.rand(3, 3, 16, 16)
    for whole, alone in (
        (MixUp(p=1.0)(images, (7, 8, 9)), MixUp(p=1.0)(images[1:2], (8,))),
        (CutBlur(p=1.0)(images, (7, 8, 9), (4, 4)), CutBlur(p=1.0)(images[1:2], (8,), (4, 4))),
    ):
        torch.testing.assert_close(whole[1:2], alone)


@pytest.mark.parametrize("make", [lambda: MixUp(p=2), lambda: MixUp(alpha=0), lambda: CutBlur(alpha=0)])
def test_arguments_out_of_range_are_named(make) -> None:
    with pytest.raises(ArgumentError, match=r"(mixup|cutblur): (p|alpha) must be"):
        make()

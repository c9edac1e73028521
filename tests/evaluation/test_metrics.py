import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from kornia_srgan.evaluation.metrics import psnr, ssim, studio_luma
from tests.helpers import metrics_oracle as oracle
from tests.helpers.tolerances import about


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 256, (48, 40, 3), dtype=np.uint8)
    noise = rng.normal(0, 12, reference.shape)
    return (reference + noise).clip(0, 255).astype(np.uint8), reference


def test_psnr_equals_scikit_image_and_the_definition(pair):
    image, reference = pair
    ours = psnr(image, reference, peak=255).item()
    assert ours == about(peak_signal_noise_ratio(reference, image), torch.float64)
    assert ours == about(oracle.psnr(image.astype(float), reference.astype(float)), torch.float64)


def test_psnr_by_hand():
    assert psnr(torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.1)).item() == about(20, "elementwise")


def test_psnr_of_equal_images_is_infinite(pair):
    assert psnr(pair[0], pair[0], peak=255).item() == float("inf")


def test_ssim_equals_the_definition_and_scikit_image(pair):
    image, reference = (studio_luma(_tensor(x))[0, 0].numpy() * 255 for x in pair)
    ours = ssim(image, reference, peak=255).item()
    assert ours == about(oracle.ssim(image, reference), "elementwise")
    skimage = structural_similarity(
        image,
        reference,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1]
    assert ours == about(skimage[5:-5, 5:-5].mean(), "elementwise")


def test_luma_is_studio_range(pair):
    ours = studio_luma(_tensor(pair[0]))[0, 0].numpy() * 255
    assert ours == about(oracle.luma(pair[0]), torch.float64)
    ends = studio_luma(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)).flatten() * 255
    assert ends.tolist() == about([16, 235], torch.float64)


def test_batches_arrays_and_scales_agree(pair):
    image, reference = (_tensor(x) for x in pair)
    both = psnr(torch.cat([image, image]), torch.cat([reference, reference]))
    assert both.shape == (2,)
    assert both.dtype == torch.float64
    assert both[0].item() == about(psnr(*pair, peak=255).item(), "layer")
    assert ssim(image, reference).item() == about(ssim(*pair, peak=255).item(), "elementwise")
    grey = pair[0][..., 0]
    assert psnr(grey, pair[1][..., 0], peak=255).shape == (1,)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="one shape"):
        psnr(torch.rand(3, 8, 8), torch.rand(3, 8, 9))
    with pytest.raises(ValueError, match="11x11"):
        ssim(torch.rand(3, 8, 8), torch.rand(3, 8, 8))


def _tensor(array):
    return torch.from_numpy(array).permute(2, 0, 1)[None].double() / 255

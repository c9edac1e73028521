import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.evaluation.niqe import NIQE, _asymmetric_gaussian, niqe
from tests.helpers.tolerances import about


def read(path):
    array = np.asarray(Image.open(path).convert("RGB"))
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None].double() / 255


def photo(side=(200, 300), seed=0):
    """Something with the spectrum of a photograph."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side[0])[:, None], np.fft.fftfreq(side[1])[None])
    frequency[0, 0] = 1
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(3, *side))) / frequency).real
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    return torch.from_numpy(noise)[None]


def test_equals_matlabs_release_on_baboon(shared_data):
    """The authors' code in MATLAB R2021a gives 5.72957338 for baboon.png (figure published by BasicSR)."""
    assert niqe(read(shared_data / "eval/Set14/HR/img_001.png")).item() == about(5.72957338, "layer")


def test_bicubic_is_less_natural_than_the_photograph(shared_data):
    from kornia_srgan.registry.catalog import RESIZERS

    hr = read(shared_data / "eval/Set5/HR/img_002.png")
    lr = read(shared_data / "eval/Set5/LRx4/img_002.png")
    enlarged = RESIZERS.create("matlab_bicubic")(lr, tuple(hr.shape[-2:]))
    assert niqe(enlarged).item() > niqe(hr).item() + 1


def test_blur_and_noise_are_unnatural():
    image = photo()
    blurred = torch.nn.functional.avg_pool2d(image, 5, 1, 2)
    clean = niqe(image).item()
    assert niqe(blurred).item() > clean
    assert niqe((image + 0.2 * torch.randn(image.shape, generator=torch.manual_seed(0))).clamp(0, 1)) > clean


def test_the_fit_finds_the_gaussian_and_the_laplacian():
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(1, 500, 500, generator=generator, dtype=torch.float64)
    shape, left, right = _asymmetric_gaussian(normal)
    assert shape.item() == pytest.approx(2.0, abs=0.05)
    assert left.item() == pytest.approx(2**0.5, abs=0.03)  # exp(-(x / b)^2) has b = sqrt(2) sigma
    assert right.item() == pytest.approx(2**0.5, abs=0.03)
    size = -torch.rand(1, 500, 500, generator=generator, dtype=torch.float64).log()
    right_side = torch.rand(size.shape, generator=generator) < 0.75  # the density is continuous at zero
    shape, left, right = _asymmetric_gaussian(torch.where(right_side, 3 * size, -size))
    assert shape.item() == pytest.approx(1.0, abs=0.05)
    assert (right / left).item() == pytest.approx(3.0, abs=0.05)


def test_only_whole_blocks_count():
    image = photo((192, 192))
    wider = torch.cat([image, torch.rand(1, 3, 192, 40, dtype=torch.float64)], dim=-1)
    # The neighbourhood of the last whole column differs only through the cut, which comes first.
    assert niqe(wider).item() == niqe(image).item()


def test_too_small_or_flat_is_nan():
    assert niqe(torch.rand(1, 3, 96, 100)).isnan().all()
    assert niqe(torch.full((1, 3, 192, 192), 0.5)).isnan().all()


def test_batches_and_the_component():
    batch = torch.cat([photo(seed=0), photo(seed=1)])
    scores = NIQE()(batch, batch)
    assert scores.shape == (2,)
    assert scores[1].item() == about(niqe(batch[1:]).item(), torch.float64)

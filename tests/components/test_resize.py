"""Resizers: MATLAB's bicubic bit for bit, by real benchmark images and by an independent numpy version."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.components.transforms.resize import MatlabBicubic, TorchBicubic, bicubic_matrix
from kornia_srgan.registry.catalog import RESIZERS
from tests.helpers.tolerances import about


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def to_tensor(image):
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255


def to_uint8(tensor):
    return (tensor[0] * 255).round().byte().permute(1, 2, 0).numpy()


def keys(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def oracle_axis(values, size_out):
    """One axis of imresize, written from the definition, pixel by pixel."""
    size_in = len(values)
    scale = size_out / size_in
    stretch = min(scale, 1.0)
    out = []
    for j in range(size_out):
        centre = (j + 0.5) / scale - 0.5
        reach = 2 / stretch
        total, weight = 0.0, 0.0
        for i in range(math.floor(centre - reach), math.ceil(centre + reach) + 1):
            w = keys((centre - i) * stretch)
            total = total + w * values[min(max(i, 0), size_in - 1)].astype(np.float64)
            weight += w
        out.append(np.clip(np.floor(total / weight + 0.5), 0, 255))
    return np.stack(out)


def oracle(image, size):
    rows = oracle_axis(image, size[0])
    return oracle_axis(rows.swapaxes(0, 1), size[1]).swapaxes(0, 1).astype(np.uint8)


@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_equals_every_lr_image_of_the_benchmarks(shared_data, name):
    paths = sorted((shared_data / "eval" / name / "HR").iterdir())
    assert paths
    for path in paths:
        hr, lr = read(path), read(path.parents[1] / "LRx4" / path.name)
        height, width = hr.shape[0] // 4, hr.shape[1] // 4
        made = MatlabBicubic()(to_tensor(hr[: height * 4, : width * 4]), (height, width))
        np.testing.assert_array_equal(to_uint8(made), lr, err_msg=str(path))


@pytest.mark.parametrize(
    ("size_in", "size_out"),
    [((24, 32), (6, 8)), ((21, 18), (7, 6)), ((6, 7), (24, 28)), ((13, 9), (13, 5)), ((5, 3), (11, 1))],
)
def test_equals_the_definition(size_in, size_out):
    image = np.random.default_rng(0).integers(0, 256, (*size_in, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        to_uint8(MatlabBicubic()(to_tensor(image), size_out)), oracle(image, size_out)
    )


def test_sharp_edges_are_clamped_between_the_passes():
    image = np.zeros((16, 16, 3), np.uint8)
    image[4:12, 4:12] = 255
    np.testing.assert_array_equal(to_uint8(MatlabBicubic()(to_tensor(image), (8, 8))), oracle(image, (8, 8)))


@pytest.mark.parametrize(("size_in", "size_out"), [(96, 24), (24, 96), (7, 7), (1, 4), (9, 2)])
def test_rows_of_the_matrix_add_up_to_one(size_in, size_out):
    matrix = bicubic_matrix(size_in, size_out)
    assert matrix.shape == (size_out, size_in)
    assert matrix.sum(axis=1) == about(np.ones(size_out), torch.float64)


def test_autocast_changes_nothing():
    images = torch.rand(2, 3, 32, 32)
    plain = MatlabBicubic()(images, (8, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(MatlabBicubic()(images, (8, 8)), plain)
    assert plain.dtype == torch.float32


def test_without_quantizing_it_is_smooth_and_differentiable():
    images = (torch.rand(1, 1, 8, 8, dtype=torch.float64) * 0.2 + 0.4).requires_grad_()
    resize = MatlabBicubic(quantize=False)
    assert torch.autograd.gradcheck(lambda x: resize(x, (4, 4)), (images,))
    exact = torch.from_numpy(bicubic_matrix(8, 4)) @ images[0, 0] @ torch.from_numpy(bicubic_matrix(8, 4)).T
    torch.testing.assert_close(resize(images, (4, 4))[0, 0], exact)


def test_first_use_in_inference_mode_does_not_spoil_training():
    with torch.inference_mode():
        MatlabBicubic(quantize=False)(torch.rand(1, 3, 23, 23), (5, 5))
    images = torch.rand(1, 3, 23, 23, requires_grad=True)
    MatlabBicubic(quantize=False)(images, (5, 5)).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_torch_bicubic_is_close_to_matlab_but_not_equal():
    images = torch.rand(1, 3, 48, 48)
    distance = (TorchBicubic()(images, (12, 12)) - MatlabBicubic()(images, (12, 12))).abs().max()
    assert 0 < distance < 0.1


@pytest.mark.parametrize("name", RESIZERS.names())
@pytest.mark.parametrize("size", [(8, 6), (64, 40), (1, 1)])
def test_every_resizer_keeps_the_contract(name, size):
    images = torch.rand(2, 3, 32, 24)
    out = RESIZERS.create(name)(images, size)
    assert out.shape == (2, 3, *size)
    assert out.dtype == torch.float32
    assert out.min() >= 0
    assert out.max() <= 1
    flat = RESIZERS.create(name)(torch.full((1, 3, 32, 24), 0.5), size)
    assert (flat - 0.5).abs().max() <= 0.5 / 255 + 1e-6

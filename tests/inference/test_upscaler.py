from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from kornia_srgan.components.generators.srresnet import SRResNet
from kornia_srgan.errors import ImageError, UserError
from kornia_srgan.inference import tile_size as memory
from kornia_srgan.inference.upscaler import Upscaler
from tests.inference.generators import Chain, Nearest


@pytest.fixture(scope="module")
def nearest():
    return Upscaler(Nearest(2), device="cpu", tile=5)


def random(shape, dtype):
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def repeated(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 1), (7, 9, 3), (1, 1, 3)])
def test_arrays_keep_their_dtype_and_values(nearest, shape, dtype):
    pixels = random(shape, "uint16").astype(">u2") if dtype == ">u2" else random(shape, dtype)
    result = nearest(pixels)
    assert result.dtype == pixels.dtype.newbyteorder("=")
    tolerance = 2e-7 if np.dtype(dtype).kind == "f" else 0  # computed in float32
    np.testing.assert_allclose(result, repeated(pixels), atol=tolerance, rtol=0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_keep_dtype_and_batch(nearest, channels, dtype):
    images = torch.from_numpy(random((2, channels, 6, 4), "uint8"))
    images = images if dtype == torch.uint8 else (images / 255).to(dtype)
    result = nearest(images)
    assert result.dtype == dtype
    expected = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(result, expected, atol=2e-7, rtol=0)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "I;16"])
def test_pil_images_keep_their_mode(nearest, mode):
    channels = {"L": 1, "I;16": 1, "LA": 2, "RGB": 3}.get(mode, 4)
    pixels = random((5, 6, channels), "uint16" if mode == "I;16" else "uint8")
    if mode in ("LA", "RGBA"):
        pixels[..., -1] = pixels[..., -1].clip(1)  # colour under full transparency is not kept
    image = Image.fromarray(pixels[..., 0]) if channels == 1 else Image.fromarray(pixels, mode)
    result = nearest(image)
    assert result.mode == mode
    np.testing.assert_array_equal(np.asarray(result), repeated(np.asarray(image)))


@pytest.mark.filterwarnings("error")
def test_arrays_may_be_read_only(nearest):
    pixels = np.asarray(Image.new("RGB", (4, 3), "red"))
    assert nearest(pixels).shape == (6, 8, 3)


def test_pil_info_is_kept(nearest):
    image = Image.new("RGB", (2, 2))
    image.info.update(icc_profile=b"profile", dpi=(300, 300))
    assert nearest(image).info == {"icc_profile": b"profile", "dpi": (300, 300)}


def test_results_are_clamped():
    class Loud(Nearest):
        def forward(self, lr):
            return super().forward(lr) * 3 - 1

    upscaler = Upscaler(Loud(2), device="cpu")
    result = upscaler(np.array([[0.0, 0.5, 1.0]], np.float32))
    np.testing.assert_allclose(result[0, ::2], [0, 0.5, 1])
    assert upscaler(np.array([[0, 255]], np.uint8))[0, ::2].tolist() == [0, 255]


def test_gradients_flow_when_asked():
    upscaler = Upscaler(Chain(2), device="cpu", tile=2)
    images = torch.rand(2, 3, 5, 5, requires_grad=True)
    assert not upscaler(images).requires_grad
    upscaler(images, differentiable=True).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().min() > 0
    assert all(p.grad is None for p in upscaler.generator.parameters())


def test_runs_the_optimised_generator_but_differentiates_the_plain_one():
    generator = SRResNet(scale=2, channels=4, num_blocks=1)
    upscaler = Upscaler(generator, device="cpu", tile=0)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in upscaler.generator.modules())
    images = torch.rand(1, 3, 6, 5, requires_grad=True)
    expected = generator.eval()(images)
    torch.testing.assert_close(upscaler(images), expected.clamp(0, 1), atol=1e-4, rtol=0)
    found = upscaler(images, differentiable=True)
    gradients = [torch.autograd.grad(result.square().sum(), images)[0] for result in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_the_generator_given_stays_as_it_is():
    generator = Chain(2).train()
    upscaler = Upscaler(generator, device="cpu", dtype="bfloat16")
    assert generator.training
    assert all(p.dtype == torch.float32 and p.requires_grad for p in generator.parameters())
    assert all(p.dtype == torch.bfloat16 for p in upscaler.generator.parameters())


def test_many_threads_may_call_it():
    upscaler = Upscaler(Chain(3), device="cpu", tile=8)
    images = [random((20, 20, 3), "uint8") ^ i for i in range(16)]
    alone = [upscaler(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(upscaler, images))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_auto_tile_is_bounded():
    upscaler = Upscaler(Chain(3), device="cpu")
    assert 32 <= upscaler.tile <= 1024


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((2, 2, 4), np.uint8), r"\(H, W, 3\)"),
        (np.zeros((0, 2, 3), np.uint8), "not empty"),
        (np.zeros((2, 2, 3), np.int32), "int32"),
        (np.zeros((2, 2), bool), "bool"),
        (torch.zeros(3, 4, 4), "tensor must be"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int64), "int64"),
        (Image.new("I", (2, 2)), "32-bit"),
        ("path.png", "str"),
    ],
)
def test_what_is_no_image_is_refused(nearest, image, words):
    with pytest.raises(ImageError, match=words):
        nearest(image)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cuda:99"}, "cuda:99"),
        ({"device": "gpu"}, "gpu"),
        ({"dtype": "int8"}, "int8"),
        ({"tile": -1}, "tile"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        Upscaler(Nearest(2), **{"device": "cpu", **options})


def test_a_device_without_memory_is_helped_by_the_cpu(monkeypatch):
    """A device that can hold 20 x 20 pixels, then one that can hold nothing: the picture is the same."""
    from kornia_srgan.inference import upscaler as module

    generator, pixels = Chain(3), random((40, 50, 3), "uint8")
    expected = Upscaler(generator, device="cpu", tile=0)(pixels)
    run, seen = module._run, []
    for limit in (20, 0):
        upscaler = Upscaler(generator, device="cpu", tile=32)
        upscaler._spare = generator

        def limited(module_, device, dtype, piece, limit=limit, upscaler=upscaler):
            if module_ is upscaler.generator and max(piece.shape[-2:]) > limit:
                raise torch.OutOfMemoryError("CUDA out of memory")
            seen.append((limit, module_ is upscaler.generator))
            return run(module_, device, dtype, piece)

        monkeypatch.setattr(module, "_run", limited)
        assert np.abs(upscaler(pixels).astype(int) - expected).max() <= 1
    assert (20, True) in seen
    assert (0, False) in seen


def test_a_deep_generator_gets_tiles_much_wider_than_its_halo(monkeypatch):
    """At three halos two thirds of the work would be halos; memory bounds it all the same."""
    monkeypatch.setattr(memory, "free_memory", lambda device: 2**40)
    cpu = torch.device("cpu")
    for pixel, wanted in ((16384, 272), (4096, 320), (2**20, 112)):
        monkeypatch.setattr(memory, "bytes_per_pixel", lambda *_, pixel=pixel: pixel)
        assert memory.auto_tile(nn.Identity(), cpu, torch.float32, 40) == wanted

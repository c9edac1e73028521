import numpy as np
import torch
from kornia.augmentation import AugmentationSequential, CenterCrop
from kornia.core import ImageModule
from kornia.filters import gaussian_blur2d
from PIL import Image
from torch import nn

from kornia_srgan.inference.kornia_module import SuperResolve, as_kornia
from tests.helpers.generators import Chain, Nearest
from tests.helpers.tolerances import about


def test_it_is_an_image_module_of_pil_arrays_and_tensors(tmp_path):
    module = SuperResolve(Nearest(2))
    assert isinstance(module, ImageModule)
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    repeated = pixels.repeat(2, 0).repeat(2, 1)
    image = Image.fromarray(pixels)
    np.testing.assert_array_equal(np.asarray(module(image, output_type="pil")), repeated)
    array = module(pixels, output_type="numpy")
    assert np.squeeze(array) == about(repeated / 255, "elementwise")
    image.save(tmp_path / "in.png")
    assert module(str(tmp_path / "in.png")).shape[-2:] == (10, 14)
    assert module(torch.rand(3, 5, 7)).shape == (3, 10, 14)
    assert module(torch.rand(2, 3, 5, 7)).shape == (2, 3, 10, 14)


def test_it_saves_its_result(tmp_path):
    module = SuperResolve(Nearest(2))
    module(torch.rand(1, 3, 4, 4))
    module.save(str(tmp_path / "out.jpg"))
    assert Image.open(tmp_path / "out.jpg").size == (8, 8)


def test_tiles_leave_no_trace():
    generator, images = Chain(3), torch.rand(2, 3, 20, 13)
    with torch.no_grad():
        whole = generator(images).clamp(0, 1)
    torch.testing.assert_close(SuperResolve(generator, tile=6)(images), whole)


def test_gradients_flow_to_the_input():
    images = torch.rand(1, 3, 6, 6, requires_grad=True)
    SuperResolve(Chain(2), tile=3)(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().min() > 0


def test_it_chains_with_kornia():
    class Blur(nn.Module):
        def forward(self, images):
            return gaussian_blur2d(images, (3, 3), (1.0, 1.0))

    chain = nn.Sequential(AugmentationSequential(CenterCrop(8)), Blur(), SuperResolve(Nearest(2)))
    assert chain(torch.rand(2, 3, 12, 12)).shape == (2, 3, 16, 16)


def test_a_generator_as_kornias_super_resolution(tmp_path):
    generator = Chain(2)
    model = as_kornia(generator)
    images = torch.rand(2, 3, 6, 9)
    with torch.no_grad():
        expected = generator(images).clamp(0, 1)
    torch.testing.assert_close(model(images), expected)
    model.save(images, directory=str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 4

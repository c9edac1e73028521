import pytest
import torch
from torch import nn

from kornia_srgan.errors import UserError
from kornia_srgan.inference.halo import practical_halo
from kornia_srgan.inference.tiling import Tiling, upscale_bands
from kornia_srgan.inference.work import OneByOne
from kornia_srgan.registry.catalog import GENERATORS
from tests.helpers.generators import Chain, Global, Nearest, Unshuffled
from tests.helpers.names import generator_names
from tests.helpers.tiled import upscale_tiled

GREY_LEVEL = 1 / 255


def small(name):
    """A generator of the registry with random weights, as small as its arguments allow."""
    parameters = GENERATORS.get(name).parameters()
    wanted = {"scale": 2, "channels": 8, "num_blocks": 2, "num_convs": 2, "growth": 4, "growth_channels": 4}
    torch.manual_seed(0)
    return GENERATORS.create(name, **{k: v for k, v in wanted.items() if k in parameters}).eval()


@pytest.mark.parametrize("name", generator_names())
def test_tiled_equals_whole_for_every_generator(name):
    generator = small(name)
    image = torch.rand(1, 3, 33, 21, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        whole = generator(image)
    for tile in (5, 16):
        tiled = upscale_tiled(generator, image, tile=tile)
        assert (tiled - whole).abs().max() < GREY_LEVEL / 10


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 1), (3, 3), (17, 5), (16, 32)])
@pytest.mark.parametrize("tile", [0, 1, 2, 7, 16, 1000])
@pytest.mark.parametrize("generator", [Chain(3), Unshuffled()], ids=["chain", "unshuffled"])
def test_tiled_equals_whole_at_any_size(generator, tile, size):
    image = torch.rand(1, 3, *size)
    with torch.inference_mode():
        whole = generator(image)
    tiled = upscale_tiled(generator, image, tile=tile)
    assert tiled.shape == whole.shape
    assert (tiled - whole).abs().max() < 1e-5


def test_a_halo_too_small_shows():
    """The comparison above can fail."""
    generator, image = Chain(3), torch.rand(1, 3, 20, 20)
    with torch.inference_mode():
        whole = generator(image)
    assert (upscale_tiled(generator, image, tile=8, halo=1) - whole).abs().max() > 1e-3


def test_a_generator_that_sees_everything_is_not_tiled():
    generator, image = Global(), torch.rand(1, 3, 20, 20)
    with torch.inference_mode():
        whole = generator(image)
    assert torch.equal(upscale_tiled(generator, image, tile=8), whole)


def test_single_tiles_are_taken_from_left_to_right():
    """Although the outer ones are of another shape: networks may draw random numbers."""
    image, seen = torch.arange(40.0).expand(1, 3, 16, 40), []

    def run(piece):
        seen.append(piece.max().item())
        return Nearest(2)(piece)

    list(upscale_bands(OneByOne(run), image, Tiling(tile=8, halo=2, scale=2)))
    assert seen == [9, 17, 25, 33, 39] * 2


def limited(largest, calls):
    """A run that has memory for pieces of at most `largest` pixels on a side."""

    def run(piece):
        calls.append(tuple(piece.shape[-2:]))
        if max(piece.shape[-2:]) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Nearest(2)(piece)

    return run


@pytest.mark.parametrize("size", [(40, 40), (33, 7), (5, 64)])
def test_out_of_memory_halves_the_tile_and_misses_none(size):
    image, calls = torch.rand(1, 3, *size), []
    tiling = Tiling(tile=32, halo=2, scale=2)
    bands = list(upscale_bands(OneByOne(limited(13, calls)), image, tiling))
    assert torch.equal(torch.cat(bands, dim=-2), Nearest(2)(image))
    assert any(max(call) > 13 for call in calls)


def test_the_last_resort_does_what_the_device_cannot():
    image, spare = torch.rand(1, 3, 20, 20), []

    def on_cpu(piece):
        spare.append(piece.shape)
        return Nearest(2)(piece)

    tiling = Tiling(tile=16, halo=0, scale=2)
    bands = list(upscale_bands(OneByOne(limited(0, []), spare=on_cpu), image, tiling))
    assert torch.equal(torch.cat(bands, dim=-2), Nearest(2)(image))
    assert spare


def test_without_a_last_resort_the_error_is_clear():
    with pytest.raises(UserError, match="not enough memory"):
        list(upscale_bands(OneByOne(limited(0, [])), torch.rand(1, 3, 8, 8), Tiling(8, 0, 2)))


def test_a_picture_that_must_be_whole_and_is_too_large_is_said_to_be():
    with pytest.raises(UserError, match="picture of 8 x 9 pixels, and this model takes pictures whole"):
        list(upscale_bands(OneByOne(limited(0, [])), torch.rand(1, 3, 9, 8), Tiling(0, None, 2, whole=True)))


def test_other_errors_are_not_taken_for_memory():
    def broken(piece):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        list(upscale_bands(OneByOne(broken), torch.rand(1, 3, 8, 8), Tiling(8, 0, 2)))


class Deep(Nearest):
    """A long chain of weak convolutions around a skip: a receptive field of 100, a reach of a few pixels."""

    halo = 100

    def __init__(self, strength):
        super().__init__(2)
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1, bias=False) for _ in range(100))
        self.strength = strength

    def forward(self, lr):
        x = lr
        for layer in self.layers:
            x = x + self.strength * torch.tanh(layer(x))
        return super().forward(x)


@pytest.mark.parametrize("strength", [0.001, 0.02, 0.06])
def test_a_deep_generators_reach_is_enough(strength):
    generator = Deep(strength).eval()
    halo = practical_halo(generator, 100)
    assert 32 <= halo <= 100
    image = torch.rand(1, 3, 90, 150, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole = generator(image)
        tiled = upscale_tiled(generator, image, tile=20, halo=halo)
    assert (tiled - whole).abs().max() < GREY_LEVEL


def test_layers_that_work_in_place_have_no_gradient_to_measure():
    class InPlace(Deep):
        def forward(self, lr):
            x = lr + 0
            for layer in self.layers[:3]:
                x[:, :1] = layer(x)[:, :1]
            return Nearest.forward(self, x)

    assert practical_halo(InPlace(0.1), 100) == 100


def test_a_weak_chain_reaches_less_than_it_sees():
    assert practical_halo(Deep(0.001), 100) < 100
    assert practical_halo(Chain(3), 3) == 3
    assert practical_halo(Chain(3), None) is None

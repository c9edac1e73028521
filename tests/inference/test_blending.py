"""Tiles that fade into each other."""

import pytest
import torch

from kornia_srgan.contracts import Geometry
from kornia_srgan.geometry import geometry_of
from kornia_srgan.inference.tiling import Tiling, upscale_bands
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.inference.work import OneByOne
from kornia_srgan.inference.wrappers import SelfEnsemble
from tests.helpers.generators import Chain, Nearest
from tests.helpers.tolerances import assert_near


def together(run, image, tiling):
    return torch.cat(list(upscale_bands(OneByOne(run), image, tiling)), dim=-2)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (33, 21), (64, 64), (65, 63)])
@pytest.mark.parametrize("tile", [1, 7, 16, 32, 100])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_what_leaves_no_trace_leaves_none_blended(size, tile, dtype):
    """Where both tiles agree, a blend of them is the same."""
    image = (torch.rand(1, 3, *size) * 255).to(dtype)

    def run(piece):
        return Nearest(3)(piece.float()).to(dtype)

    blended = together(run, image, Tiling(tile, 8, 3, blend=4))
    assert blended.dtype == dtype
    assert torch.equal(blended, run(image))


def test_a_halo_around_what_is_blended_is_thrown_away():
    generator, image = Chain(3), torch.rand(1, 3, 40, 50)
    with torch.inference_mode():
        blended = together(generator, image, Tiling(16, 3 + 4, 2, blend=4))
        assert_near(blended, generator(image), "layer")


def test_what_is_blended_is_part_of_the_halo():
    """A tile is computed with its halo around it and no more, which is what `tile` was chosen by."""
    sizes = []

    def watched(piece):
        sizes.append(tuple(piece.shape[-2:]))
        return Nearest(2)(piece)

    together(watched, torch.rand(1, 3, 60, 60), Tiling(16, 7, 2, blend=4))
    assert max(sizes) == (16 + 2 * 7, 16 + 2 * 7)


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_tiles_that_differ_fade_linearly(vertical, dtype):
    """Each tile is as bright as its number: over a seam a ramp, elsewhere flat; whole numbers are rounded."""
    calls = []

    def numbered(piece):
        calls.append(piece.shape)
        return torch.full((1, 3, *piece.shape[-2:]), len(calls), dtype=dtype)

    image = torch.zeros(1, 3, 4, 48)
    out = together(numbered, image.mT if vertical else image, Tiling(16, 4, 1, blend=4))
    line = out[0, 0, :, 0] if vertical else out[0, 0, 0]
    ramp = (torch.arange(8) + 0.5) / 8
    wanted = torch.cat([torch.ones(12), 1 + ramp, torch.full((8,), 2.0), 2 + ramp, torch.full((12,), 3.0)])
    torch.testing.assert_close(line, wanted if dtype.is_floating_point else wanted.round().to(dtype))


class Blended(Nearest):
    """As bright as the mean of what it sees, and says that tiles are to be blended."""

    halo, blend = 16, 8

    def forward(self, lr):
        return super().forward(lr) * 0 + lr.mean()


def test_the_upscaler_blends_what_says_so_and_tells():
    generator = Blended()
    assert geometry_of(generator) == Geometry(2, 16, 1, 8)
    upscaler = Upscaler(generator, tile=32, device="cpu")
    assert "tiles overlap (16 pixels); they are blended" in upscaler.note
    assert Upscaler(Chain(), tile=32, device="cpu").note == ""
    assert Upscaler(generator, tile=0, device="cpu").note == ""
    assert geometry_of(SelfEnsemble(generator)).blend == 8
    image = torch.linspace(0, 1, 96).expand(1, 3, 96, 96).contiguous()
    blended, cut = upscaler(image), together(generator, image, Tiling(32, 16, 2))
    assert largest_step(cut) > 0.2
    assert largest_step(blended) < 0.02


def largest_step(image):
    return (image[..., 1:] - image[..., :-1]).abs().max()

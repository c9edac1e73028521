import pytest
import torch
from torch import nn
from torch.nn import functional as F

from kornia_srgan.contracts import Geometry
from kornia_srgan.errors import ArgumentError
from kornia_srgan.geometry import geometry_of, measure_halo
from kornia_srgan.registry.catalog import GENERATORS
from tests.helpers.generators import Chain, Global, Nearest, Unshuffled
from tests.helpers.names import generator_names

SMALL = {"scale": 2, "channels": 8, "num_blocks": 2, "num_convs": 2, "growth": 4, "growth_channels": 4}


class Readme(nn.Module):
    """The generator that README shows: it states its scale and nothing else."""

    def __init__(self, *, scale=4):
        super().__init__()
        self.scale = scale
        self.body = nn.Sequential(nn.Conv2d(3, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, lr):
        return self.body(lr)


class InPairs(Readme):
    """Computes in 16 bits as oneDNN does on some processors: the next pixel comes along, times zero."""

    def forward(self, lr):
        result = super().forward(lr)
        if lr.dtype == torch.float32:
            return result
        return result + 0 * super().forward(lr.roll((-1, -1), (2, 3)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_comes_along_in_16_bits_is_no_reach(dtype):
    generator = InPairs().to(dtype)
    assert measure_halo(generator) == 1
    assert next(generator.parameters()).dtype == dtype


def test_scale_is_all_that_a_generator_must_state():
    assert geometry_of(Readme(scale=3)) == Geometry(scale=3, halo=1, align=1)
    assert geometry_of(Readme(), measure=False) == Geometry(scale=4, halo=None, align=1)


def test_what_is_stated_is_taken():
    assert geometry_of(Nearest(2)) == Geometry(2, 0, 1)
    assert geometry_of(Unshuffled(), measure=False).align == 2
    net = Chain(3)
    net.halo = None  # "I see the whole image" is a statement too
    assert geometry_of(net).halo is None
    assert geometry_of(torch.compile(Nearest(2))).scale == 2  # a wrapper hands attributes on


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, r"^Chain has no 'scale'; a generator keeps its factor of enlargement: self\.scale = 4$"),
        ({"scale": 0}, r"^Chain\.scale is 0; it must be a whole number, 1 or more$"),
        ({"scale": "4"}, r"^Chain\.scale is '4'; it must be"),
        ({"scale": True}, r"^Chain\.scale is True; it must be"),
        ({"scale": 2, "halo": -1}, r"^Chain\.halo is -1; it must be a whole number, 0 or more$"),
        ({"scale": 2, "align": 0}, r"^Chain\.align is 0; it must be a whole number, 1 or more$"),
    ],
)
def test_what_is_missing_or_cannot_be_meant_is_named(attributes, said):
    net = Chain()
    del net.scale
    for name, value in attributes.items():
        setattr(net, name, value)
    with pytest.raises(ArgumentError, match=said):
        geometry_of(net)


@pytest.mark.parametrize("depth", [1, 2, 5, 40])
def test_measured_halo_is_the_receptive_field(depth):
    assert measure_halo(Chain(depth)) == depth


def test_measured_halo_counts_weights_that_are_zero():
    generator = Chain(3)
    for parameter in generator.parameters():
        nn.init.zeros_(parameter)
    assert measure_halo(generator) == 3


def test_what_sees_everything_has_no_halo():
    assert measure_halo(Global()) is None


def test_measuring_leaves_the_mode_alone():
    generator = Chain().train()
    measure_halo(generator)
    assert generator.training


class Reflecting(Chain):
    """Reflects 8 pixels at its border, which an image one pixel high has not."""

    def forward(self, lr):
        return super().forward(F.pad(lr, (8, 8, 8, 8), mode="reflect"))[..., 16:-16, 16:-16]


def test_a_network_that_refuses_low_images_is_measured_on_higher_ones():
    assert measure_halo(Reflecting(3)) == 3


def test_a_network_that_cannot_be_measured_is_told_what_to_state():
    class Picky(Chain):
        def forward(self, lr):
            raise ValueError("only 100 x 100")

    with pytest.raises(ArgumentError, match=r"halo of Picky cannot be .*only 100 x 100.*self\.halo = "):
        geometry_of(Picky())


@pytest.mark.parametrize("name", generator_names())
def test_stated_halo_covers_the_measured_one(name):
    parameters = GENERATORS.get(name).parameters()
    torch.manual_seed(0)
    generator = GENERATORS.create(name, **{k: v for k, v in SMALL.items() if k in parameters}).eval()
    measured = measure_halo(generator)
    assert measured is not None
    assert geometry_of(generator).halo >= measured

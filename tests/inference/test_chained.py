"""Generators one after the other."""

import pickle

import pytest
import torch
from PIL import Image

from kornia_srgan.contracts import Geometry
from kornia_srgan.errors import ArgumentError
from kornia_srgan.geometry import geometry_of, measure_halo
from kornia_srgan.inference.chained import Chained
from kornia_srgan.inference.upscaler import Upscaler
from tests.helpers.generators import Chain, Global, Nearest, Unshuffled
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.tolerances import assert_near


def test_computes_one_after_the_other():
    one, two = Chain(2, scale=1), Chain(3, scale=2, seed=4)
    chain, lr = Chained([one, two]).eval(), torch.rand(2, 3, 9, 7)
    with torch.no_grad():
        assert torch.equal(chain(lr), two(one(lr).clamp(0, 1)))
    assert chain.scale == 2


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ([Chain(2, scale=1), Chain(3, scale=2)], Geometry(2, 5)),
        ([Chain(2, scale=2), Chain(3, scale=2)], Geometry(4, 4)),  # 3 pixels after x2 are 2 before it
        ([Nearest(2), Unshuffled()], Geometry(4, 2, 1)),
        ([Nearest(1), Unshuffled()], Geometry(2, 3, 2)),
        ([Chain(1, scale=1), Global()], Geometry(2, None)),
        ([Chain(1, scale=1), Chain(1, scale=1), Nearest(3)], Geometry(3, 2)),
    ],
)
def test_what_they_see_together(parts, wanted):
    found = geometry_of(Chained(parts))
    assert (found.scale, found.align) == (wanted.scale, wanted.align)
    if wanted.halo is None:
        assert found.halo is None
        return
    assert found.halo >= wanted.halo
    if found.align == 1 and not any(isinstance(p, Unshuffled) for p in parts):
        assert found.halo == wanted.halo
        assert found.halo >= measure_halo(Chained(parts))


@pytest.mark.parametrize("parts", [[Chain(2, scale=1), Unshuffled()], [Chain(2), Chain(3)]])
def test_tiled_equals_whole(parts):
    chain, image = Chained(parts).eval(), torch.rand(1, 3, 37, 52)
    with torch.no_grad():
        whole = chain(image).clamp(0, 1)
    tiled = Upscaler(chain, tile=16, device="cpu")(image)
    assert_near(tiled, whole, "layer")


def test_one_is_no_chain():
    with pytest.raises(ArgumentError, match="two generators or more"):
        Chained([Nearest(2)])


def test_the_command_chains(tmp_path, capsys):
    picture, target = tmp_path / "p.png", tmp_path / "out.png"
    Image.new("RGB", (6, 5), (200, 100, 50)).save(picture)
    done = invoke(capsys, "upscale", picture, "-o", target, "--weights", "edsr-x2", "--then", "edsr-x2")
    assert done.code == 0
    assert Image.open(target).size == (24, 20)
    assert_user_error(
        invoke(capsys, "upscale", picture, "-o", target, "--then", "nothing"), "'nothing' not found"
    )


def test_a_chain_of_names_is_pickled_as_names():
    upscaler = Upscaler.from_pretrained("edsr-x2", then=["edsr-x2"], device="cpu")
    assert upscaler.scale == 4
    assert len(pickle.dumps(upscaler)) < 2000
    assert pickle.loads(pickle.dumps(upscaler)).scale == 4

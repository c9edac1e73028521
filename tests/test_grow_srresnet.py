"""The weights that `docs/grow_srresnet.py` writes do what the EDSR does."""

import pytest
import torch
from torch import nn

from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.components.generators.srresnet import SRResNet
from tests.helpers.scripts import load_script
from tests.helpers.snippets import ROOT
from tests.helpers.tolerances import assert_near
from tests.helpers.trained import trained

CHANNELS, BLOCKS = 16, 5


@pytest.fixture(scope="module")
def script():
    return load_script(ROOT / "docs/grow_srresnet.py")


@pytest.fixture(scope="module")
def lr():
    small = torch.rand(6, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return nn.functional.interpolate(small, (24, 24), mode="bicubic").clamp(0, 1)


def source():
    torch.manual_seed(1)
    return trained(EDSR(channels=CHANNELS, num_blocks=3)).eval().requires_grad_(False)


def inside(x, border):
    """The head's padding is black instead of grey; the border differs."""
    return x[..., border:-border, border:-border]


@torch.no_grad()
def test_head_and_body_are_copied_exactly(script, lr):
    old, new = source(), SRResNet(channels=CHANNELS, num_blocks=BLOCKS).eval()
    script.copy_head(old, new)
    features = old.head(lr - 0.5)
    assert_near(inside(new.head(lr), 1), inside(features, 1), "layer")
    wanted = script.copy_body(old, new, features)
    torch.testing.assert_close(wanted, old.body(features))
    assert_near(features + new.body(features), wanted, "network")
    new.train()  # on the images whose statistics were taken, BatchNorm undoes its own normalisation
    assert_near(features + new.body(features), wanted, "deep")


@torch.no_grad()
def test_the_tail_carries_an_image_through_both_shuffles(script):
    new = SRResNet(channels=CHANNELS, num_blocks=1).eval()
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(48, CHANNELS, 3, 3, generator=random) * 0.02
    bias = torch.rand(48, generator=random) - 0.5
    script.place_tail(new, weight, bias)
    features = torch.rand(2, CHANNELS, 5, 7, generator=random)
    wanted = nn.functional.pixel_shuffle(nn.functional.conv2d(features, weight, bias, padding=1), 4)
    assert wanted.abs().max() < script.SHIFT
    new.tail.weight[:, 3:] = 0  # what the other channels begin with
    assert_near(new.tail(new.upsample(features)), wanted, "layer")


@torch.no_grad()
def test_some_directions_become_the_image(script, lr):
    changed = source()
    directions = script.least_used(changed, lr)
    assert_near(directions.T @ directions, torch.eye(3), "layer")
    script.carry_colours(changed, directions)
    x = changed.head(lr - 0.5)
    found = torch.einsum("bchw,ck->bkhw", changed.body(x), directions)
    assert_near(found, lr - 0.5, "network")


@torch.no_grad()
def test_the_whole_is_almost_the_same(script, lr):
    old = source()
    new = script.grow(old, lr, num_blocks=BLOCKS)
    grown = (inside(new(lr), 8) - inside(old(lr), 8)).square().mean().sqrt()
    fresh = SRResNet(channels=CHANNELS, num_blocks=BLOCKS).eval()
    assert grown < 0.1 * (inside(fresh(lr), 8) - inside(old(lr), 8)).square().mean().sqrt()

"""The weights that `docs/grow_edsr.py` writes do what the smaller EDSR does, and can learn more."""

import pytest
import torch

from kornia_srgan.components.generators.edsr import EDSR
from tests.helpers.scripts import load_script
from tests.helpers.snippets import ROOT
from tests.helpers.tolerances import assert_near
from tests.helpers.trained import trained


@pytest.fixture(scope="module")
def script():
    return load_script(ROOT / "docs/grow_edsr.py")


@pytest.mark.parametrize(("channels", "blocks"), [(12, 5), (8, 5), (12, 3)])
def test_the_larger_network_computes_the_same(script, channels, blocks):
    torch.manual_seed(1)
    old = trained(EDSR(channels=8, num_blocks=3)).eval()
    new = EDSR(channels=channels, num_blocks=blocks).eval()
    lr = torch.rand(2, 3, 9, 11)
    with torch.no_grad():
        assert (old(lr) - new(lr)).abs().max() > 1e-3
        script.grow(old, new)
        assert_near(new(lr), old(lr), "layer")


def test_what_is_new_has_a_gradient(script):
    torch.manual_seed(1)
    old, new = trained(EDSR(channels=8, num_blocks=2)), EDSR(channels=12, num_blocks=2)
    with torch.no_grad():
        script.grow(old, new)
    new(torch.rand(1, 3, 9, 11)).square().sum().backward()
    tail = new.tail[0].weight.grad
    assert tail is not None
    assert (tail[:, 8:].abs().amax((0, 2, 3)) > 0).all()

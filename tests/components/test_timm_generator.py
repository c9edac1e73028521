"""A generator on any timm backbone."""

import pytest
import torch
from torch import nn

from kornia_srgan.assembly import generator_spec, load_generator
from kornia_srgan.components.generators.timm_backbone import FeatureUpsampler
from kornia_srgan.config.model import Component
from kornia_srgan.errors import ArgumentError
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.weights.files import save_weights

BACKBONES = (("resnet10t", (0, 1)), ("convnext_atto", (0, 1)), ("tf_efficientnet_lite0", (0, 1, 2)))


def made(model="resnet10t", layers=(0, 1), **arguments):
    torch.manual_seed(0)
    small = {"scale": 2, "channels": 16, "num_blocks": 1} | arguments
    return GENERATORS.create("timm_backbone", model=model, layers=layers, **small)


@pytest.mark.parametrize(("model", "layers"), BACKBONES)
def test_every_backbone_enlarges_any_size(model, layers):
    net = made(model, layers).eval()
    with torch.no_grad():
        for size in ((1, 1), (7, 13), (33, 20)):
            assert net(torch.rand(2, 3, *size)).shape == (2, 3, 2 * size[0], 2 * size[1])


@pytest.mark.parametrize("frozen", [False, True])
def test_it_learns(frozen):
    net = made(frozen=frozen).train()
    lr = torch.rand(2, 3, 24, 24)
    hr = (0.5 + 1.5 * (nn.functional.interpolate(lr, scale_factor=2.0) - 0.5)).clamp(0, 1)
    trained = [p for p in net.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in net.features.parameters()]
    optimizer, losses = torch.optim.Adam(trained, lr=2e-3), []
    for _ in range(25):
        loss = (net(lr) - hr).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    moved = [not torch.equal(a, b) for a, b in zip(before, net.features.parameters(), strict=True)]
    assert any(moved) is not frozen


def test_it_is_served_in_tiles_that_are_blended():
    net = made().eval()
    upscaler = Upscaler(net, tile=64, device="cpu")
    assert "blended" in upscaler.note
    image = torch.rand(1, 3, 70, 90)
    assert upscaler(image).shape == (1, 3, 140, 180)


def test_any_module_with_features_becomes_a_generator():
    body = nn.Sequential(nn.Conv2d(3, 12, 3, stride=2, padding=1), nn.ReLU())
    net = FeatureUpsampler(body, (12,), scale=3, channels=8, num_blocks=1)
    net(torch.rand(1, 3, 9, 7)).mean().backward()
    assert all(p.grad is not None for p in net.parameters())
    with pytest.raises(ArgumentError):
        FeatureUpsampler(body, (12,), scale=2, channels=0)


def test_a_saved_one_is_rebuilt_without_the_weights_it_started_from(tmp_path):
    component = Component(name="timm_backbone", args={"model": "resnet10t", "layers": [0], "weights": "timm"})
    spec = generator_spec(component, 2)
    assert spec.args["weights"] == "random"
    net = made(layers=(0,), channels=64, num_blocks=4)
    save_weights(tmp_path / "t.safetensors", net.state_dict(), spec)
    lr = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(load_generator(tmp_path / "t.safetensors").module(lr), net.eval()(lr))

"""Every component on CUDA: what it makes stays there and is what the CPU makes.

On a machine without a GPU the device is pretended, see `tests.helpers.pretend_cuda`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kornia_srgan.components.features.timm_features import TimmFeatures
from kornia_srgan.errors import MissingExtraError, OfflineError
from kornia_srgan.optimize.optimize import optimize_for_inference
from kornia_srgan.registry.catalog import (
    ADVERSARIAL_LOSSES,
    AUGMENTATIONS,
    DEGRADATION_STAGES,
    DEGRADATIONS,
    DISCRIMINATORS,
    IMAGE_LOSSES,
    METRICS,
    RESIZERS,
)
from tests.helpers import augmentations, degradations, small_discriminators, small_generators
from tests.helpers.image_losses import image_loss
from tests.helpers.names import generator_names
from tests.helpers.pretend_cuda import NAME as PRETENDED
from tests.helpers.tolerances import Kind, assert_near

SEEDS = degradations.SEEDS


def images(side: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(4, 3, side, side, generator=torch.Generator().manual_seed(seed))


def tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [t for v in (value.values() if isinstance(value, Mapping) else value) for t in tensors(v)]


def assert_alike(
    make: Callable[[torch.device], Any], cuda: torch.device, kind: Kind = "layer on CUDA"
) -> None:
    """What `make` gives on both devices: the same values, each on its own device."""
    made = []
    for device in (torch.device("cpu"), cuda):
        torch.manual_seed(0)
        made.append(tensors(make(device)))
    assert made[0]
    for expected, found in zip(*made, strict=True):
        assert found.device.type == "cuda"
        assert_near(found.cpu(), expected, kind)


def draws_its_own(cuda: torch.device) -> bool:
    """Whether noise drawn on the device is other than the CPU's, as a real one's is."""
    return torch.cuda.get_device_name(cuda) != PRETENDED


def gradients(net: nn.Module) -> list[Tensor]:
    return [p.grad for p in net.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", generator_names())
def test_generator_and_its_gradients(name: str, cuda: torch.device) -> None:
    def make(device: torch.device) -> Any:
        net = small_generators.small(name).to(device)
        sr = net(images(9).to(device))
        sr.square().mean().backward()
        return sr, gradients(net)

    assert_alike(make, cuda)


@pytest.mark.parametrize("name", generator_names(wrapped=False))
def test_generator_made_ready(name: str, cuda: torch.device) -> None:
    def make(device: torch.device) -> Any:
        net = small_generators.small(name, channels=48)
        return optimize_for_inference(net, device=device)(images(64).to(device))

    assert_alike(make, cuda, "network on CUDA")


@pytest.mark.parametrize("name", DISCRIMINATORS.names())
def test_discriminator_and_its_gradients(name: str, cuda: torch.device) -> None:
    def make(device: torch.device) -> Any:
        net = small_discriminators.small(name).eval().to(device)
        logits = net(images(32).to(device))
        logits.square().mean().backward()
        return logits, gradients(net)

    assert_alike(make, cuda, "network on CUDA")


@pytest.mark.parametrize(("model", "layer"), [("vgg19", "relu2_2"), ("resnet18", "2")])
def test_features(model: str, layer: str, cuda: torch.device) -> None:
    def make(device: torch.device) -> Any:
        extractor = TimmFeatures(model=model, layers=(layer,), weights="random").to(device)
        sr = images(32).to(device).requires_grad_()
        features = extractor(sr)
        features[layer].square().mean().backward()
        return features, sr.grad

    assert_alike(make, cuda, "network on CUDA")


@pytest.mark.parametrize("name", IMAGE_LOSSES.names())
def test_image_loss(name: str, cuda: torch.device) -> None:
    def make(device: torch.device) -> Any:
        loss = image_loss(name).to(device)
        sr = images(24).to(device).requires_grad_()
        value = loss(sr, images(24, seed=1).to(device))
        value.backward()
        return value, sr.grad

    assert_alike(make, cuda)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
@pytest.mark.parametrize("penalty", ["r1", "gradient_penalty"])
def test_adversarial_loss_and_its_penalty(name: str, penalty: str, cuda: torch.device) -> None:
    def make(device: torch.device) -> Any:
        torch.manual_seed(0)
        loss = ADVERSARIAL_LOSSES.create(name, **{penalty: 1.0})
        net = nn.Sequential(nn.Conv2d(3, 1, 3), nn.Softplus()).to(device)
        real, fake = images(8).to(device), images(8, seed=1).to(device)
        game = loss.generator(net(fake), net(real)), *loss.discriminator(net(real), net(fake))
        return game, loss.penalty(net, real, fake)

    assert_alike(make, cuda)


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_augmentation(name: str, cuda: torch.device) -> None:
    augment = AUGMENTATIONS.create(name, **augmentations.ARGS.get(name, {}))
    noisy = name == "kornia" and draws_its_own(cuda)
    assert_alike(
        lambda device: augment(images().to(device), SEEDS),
        cuda,
        "drawn on CUDA" if noisy else "layer on CUDA",
    )


@pytest.mark.parametrize("name", RESIZERS.names())
def test_resizer(name: str, cuda: torch.device) -> None:
    resize = RESIZERS.create(name)
    assert_alike(lambda device: resize(images().to(device), (8, 9)), cuda)


@pytest.mark.parametrize("name", DEGRADATIONS.names())
def test_degradation(name: str, cuda: torch.device) -> None:
    degrade = DEGRADATIONS.create(name, **degradations.ARGS.get(name, {}))
    kind: Kind = "drawn on CUDA" if draws_its_own(cuda) else "grey level on CUDA"
    assert_alike(lambda device: degrade(images().to(device), SEEDS, (8, 8)), cuda, kind)


@pytest.mark.parametrize("name", DEGRADATION_STAGES.names())
def test_degradation_stage(name: str, cuda: torch.device) -> None:
    stage = DEGRADATION_STAGES.create(name, **degradations.STAGE_ARGS.get(name, {}))
    noisy = name == "noise" and draws_its_own(cuda)

    def make(device: torch.device) -> Tensor:
        return stage(degradations.canvas_of(images().to(device)), SEEDS, (8, 8)).pixels

    assert_alike(make, cuda, "drawn on CUDA" if noisy else "network on CUDA")


@pytest.mark.parametrize("name", METRICS.names())
def test_metric(name: str, cuda: torch.device) -> None:
    try:
        metric = METRICS.create(name, **({"scale": 4} if name == "ergas" else {}))
    except (MissingExtraError, OfflineError) as error:
        pytest.skip(str(error))
    side = 192 if name == "niqe" else 32
    made = [metric(images(side).to(d), images(side, seed=1).to(d)).cpu() for d in (torch.device("cpu"), cuda)]
    assert_near(*made, "metric on CUDA")

"""The first script's functions (docs/seed-functions.md), each by the call a user would write."""

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

from kornia_srgan import ADVERSARIAL_LOSSES, DISCRIMINATORS, FEATURE_EXTRACTORS, GENERATORS, IMAGE_LOSSES
from kornia_srgan.cli.app import run_command_line
from kornia_srgan.weights.files import read_spec
from tests.helpers.snippets import run_python


def test_the_page_runs_as_printed(capsys):
    run_python("docs/seed-functions.md", {})
    assert "adversarial" in capsys.readouterr().out


@pytest.mark.parametrize("blocks", [1, 3, 5])
def test_generator_by_residual_blocks(blocks):
    generator = GENERATORS.create("srresnet", num_blocks=blocks, channels=8)
    assert generator(torch.rand(1, 3, 6, 5)).shape == (1, 3, 24, 20)
    convolutions = sum(isinstance(m, nn.Conv2d) for m in generator.modules())
    assert convolutions == 2 * blocks + 5  # first, after the blocks, two for the shuffles, last


def test_discriminator_by_n_k_s():
    n, k, s = (4, 6, 8), (3, 5, 3), (1, 2, 2)
    discriminator = DISCRIMINATORS.create("vgg", filters=n, kernel_sizes=k, strides=s, dense=16)
    convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size[0], c.stride[0]) for c in convolutions] == list(
        zip(n, k, s, strict=True)
    )


def test_content_loss_by_layer_name_is_the_distance_of_features():
    torch.manual_seed(0)
    vgg = FEATURE_EXTRACTORS.create("timm", model="vgg11", layers=("block2_conv1",), weights="random")
    sr, hr = torch.rand(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32)
    loss = IMAGE_LOSSES.create("perceptual", extractor=vgg)(sr, hr)
    (a,), (b,) = vgg(sr).values(), vgg(hr).values()
    assert loss.item() == pytest.approx(((a - b) / 12.75).square().mean().item(), rel=1e-4)
    loss.backward()
    assert sr.grad.abs().sum() > 0


def test_the_default_layer_is_the_scripts():
    names = [
        FEATURE_EXTRACTORS.create("timm", weights="random", **layers).eval()
        for layers in ({}, {"layers": ("block5_conv4",)})
    ]
    names[1].load_state_dict(names[0].state_dict())
    image = torch.rand(1, 3, 32, 32)
    default, keras = (next(iter(extractor(image).values())) for extractor in names)
    assert torch.equal(default, keras)


def test_adversarial_and_discriminator_loss():
    adversarial = ADVERSARIAL_LOSSES.create("vanilla")
    real, fake = torch.tensor([[2.0]]), torch.tensor([[-1.0]])
    true_loss, false_loss = adversarial.discriminator(real, fake)
    assert true_loss.item() == pytest.approx(np.log1p(np.exp(-2.0)), rel=1e-5)  # -log D(hr)
    assert false_loss.item() == pytest.approx(np.log1p(np.exp(-1.0)), rel=1e-5)  # -log(1 - D(sr))
    assert adversarial.generator(fake).item() == pytest.approx(np.log1p(np.exp(1.0)), rel=1e-5)  # -log D(sr)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(2):
        Image.fromarray(rng.integers(0, 256, (200, 100, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


def test_prepare_writes_pairs(photos, tmp_path):
    assert run_command_line(["prepare", str(photos), "-o", str(tmp_path / "tiles")]) == 0
    sizes = {Image.open(p).size for p in (tmp_path / "tiles").rglob("*.png")}
    assert sizes == {(96, 96), (24, 24)}
    assert len(list((tmp_path / "tiles/HR").glob("*.png"))) == 4


def test_train_both_stages(photos, tmp_path):
    loss = {"losses": ["mse"]}
    config = {
        "generator": {"name": "srresnet", "args": {"num_blocks": 1, "channels": 4}},
        "data": {"crop": 32, "workers": 0},
        "train": {"batch_size": 2, "log_every": 1},
        "stages": [
            {"name": "srresnet", "steps": 2, **loss},
            {
                "name": "srgan",
                "steps": 2,
                **loss,
                "adversarial": {"name": "vanilla", "weight": 1e-3},
                "discriminator": {"name": "vgg", "args": {"filters": [4, 4], "strides": [1, 2], "dense": 8}},
            },
        ],
    }
    (tmp_path / "mini.yaml").write_text(yaml.safe_dump(config))
    arguments = [
        "train",
        str(tmp_path / "mini.yaml"),
        "--data",
        str(photos),
        "--output",
        str(tmp_path / "run"),
    ]
    assert run_command_line(arguments) == 0
    found = list((tmp_path / "run").rglob("*.safetensors"))
    assert any(read_spec(path).name == "srresnet" for path in found)

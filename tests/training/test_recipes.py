"""Every packaged recipe trains for a few dozen steps, with its networks made small."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from timm.models import vgg

from kornia_srgan.assembly import FROM_INIT, assemble, build_configured, load_generator
from kornia_srgan.config.io import load_config, recipe_names
from kornia_srgan.config.model import TrainConfig
from kornia_srgan.contracts import Batch
from kornia_srgan.data.batch import CropBatch
from kornia_srgan.errors import ConfigError
from kornia_srgan.ops.norms import norm_momentum
from kornia_srgan.registry.catalog import DEGRADATIONS, RESIZERS
from kornia_srgan.training.hooks import StepEvent
from kornia_srgan.training.players import ActiveStage
from kornia_srgan.training.run import train
from kornia_srgan.training.steps import image_loss, make_batch
from tests.helpers.training import cpu_accelerator, make_photos

SMALL_GENERATORS: dict[str, dict[str, Any]] = {
    "srresnet": {"num_blocks": 1, "channels": 8},
    "edsr": {"num_blocks": 1, "channels": 8},
    "rrdb": {"num_blocks": 1, "channels": 8, "growth_channels": 4},
}
SMALL_DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "vgg": {"filters": [8, 8], "strides": [1, 2], "dense": 8, "pool": 2},
    "unet": {"channels": 8},
}
STEPS = 24


@pytest.fixture
def small_vgg(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG networks with an eighth of the channels in the same layers; most of a run's time went into them."""
    for name, layers in vgg.cfgs.items():
        monkeypatch.setitem(vgg.cfgs, name, [width if width == "M" else int(width) // 8 for width in layers])


def shrink(name: str) -> list[str]:
    """Overrides that keep a recipe's structure: small networks, few steps, VGG features of random weights."""
    config = load_config(name)
    crop = 8 * config.scale
    changes = [
        f"data.crop={crop}",
        "train.batch_size=4",
        "train.lr=1e-3",
        "train.log_every=8",
        "data.cache=ram",
    ]
    if config.generator.name != FROM_INIT:
        changes.append("init=null")  # packaged weights do not fit small networks: `test_init_fits`
    for key, value in SMALL_GENERATORS.get(config.generator.name, {}).items():
        changes.append(f"generator.args.{key}={value}")
    for index, stage in enumerate(config.stages):
        changes += [f"stages.{index}.steps={STEPS // len(config.stages)}", f"stages.{index}.lr=1e-3"]
        if stage.discriminator:
            small = json.dumps(SMALL_DISCRIMINATORS[stage.discriminator.name])
            changes.append(f"stages.{index}.discriminator.args={small}")
        for number, loss in enumerate(stage.losses):
            if loss.name == "perceptual":
                path = f"stages.{index}.losses.{number}.args.extractor.args.weights"
                changes.append(f"{path}=random")
    return changes


class Ruler:
    """An `on_step` that takes the first stage's image losses on one batch with one damage, before and after.

    What a run logs is of other crops with other damage in each step, and need not fall from line to line.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.batch: Batch | None = None
        self.before = self.after = math.nan

    def __call__(self, event: StepEvent) -> None:
        if event.progress.total == 0 and event.result is None:
            self.batch = self._make_batch(event.crops)
            self.before = self._loss(event.stage)
        if event.progress.total == self.config.stages[0].steps - 1 and event.result is not None:
            self.after = self._loss(event.stage)

    def _make_batch(self, crops: CropBatch) -> Batch:
        data = self.config.data
        return make_batch(
            crops.images,
            crops.seeds,
            lr=crops.lr,
            paired=crops.paired,
            scale=self.config.scale,
            resizer=build_configured(RESIZERS, data.resizer),
            degradation=build_configured(DEGRADATIONS, data.degradation) if data.degradation else None,
        )

    def _loss(self, stage: ActiveStage) -> float:
        assert self.batch is not None
        network = stage.generator.plain
        with torch.no_grad(), torch.random.fork_rng([]), norm_momentum(network, 0.0):
            torch.manual_seed(0)
            return float(image_loss(network(self.batch.lr), self.batch.hr, stage.losses).total)


@pytest.mark.slow
@pytest.mark.parametrize("name", recipe_names())
def test_recipe_trains(name: str, tmp_path: Path, small_vgg: None) -> None:
    photos = make_photos(tmp_path / "photos")
    config = load_config(name, shrink(name), values={"data.folders": [str(photos)]})
    ruler = Ruler(config)
    assert train(config, tmp_path / "run", accelerator=cpu_accelerator(), on_step=ruler)
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert {line["stage"] for line in lines} == {stage.name for stage in config.stages}
    assert all(value is not None for line in lines for value in line.values())
    assert ruler.after < ruler.before
    loaded = load_generator(tmp_path / "run/generator.safetensors")
    assert loaded.spec.scale == config.scale
    assert loaded.spec.training["recipe"] == name


@pytest.mark.parametrize("name", [name for name in recipe_names() if load_config(name).init])
def test_init_fits(name: str) -> None:
    config = load_config(name)
    stages = [stage.model_copy(update={"losses": stage.losses[:1]}) for stage in config.stages]
    made = assemble(config.model_copy(update={"stages": stages})).generator.state_dict()
    assert config.init
    given = load_generator(config.init).module.state_dict()
    assert all(torch.equal(made[key], given[key]) for key in made if not key.startswith("tail"))


def test_the_papers_numbers() -> None:
    """Ledig et al. 2017, section 3.2."""
    config = load_config("srgan")
    first, second = config.stages
    assert (config.data.crop, config.train.batch_size, config.train.lr) == (96, 16, 1e-4)
    assert config.train.optimizer.args["betas"][0] == 0.9
    assert (first.steps, [loss.name for loss in first.losses]) == (1_000_000, ["mse"])
    assert second.steps == 200_000
    assert second.schedule.milestones == (100_000,)
    assert second.adversarial is not None
    assert second.adversarial.weight == 1e-3
    (content,) = second.losses
    assert content.args["feature_scale"] == pytest.approx(1 / 12.75)
    assert content.args["extractor"]["args"] == {"model": "vgg19", "layers": ["relu5_4"]}


def test_the_generator_of_init_is_found(tmp_path: Path) -> None:
    config = load_config("finetune")
    made = assemble(config)
    assert (made.spec.name, made.spec.args["channels"]) == ("edsr", 64)
    with pytest.raises(ConfigError, match="edsr-x2 is x2, the run has scale 4; set scale=2"):
        assemble(config.model_copy(update={"init": "edsr-x2"}))
    with pytest.raises(ConfigError, match="set init=NAME or a path"):
        assemble(config.model_copy(update={"init": None}))


def test_a_network_of_the_community_is_trained_on(tmp_path: Path) -> None:
    pytest.importorskip("spandrel", reason="spandrel (extra: community) is not installed")
    from spandrel.architectures.SwiftSRGAN import SwiftSRGAN

    file = tmp_path / "swift.pth"
    torch.save(SwiftSRGAN(num_channels=8, num_blocks=1, upscale_factor=2).state_dict(), file)
    photos = make_photos(tmp_path / "photos")
    changes = [f"init={file}", "scale=2", "data.crop=32", "train.batch_size=2", "stages.0.steps=6"]
    config = load_config("finetune", [*changes, "train.log_every=2"], values={"data.folders": [str(photos)]})
    assert train(config, tmp_path / "run", accelerator=cpu_accelerator())
    loaded = load_generator(tmp_path / "run/generator.safetensors")
    assert (loaded.spec.name, loaded.spec.args["architecture"]) == ("spandrel", "SwiftSRGAN")
    before = load_generator(file).module.state_dict()
    changed = [not torch.equal(v, before[k]) for k, v in loaded.module.state_dict().items() if v.ndim == 4]
    assert all(changed)

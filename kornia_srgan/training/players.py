"""The networks of a stage, prepared by Accelerate, with their optimizers and losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from timm.utils import ModelEmaV3
from torch import nn

from kornia_srgan.assembly import NamedLoss, StageComponents
from kornia_srgan.config.model import Train
from kornia_srgan.contracts import AdversarialLoss, MixedPrecisionLoss
from kornia_srgan.ops.modules import to_channels_last
from kornia_srgan.training.optim import LearningRate, make_optimizer

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Player:
    """A network with its optimizer and learning rate.

    Attributes:
        plain: The module.
        prepared: The module wrapped by Accelerate (DDP, autocast).
        optimizer: Accelerate's wrapper of the optimizer.
        rate: Sets the optimizer's learning rate.
    """

    plain: nn.Module
    prepared: nn.Module
    optimizer: Any
    rate: LearningRate

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that are trained."""
        return [p for p in self.plain.parameters() if p.requires_grad]


class Average:
    """The running average of the generator, for Accelerate's checkpoints."""

    def __init__(self) -> None:
        self.model: ModelEmaV3 | None = None

    def state_dict(self) -> dict[str, Any]:
        """The tensors of the average; empty if there is none."""
        return dict(self.model.state_dict()) if self.model else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the tensors."""
        if self.model:
            self.model.load_state_dict(state)


@dataclass
class ActiveStage:
    """The networks and losses of one stage; without a discriminator it is not a GAN stage.

    The adversarial weight is reached after `adversarial_warmup` steps. The discriminator skips its step while
    its accuracy is above `discriminator_limit`.
    """

    generator: Player
    losses: tuple[NamedLoss, ...]
    discriminator: Player | None = None
    adversarial: AdversarialLoss | None = None
    adversarial_weight: float = 0.0
    adversarial_warmup: int = 0
    discriminator_limit: float | None = None


def prepare_stage(
    generator: nn.Module, components: StageComponents, train: Train, accelerator: Accelerator
) -> ActiveStage:
    """Move the networks of a stage to the device, create their optimizers and prepare all with Accelerate.

    The order is always generator, its optimizer, discriminator, its optimizer, because names in checkpoints
    depend on it.
    """
    config = components.config
    lr = config.lr or train.lr
    for entry in components.losses:
        loss = entry.loss
        if isinstance(loss, nn.Module):
            loss.to(accelerator.device)
            if train.channels_last:
                to_channels_last(loss)
        if isinstance(loss, MixedPrecisionLoss):
            loss.set_precision(_HALF.get(str(accelerator.mixed_precision)))
    player = _prepare_player(generator, train, lr, components, accelerator)
    if components.discriminator is None or config.adversarial is None:
        return ActiveStage(player, components.losses)
    d_lr = config.discriminator_lr or lr
    discriminator = _prepare_player(components.discriminator, train, d_lr, components, accelerator)
    return ActiveStage(
        player,
        components.losses,
        discriminator,
        components.adversarial,
        components.adversarial_weight,
        config.adversarial.warmup_steps,
        config.discriminator_limit,
    )


def _prepare_player(
    module: nn.Module, train: Train, lr: float, components: StageComponents, accelerator: Accelerator
) -> Player:
    module.to(accelerator.device).train()
    if train.channels_last:
        to_channels_last(module)
    if train.compile:
        module.compile()  # in place: a wrapper would put a prefix on every saved key
    optimizer = make_optimizer(train.optimizer, module, lr)
    rate = LearningRate(components.config.schedule, optimizer, components.config.steps)
    prepared, prepared_optimizer = accelerator.prepare(module, optimizer)
    plain = accelerator.unwrap_model(prepared)
    return Player(plain, prepared, prepared_optimizer, rate)


def unwrap_player(player: Player, accelerator: Accelerator) -> nn.Module:
    """Unwrap a module, so that the next stage can prepare it again.

    Accelerate does not wrap a module twice. Without this, a later stage in mixed precision would compute the
    generator in float32, but a run resumed in that stage would not.
    """
    module = accelerator.unwrap_model(player.prepared)
    wrapped = vars(module).pop("_original_forward", None)
    if wrapped is not None:
        module.forward = wrapped
    vars(module).pop("_is_accelerate_prepared", None)
    return module

"""Optimizers and schedules by name, from timm's factories."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from kornia_srgan.config.model import Optimizer, Schedule
from kornia_srgan.errors import ConfigError, did_you_mean

_FUSED = ("adam", "adamw", "sgd")  # torch's own, which have a fused kernel on CPU and CUDA


def make_optimizer(config: Optimizer, module: nn.Module, lr: float) -> torch.optim.Optimizer:
    """An optimizer over a module's trainable parameters.

    Raises:
        ConfigError: If timm knows no such optimizer or it does not take the arguments.
    """
    from timm.optim import create_optimizer_v2, list_optimizers

    name, known = config.name.lower(), [str(n) for n in list_optimizers()]
    if name not in known:
        raise ConfigError.at("train.optimizer.name", f"unknown '{name}'{did_you_mean(name, known)}")
    arguments: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in config.args.items()
    }
    if name in _FUSED and _can_fuse(module):
        arguments.setdefault("fused", True)
    parameters = [p for p in module.parameters() if p.requires_grad]
    try:
        return create_optimizer_v2(parameters, opt=name, lr=lr, weight_decay=config.weight_decay, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError.at("train.optimizer.args", f"'{name}': {error}") from error


def _can_fuse(module: nn.Module) -> bool:
    return all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in module.parameters())


def warmup_share(step: int, steps: int) -> float:
    """The value of a linear ramp from 0 to 1 over `steps`, at a step (the first is 0)."""
    return min(1.0, step / steps) if steps else 1.0


class LearningRate:
    """Sets an optimizer's learning rate from the step alone, so that it has no state.

    Args:
        config: The schedule.
        optimizer: The optimizer whose groups are set.
        steps: Length of the stage.
    """

    def __init__(self, config: Schedule, optimizer: torch.optim.Optimizer, steps: int) -> None:
        from timm.scheduler import create_scheduler_v2

        self._optimizer = optimizer
        first = optimizer.param_groups[0]["lr"] / max(1, config.warmup_steps)  # a rate of 0 wastes a step
        scheduler, _ = create_scheduler_v2(
            optimizer,
            sched=config.name,
            num_epochs=steps,
            decay_milestones=[m + 1 for m in config.milestones],  # timm decays an update early
            decay_rate=config.decay_rate if config.name == "multistep" else 1.0,
            min_lr=config.min_lr,
            warmup_lr=first,
            warmup_epochs=config.warmup_steps,
            step_on_epochs=False,
            updates_per_epoch=1,
        )
        assert scheduler is not None
        self._scheduler = scheduler

    def set(self, step: int, factor: float = 1.0) -> float:
        """Set the rate for a step (the first is 0), times `factor`, and return it."""
        for group in self._optimizer.param_groups:
            group["lr_scale"] = factor
        self._scheduler.step_update(step)
        return float(self._optimizer.param_groups[0]["lr"])

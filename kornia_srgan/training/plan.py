"""Describes a run without starting it: `kornia-srgan train --dry-run`."""

from __future__ import annotations

import io

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from kornia_srgan.assembly import StageComponents, assemble
from kornia_srgan.config.io import dump_config
from kornia_srgan.config.model import Train, TrainConfig
from kornia_srgan.training.optim import LearningRate, make_optimizer
from kornia_srgan.training.stage_data import stage_batch, stage_crop

_RATE_SAMPLES = 5


def describe_run(config: TrainConfig) -> str:
    """The resolved config, then stages with parameters, memory, steps and learning rates, as text."""
    components = assemble(config)
    table = Table("stage", "steps", "networks", "losses", "memory", "learning rate at", box=None)
    for stage in components.stages:
        table.add_row(
            stage.config.name,
            f"{stage.config.steps:,}",
            _networks(components.generator, stage),
            _losses(stage),
            f"about {_memory(components.generator, stage, config) / 2**20:,.0f} MiB",
            _rates(components.generator, stage, config.train),
        )
    text = io.StringIO()
    console = Console(file=text, width=160, highlight=False, markup=False)
    console.print(dump_config(config), end="\n", soft_wrap=True)
    console.print(table)
    total = sum(stage.steps for stage in config.stages)
    crops = sum(stage.steps * stage_batch(config, stage) for stage in config.stages)
    sides = dict.fromkeys(stage_crop(config, stage) for stage in config.stages)
    console.print(f"{total:,} steps, {crops:,} crops of {', then '.join(f'{s}x{s}' for s in sides)}")
    return text.getvalue()


def _networks(generator: nn.Module, stage: StageComponents) -> str:
    text = f"G {_parameters(generator):,}"
    return f"{text}\nD {_parameters(stage.discriminator):,}" if stage.discriminator else text


def _losses(stage: StageComponents) -> str:
    lines = [f"{entry.weight:g} x {entry.name}" for entry in stage.losses]
    if stage.adversarial is not None and stage.config.adversarial is not None:
        warmup = stage.config.adversarial.warmup_steps
        ramp = f", from 0 over {warmup:,} steps" if warmup else ""
        lines.append(f"{stage.adversarial_weight:g} x adversarial ({stage.config.adversarial.name}){ramp}")
    return "\n".join(lines)


def _rates(generator: nn.Module, stage: StageComponents, train: Train) -> str:
    optimizer = make_optimizer(train.optimizer, generator, stage.config.lr or train.lr)
    rate = LearningRate(stage.config.schedule, optimizer, stage.config.steps)
    last = stage.config.steps - 1
    steps = sorted({round(last * i / (_RATE_SAMPLES - 1)) for i in range(_RATE_SAMPLES)})
    return "\n".join(f"{step:>9,}: {rate.set(step):.2e}" for step in steps)


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _memory(generator: nn.Module, stage: StageComponents, config: TrainConfig) -> float:
    """Bytes of weights, gradients, Adam's two moments, the running average, and activations.

    Activations are measured: one crop passes through the networks, and the tensors that autograd saves are
    counted. The overhead of the allocator and workspaces of kernels is not included.
    """
    networks = [generator, stage.discriminator] if stage.discriminator else [generator]
    weights = sum(_parameters(n) for n in networks) * 4
    average = _parameters(generator) * 4 if config.train.ema_decay else 0
    frozen = sum(_parameters(e.loss) for e in stage.losses if isinstance(e.loss, nn.Module)) * 4
    per_crop = _saved_bytes(generator, stage, config)
    micro_batch = stage_batch(config, stage.config) / config.train.accumulate
    return weights * 4 + average + frozen + per_crop * micro_batch


def _saved_bytes(generator: nn.Module, stage: StageComponents, config: TrainConfig) -> int:
    storages: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    side = stage_crop(config, stage.config)
    hr = torch.rand(1, config.channels, side, side)
    held: list[Tensor] = []  # freed storages would give their address to the next one
    generator.eval()  # a BatchNorm in training has no statistics for one crop of one pixel
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        sr = generator(hr[..., :: config.scale, :: config.scale])
        held.append(sr)
        held.extend(entry.loss(sr, hr) for entry in stage.losses)
        if stage.discriminator is not None:
            stage.discriminator.eval()
            held.append(stage.discriminator(sr))
    weights = {p.untyped_storage().data_ptr() for p in generator.parameters()}
    return sum(size for pointer, size in storages.items() if pointer not in weights)

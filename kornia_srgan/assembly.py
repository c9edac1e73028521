"""Builds typed components from a config or from the header of a weight file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from kornia_srgan.channels import resizer_for, try_channels, with_bands
from kornia_srgan.config.model import Component, Stage, TrainConfig, WeightedLoss
from kornia_srgan.contracts import (
    AdversarialLoss,
    Augmentation,
    Degradation,
    GradientPenalizedLoss,
    ImageLoss,
    Resizer,
    StartsFromWeights,
)
from kornia_srgan.errors import ArgumentError, ConfigError, UnknownComponentError, UserError, WeightsError
from kornia_srgan.geometry import scale_of
from kornia_srgan.registry.arguments import recorded_arguments
from kornia_srgan.registry.build import build_component
from kornia_srgan.registry.catalog import (
    ADVERSARIAL_LOSSES,
    AUGMENTATIONS,
    DEGRADATIONS,
    DISCRIMINATORS,
    GENERATORS,
    IMAGE_LOSSES,
    RESIZERS,
)
from kornia_srgan.registry.entry import BUILTIN_SOURCE, normalise_name
from kornia_srgan.registry.plugins import load_plugins
from kornia_srgan.registry.registry import Registry
from kornia_srgan.weights.files import load_into, load_matching, load_weights
from kornia_srgan.weights.foreign import Imported, is_foreign, read_foreign
from kornia_srgan.weights.locate import locate_weights
from kornia_srgan.weights.spec import WeightSpec

T = TypeVar("T")
FROM_INIT = "init"  # as a generator's name: the one whose weights the run starts from


def build_configured(registry: Registry[T], component: Component, *, path: str = "", **context: Any) -> T:
    """Build a component of a config; see `registry.build.build_component`.

    Args:
        registry: Where to look it up.
        component: Its name and arguments.
        path: The component's place in the config, for messages.
        **context: Values that the factory gets if it accepts them, such as `scale`.

    Raises:
        UnknownComponentError, ArgumentError: With the path and a suggestion.
    """
    return build_component(registry, component.name, component.args, path=path, context=context)


@dataclass(frozen=True)
class NamedLoss:
    """One weighted image loss; the name is unique within its stage."""

    name: str
    weight: float
    loss: ImageLoss


@dataclass(frozen=True)
class StageComponents:
    """The components of one stage; without `adversarial` it has no discriminator."""

    config: Stage
    losses: tuple[NamedLoss, ...]
    adversarial: AdversarialLoss | None = None
    adversarial_weight: float = 0.0
    discriminator: nn.Module | None = None


@dataclass(frozen=True)
class Components:
    """Everything a run needs, built and checked.

    `init_note` says which tensors were loaded from weights of another scale; it is empty if all or none were.
    """

    generator: nn.Module
    spec: WeightSpec
    stages: tuple[StageComponents, ...]
    augmentations: tuple[Augmentation, ...]
    resizer: Resizer
    degradation: Degradation | None = None
    init_note: str = ""


def generator_spec(component: Component, scale: int, **facts: Any) -> WeightSpec:
    """The header that a generator can be rebuilt from.

    Args:
        component: Its name and arguments.
        scale: Its upscaling factor.
        **facts: Other fields of the spec: `training`, `license`.
    """
    entry = GENERATORS.get(component.name)
    plugin = "" if entry.source == BUILTIN_SOURCE else entry.source
    factory = entry.load()
    fixed = dict(factory.start_arguments) if isinstance(factory, StartsFromWeights) else {}
    args = recorded_arguments(entry, component.args | fixed)
    return WeightSpec(name=entry.name, args=args, scale=scale, plugin=plugin, **facts)


def build_generator(component: Component, *, scale: int, path: str = "generator") -> nn.Module:
    """Build a generator and check that it states the right scale."""
    generator = _module(build_configured(GENERATORS, component, path=path, scale=scale), component, path)
    try:
        found = scale_of(generator)
    except ArgumentError as error:
        raise ArgumentError.at(path, f"'{component.name}' does not fit: {error}") from None
    if found != scale:
        raise ArgumentError.at(
            path,
            f"'{component.name}' has scale {found}, the run has {scale}; "
            "a generator takes `scale` and keeps it as an attribute",
        )
    return generator


def _module(made: object, component: Component, path: str) -> nn.Module:
    if not isinstance(made, nn.Module):
        raise ArgumentError.at(path, f"'{component.name}' made a {type(made).__name__}, not an nn.Module")
    return made


def assemble(config: TrainConfig) -> Components:
    """Build every component of all stages of a run, so that mistakes show before the first step.

    The initial weights depend only on `train.seed`.
    """
    load_plugins(config.plugins)
    component = _component_of(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        component = with_bands(GENERATORS, component, config.channels, path="generator")
        generator = build_generator(component, scale=config.scale)
        stages = tuple(
            _stage(stage, f"stages.{index}", stage.crop or config.data.crop, config.channels)
            for index, stage in enumerate(config.stages)
        )
        if config.train.compile:
            _check_compile(stages)
        augmentations = tuple(
            build_configured(AUGMENTATIONS, component, path=f"data.augmentations.{index}")
            for index, component in enumerate(config.data.augmentations)
        )
        resizer = build_configured(
            RESIZERS, resizer_for(config.data.resizer, config.data.range), path="data.resizer"
        )
        degradation = (
            build_configured(DEGRADATIONS, config.data.degradation, path="data.degradation")
            if config.data.degradation
            else None
        )
    spec = generator_spec(
        component,
        config.scale,
        license=config.license,
        channels=config.channels,
        data_range=config.data.range or (),
    )
    note = _initialise(generator, spec, config.init) if config.init else ""
    if config.channels != 3:
        losses = {
            f"stages.{i}.losses.{j}": (entry.name, entry.loss)
            for i, stage in enumerate(stages)
            for j, entry in enumerate(stage.losses)
        }
        try_channels(config, augmentations, degradation, losses)
    return Components(generator, spec, stages, augmentations, resizer, degradation, note)


def _component_of(config: TrainConfig) -> Component:
    """The generator that a config names; `init` stands for the one whose weights it starts from."""
    if normalise_name(config.generator.name) != FROM_INIT:
        return config.generator
    if config.init is None:
        raise ConfigError.at(
            "generator", "'init' is the network of the weights in `init`; set init=NAME or a path"
        )
    found, _ = _read_weights(config.init)
    if found.scale != config.scale:
        raise ConfigError.at(
            "generator",
            f"{config.init} is x{found.scale}, the run has scale {config.scale}; set scale={found.scale}",
        )
    if found.channels != config.channels:
        raise ConfigError.at(
            "generator",
            f"{config.init} is for {found.channels} channels, the run has {config.channels}; "
            f"set channels={found.channels}",
        )
    return Component(name=found.name, args=dict(found.args))


def _stage(stage: Stage, path: str, crop: int, channels: int) -> StageComponents:
    losses = tuple(
        NamedLoss(
            _unique_name(stage.losses, index),
            component.weight,
            build_configured(IMAGE_LOSSES, component, path=f"{path}.losses.{index}"),
        )
        for index, component in enumerate(stage.losses)
    )
    if stage.adversarial is None or stage.discriminator is None:
        return StageComponents(stage, losses)
    where = f"{path}.discriminator"
    component = with_bands(DISCRIMINATORS, stage.discriminator, channels, path=where)
    made = build_configured(DISCRIMINATORS, component, path=where, crop=crop)
    discriminator = _module(made, component, where)
    adversarial = build_configured(ADVERSARIAL_LOSSES, stage.adversarial, path=f"{path}.adversarial")
    if stage.discriminator_limit is not None and adversarial.needs_real:
        raise ConfigError.at(
            f"{path}.discriminator_limit",
            f"with '{stage.adversarial.name}' a logit alone does not say what is real; leave it out",
        )
    return StageComponents(stage, losses, adversarial, stage.adversarial.weight, discriminator)


def _check_compile(stages: tuple[StageComponents, ...]) -> None:
    """A gradient penalty differentiates a gradient, which a compiled network has not."""
    for index, stage in enumerate(stages):
        loss = stage.adversarial
        penalties = loss.gradient_penalties if isinstance(loss, GradientPenalizedLoss) else {}
        for name, weight in penalties.items():
            if weight:
                raise ConfigError.at(
                    "train.compile",
                    f"stages.{index}.adversarial has {name} {weight:g}, which differentiates "
                    "through the discriminator twice, and a compiled one can do that once; set "
                    f"train.compile=false or {name}: 0",
                )


def _unique_name(losses: tuple[WeightedLoss, ...], index: int) -> str:
    name = losses[index].name
    return name if sum(x.name == name for x in losses) == 1 else f"{name}_{index}"


def _initialise(generator: nn.Module, spec: WeightSpec, source: str) -> str:
    """Start from weights: all of them, or for another scale those that fit, which the answer names."""
    found, state = _read_weights(source)
    if found.name != spec.name:
        raise WeightsError.at(
            "init", f"{source} holds {found.name} x{found.scale}, the run trains {spec.name} x{spec.scale}"
        )
    if found.channels != spec.channels:
        raise WeightsError.at(
            "init", f"{source} is for images of {found.channels} channels, the run has {spec.channels}"
        )
    if found.scale == spec.scale:
        load_into(generator, state, f"init: {source}")
        return ""
    fresh = load_matching(generator, state, f"init: {source}")
    kept = len(generator.state_dict()) - len(fresh)
    return (
        f"init: {kept} tensors from {source} (x{found.scale}); {len(fresh)} start fresh: {', '.join(fresh)}"
    )


@dataclass(frozen=True)
class LoadedGenerator:
    """A generator in eval mode and the header it came from."""

    module: nn.Module
    spec: WeightSpec


def load_generator(source: str | Path, *, device: str | torch.device = "cpu") -> LoadedGenerator:
    """Rebuild a generator from a weight file alone: its header names the component and its arguments.

    Args:
        source: A packaged name, the path of a safetensors file, or `hf-hub:owner/name[/file][@revision]`.
            Checkpoints of other projects (`.pth`) are recognised by their keys and shapes, see
            `weights.foreign`.
        device: Where to put it.

    Raises:
        WeightsError: If there is no such file, it is damaged, or it does not fit the component it names.
    """
    spec, state = _read_weights(source)
    module = _rebuild(spec, str(source))
    load_into(module, state, str(source))
    return LoadedGenerator(module.to(device).eval(), spec)


def build_imported(imported: Imported, where: str | Path) -> nn.Module:
    """Build the generator of weights read by `weights.foreign.import_weights`, in eval mode.

    Raises:
        WeightsError: If they do not fit the detected component.
    """
    module = _rebuild(imported.spec, str(where))
    load_into(module, imported.state, str(where))
    return module.eval()


def _read_weights(source: str | Path) -> tuple[WeightSpec, dict[str, torch.Tensor]]:
    path = locate_weights(source)
    return read_foreign(path) if is_foreign(path) else load_weights(path)


def _rebuild(spec: WeightSpec, where: str) -> nn.Module:
    component = Component(name=spec.name, args=dict(spec.args))
    try:
        with torch.random.fork_rng(devices=[]):
            return build_generator(component, scale=spec.scale)
    except UnknownComponentError as error:
        if spec.plugin:
            raise WeightsError.at(
                where,
                f"made by generator '{spec.name}' of plug-in {spec.plugin}, which is not loaded; "
                "give it with --plugin, or import it first",
            ) from error
        raise WeightsError.at(where, error) from error
    except UserError as error:
        raise WeightsError.at(
            where, f"its header does not fit this version's '{spec.name}': {error}"
        ) from error

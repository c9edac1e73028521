"""Parts of a run whose images have another number of channels than three, or more than 8 bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from kornia_srgan.config.model import Component, TrainConfig
from kornia_srgan.contracts import Augmentation, Degradation, ImageLoss
from kornia_srgan.errors import ArgumentError, KorniaSRGANError
from kornia_srgan.explain import one_line
from kornia_srgan.registry.entry import normalise_name
from kornia_srgan.registry.registry import Registry


def with_bands(registry: Registry[Any], component: Component, channels: int, *, path: str) -> Component:
    """A network's name and arguments for images of that many channels.

    Raises:
        ArgumentError: If it only knows RGB, or its arguments say another number.
    """
    given = component.args.get("bands", channels)
    if given != channels:
        raise ArgumentError.at(
            f"{path}.args.bands", f"{given!r} contradicts channels {channels}; leave it out here"
        )
    if channels == 3:
        return component
    if "bands" not in registry.get(component.name, path=f"{path}.name").parameters():
        able = [name for name in registry.names() if "bands" in registry.get(name).parameters()]
        raise ArgumentError.at(
            path,
            f"'{component.name}' takes images of 3 channels, the run has {channels}; "
            f"these take any number: {', '.join(able)}",
        )
    return Component(name=component.name, args={**component.args, "bands": channels})


def resizer_for(component: Component, data_range: tuple[float, float] | None) -> Component:
    """MATLAB's bicubic without its grey levels where data has more than 8 bits; others as they are."""
    if (
        data_range is None
        or normalise_name(component.name) != "matlab_bicubic"
        or "quantize" in component.args
    ):
        return component
    return Component(name=component.name, args={**component.args, "quantize": False})


def try_channels(
    config: TrainConfig,
    augmentations: Sequence[Augmentation],
    degradation: Degradation | None,
    losses: Mapping[str, tuple[str, ImageLoss]],
) -> None:
    """Find out before the first step which part of a run cannot take images of its number of channels.

    Args:
        config: The run.
        augmentations: As the config names them.
        degradation: As the config names it.
        losses: Name and loss by their place in the config.

    Raises:
        ArgumentError: With the first part that fails.
    """
    data = config.data
    images, side = torch.rand(1, config.channels, data.crop, data.crop), data.crop // config.scale
    with torch.random.fork_rng(devices=[]):
        for i, (part, augment) in enumerate(zip(data.augmentations, augmentations, strict=True)):
            with _named(f"data.augmentations.{i}", part.name, config.channels):
                augment(images, (0,))
        if degradation is not None and data.degradation is not None:
            with _named("data.degradation", data.degradation.name, config.channels):
                degradation(images, (0,), (side, side))
        for path, (name, loss) in losses.items():
            with _named(path, name, config.channels):
                loss(images, images)


@contextmanager
def _named(path: str, name: str, channels: int) -> Iterator[None]:
    try:
        yield
    except KorniaSRGANError as error:
        raise ArgumentError.at(path, error) from error
    except Exception as error:  # anything that a part for RGB may stumble over
        raise ArgumentError.at(
            path, f"'{name}' does not take images of {channels} channels ({one_line(error)})"
        ) from error

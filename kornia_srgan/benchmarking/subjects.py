"""The networks to measure: registered generators and weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import nn

from kornia_srgan.assembly import LoadedGenerator, build_generator, generator_spec, load_generator
from kornia_srgan.config.model import Component
from kornia_srgan.config.shorthand import parse_shorthand
from kornia_srgan.errors import UserError
from kornia_srgan.ops.norms import batch_norms, norm_momentum
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.registry.plugins import load_entry_points
from kornia_srgan.weights.locate import locate_weights

_WRAPPERS = ("spandrel", "timm_backbone")  # other libraries' networks: only one of them is one case


@dataclass(frozen=True)
class Subject:
    """A network to measure. It is created when it is needed; if that fails, the case has failed.

    Attributes:
        label: Its name in the results.
        kind: Whether it is untrained or comes from a weight file.
        scale: The requested scale; None for weights, which have their own.
        load: Creates it on the CPU in eval mode.
    """

    label: str
    kind: Literal["generator", "weights"]
    scale: int | None
    load: Callable[[], LoadedGenerator]


def find_subjects(
    generators: Iterable[str] = (), weights: Iterable[str] = (), *, scale: int = 4
) -> list[Subject]:
    """The requested networks, or every registered generator if none is requested.

    Args:
        generators: `NAME` or `NAME:ARGUMENT=VALUE,...` of registered generators.
        weights: Packaged names, or paths of weight files.
        scale: The scale of the generators; weights have their own.

    Raises:
        UserError: If a name is unknown or a file does not exist.
    """
    named, sources = list(generators), list(weights)
    if not named and not sources:
        load_entry_points()
        named = [name for name in GENERATORS.names() if name not in _WRAPPERS]
    subjects = {subject.label: subject for subject in (_generator(text, scale) for text in named)}
    for source in sources:
        locate_weights(source)
        label = f"weights {source}" if source in named else source
        subjects[label] = Subject(label, "weights", None, partial(load_generator, source))
    return list(subjects.values())


def _generator(text: str, scale: int) -> Subject:
    name, arguments = parse_shorthand(text, "--generator", "srresnet:num_blocks=8")
    component = Component(name=GENERATORS.get(name).name, args=arguments)
    label = f"{component.name}:{text.partition(':')[2]}" if arguments else component.name
    return Subject(label, "generator", scale, partial(_untrained, component, scale))


def _untrained(component: Component, scale: int) -> LoadedGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build_generator(component, scale=scale, path=component.name)
        _settle(module)
    return LoadedGenerator(module.eval(), generator_spec(component, scale))


@torch.no_grad()
def _settle(module: nn.Module) -> None:
    """Give BatchNorm the statistics of an image, as training would.

    With those it starts with, values grow from block to block into the hundreds, where engines differ by
    rounding and half precision overflows.
    """
    norms = batch_norms(module)
    for norm in norms:
        norm.reset_running_stats()
    if norms:
        with norm_momentum(module, None):  # the plain mean over all it sees
            module.train()(torch.rand(2, 3, 32, 32))
    module.eval()


def parse_size(text: str) -> tuple[int, int]:
    """Height and width of `128` or `180x320`.

    Raises:
        UserError: If it is neither.
    """
    match = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text.strip())
    if not match:
        raise UserError(
            f"size '{text}' is neither a side, such as 128, nor HEIGHTxWIDTH, such as 180x320", where="size"
        )
    return int(match[1]), int(match[2] or match[1])

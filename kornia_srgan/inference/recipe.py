"""What an upscaler is made from: its weights, and how they are wrapped and served."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import torch
from torch import nn

from kornia_srgan.assembly import load_generator
from kornia_srgan.engines.choice import asks_for_bfloat16, with_engine
from kornia_srgan.engines.onnx_generator import SUFFIX, read_onnx
from kornia_srgan.engines.sessions import check_engine
from kornia_srgan.errors import ArgumentError, WeightsError
from kornia_srgan.geometry import bands_of
from kornia_srgan.inference.chained import Chained
from kornia_srgan.inference.dial import AutoDial, Dial
from kornia_srgan.inference.wrappers import ColorFix, SelfEnsemble, interpolate_networks
from kornia_srgan.weights.families import FAMILIES, Family, family_of
from kornia_srgan.weights.locate import CLEAN_WEIGHTS, DEFAULT_WEIGHTS, locate_weights, zoo_names
from kornia_srgan.weights.spec import describe_channels

P = ParamSpec("P")
MadeT = TypeVar("MadeT")
ResultT = TypeVar("ResultT")


def load_network(
    source: str | Path | None = None, engine: str = "torch", provider: str | None = None
) -> nn.Module:
    """Load a generator from weights.

    Args:
        source: A packaged name, a file, or None for `srresnet-x4`; an ONNX file runs in another engine.
        engine: The engine for an ONNX file; `torch` and `auto` take the first installed one.
        provider: The execution provider of ONNX Runtime.

    Raises:
        WeightsError: If there are no such weights or they are damaged.
    """
    module, data_range = load_with_range(source, engine, provider)
    if bands_of(module) != 3 or data_range:
        raise WeightsError(
            f"{source} is for images of {describe_channels(bands_of(module), data_range)}, "
            "not for RGB photographs; `Upscaler` and `kornia-srgan upscale` take them",
            where=source,
        )
    return module


def load_with_range(
    source: str | Path | None = None,
    engine: str = "torch",
    provider: str | None = None,
    *,
    dtype: torch.dtype | str = torch.float32,
) -> tuple[nn.Module, tuple[float, ...]]:
    """Load a generator for images of any channels, and the range of their values; see `load_network`.

    Args:
        source: As there.
        engine: As there.
        provider: As there.
        dtype: What an ONNX file is computed in: bfloat16, by OpenVINO, or else float32.

    Returns:
        The generator, and the stored values that 0 and 1 stand for: empty for photographs.
    """
    if source is not None and Path(source).suffix.lower() == SUFFIX:
        bfloat16 = asks_for_bfloat16(dtype, "the engine of an ONNX file")
        generator = read_onnx(source, engine, provider, bfloat16=bfloat16)
        return generator, generator.data_range
    loaded = load_generator(source if source is not None else CLEAN_WEIGHTS)
    return loaded.module, loaded.spec.data_range


@dataclass(frozen=True)
class Built:
    """What an `Upscaler` is made of.

    Attributes:
        generator: The wrapped generator.
        dial: If `restore` is chosen for each picture.
        data_range: The stored values that 0 and 1 stand for; None for photographs.
    """

    generator: nn.Module
    dial: AutoDial | None = None
    data_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Recipe:
    """The arguments of `Upscaler.from_pretrained`, which explains them."""

    source: str | Path | None = None
    _: KW_ONLY
    interpolate: tuple[str | Path, str | Path, float] | None = None
    ensemble: bool = False
    color_fix: bool = False
    restore: float | Literal["auto"] = "auto"
    sharp: float = 0.0
    then: Sequence[str | Path] = ()
    tile: int | Literal["auto"] = "auto"
    device: torch.device | str | None = None
    dtype: torch.dtype | str = torch.float32
    compile: bool = False
    engine: str = "torch"
    provider: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "then", tuple(self.then))  # a list would not hash

    @property
    def family(self) -> Family | None:
        """The family of these weights that `restore` and `sharp` work on; None if there is none."""
        return None if self.interpolate else family_of(self.source or DEFAULT_WEIGHTS)

    @property
    def has_dial(self) -> bool:
        """Whether `restore` and `sharp` have an effect on these weights."""
        return self.family is not None

    def build(self) -> Built:
        """Load and wrap the generator.

        Raises:
            WeightsError: If weights do not exist, are damaged, or do not fit together.
            ArgumentError: If both `weights` and `interpolate` are given, a share is not in [0, 1], or
                `restore` or `sharp` is set for weights without this setting.
        """
        if self.family is None:
            self._check_no_dial()
            generator, stated = self._fixed()
            made = self._around(self._served(generator), stated)
            return Built(made, data_range=(stated[0], stated[1]) if stated else None)
        dial = Dial.of(self.family, sharp=self.sharp != 0)
        if self.restore != "auto":
            return Built(self._around(self._served(dial.at(self.restore, self.sharp))))
        if self.engine not in ("torch", "auto"):
            check_engine(self.engine)
            raise ArgumentError(
                f"engine '{self.engine}' computes one network, and these weights have one for each picture; "
                "set restore to a number from 0 to 1",
                where="engine",
            )
        auto = AutoDial(dial, sharp=self.sharp, around=self._around)
        return Built(auto.network(0.0), auto)

    def _check_no_dial(self) -> None:
        for name, is_set in (("restore", self.restore != "auto"), ("sharp", self.sharp != 0)):
            if is_set:
                told = "weights between two others" if self.interpolate else f"'{self.source}'"
                having = ", ".join(f.photo for f in FAMILIES if name == "restore" or f.gan is not None)
                raise ArgumentError(f"{name} is not supported by {told}; use {having}", where=name)

    def _fixed(self) -> tuple[nn.Module, tuple[float, ...]]:
        if self.interpolate is None:
            return load_with_range(self.source, self.engine, self.provider, dtype=self.dtype)
        if self.source is not None:
            raise ArgumentError("give weights or two to interpolate, not both", where="interpolate")
        first, second, share = self.interpolate
        (a, stated), (b, other) = load_with_range(first), load_with_range(second)
        _check_alike(second, (bands_of(b), other), (bands_of(a), stated))
        return interpolate_networks(a, b, share), stated

    def _served(self, generator: nn.Module) -> nn.Module:
        return with_engine(generator, self.engine, self.provider, dtype=self.dtype)

    def _around(self, generator: nn.Module, stated: tuple[float, ...] = ()) -> nn.Module:
        if self.then:
            more: list[nn.Module] = []
            for source in self.then:
                network, other = load_with_range(source, self.engine, self.provider, dtype=self.dtype)
                _check_alike(source, (bands_of(network), other), (bands_of(generator), stated))
                more.append(self._served(network))
            generator = Chained([generator, *more])
        if self.ensemble:
            generator = SelfEnsemble(generator)
        return ColorFix(generator) if self.color_fix else generator

    @property
    def sources(self) -> tuple[str | Path, ...]:
        """All weights that are named; the default, which has no name here, is a packaged one."""
        sources = (self.source,) if self.interpolate is None else self.interpolate[:2]
        return tuple(source for source in (*sources, *self.then) if source is not None)

    def with_absolute_paths(self) -> Recipe:
        """The same with paths that do not depend on the working folder."""
        source = None if self.source is None else _absolute(self.source)
        between = self.interpolate
        if between is not None:
            between = (_absolute(between[0]), _absolute(between[1]), between[2])
        return replace(self, source=source, interpolate=between, then=tuple(map(_absolute, self.then)))


def _check_alike(
    source: str | Path, found: tuple[int, tuple[float, ...]], wanted: tuple[int, tuple[float, ...]]
) -> None:
    """Refuse weights for other images than those that they are used together with."""
    if found != wanted:
        raise WeightsError(
            f"{source} is for images of {describe_channels(*found)}, "
            f"the other weights for {describe_channels(*wanted)}",
            where=source,
        )


def _absolute(source: str | Path) -> str | Path:
    by_name = source in zoo_names() or str(source).startswith(("hf-hub:", "omdb:"))
    return source if by_name else locate_weights(source).absolute()


def called_with(
    made: Callable[P, MadeT],
) -> Callable[[Callable[[Any, MadeT], ResultT]], Callable[Concatenate[Any, P], ResultT]]:
    """Let a method that takes a value be called with the arguments that make the value.

    They are stated once, where the value is defined.
    """

    def wrap(method: Callable[[Any, MadeT], ResultT]) -> Callable[Concatenate[Any, P], ResultT]:
        @wraps(method)
        def called(owner: Any, *args: P.args, **kwargs: P.kwargs) -> ResultT:
            return method(owner, made(*args, **kwargs))

        own = inspect.signature(method)
        owner, arguments = next(iter(own.parameters.values())), inspect.signature(made).parameters
        setattr(called, "__signature__", own.replace(parameters=[owner, *arguments.values()]))  # noqa: B010
        return called

    return wrap

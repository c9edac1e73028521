"""Wrappers around generators: self-ensemble and colour fix. Each is a `contracts.Generator` itself."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kornia_srgan.assembly import load_generator
from kornia_srgan.engines.choice import with_engine
from kornia_srgan.engines.onnx_generator import SUFFIX, read_onnx
from kornia_srgan.engines.sessions import check_engine
from kornia_srgan.errors import ArgumentError, WeightsError
from kornia_srgan.geometry import geometry_of, supported_dtypes
from kornia_srgan.inference.chained import Chained
from kornia_srgan.inference.dial import AutoDial, Dial
from kornia_srgan.weights.blend import mix_tensors, same_tensors
from kornia_srgan.weights.families import FAMILIES, Family, family_of
from kornia_srgan.weights.locate import CLEAN_WEIGHTS, DEFAULT_WEIGHTS, locate_weights, zoo_names


class _Around(nn.Module):
    """Has the scale of the wrapped generator, and its halo plus a margin."""

    def __init__(self, generator: nn.Module, *, more_halo: int = 0) -> None:
        super().__init__()
        self.generator = generator
        geometry = geometry_of(generator)
        self.scale, self.align = geometry.scale, geometry.align
        self.halo = None if geometry.halo is None else geometry.halo + more_halo
        self.blend = geometry.blend
        self.supported_dtypes = supported_dtypes(generator)


class SelfEnsemble(_Around):
    """The mean over the eight flips and rotations of the input (EDSR's "+", arXiv 1707.02921).

    Eight times the work for 0.1 to 0.2 dB.

    Args:
        generator: The generator to wrap.
    """

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)`."""
        total = torch.zeros((), dtype=lr.dtype, device=lr.device)
        for turned in (False, True):
            for axes in ((), (-1,), (-2,), (-2, -1)):
                seen = (lr.transpose(-2, -1) if turned else lr).flip(axes)
                answer = self.generator(seen.contiguous(memory_format=torch.channels_last)).flip(axes)
                total = total + (answer.transpose(-2, -1) if turned else answer)
        return total / 8


class ColorFix(_Around):
    """Takes the low frequencies of colour and brightness from the input.

    Generators trained with an adversarial loss shift colours a little. The result is shrunk to the size of
    the input and subtracted from it; the blurred difference is added to the result.

    Args:
        generator: The generator to wrap.
        sigma: Of the Gaussian blur, in input pixels; finer detail is kept from the generator.
    """

    def __init__(self, generator: nn.Module, *, sigma: float = 3.0) -> None:
        self._radius = round(3 * sigma)
        super().__init__(generator, more_halo=self._radius + 1)
        offsets = torch.arange(-self._radius, self._radius + 1, dtype=torch.float32)
        kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
        self.register_buffer("kernel", kernel / kernel.sum(), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)`."""
        sr = self.generator(lr)
        missing = self._blurred(lr - F.avg_pool2d(sr, self.scale))
        return sr + F.interpolate(missing, scale_factor=float(self.scale), mode="bilinear")

    def _blurred(self, image: Tensor) -> Tensor:
        channels = image.shape[1]
        weight = cast(Tensor, self.kernel).to(image.dtype).expand(channels, 1, -1)
        r = self._radius
        padded = F.pad(image, (r, r, r, r), mode="replicate")
        across = F.conv2d(padded, weight[:, :, None, :], groups=channels)
        return F.conv2d(across, weight[:, :, :, None], groups=channels)


def interpolate_networks(a: nn.Module, b: nn.Module, weight: float) -> nn.Module:
    """Interpolate the weights of two generators of one architecture (network interpolation).

    Between a generator trained for PSNR and a GAN, this trades fidelity for texture (ESRGAN, arXiv
    1809.00219).

    Args:
        a: The first generator, which is copied.
        b: The second generator.
        weight: 0 gives `a`, 1 gives `b`.

    Returns:
        A new generator.

    Raises:
        WeightsError: If their architectures differ.
        ArgumentError: If the weight is not in [0, 1].
    """
    if not 0 <= weight <= 1:
        raise ArgumentError(
            f"the weight of an interpolation is {weight}; it must be in [0, 1]", where="interpolate"
        )
    first, second = a.state_dict(), b.state_dict()
    if not same_tensors(first, second):
        raise WeightsError(
            f"these generators cannot be interpolated: {type(a).__name__} and {type(b).__name__} "
            "are not of one architecture and size"
        )
    result = copy.deepcopy(a)
    result.load_state_dict(mix_tensors(first, second, weight))
    return result


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
    if source is not None and Path(source).suffix.lower() == SUFFIX:
        return read_onnx(source, engine, provider)
    loaded = load_generator(source if source is not None else CLEAN_WEIGHTS)
    if loaded.spec.channels != 3 or loaded.spec.data_range:
        raise WeightsError(
            f"{source} is for data of {loaded.spec.channels} channels, not for photographs; "
            "`kornia-srgan upscale` takes TIFF, GeoTIFF and .npy files with it"
        )
    return loaded.module


@dataclass(frozen=True)
class Recipe:
    """Which weights an `Upscaler` is made from, and how they are wrapped.

    Attributes:
        weights: A packaged name, a file, or None for the default.
        interpolate: Two weights and a share, instead of `weights`; see `interpolate_networks`.
        ensemble: Wrap them in a `SelfEnsemble`.
        color_fix: Wrap everything in a `ColorFix`.
        restore: How much noise and compression to remove, 0 to 1, or `auto`; see `Dial`.
        sharp: How far to go towards GAN weights, 0 to 1; see `Dial`.
        then: Weights to apply to the result, in order; see `Chained`.
        engine: The engine, see `engines.choice.with_engine`.
        provider: The execution provider of ONNX Runtime.
        dtype: The dtype of PyTorch that the engine `auto` compares with.
    """

    weights: str | Path | None = None
    interpolate: tuple[str | Path, str | Path, float] | None = None
    ensemble: bool = False
    color_fix: bool = False
    restore: float | Literal["auto"] = "auto"
    sharp: float = 0.0
    then: tuple[str | Path, ...] = ()
    engine: str = "torch"
    provider: str | None = None
    dtype: torch.dtype | str = torch.float32

    @property
    def family(self) -> Family | None:
        """The family of these weights that `restore` and `sharp` work on; None if there is none."""
        return None if self.interpolate else family_of(self.weights or DEFAULT_WEIGHTS)

    @property
    def has_dial(self) -> bool:
        """Whether `restore` and `sharp` have an effect on these weights."""
        return self.family is not None

    def build(self) -> tuple[nn.Module, AutoDial | None]:
        """Load and wrap the generator; also return the dial if `restore` is chosen for each picture.

        Raises:
            WeightsError: If weights do not exist, are damaged, or do not fit together.
            ArgumentError: If both `weights` and `interpolate` are given, a share is not in [0, 1], or
                `restore` or `sharp` is set for weights without this setting.
        """
        if self.family is None:
            self._check_no_dial()
            return self._around(self._served(self._fixed())), None
        dial = Dial.of(self.family, sharp=self.sharp != 0)
        if self.restore != "auto":
            return self._around(self._served(dial.at(self.restore, self.sharp))), None
        if self.engine not in ("torch", "auto"):
            check_engine(self.engine)
            raise ArgumentError(
                f"engine '{self.engine}' computes one network, and these weights have one for each picture; "
                "set restore to a number from 0 to 1",
                where="engine",
            )
        auto = AutoDial(dial, sharp=self.sharp, around=self._around)
        return auto.network(0.0), auto

    def _check_no_dial(self) -> None:
        for name, is_set in (("restore", self.restore != "auto"), ("sharp", self.sharp != 0)):
            if is_set:
                told = "weights between two others" if self.interpolate else f"'{self.weights}'"
                having = ", ".join(f.photo for f in FAMILIES if name == "restore" or f.gan is not None)
                raise ArgumentError(f"{name} is not supported by {told}; use {having}", where=name)

    def _fixed(self) -> nn.Module:
        if self.interpolate is None:
            return load_network(self.weights, self.engine, self.provider)
        if self.weights is not None:
            raise ArgumentError("give weights or two to interpolate, not both", where="interpolate")
        first, second, share = self.interpolate
        return interpolate_networks(load_network(first), load_network(second), share)

    def _served(self, generator: nn.Module) -> nn.Module:
        return with_engine(generator, self.engine, self.provider, dtype=self.dtype)

    def _around(self, generator: nn.Module) -> nn.Module:
        if self.then:
            more = (self._served(load_network(source, self.engine, self.provider)) for source in self.then)
            generator = Chained([generator, *more])
        if self.ensemble:
            generator = SelfEnsemble(generator)
        return ColorFix(generator) if self.color_fix else generator

    @property
    def sources(self) -> tuple[str | Path, ...]:
        """All weights that are named; the default, which has no name here, is a packaged one."""
        sources = (self.weights,) if self.interpolate is None else self.interpolate[:2]
        return tuple(source for source in (*sources, *self.then) if source is not None)

    def with_absolute_paths(self) -> Recipe:
        """The same with paths that do not depend on the working folder."""
        weights = None if self.weights is None else _absolute(self.weights)
        between = self.interpolate
        if between is not None:
            between = (_absolute(between[0]), _absolute(between[1]), between[2])
        return replace(self, weights=weights, interpolate=between, then=tuple(map(_absolute, self.then)))


def _absolute(source: str | Path) -> str | Path:
    by_name = source in zoo_names() or str(source).startswith(("hf-hub:", "omdb:"))
    return source if by_name else locate_weights(source).absolute()

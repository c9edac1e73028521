"""Interpolates between two weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from kornia_srgan.errors import ArgumentError, WeightsError
from kornia_srgan.weights.files import load_weights, save_weights
from kornia_srgan.weights.locate import locate_weights
from kornia_srgan.weights.spec import WeightSpec


def blend_weights(
    first: str | Path, second: str | Path, target: str | Path, *, amount: float = 0.5
) -> WeightSpec:
    """Write `(1 - amount) * first + amount * second`, tensor by tensor.

    Between a generator trained for PSNR and the GAN that started from it, this trades invented texture for
    fidelity, without training: network interpolation, Wang et al. 2018 (ESRGAN, section 3.4), arXiv
    1809.00219. Between two runs of one recipe it averages their errors. Weights without a common ancestor
    blend to noise.

    Args:
        first: Weights, name or path.
        second: Weights of the same architecture and scale.
        target: The file to write.
        amount: Share of the second, 0 to 1.

    Returns:
        The spec that was written; `training` records the blend.

    Raises:
        ArgumentError: If the amount is out of range.
        WeightsError: If a file is damaged or the architectures differ.
    """
    if not 0 <= amount <= 1:
        raise ArgumentError(f"amount must be between 0 and 1; got {amount}", where="amount")
    (spec, one), (other, two) = load_weights(locate_weights(first)), load_weights(locate_weights(second))
    if (spec.name, spec.scale, spec.args) != (other.name, other.scale, other.args):
        raise WeightsError(
            f"{first} ({_told(spec)}) and {second} ({_told(other)}) are of different architectures; "
            "only weights of the same one can be blended",
            where=first,
        )
    if not same_tensors(one, two):
        raise WeightsError(f"{first} and {second} hold different tensors", where=first)
    mixed = mix_tensors(one, two, amount)
    training = {
        "blended": {"first": str(first), "second": str(second), "amount": amount},
        "of_first": dict(spec.training),
        "of_second": dict(other.training),
    }
    licences = dict.fromkeys(filter(None, (spec.license, other.license)))
    return save_weights(target, mixed, replace(spec, training=training, license=" AND ".join(licences)))


def same_tensors(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Whether both state dicts have the same keys and shapes."""
    return {k: v.shape for k, v in first.items()} == {k: v.shape for k, v in second.items()}


def mix_tensors(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], amount: float
) -> dict[str, Tensor]:
    """`(1 - amount) * first + amount * second` of `same_tensors`, in the first's dtypes.

    Integers, such as BatchNorm's count of batches, are taken from the first.
    """
    return {
        key: torch.lerp(one.double(), second[key].to(one.device).double(), amount).to(one.dtype)
        if one.is_floating_point()
        else one
        for key, one in first.items()
    }


def _told(spec: WeightSpec) -> str:
    arguments = ", ".join(f"{k}={v}" for k, v in spec.args.items())
    return f"{spec.name} x{spec.scale}{', ' if arguments else ''}{arguments}"

"""Changes how BatchNorm updates its running statistics, for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """All BatchNorm layers of a module."""
    return [inner for inner in module.modules() if isinstance(inner, _BatchNorm)]


@contextmanager
def norm_momentum(module: nn.Module, momentum: float | None) -> Iterator[None]:
    """Set the momentum of all BatchNorm layers, and restore it afterwards.

    Args:
        module: The network.
        momentum: 0 freezes the statistics; None averages over all batches.
    """
    norms = batch_norms(module)
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = momentum
    try:
        yield
    finally:
        for norm, old in zip(norms, before, strict=True):
            norm.momentum = old
